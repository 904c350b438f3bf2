// Decoder-only language models exported by PyTorch, with blocks left out: what the rewritten graph gives in both engines against
// what PyTorch gives without those blocks (tests/data/decoders/make.py wrote the files and the outputs).
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cost/profile.h"
#include "engine/engine.h"
#include "formats/onnx_read.h"
#include "formats/onnx_write.h"
#include "ir/infer.h"
#include "ir/recognise.h"
#include "rewrite/adapters.h"
#include "rewrite/weights.h"

namespace hone {
namespace {

using Json = nlohmann::json;
const std::string kFolder = HONE_SOURCE_DIR "/tests/data/decoders/";
constexpr int64_t kTexts = 2, kLength = 10, kVocabulary = 48;

Json expected() {
  std::ifstream in(kFolder + "expected.json");
  return Json::parse(in);
}

// As hone opens files.
Graph opened(const std::string& path, int64_t texts = kTexts, int64_t length = kLength) {
  auto graph = read_onnx(path);
  EXPECT_TRUE(graph) << (graph ? "" : graph.error().text());
  auto typed = infer(std::move(*graph), {.inputs = {{"input_ids", {texts, length}}}, .batch = {}, .contents = {}});
  EXPECT_TRUE(typed) << (typed ? "" : typed.error().text());
  return recognise(typed->graph);
}

int64_t held_bytes(const Graph& g) {
  int64_t n = 0;
  for (ValueId v : g.state())
    if (g.value(v).data) n += static_cast<int64_t>(g.value(v).data->bytes.size);
  return n;
}

// Logits of the last token of each text.
std::vector<float> last_logits(const Graph& graph, const std::string& engine_name, const Json& row) {
  const auto engine = open_engine(engine_name);
  if (!engine) return {};
  auto session = (*engine)->load(graph, {});
  EXPECT_TRUE(session) << (session ? "" : session.error().text());
  if (!session) return {};
  std::vector<int64_t> ids;
  for (const auto& text : row["ids"]) ids.insert(ids.end(), text.begin(), text.end());
  Tensor input = Tensor::ints(ids);
  input.shape = {kTexts, kLength};
  const auto out = (*session)->run(std::vector<Tensor>{input});
  EXPECT_TRUE(out) << (out ? "" : out.error().text());
  if (!out) return {};
  EXPECT_EQ(out->front().shape, (Shape{kTexts, kLength, kVocabulary}));
  std::vector<float> all(static_cast<size_t>(kTexts * kLength * kVocabulary)), last;
  std::memcpy(all.data(), out->front().bytes.data, all.size() * sizeof(float));
  for (int64_t t = 1; t <= kTexts; ++t) last.insert(last.end(), all.begin() + (t * kLength - 1) * kVocabulary, all.begin() + t * kLength * kVocabulary);
  return last;
}

class Decoders : public testing::TestWithParam<size_t> {};

TEST_P(Decoders, WithoutBlocksAreWhatPyTorchComputesWithoutThem) {
  const Json row = expected()[GetParam()];
  const std::string file = row["file"];
  SCOPED_TRACE(file);
  const Graph graph = opened(kFolder + file);
  const auto candidates = skip_candidates(graph);
  ASSERT_TRUE(candidates) << candidates.error().text();
  ASSERT_EQ(candidates->size(), 3u);
  const int64_t block = row["block_params"];
  for (const SkipCandidate& c : *candidates) {
    EXPECT_EQ(c.params, block) << c.module;
    EXPECT_EQ(c.width, 8) << c.module;
    EXPECT_EQ(c.macs, candidates->front().macs) << c.module;
    EXPECT_EQ(c.passes[0].sums.size(), 2u) << c.module;
  }
  // Dense layers, and scores and sums of an attention over 10 tokens.
  const int64_t dense = file.starts_with("gpt2") ? 12 * 8 * 8 : 2 * 8 * 8 + 2 * 8 * 4 + 3 * 8 * 20;
  EXPECT_EQ(candidates->front().macs, kTexts * (kLength * dense + 2 * kLength * kLength * 8));
  const int64_t whole = profile(graph)->totals.macs;

  for (const Json& out : row["logits"]) {
    const std::vector<int64_t> set = out["set"];
    SCOPED_TRACE(out["set"].dump());
    const auto skipped = apply_skips(graph, *candidates, set, kIdentity);
    ASSERT_TRUE(skipped) << skipped.error().text();
    const auto k = static_cast<int64_t>(set.size());
    EXPECT_EQ(profile(*skipped)->totals.macs, whole - k * candidates->front().macs);
    // Nothing of the blocks is held, neither in memory nor in the file.
    EXPECT_EQ(held_bytes(*skipped), held_bytes(graph) - 4 * k * block);
    const std::string path = testing::TempDir() + "/decoder.onnx";
    OnnxOptions options;
    options.force = true;
    ASSERT_TRUE(write_onnx(*skipped, path, options));
    const Graph back = opened(path);
    EXPECT_EQ(held_bytes(back), held_bytes(*skipped));
    std::vector<float> expected_logits;
    for (const auto& text : out["last"]) expected_logits.insert(expected_logits.end(), text.begin(), text.end());
    for (const char* engine : {"torch", "openvino"})
      for (const Graph* g : {&*skipped, &back}) {
        const auto given = open_engine(engine);
        if (!given && given.error().message.find("hone was built without it") != std::string::npos) continue;
        const std::vector<float> logits = last_logits(*g, engine, row);
        ASSERT_EQ(logits.size(), expected_logits.size()) << engine;
        for (size_t i = 0; i < logits.size(); ++i) ASSERT_NEAR(logits[i], expected_logits[i], 1e-4) << engine << " " << i;
      }
  }
}

// Adapters in a language model: what is added is counted, and with zeros in it nothing changes.
TEST_P(Decoders, TakeAdapters) {
  const Json row = expected()[GetParam()];
  SCOPED_TRACE(row["file"].get<std::string>());
  const Graph graph = opened(kFolder + row["file"].get<std::string>());
  const auto candidates = *skip_candidates(graph);
  for (const Keep keep : {Keep::das, Keep::houlsby, Keep::scaled, Keep::none}) {
    const auto adapted = apply_skips(graph, candidates, {2}, {.keep = keep, .reduction = 2, .zero_up = true});
    ASSERT_TRUE(adapted) << name(keep) << ": " << adapted.error().text();
    const auto filled = with_fresh_weights(*adapted, 1), plain = apply_skips(graph, candidates, {2}, kIdentity);
    ASSERT_TRUE(filled && plain);
    const auto given = open_engine("torch");
    if (!given && given.error().message.find("hone was built without it") != std::string::npos) continue;
    EXPECT_EQ(last_logits(*filled, "torch", row), last_logits(*plain, "torch", row)) << name(keep);
  }
}

INSTANTIATE_TEST_SUITE_P(Exports, Decoders, testing::Range<size_t>(0, 2));

}  // namespace
}  // namespace hone
