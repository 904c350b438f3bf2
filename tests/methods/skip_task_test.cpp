// Module skipping on libtorch: what adapters and merging do to outputs, and the search as a task.
#include "methods/skip/task.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "rewrite/weights.h"
#include "train/program.h"
#include "zoo/catalog.h"
#include "zoo/vision_language.h"
#include "procedural.h"

namespace hone::methods {
namespace {

Graph network(const std::string& name, const hone::Options& options = {}) {
  auto arch = find_arch(name);
  EXPECT_TRUE(arch) << (arch ? "" : arch.error().text());
  for (const auto& [key, value] : options) arch->options[key] = value;
  auto graph = build(*arch);
  EXPECT_TRUE(graph) << (graph ? "" : graph.error().text());
  return *graph;
}

at::Generator generator(uint64_t seed) {
  train::Compute c;
  c.seed = seed;
  return train::step_generator(c, 0, 0);
}

std::vector<at::Tensor> inputs_of(const Graph& g, uint64_t seed = 1) {
  std::vector<at::Tensor> out;
  at::Generator random = generator(seed);
  for (ValueId v : g.inputs) {
    const Value& value = g.value(v);
    const bool mask = value.name.find("mask") != std::string::npos;
    if (value.type.dtype == DType::i64) out.push_back(mask ? at::ones(value.type.shape, at::kLong) : at::randint(1, 900, value.type.shape, random, at::kLong));
    else out.push_back(at::randn(value.type.shape, random));
  }
  return out;
}

at::Tensor run(const Graph& graph, const std::vector<at::Tensor>& inputs) {
  at::NoGradGuard no_grad;
  auto program = train::Program::compile(graph);
  EXPECT_TRUE(program) << (program ? "" : program.error().text());
  auto params = train::Params::of(graph, 7);
  EXPECT_TRUE(params);
  auto state = params->bind(*program);
  EXPECT_TRUE(state) << (state ? "" : state.error().text());
  auto out = program->run(inputs, *state, {});
  EXPECT_TRUE(out) << (out ? "" : out.error().text());
  return out ? (*out)[0] : at::Tensor();
}

Graph with(const Graph& g, const Adapters& adapters, const SkipNumbers& set = {}) {
  auto out = apply_skips(g, *skip_candidates(g), set, adapters);
  EXPECT_TRUE(out) << (out ? "" : out.error().text());
  return *out;
}

TEST(SkipNumerics, AdaptersThatGiveZeroChangeNoBit) {
  for (const char* net : {"vilt/tiny-vqa", "meter/tiny-vqa", "vilt/tiny-nlvr2", "timm/resnet18@32"}) {
    const Graph g = network(net);
    const auto in = inputs_of(g);
    const at::Tensor plain = run(g, in);
    for (Keep k : {Keep::das, Keep::houlsby, Keep::scaled}) EXPECT_TRUE(at::equal(plain, run(with(g, {.keep = k, .zero_up = true}), in))) << net << " " << name(k);
    if (std::string_view(net).find("resnet") != std::string_view::npos) continue;
    for (Keep k : {Keep::lora, Keep::linear}) EXPECT_TRUE(at::equal(plain, run(with(g, {.keep = k}), in))) << net << " " << name(k);
    EXPECT_FALSE(at::allclose(plain, run(with(g, {}), in), 0, 1e-7)) << net;  // up ~ N(0, 0.02^2): the method's start
  }
}

// An identity in place of a module is the network without its nodes: x + A(x) with A = 0 gives the same.
TEST(SkipNumerics, ASkippedModuleBecomesItsInput) {
  const Graph g = network("meter/tiny-vqa");
  const auto in = inputs_of(g);
  EXPECT_TRUE(at::equal(run(with(g, kIdentity, {1, 6}), in), run(with(g, {.keep = Keep::none, .zero_up = true}, {1, 6}), in)));
  EXPECT_FALSE(at::allclose(run(g, in), run(with(g, kIdentity, {1, 6}), in)));
}

// x + up(down(norm x)), the norm being the module's own: by hand on what the network's block reads.
TEST(SkipNumerics, ASkipAdapterReadsTheModulesNorm) {
  const Graph g = network("vilt/tiny");
  const auto c = *skip_candidates(g);
  const Graph s = with(g, {.keep = Keep::none, .replace_hidden = 16, .relu = false, .module_norm = true}, {3});
  EXPECT_EQ(s.find(c[3].skip_adapter + ".adapter_layer_norm_before.weight"), kNoValue);
  EXPECT_NE(s.find(c[3].module + ".layernorm_before.weight"), kNoValue);
  EXPECT_EQ(s.find(c[3].module + ".layernorm_after.weight"), kNoValue);
  // The same with a norm of the adapter's own that starts as the module's does: 1 and 0.
  const Graph own = with(g, {.keep = Keep::none, .replace_hidden = 16, .relu = false}, {3});
  const auto in = inputs_of(g);
  EXPECT_LT((run(s, in) - run(own, in)).abs().max().item<double>(), 1e-4);  // but for the norms' epsilons
  EXPECT_GT((run(s, in) - run(with(g, kIdentity, {3}), in)).abs().max().item<double>(), 1e-6);
  // Post-norm modules have none in front.
  const Graph m = network("meter/tiny");
  EXPECT_EQ(apply_skips(m, *skip_candidates(m), {1}, {.module_norm = true}).error().code, Code::usage);
}

TEST(SkipNumerics, MergedNetworksGiveTheSame) {
  for (const char* net : {"vilt/tiny-vqa", "meter/tiny-nlvr2", "timm/vit_tiny_patch16_224"})
    for (Keep k : {Keep::lora, Keep::linear}) {
      const Graph g = network(net);
      // Of the published kinds, and as LaVIN has them: dropout, which inference has none of, and grouped up-projections.
      Graph adapted = with(g, std::string_view(net).starts_with("meter") ? Adapters{.keep = k, .groups = 2, .dropout = 0.1} : Adapters{.keep = k});
      for (ValueId v : adapted.state())  // what starts at zero gets contents
        if (is_adapter(adapted.value(v).name)) adapted.values[v].init = {Init::Kind::normal, 0.05f};
      adapted = *with_fresh_weights(adapted, 7);
      const auto merged = merge_adapters(adapted);
      ASSERT_TRUE(merged) << merged.error().text();
      const auto in = inputs_of(g);
      const at::Tensor before = run(adapted, in), after = run(merged->graph, in), plain = run(*with_fresh_weights(g, 7), in);
      EXPECT_LT((before - after).abs().max().item<double>(), 2e-5 * (1 + before.abs().max().item<double>())) << net << name(k);
      EXPECT_GT((before - plain).abs().max().item<double>(), 2e-4) << net << name(k);
    }
}

TEST(SkipNumerics, PromptsRun) {
  for (const char* net : {"vilt/tiny-vqa", "meter/tiny-nlvr2"})
    for (Keep k : {Keep::prompt, Keep::deep_prompt}) {
      const Graph g = network(net);
      const auto in = inputs_of(g);
      const at::Tensor out = run(with(g, {.keep = k, .prompts = 5}, {1}), in);
      EXPECT_EQ(out.sizes(), run(g, in).sizes());
      EXPECT_TRUE(out.isfinite().all().item<bool>());
    }
}

// A picture gives the same alone, beneath a larger field, and beside another picture.
TEST(DynamicImages, DoNotDependOnTheirBatch) {
  const auto inputs = [](const at::Tensor& pixels, int64_t height, int64_t width, int64_t field_height, int64_t field_width) {
    const int64_t h = height / 8, w = width / 8, rows = field_height / 8, columns = field_width / 8;
    at::Tensor field = at::zeros({1, 3, field_height, field_width});
    field.slice(2, 0, height).slice(3, 0, width).copy_(pixels);
    at::Tensor mask = at::zeros({1, rows, columns}, at::kLong);
    mask.slice(1, 0, h).slice(2, 0, w).fill_(1);
    auto weights = [](int64_t valid, int64_t size) {
      std::vector<float> v = grid_weights(valid, size, 8);
      return at::tensor(v).view({1, size, 8});
    };
    return std::vector<at::Tensor>{at::arange(1, 25).view({1, 24}), at::ones({1, 24}, at::kLong), field, mask.view({1, -1}), weights(h, rows), weights(w, columns)};
  };
  const auto net = [](int64_t height, int64_t width) { return network("vilt/tiny-vqa", {{"dynamic_images", true}, {"image_height", height}, {"image_width", width}}); };
  const at::Tensor pixels = at::randn({1, 3, 40, 56}, generator(3));
  const at::Tensor alone = run(net(40, 56), inputs(pixels, 40, 56, 40, 56)), padded = run(net(64, 64), inputs(pixels, 40, 56, 64, 64));
  EXPECT_LT((alone - padded).abs().max().item<double>(), 1e-5);
  // Without the extra inputs the position table is resized by the graph itself.
  const auto fixed = inputs(pixels, 40, 56, 40, 56);
  const at::Tensor plain = run(network("vilt/tiny-vqa", {{"image_height", int64_t{40}}, {"image_width", int64_t{56}}}), {fixed[0], fixed[1], fixed[2]});
  EXPECT_LT((alone - plain).abs().max().item<double>(), 1e-5);

  auto two = infer(net(64, 64), {.batch = 2});
  ASSERT_TRUE(two) << two.error().text();
  const auto a = inputs(pixels, 40, 56, 64, 64), b = inputs(at::randn({1, 3, 64, 64}, generator(4)), 64, 64, 64, 64);
  std::vector<at::Tensor> both;
  for (size_t i = 0; i < a.size(); ++i) both.push_back(at::cat({a[i], b[i]}));
  EXPECT_LT((run(two->graph, both).slice(0, 0, 1) - padded).abs().max().item<double>(), 1e-5);
}

SkipOptions small_search() {
  SkipOptions o;
  o.network = "timm/mobilenetv2_050";
  o.resolution = 32;
  o.search = true;
  o.method = "bandit";
  o.bandit = {.skip = 1, .compare = 2, .every = 2, .rate = 0.3, .reward = Reward::standard, .seed = 5};
  o.warmup = 0.5;
  o.reward_batch = 8;
  o.pictures.kind = "patterns";
  o.pictures.train_size = 80;
  o.pictures.val_size = 16;
  o.pictures.batch = 8;
  o.pictures.val_batch = 16;
  o.pictures.augment.crop = Crop::stretch;
  return o;
}
const train::Compute kCompute{.threads = 1, .seed = 5};

// One plain step of gradient descent on what is trained.
void descend(SkipTask& task, const train::Losses& losses) {
  losses.total.backward();
  at::NoGradGuard no_grad;
  for (auto& e : task.params().entries())
    if (e.tensor.grad().defined()) {
      e.tensor.sub_(e.tensor.grad(), 0.05);
      e.tensor.mutable_grad() = at::Tensor();
    }
}

void copy_parameters(SkipTask& to, SkipTask& from) {
  at::NoGradGuard no_grad;
  for (auto& e : to.params().entries()) e.tensor.copy_(from.params().find(e.name)->tensor);
}

// `half` does the same step as `whole`, bit for bit.
void step_alike(SkipTask& whole, SkipTask& half, int64_t step, at::Tensor* loss = nullptr) {
  auto a = whole.forward(step, 0, 1), b = half.forward(step, 0, 1);
  ASSERT_TRUE(a && b) << (a ? b : a).error().text();
  EXPECT_TRUE(at::equal(a->total.detach(), b->total.detach())) << step;
  if (loss) *loss = a->total.detach();
  descend(whole, *a);
  descend(half, *b);
}

// A small search on questions about drawn pictures.
SkipOptions small_questions(const std::string& network, int64_t images, int64_t batch, int64_t val_batch) {
  SkipOptions o = small_search();
  o.network = network;
  o.resolution = 0;
  o.held = 0.2;
  o.questions = test::procedural(images, batch, val_batch);
  return o;
}

TEST(SkipTask, OnlyAdaptersAndTheClassifierMove) {
  auto task = SkipTask::make(small_search(), kCompute, nullptr);
  ASSERT_TRUE(task) << task.error().text();
  int64_t trained = 0;
  for (const auto& e : (*task)->params().entries()) {
    EXPECT_EQ(e.trainable, is_adapter(e.name) || e.name.starts_with("classifier.")) << e.name;
    trained += e.trainable;
  }
  EXPECT_GT(trained, 10);
}

// Two ranks compute one micro-batch each; both hold the scores that one process has that computes them in turn.
TEST(SkipTask, RanksHoldTheSameScores) {
  SkipOptions o = small_search();
  o.network = "timm/resnet18";  // tells sub-networks apart before it is trained
  auto one = *SkipTask::make(o, kCompute, nullptr), first = *SkipTask::make(o, kCompute, nullptr), second = *SkipTask::make(o, kCompute, nullptr);
  for (int64_t step = 0; step < 8; ++step) {
    ASSERT_TRUE(one->forward(step, 0, 2));
    ASSERT_TRUE(one->forward(step, 1, 2));
    ASSERT_TRUE(first->forward(step, 0, 2));
    ASSERT_TRUE(second->forward(step, 1, 2));
  }
  EXPECT_NE(one->bandit().scores(), std::vector<double>(one->bandit().scores().size(), 0.0));
  EXPECT_EQ(one->bandit().scores(), first->bandit().scores());
  EXPECT_EQ(one->bandit().scores(), second->bandit().scores());
}

TEST(SkipTask, GoesOnAsIfItHadNotStopped) {
  auto whole = *SkipTask::make(small_search(), kCompute, nullptr);
  auto before = *SkipTask::make(small_search(), kCompute, nullptr), after = *SkipTask::make(small_search(), kCompute, nullptr);
  for (int64_t step = 0; step < 12; ++step) {
    if (step == 7) {
      ASSERT_TRUE(after->load(before->save()));
      copy_parameters(*after, *before);
    }
    step_alike(*whole, step < 7 ? *before : *after, step);
  }
  EXPECT_EQ(*whole->chosen(whole->params()), *after->chosen(after->params()));
  EXPECT_GT(whole->chosen(whole->params())->history.size(), 2u);
  for (const auto& e : whole->params().entries()) EXPECT_TRUE(at::equal(e.tensor, after->params().find(e.name)->tensor)) << e.name;
}

// Dropout in adapters: drawn anew in every step and micro-batch of training, the same after a stop, and none in evaluation.
TEST(SkipTask, DropoutOfAdapters) {
  for (const bool search : {true, false}) {
    SkipOptions o = small_questions("vilt/tiny-vqa", 20, 4, 8);
    o.search = search;
    o.set = "1";
    o.adapters.xavier = true;  // starts large enough for a dropped unit to show in the loss's digits
    o.adapters.dropout = 0.3;
    auto whole = *SkipTask::make(o, kCompute, nullptr), before = *SkipTask::make(o, kCompute, nullptr), after = *SkipTask::make(o, kCompute, nullptr);
    o.adapters.dropout = 0;
    auto without = *SkipTask::make(o, kCompute, nullptr);
    int differ = 0;
    for (int64_t step = 0; step < 6; ++step) {
      if (step == 3) {
        ASSERT_TRUE(after->load(before->save()));
        copy_parameters(*after, *before);
      }
      auto plain = without->forward(step, 0, 1);
      ASSERT_TRUE(plain) << plain.error().text();
      at::Tensor loss;
      step_alike(*whole, step < 3 ? *before : *after, step, &loss);
      differ += !at::equal(loss, plain->total.detach());
      copy_parameters(*without, *whole);
    }
    EXPECT_EQ(differ, 6);
    for (const auto& e : whole->params().entries()) EXPECT_TRUE(at::equal(e.tensor, after->params().find(e.name)->tensor)) << e.name;
    // The same parameters with and without dropout answer the same.
    const SkipNumbers set = {1};
    EXPECT_EQ(whole->answer(whole->params(), set, "validation")->loss, without->answer(whole->params(), set, "validation")->loss);
  }
}

// network.init: fresh dense layers alone; what a checkpoint gives stays as it is there.
TEST(SkipTask, DeviationOfFreshDenseLayers) {
  SkipOptions o = small_questions("vilt/tiny-vqa", 20, 4, 4);
  const auto deviation = [&](double init, const std::string& name) {
    o.init = init;
    return (*SkipTask::make(o, kCompute, nullptr))->params().find(name)->tensor.std().item<double>();
  };
  const std::string dense = "vilt.encoder.layer.1.intermediate.dense.weight", words = "vilt.embeddings.text_embeddings.word_embeddings.weight";
  EXPECT_NEAR(deviation(0.1, dense) / deviation(0, dense), 5, 0.01);
  EXPECT_EQ(deviation(0.1, words), deviation(0, words));
}

TEST(SkipTask, PortsSetTheirDefaults) {
  const auto read = [](const std::string& text) {
    auto recipe = Recipe::parse(text, "r.toml");
    EXPECT_TRUE(recipe);
    const SkipOptions o = read_skip_options(*recipe, kCompute);
    // The frozen recipe states every value: read again it gives the same, whatever port it names.
    auto again = Recipe::parse(recipe->frozen(), "frozen.toml");
    EXPECT_TRUE(again) << recipe->frozen();
    const SkipOptions back = read_skip_options(*again, kCompute);
    EXPECT_EQ(back.adapters, o.adapters);
    EXPECT_EQ(back.bandit.rate, o.bandit.rate);
    return o;
  };
  EXPECT_EQ(read("").adapters, Adapters{});
  const SkipOptions lavin = read("[skip]\nport = \"lavin\"\n"), llava = read("[skip]\nport = \"llava\"\nrate = 0.2\n[adapters]\nhidden = 32\n");
  EXPECT_EQ(lavin.adapters, (Adapters{.keep = Keep::linear, .zero_up = true, .hidden = 8, .replace_hidden = 32, .xavier = true, .relu = false, .attention_only = true, .module_norm = true, .groups = 2, .dropout = 0.1}));
  EXPECT_EQ(lavin.bandit.rate, 0.05);
  EXPECT_EQ(lavin.warmup, 5);
  EXPECT_EQ(llava.adapters, (Adapters{.keep = Keep::before, .hidden = 32, .replace_hidden = 256, .xavier = true, .module_norm = true}));
  EXPECT_EQ(llava.bandit.rate, 0.2);
  EXPECT_EQ(llava.bandit.compare, 5);
  EXPECT_EQ(llava.bandit.every, 3);
  EXPECT_EQ(llava.ramp, 0.5);
}

TEST(SkipTask, TrainingHoldsNothingOfWhatIsLeftOut) {
  SkipOptions o = small_search();
  o.search = false;
  o.set = "1,3";
  auto task = SkipTask::make(o, kCompute, nullptr);
  ASSERT_TRUE(task) << task.error().text();
  const std::string module = (*task)->subnets().candidates()[1].module;
  for (const auto& e : (*task)->params().entries()) EXPECT_FALSE(e.name.starts_with(module + ".conv")) << e.name;
  EXPECT_NE((*task)->params().find(module + ".skip_adapter.up_proj.weight"), nullptr);
  auto losses = (*task)->forward(0, 0, 1);
  ASSERT_TRUE(losses) << losses.error().text();
  auto metrics = (*task)->validate((*task)->params());
  ASSERT_TRUE(metrics) << metrics.error().text();
  o.set = "99";
  EXPECT_EQ(SkipTask::make(o, kCompute, nullptr).error().code, Code::usage);
  o.bandit.skip = 99;
  o.set = "random";
  EXPECT_EQ(SkipTask::make(o, kCompute, nullptr).error().code, Code::usage);
  o.set = "";  // how many are drawn does not matter where nothing is
  EXPECT_TRUE(SkipTask::make(o, kCompute, nullptr));
  o.trainable = {"nothing.*"};
  EXPECT_EQ(SkipTask::make(o, kCompute, nullptr).error().code, Code::usage);
}

// Rows 0 and 2 show one photo: for either, the other's is no wrong answer.
TEST(SkipTask, SimilaritiesOfSketchesAndPhotos) {
  const double h = std::sqrt(0.5);
  const at::Tensor sketches = at::tensor({1.0, 0.0, 0.0, 1.0, h, h}).view({3, 2}), photos = at::tensor({1.0, 0.0, h, h, 1.0, 0.0}).view({3, 2});
  Examples e;
  e.same = at::zeros({3, 3}, at::kBool);
  e.same[0][2] = e.same[2][0] = true;
  e.targets = at::arange(3, at::kLong);
  e.temperature = 0.5;
  const at::Tensor logits = logits_of(at::cat({sketches, photos}), e);
  EXPECT_TRUE(at::allclose(logits, at::tensor({2.0, 2 * h, -1e4, 0.0, 2 * h, 0.0, -1e4, 2.0, 2 * h}).view({3, 3})));
  EXPECT_NEAR(loss_of(logits, e.targets, 0).item<double>(), (std::log1p(std::exp(2 * h - 2)) + std::log1p(2 * std::exp(-2 * h)) + std::log1p(std::exp(2 - 2 * h))) / 3, 1e-9);
  EXPECT_TRUE(at::equal(scores_of(logits, e.targets), at::tensor({1.f, 1.f, 0.f})));
}

TEST(SkipTask, SketchesFindTheirPhotos) {
  SkipOptions o = small_search();
  o.network = "timm/mobilenetv2_050";
  o.held = 0.2;
  o.sketches.data.path = "procedural";
  o.sketches.data.procedural_photos = 30;
  o.sketches.data.procedural_sketches = 2;
  o.sketches.data.validation = 0.2;
  o.sketches.style.mean = o.sketches.style.deviation = {0.5, 0.5, 0.5};
  o.sketches.batch = 8;
  auto task = SkipTask::make(o, kCompute, nullptr);
  ASSERT_TRUE(task) << task.error().text();
  const auto counts = (*task)->data()[0].counts;
  EXPECT_GT(counts.at("held sketches"), 0);
  const auto again = SkipTask::make(o, kCompute, nullptr);
  for (int64_t step = 0; step < 4; ++step) {
    auto a = (*task)->forward(step, 0, 1), b = (*again)->forward(step, 0, 1);
    ASSERT_TRUE(a && b) << a.error().text();
    EXPECT_TRUE(at::equal(a->total.detach(), b->total.detach())) << step;
    descend(**task, *a);
    descend(**again, *b);
  }
  const auto gallery = (*task)->source().gallery("validation");
  ASSERT_TRUE(gallery && *gallery);
  // The gallery in parts is the gallery at once, and the task's score is the share of first ranks in it.
  const Gallery& g = **gallery;
  EXPECT_TRUE(at::equal(g.load_photos(0, g.photos).slice(0, 1, 3), g.load_photos(1, 2)));
  auto answers = (*task)->answer((*task)->params(), {0}, "validation");
  ASSERT_TRUE(answers) << answers.error().text();
  EXPECT_EQ(answers->examples, static_cast<int64_t>(g.truth.size()));
  EXPECT_EQ(answers->measures[0].second, answers->score);
  EXPECT_LE(answers->score, answers->measures[2].second);
  EXPECT_GE(answers->measures[3].second, 1.0 / static_cast<double>(g.photos));
  EXPECT_EQ((*task)->source().size("nothing").error().code, Code::not_found);
  o.sketches.batch = 1000;
  EXPECT_EQ(SkipTask::make(o, kCompute, nullptr).error().code, Code::usage);
}

TEST(SkipTask, QuestionsAboutPictures) {
  for (const char* net : {"vilt/tiny-vqa", "meter/tiny-vqa"}) {
    SkipOptions o = small_questions(net, 40, 8, 8);
    auto one = SkipTask::make(o, kCompute, nullptr), other = SkipTask::make(o, kCompute, nullptr);
    ASSERT_TRUE(one) << one.error().text();
    for (const auto& e : (*one)->params().entries()) {
      if (e.name.find("encoder.layer") != std::string::npos && !is_adapter(e.name)) {
        EXPECT_FALSE(e.trainable) << e.name;
      }
      if (e.name.find("pooler") != std::string::npos && e.name.find("text_transformer") == std::string::npos) {
        EXPECT_TRUE(e.trainable) << e.name;
      }
    }
    for (int64_t step = 0; step < 6; ++step) {
      auto whole = (*one)->forward(step, 0, 1);
      ASSERT_TRUE(whole) << whole.error().text();
      EXPECT_TRUE(std::isfinite(whole->total.item<double>()));
      ASSERT_TRUE((*other)->forward(step, 0, 1));
    }
    EXPECT_EQ((*one)->bandit().scores(), (*other)->bandit().scores());
    const auto metrics = (*one)->validate((*one)->params());
    ASSERT_TRUE(metrics) << metrics.error().text();
    EXPECT_EQ((*one)->unit(), "questions");
  }
  SkipOptions o = small_search();
  o.network = "vilt/tiny-nlvr2";
  o.questions.path = "procedural";
  o.questions.images = 40;
  EXPECT_EQ(SkipTask::make(o, kCompute, nullptr).error().code, Code::usage);  // two pictures, the questions have one
}

// A search without an event would give a set that nothing speaks for.
TEST(SkipTask, TheWarmUpEndsBeforeTheSearchDoes) {
  SkipOptions o = small_search();
  o.total_steps = [](int64_t steps_per_epoch) { return steps_per_epoch; };
  EXPECT_TRUE(SkipTask::make(o, kCompute, nullptr));
  o.warmup = 1;
  const auto never = SkipTask::make(o, kCompute, nullptr);
  ASSERT_FALSE(never);
  EXPECT_EQ(never.error().code, Code::usage);
  EXPECT_EQ(never.error().where, "skip.warmup");
  o.method = "drop-one";  // which measures at the end
  EXPECT_TRUE(SkipTask::make(o, kCompute, nullptr));
}

// Frozen weights that no file gave are as good as noise, and a person is told; trained ones may be fresh.
TEST(SkipTask, FrozenWeightsThatWereDrawnAreNamed) {
  const auto told = [](const SkipOptions& o) {
    auto task = SkipTask::make(o, kCompute, nullptr);
    EXPECT_TRUE(task) << (task ? "" : task.error().text());
    return task && std::ranges::any_of((*task)->notes(), [](const std::string& note) { return note.find("stay as they were drawn") != std::string::npos; });
  };
  SkipOptions o = small_search();
  EXPECT_TRUE(told(o));
  o.trainable = {"*"};
  EXPECT_FALSE(told(o));
}

TEST(SkipTask, QuestionsNeedANetworkThatReadsTexts) {
  const auto made = SkipTask::make(small_questions("timm/resnet18", 40, 8, 8), kCompute, nullptr);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().text().find("timm/resnet18: reads no texts"), std::string::npos) << made.error().text();
}

TEST(SkipTask, OtherMethodsChooseOnTheSameSupernet) {
  for (const char* method : {"drop-one", "greedy", "magnitude", "exhaustive"}) {
    SkipOptions o = small_search();
    o.method = method;
    o.bandit.skip = 2;
    o.choose_batches = 1;
    auto task = SkipTask::make(o, kCompute, nullptr);
    ASSERT_TRUE(task) << task.error().text();
    const auto set = (*task)->chosen((*task)->params());
    ASSERT_TRUE(set) << set.error().text();
    EXPECT_EQ(set->set.size(), 2u) << method;
    EXPECT_EQ(set->method, method);
  }
}

}  // namespace
}  // namespace hone::methods
