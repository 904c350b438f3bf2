// Pre-training on texts and pictures, what it leaves for task skip, and evaluation of skip runs.
#include "methods/pretrain/task.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "core/file.h"
#include "data/shuffle.h"
#include "formats/checkpoint.h"
#include "ir/infer.h"
#include "methods/pretrain/masking.h"
#include "methods/questions/start.h"
#include "methods/skip/evaluate.h"
#include "methods/tasks.h"
#include "zoo/catalog.h"
#include "procedural.h"

namespace hone::methods {
namespace {

namespace fs = std::filesystem;

PretrainOptions small(const std::string& network) {
  PretrainOptions o;
  o.network = network;
  o.questions = test::procedural(40, 8, 8);
  return o;
}
const train::Compute kCompute{.threads = 1, .seed = 3};

TEST(Masking, HidesTheShareThatWasAskedForAndNoSpecialToken) {
  const auto data = open_question_data(small("").questions, 0, true);
  ASSERT_TRUE(data) << data.error().text();
  const Tokenizer& t = *data->tokenizer;
  const SpecialTokens& special = t.special();
  int64_t words = 0, masked = 0, other = 0, same = 0;
  for (uint64_t i = 0; i < 4000; ++i) {
    std::vector<int32_t> row(24);
    std::vector<uint8_t> mask(24);
    const Question& q = data->set->questions[i % data->set->questions.size()];
    t.encode_row(q.text, 24, row.data(), mask.data());
    std::vector<int64_t> before(row.begin(), row.end()), ids = before, labels(24);
    Rng rng(derive_seed(1, i));
    const int64_t hidden = mask_words(ids.data(), labels.data(), 24, t, 0.15, rng);
    int64_t n = 0, labelled = 0;
    for (size_t k = 0; k < 24; ++k) {
      const bool role = before[k] == special.begin || before[k] == special.end || before[k] == special.pad;
      n += !role;
      if (labels[k] == kNotMasked) {
        EXPECT_EQ(ids[k], before[k]);
        continue;
      }
      ++labelled;
      EXPECT_FALSE(role);
      EXPECT_EQ(labels[k], before[k]);
      masked += ids[k] == special.mask;
      same += ids[k] == before[k];
      other += ids[k] != special.mask && ids[k] != before[k];
    }
    EXPECT_EQ(labelled, hidden);
    EXPECT_EQ(hidden, std::max<int64_t>(1, std::llround(0.15 * static_cast<double>(n))));
    words += hidden;
  }
  const auto share = [&](int64_t part) { return static_cast<double>(part) / static_cast<double>(words); };
  EXPECT_NEAR(share(masked), 0.8, 0.03);   // at least 4000 draws: a deviation of 0.006
  EXPECT_NEAR(share(other), 0.1, 0.025);
  EXPECT_NEAR(share(same), 0.1, 0.025);
}

TEST(Pretrain, AStepIsAFunctionOfItsNumber) {
  for (const char* net : {"vilt/tiny-mlm-itm", "meter/tiny-mlm-itm"}) {
    auto one = PretrainTask::make(small(net), kCompute, nullptr), other = PretrainTask::make(small(net), kCompute, nullptr);
    ASSERT_TRUE(one) << one.error().text();
    ASSERT_TRUE(other);
    at::Tensor losses[5];
    for (int64_t step = 0; step < 5; ++step) {
      auto l = (*one)->forward(step, 0, 1);
      ASSERT_TRUE(l) << l.error().text();
      losses[step] = l->total.detach();
    }
    EXPECT_TRUE(at::equal(losses[4], (*other)->forward(4, 0, 1)->total.detach())) << net;  // as a run that goes on there
    EXPECT_FALSE(at::equal(losses[4], losses[3]));
    // Cut into micro-batches, the mean is that of the whole.
    double cut = 0, words = 0;
    for (int64_t micro = 0; micro < 4; ++micro) {
      const auto l = (*other)->forward(4, micro, 4);
      ASSERT_TRUE(l);
      cut += l->total.item<double>() / 4;
      words += l->parts[1].second.item<double>() / 4;
    }
    EXPECT_NEAR(cut, losses[4].item<double>(), 1e-5) << net;
    EXPECT_GE(words, 0);
    EXPECT_LE(words, 1);
  }
}

TEST(Pretrain, FreshLayersAreAsWideAsAskedFor) {
  PretrainOptions o = small("vilt/tiny-mlm-itm");
  const auto plain = PretrainTask::make(o, kCompute, nullptr);
  o.init = 0.1;
  const auto wide = PretrainTask::make(o, kCompute, nullptr);
  ASSERT_TRUE(plain && wide);
  const auto deviation = [](const auto& task, const char* name) { return task->params().find(name)->tensor.detach().std().template item<double>(); };
  const char *dense = "vilt.encoder.layer.0.intermediate.dense.weight", *words = "vilt.embeddings.text_embeddings.word_embeddings.weight";
  EXPECT_NEAR(deviation(*wide, dense) / deviation(*plain, dense), 5, 1e-3);
  EXPECT_EQ(deviation(*wide, words), deviation(*plain, words));
}

TEST(Pretrain, RefusesWhatItCannotLearn) {
  EXPECT_EQ(PretrainTask::make(small("vilt/tiny-vqa"), kCompute, nullptr).error().code, Code::usage);    // no such heads
  EXPECT_EQ(PretrainTask::make(small("vilt/tiny-nlvr2"), kCompute, nullptr).error().code, Code::usage);  // two pictures
}

constexpr const char* kPretrain = R"(
task = "pretrain"
[network]
name = "vilt/tiny-mlm-itm"
[questions]
path = "procedural"
images = 40
[data]
batch = 16
[train]
epochs = 3
threads = 1
device = "cpu"
validate_every = 0
[optimiser]
lr = 0.002
)";
constexpr const char* kSkip = R"(
task = "skip"
[network]
name = "vilt/tiny-vqa"
[skip]
phase = "search"
count = 2
held = 0.2
[questions]
path = "procedural"
images = 60
val_share = 0.2
[data]
batch = 16
val_batch = 32
[train]
epochs = 2
threads = 1
device = "cpu"
[optimiser]
lr = 0.002
)";

