// Retrieval with captions: training, and recall over all pairs with what depends on one side alone computed once.
#include "methods/skip/recall.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "data/questions_procedural.h"
#include "formats/image.h"
#include "formats/safetensors.h"
#include "methods/skip/evaluate.h"
#include "methods/tasks.h"

namespace hone::methods {
namespace {

namespace fs = std::filesystem;

// Flickr30K's layout with drawn pictures, and what their questions say as captions.
struct Captions : ::testing::Test {
  static std::string folder;
  static void SetUpTestSuite() {
    folder = ::testing::TempDir() + "captions_" + std::to_string(::getpid()) + "/";
    fs::create_directories(folder + "data/flickr30k-images");
    ProceduralQuestions p;
    p.images = 40;
    const auto set = procedural_questions(p);
    ASSERT_TRUE(set);
    std::ofstream json(folder + "data/dataset_flickr30k.json");
    json << R"({"dataset": "flickr30k", "images": [)";
    size_t q = 0;
    for (size_t i = 0; i < set->images.size(); ++i) {
      const auto image = set->images[i].load();
      ASSERT_TRUE(image);
      const auto png = encode_png(*image);
      ASSERT_TRUE(png);
      std::ofstream(folder + "data/flickr30k-images/" + std::to_string(i) + ".png", std::ios::binary) << *png;
      json << (i ? "," : "") << R"({"filename": ")" << i << R"(.png", "split": ")" << (i < 24 ? "train" : i < 32 ? "val" : "test") << R"(", "sentences": [)";
      for (bool first = true; q < set->questions.size() && set->questions[q].images[0] == i; ++q, first = false)
        json << (first ? "" : ",") << R"({"raw": ")" << set->questions[q].text << " " << set->answers[set->questions[q].answers[0].answer] << R"("})";
      json << "]}";
    }
    json << "]}";
  }
  static void TearDownTestSuite() { fs::remove_all(folder); }

  static SkipOptions options(const std::string& network) {
    SkipOptions o;
    o.network = network;
    o.search = false;
    o.held = 0.2;
    o.questions.path = folder + "data";
    o.questions.false_texts = 3;
    o.questions.batch = 4;
    o.questions.val_batch = 8;
    return o;
  }
  inline static const train::Compute kCompute{.threads = 1, .seed = 2};
};
std::string Captions::folder;

TEST_F(Captions, CachedEncodingsGiveTheSameScores) {
  for (const char* net : {"vilt/tiny-retrieval", "meter/tiny-retrieval"}) {
    SkipOptions o = options(net);
    o.set = "1";
    auto task = SkipTask::make(o, kCompute, nullptr);
    ASSERT_TRUE(task) << task.error().text();
    const auto graph = (*task)->subnets().graph((*task)->set(), 1);
    const auto pairs = (*task)->source().pairs("test");
    ASSERT_TRUE(pairs && *pairs) << (pairs ? "" : pairs.error().text());
    EXPECT_EQ((*pairs)->pictures, 8);
    const auto cached = score_pairs(*graph, (*task)->params(), **pairs, {.batch = 7}), whole = score_pairs(*graph, (*task)->params(), **pairs, {.batch = 7, .cached = false});
    ASSERT_TRUE(cached && whole) << (cached ? whole.error().text() : cached.error().text());
    EXPECT_LT((cached->scores - whole->scores).abs().max().item<double>(), 1e-5) << net;
    EXPECT_GT(whole->scores.std().item<double>(), 1e-4) << net;  // pairs do differ
    // Nothing is computed twice, and nothing is left out.
    EXPECT_EQ(cached->encoded_macs + cached->pair_macs, whole->pair_macs) << net;
    EXPECT_GT(cached->encoded_macs, (std::string_view(net).starts_with("meter") ? whole->pair_macs / 3 : 0)) << net;
  }
}

TEST_F(Captions, TrainedAndMeasuredBothWays) {
  std::ofstream(folder + "captions.toml") << R"(
task = "skip"
[network]
name = "meter/tiny-retrieval"
[skip]
phase = "train"
set = "6"
held = 0.2
[questions]
path = ")" << folder << R"(data"
false_texts = 3
[loss]
matching = 1
[data]
batch = 8
[train]
epochs = 1
threads = 1
device = "cpu"
[optimiser]
lr = 0.001
)";
  const auto trained = train::run_training(folder + "captions.toml", folder + "run", {}, tasks());
  ASSERT_TRUE(trained) << trained.error().text();
  const auto e = evaluate_skip(folder + "run", "test");
  ASSERT_TRUE(e) << e.error().text();
  const char* names[] = {"mean recall", "TR@1", "TR@5", "TR@10", "IR@1", "IR@5", "IR@10", "caption among 4"};
  ASSERT_EQ(e->measures.size(), std::size(names));
  for (size_t i = 0; i < std::size(names); ++i) {
    EXPECT_EQ(e->measures[i].first, names[i]);
    EXPECT_GE(e->measures[i].second, 0);
    EXPECT_LE(e->measures[i].second, 1);
  }
  EXPECT_LE(e->measures[4].second, e->measures[5].second);
  EXPECT_EQ(e->measures[6].second, 1);  // 8 pictures: each is among the first 10
  EXPECT_EQ(e->pictures, 8);
  EXPECT_TRUE(skip_report({*e}, {}));
  // Without a second output there is nothing to learn matching from.
  SkipOptions o = options("meter/tiny-vqa");
  o.matching_weight = 1;
  EXPECT_EQ(SkipTask::make(o, kCompute, nullptr).error().code, Code::usage);
}

// The head that ranks begins as the "match" row of image-text matching.
TEST_F(Captions, RankingBeginsAsMatching) {
  SkipOptions o = options("vilt/tiny-retrieval");
  const auto random = SkipTask::make(o, kCompute, nullptr);
  ASSERT_TRUE(random) << random.error().text();
  NamedTensors tensors;
  for (auto& [name, tensor] : (*random)->params().save())
    if (name.find("rank_output") == std::string::npos) tensors.emplace_back(name, tensor);
  ASSERT_TRUE(write_safetensors({std::move(tensors), {}, {}}, folder + "matching.safetensors", true));
  o.weights = {folder + "matching.safetensors"};
  auto c = kCompute;
  c.seed = 9;
  const auto task = SkipTask::make(o, c, nullptr);
  ASSERT_TRUE(task) << task.error().text();
  const auto& p = (*task)->params();
  EXPECT_TRUE(at::equal(p.find("rank_output.weight")->tensor.detach(), p.find("itm_score.fc.weight")->tensor.detach().narrow(0, 1, 1)));
}

}  // namespace
}  // namespace hone::methods
