// A network that begins with several checkpoints, each of which holds a part of it: METER with CLIP and RoBERTa.
#include "methods/questions/start.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "core/file.h"
#include "formats/safetensors.h"
#include "methods/pretrain/task.h"
#include "methods/skip/task.h"
#include "procedural.h"

namespace hone::methods {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kClip = "vit_model.", kRoberta = "text_transformer.";
const train::Compute kCompute{.threads = 1, .seed = 1};

std::string vocabulary() {
  const std::string path = ::testing::TempDir() + "two_checkpoints_" + std::to_string(::getpid()) + ".txt";
  std::string tokens = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (char c = 'a'; c <= 'z'; ++c) tokens += std::string(1, c) + "\n##" + c + "\n";
  EXPECT_TRUE(write_file(path, tokens, true));
  return path;
}

template <class Options>
Options small(const std::string& network) {
  Options o;
  o.network = network;
  o.questions = test::procedural(20, 4, 4);
  o.questions.tokenizer = vocabulary();
  return o;
}
SkipOptions adapted() {
  auto o = small<SkipOptions>("meter/tiny-vqa");
  o.classifier_token = true;
  o.search = false;
  o.held = 0.2;
  return o;
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  if (const size_t at = text.find(what); at != text.npos) text.replace(at, what.size(), by);
  return text;
}

struct TwoCheckpoints : ::testing::Test {
  std::string folder = ::testing::TempDir() + "two_checkpoints_" + std::to_string(::getpid()) + "/";
  train::Params weights;  // of another seed than the tasks'
  const std::string roberta = folder + "roberta.safetensors", clip = folder + "clip.safetensors";

  void SetUp() override {
    fs::create_directories(folder);
    auto other = SkipTask::make(adapted(), {.threads = 1, .seed = 99}, nullptr);
    ASSERT_TRUE(other) << other.error().text();
    weights = (*other)->params().clone();
    NamedTensors text;
    for (const auto& e : weights.entries())
      if (e.name.starts_with(kRoberta) && !e.buffer) text.emplace_back("roberta." + e.name.substr(kRoberta.size()), *train::from_torch(e.tensor));
    text.emplace_back("lm_head.bias", *train::from_torch(at::zeros({9})));
    write(roberta, std::move(text));
  }
  void TearDown() override {
    fs::remove_all(folder);
    fs::remove(vocabulary());
  }