struct PretrainRuns : ::testing::Test {
  static std::string folder;
  static void SetUpTestSuite() {
    folder = ::testing::TempDir() + "pretrain_runs_" + std::to_string(::getpid()) + "/";
    fs::create_directories(folder);
    std::ofstream(folder + "pretrain.toml") << kPretrain;
    std::ofstream(folder + "skip.toml") << kSkip;
  }
  static void TearDownTestSuite() { fs::remove_all(folder); }
  static Result<train::Trained> run(const std::string& recipe, const std::string& name, const std::vector<std::string>& settings = {}) {
    return train::run_training(folder + recipe + ".toml", folder + name, settings, tasks());
  }
  static double metric(const train::Metrics& metrics, const std::string& name) {
    for (const auto& [n, value] : metrics)
      if (n == name) return value;
    return NAN;
  }
};
std::string PretrainRuns::folder;

TEST_F(PretrainRuns, FromWordsToAnAdaptedNetwork) {
  const auto pre = run("pretrain", "pre");
  ASSERT_TRUE(pre) << pre.error().text();
  EXPECT_LT(metric(pre->finished.last, "words_loss"), 4.2);  // log of the vocabulary is above 4.5
  const auto vocabulary = read_file(folder + "pre/vocab.txt");
  ASSERT_TRUE(vocabulary);

  const auto search = run("skip", "search", {"network.weights=" + folder + "pre", "skip.every=2", "skip.warmup=0.3", "skip.reward_batch=8"});
  ASSERT_TRUE(search) << search.error().text();
  EXPECT_EQ(*read_file(folder + "search/vocab.txt"), *vocabulary);  // the weights' ids
  const auto before = read_checkpoint(folder + "pre/checkpoints/best.safetensors"), after = read_checkpoint(folder + "search/checkpoints/best.safetensors");
  ASSERT_TRUE(before && after);
  int same = 0;
  for (const auto& [name, tensor] : *after)
    if (name.find("encoder.layer") != std::string::npos && name.find("adapter") == std::string::npos)
      for (const auto& [n, t] : *before)
        if (n == name) {
          EXPECT_TRUE(at::equal(*train::to_torch(tensor), *train::to_torch(t))) << name;  // frozen
          ++same;
        }
  EXPECT_EQ(same, 6 * 16);

  // The search's figures are those of its last set, which is the file's, with the checkpoint that is kept.
  EXPECT_EQ(search->finished.best_step, search->finished.steps);
  const auto found = evaluate_skip(folder + "search", "validation");
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_NEAR(found->measures[0].second, metric(search->finished.best, "score"), 1e-9);
  EXPECT_NEAR(static_cast<double>(found->macs), metric(search->finished.best, "macs"), 0.5);
  EXPECT_EQ(found->set.set.size(), 2u);

  const auto adapted = run("skip", "adapted-0", {"network.weights=" + folder + "pre", "skip.phase=train", "skip.set=" + folder + "search"});
  ASSERT_TRUE(adapted) << adapted.error().text();
  const auto validation = evaluate_skip(folder + "adapted-0", "validation"), test = evaluate_skip(folder + "adapted-0", "test");
  ASSERT_TRUE(validation && test) << (test ? "" : test.error().text());
  EXPECT_NEAR(validation->measures[0].second, metric(adapted->finished.best, "score"), 1e-9);
  EXPECT_EQ(validation->measures[0].first, "accuracy");
  EXPECT_EQ(validation->set.set, found->set.set);
  EXPECT_EQ(validation->set.method, "bandit");  // the search's, whose run the set came from
  EXPECT_GT(validation->measures.size(), 3u);  // by kind of question
  EXPECT_NE(test->examples, 0);
  EXPECT_LT(test->macs, test->backbone_macs);
  EXPECT_GT(test->search_seconds, -1);
  EXPECT_EQ(evaluate_skip(folder + "adapted-0", "nowhere").error().code, Code::not_found);
  EXPECT_EQ(evaluate_skip(folder + "pre", "test").error().code, Code::usage);

  const auto report = skip_report({*validation, *found}, {});
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->table("methods")->rows.size(), 2u);
  EXPECT_FALSE(skip_report({*validation, *test}, {}));  // other examples
}

