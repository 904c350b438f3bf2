// METER's learnt first token: where it starts, that it is trained, and that a checkpoint that has one keeps it.
#include "methods/skip/classifier_token.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "formats/safetensors.h"
#include "methods/skip/task.h"
#include "procedural.h"

namespace hone::methods {
namespace {

SkipOptions options() {
  SkipOptions o;
  o.network = "meter/tiny-vqa";
  o.classifier_token = true;
  o.search = false;
  o.held = 0.2;
  o.questions = test::procedural(20, 4, 4);
  return o;
}
const train::Compute kCompute{.threads = 1, .seed = 5};

TEST(ClassifierToken, StartsAsTheEmbeddingOfTheFirstTokenAndIsTrained) {
  auto task = SkipTask::make(options(), kCompute, nullptr);
  ASSERT_TRUE(task) << task.error().text();
  const train::Params& p = (*task)->params();
  const auto* token = p.find("token4classifier");
  ASSERT_NE(token, nullptr);
  EXPECT_TRUE(token->trainable);
  at::NoGradGuard quiet;
  const auto table = [&](const std::string& name) { return p.find("text_transformer.embeddings." + name)->tensor; };
  const at::Tensor x = table("word_embeddings.weight")[2] + table("position_embeddings.weight")[2] + table("token_type_embeddings.weight")[0];  // [PAD], [UNK], [CLS]
  const at::Tensor normed = (x - x.mean()) / (x.var(0, false) + 1e-5).sqrt();
  EXPECT_LT((token->tensor.view({-1}) - normed * table("LayerNorm.weight") - table("LayerNorm.bias")).abs().max().item<double>(), 1e-5);
  EXPECT_TRUE((*task)->forward(0, 0, 1));

  // A checkpoint with a token of its own.
  train::Params other = p.clone();
  other.find("token4classifier")->tensor.fill_(0.25);
  SafeTensors file;
  file.tensors = other.save();
  const std::string path = testing::TempDir() + "/token.safetensors";
  ASSERT_TRUE(write_safetensors(file, path, true));
  SkipOptions o = options();
  o.weights = {path};
  auto again = SkipTask::make(o, kCompute, nullptr);
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_TRUE((*again)->params().find("token4classifier")->tensor.eq(0.25).all().item<bool>());
  std::filesystem::remove(path);
}

TEST(ClassifierToken, IsMetersOwn) {
  SkipOptions o = options();
  o.network = "vilt/tiny-vqa";
  const auto task = SkipTask::make(o, kCompute, nullptr);
  ASSERT_FALSE(task);
  EXPECT_EQ(task.error().code, Code::usage);
  EXPECT_EQ(task.error().where, "network.classifier_token");
}

}  // namespace
}  // namespace hone::methods