  static void write(const std::string& path, NamedTensors tensors) {
    SafeTensors file;
    file.tensors = std::move(tensors);
    ASSERT_TRUE(write_safetensors(file, path, true));
  }
  // The picture encoder under a library's names, and what of CLIP has no place in METER.
  void write_clip(bool openai) {
    NamedTensors picture;
    const auto add = [&](const std::string& name, const at::Tensor& t) { picture.emplace_back(name, *train::from_torch(t.contiguous())); };
    for (const auto& e : weights.entries()) {
      if (!e.name.starts_with(kClip)) continue;
      std::string name = e.name.substr(kClip.size());
      if (openai) {
        add(name, e.tensor);
        continue;
      }
      if (!name.starts_with("visual.")) continue;  // leftovers of CLIP's text encoder
      name = replaced(name.substr(7), "transformer.resblocks", "encoder.layers");
      for (const auto& [own, theirs] : {std::pair{"ln_1", "layer_norm1"}, {"ln_2", "layer_norm2"}, {"attn.out_proj", "self_attn.out_proj"}, {"mlp.c_fc", "mlp.fc1"}, {"mlp.c_proj", "mlp.fc2"},
                                        {"conv1", "embeddings.patch_embedding"}, {"class_embedding", "embeddings.class_embedding"}, {"positional_embedding", "embeddings.position_embedding.weight"},
                                        {"ln_pre", "pre_layrnorm"}, {"ln_post", "post_layernorm"}})
        name = replaced(name, own, theirs);
      if (const size_t at = name.find("attn.in_proj_"); at != name.npos)
        for (int64_t k = 0; k < 3; ++k) add("vision_model." + name.substr(0, at) + "self_attn." + "qkv"[k] + "_proj." + name.substr(at + 13), e.tensor.chunk(3)[static_cast<size_t>(k)]);
      else
        add("vision_model." + name, e.tensor);
    }
    add("logit_scale", at::zeros({1}));
    write(clip, std::move(picture));
  }
  // Everything of both encoders is the checkpoints', the rest its own.
  void expect_started(const train::Params& p, bool leftovers) const {
    int encoders = 0, fresh = 0;
    for (const auto& e : p.entries()) {
      const auto* from = weights.find(e.name);
      if (!from || e.tensor.numel() < 1000 || !at::isFloatingType(e.tensor.scalar_type())) continue;
      const bool left = e.name.starts_with(kClip) && e.name.find("visual.") == std::string::npos;
      const bool given = (e.name.starts_with(kClip) && (!left || leftovers)) || e.name.starts_with(kRoberta);
      EXPECT_EQ(at::equal(e.tensor, from->tensor), given) << e.name;
      (given ? encoders : fresh)++;
    }
    EXPECT_GT(encoders, 20);
    EXPECT_GT(fresh, 20);
  }
  static bool says(const std::vector<std::string>& notes, const std::string& text) {
    return std::ranges::any_of(notes, [&](const std::string& n) { return n.find(text) != n.npos; });
  }
};

TEST_F(TwoCheckpoints, FillBothEncodersOfMeter) {
  for (const bool openai : {true, false}) {
    write_clip(openai);
    SkipOptions o = adapted();
    o.weights = {clip, roberta};
    auto task = SkipTask::make(o, kCompute, nullptr);
    ASSERT_TRUE(task) << task.error().text();
    expect_started((*task)->params(), openai);
    const auto notes = (*task)->notes();
    EXPECT_TRUE(says(notes, clip + ": ")) << notes[0];
    EXPECT_TRUE(says(notes, openai ? "the names are those of OpenAI's CLIP" : "the names are those of Hugging Face's CLIP"));
    EXPECT_TRUE(says(notes, "1 unused (logit_scale)"));
    EXPECT_TRUE(says(notes, roberta + ": "));
    EXPECT_TRUE(says(notes, "1 unused (lm_head.bias)"));
    EXPECT_TRUE(says(notes, "are in none of the 2 files and start fresh (")) << notes.back();
    EXPECT_FALSE(says(notes, " missing"));
    // The classifier token starts from the words that the second file gave.
    at::NoGradGuard quiet;
    const auto table = [&](const std::string& name) { return weights.find("text_transformer.embeddings." + name)->tensor; };
    const at::Tensor x = table("word_embeddings.weight")[2] + table("position_embeddings.weight")[2] + table("token_type_embeddings.weight")[0];
    const at::Tensor wanted = at::layer_norm(x, x.sizes(), table("LayerNorm.weight"), table("LayerNorm.bias"), 1e-5);
    EXPECT_LT(((*task)->params().find("token4classifier")->tensor.view({-1}) - wanted).abs().max().item<double>(), 1e-5);

    auto p = small<PretrainOptions>("meter/tiny-mlm-itm");
    p.weights = {roberta, clip};
    const auto pre = PretrainTask::make(p, kCompute, nullptr);
    ASSERT_TRUE(pre) << pre.error().text();
    expect_started((*pre)->params(), openai);
    EXPECT_TRUE(says((*pre)->notes(), "start fresh"));
  }
}

TEST_F(TwoCheckpoints, OneGivesNothingOrBothGiveTheSame) {
  write_clip(true);
  SkipOptions o = adapted();
  o.weights = {clip, roberta, clip};
  auto task = SkipTask::make(o, kCompute, nullptr);
  ASSERT_FALSE(task);
  EXPECT_EQ(task.error().code, Code::usage);
  EXPECT_NE(task.error().message.find("vit_model."), std::string::npos) << task.error().text();
  EXPECT_NE(task.error().message.find(clip), std::string::npos) << task.error().text();

  const std::string empty = folder + "empty.safetensors";
  write(empty, {{"somewhere.else", *train::from_torch(at::zeros({3}))}});
  o.weights = {clip, empty};
  task = SkipTask::make(o, kCompute, nullptr);
  ASSERT_FALSE(task);
  EXPECT_EQ(task.error().where, empty);

  // Words of another vocabulary, in whichever file.
  write(folder + "words.safetensors", {{"roberta.embeddings.word_embeddings.weight", *train::from_torch(at::zeros({77, 128}))}});
  o.weights = {clip, folder + "words.safetensors"};
  task = SkipTask::make(o, kCompute, nullptr);
  ASSERT_FALSE(task);
  EXPECT_NE(task.error().text().find("77"), std::string::npos) << task.error().text();
  auto p = small<PretrainOptions>("meter/tiny-mlm-itm");
  p.weights = o.weights;
  EXPECT_FALSE(PretrainTask::make(p, kCompute, nullptr));
}

// One file keeps the report that one file always had.
TEST_F(TwoCheckpoints, OneFileSaysWhatIsMissing) {
  SkipOptions o = adapted();
  o.weights = {roberta};
  auto task = SkipTask::make(o, kCompute, nullptr);
  ASSERT_TRUE(task) << task.error().text();
  EXPECT_TRUE(says((*task)->notes(), " missing (")) << (*task)->notes()[0];
  EXPECT_FALSE(says((*task)->notes(), "start fresh"));
}

}  // namespace
}  // namespace hone::methods