TEST_F(PretrainRuns, AVocabularyThatIsNotTheWeightsIsRefused) {
  if (!fs::exists(folder + "pre/vocab.txt")) {
    ASSERT_TRUE(run("pretrain", "pre", {"train.epochs=1"}));
  }
  std::vector<std::string> weights = {folder + "pre"};
  std::string tokenizer;
  ASSERT_TRUE(use_weights_of_runs(weights, tokenizer));
  EXPECT_EQ(weights, std::vector<std::string>{folder + "pre/checkpoints/best.safetensors"});
  EXPECT_EQ(tokenizer, folder + "pre/vocab.txt");
  fs::create_directories(folder + "other");
  const std::string own = *read_file(folder + "pre/vocab.txt");
  std::ofstream(folder + "other/vocab.txt") << own << "another\n";
  tokenizer = folder + "other/vocab.txt";
  EXPECT_EQ(use_weights_of_runs(weights, tokenizer).error().code, Code::usage);
  tokenizer = folder + "pre/vocab.txt";
  EXPECT_TRUE(use_weights_of_runs(weights, tokenizer));
}

// RandAugment changes training pictures anew in every epoch, as a function of the step, and no others. METER keeps its middle cut.
TEST(QuestionData, AugmentsPicturesInTrainingAlone) {
  QuestionTrainOptions o = small("").questions;
  const auto data = open_question_data(o, 0, false);
  ASSERT_TRUE(data);
  for (const char* net : {"vilt/tiny-vqa", "meter/tiny-vqa"}) {
    const auto inputs = QuestionInputs::of(infer(*build(*find_arch(net)), {.batch = 1})->graph, *data->set);
    ASSERT_TRUE(inputs) << inputs.error().text();
    EXPECT_EQ(inputs->transform.fit, net[0] == 'm' ? Fit::centre_crop : Fit::stretch);
    const auto images = [&](int64_t augment, bool training, int64_t step) {
      o.augment = augment;
      QuestionBatch b;
      EXPECT_TRUE((*inputs->batches(*data, "learnt", o, 8, training, 3))(step, b));
      return b.images;
    };
    EXPECT_NE(images(2, true, 1), images(0, true, 1));
    EXPECT_EQ(images(2, true, 1), images(2, true, 1));
    EXPECT_EQ(images(2, false, 1), images(0, false, 1));
  }
}

// Splits by picture: nothing that is validated on or kept for rewards is learnt from, whatever the seed.
TEST(QuestionData, SplitsShareNoPicture) {
  QuestionTrainOptions o = small("").questions;
  o.images = 200;
  o.val_share = 0.25;
  const auto data = open_question_data(o, 0.1, false);
  ASSERT_TRUE(data) << data.error().text();
  std::vector<int> place(data->set->images.size(), -1);
  size_t questions = 0;
  const char* names[] = {"learnt", "held", "validation"};
  for (int k = 0; k < 3; ++k)
    for (uint32_t q : data->split(names[k])) {
      int& at = place[data->set->questions[q].images[0]];
      EXPECT_TRUE(at == -1 || at == k);
      at = k;
      ++questions;
    }
  EXPECT_EQ(questions, data->split("train").size());
  EXPECT_EQ(data->val, "validation");
  const auto pictures = [&](int k) { return std::count(place.begin(), place.end(), k); };
  EXPECT_EQ(pictures(1), 16);   // of 160
  EXPECT_EQ(pictures(2), 40);
  o.kinds = {"colour"};
  const auto colours = open_question_data(o, 0.1, false);
  ASSERT_TRUE(colours);
  for (const char* name : names)
    for (uint32_t q : colours->split(name)) EXPECT_EQ(colours->set->kinds[colours->set->questions[q].kind], "colour");
  EXPECT_EQ(colours->set->answers.size(), 8u);  // drawn for this kind alone
  o.objects = 1;
  o.kinds = {"count"};
  const auto one = open_question_data(o, 0.1, false);
  ASSERT_TRUE(one) << one.error().text();
  for (const Question& q : one->set->questions) EXPECT_LE(std::stoi(one->set->answers[q.answers[0].answer]), 1) << q.text;
  o.kinds = {"colours"};
  EXPECT_EQ(open_question_data(o, 0.1, false).error().code, Code::usage);
}

}  // namespace
}  // namespace hone::methods
