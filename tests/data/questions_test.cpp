#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <set>

#include "data/loader.h"
#include "data/question_batches.h"
#include "data/question_scenes.h"
#include "data/questions_procedural.h"

namespace hone {
namespace {

std::shared_ptr<const QuestionSet> small_set() {
  static const auto set = std::make_shared<const QuestionSet>(*procedural_questions({.images = 60, .questions_per_image = 4}));
  return set;
}

TEST(ProceduralQuestions, AnswersAreBalancedWithinEachKind) {
  const auto set = procedural_questions({.seed = 3, .images = 3000});
  ASSERT_TRUE(set) << set.error().text();
  EXPECT_EQ(set->kinds, procedural_question_kinds());
  EXPECT_EQ(set->questions.size(), 12000u);
  EXPECT_EQ(set->splits[0].questions.size(), 9600u);
  EXPECT_EQ(set->splits[1].questions.size(), 1200u);
  EXPECT_EQ(set->splits[2].questions.size(), 1200u);
  QuestionSet::Split all;
  for (uint32_t i = 0; i < set->questions.size(); ++i) all.questions.push_back(i);
  for (const AnswerKind& k : count_answers(*set, all)) {
    int64_t least = INT64_MAX, most = 0;
    for (const int64_t n : k.answers)
      if (n > 0) least = std::min(least, n), most = std::max(most, n);
    // Uniform draws of about 1700 questions over at most 8 answers: five deviations are 35 %. A blind guess wins nothing.
    EXPECT_LT(static_cast<double>(most), 1.5 * static_cast<double>(least)) << set->kinds[k.kind];
    // Several kinds in one picture do not always go together.
    EXPECT_NEAR(static_cast<double>(k.questions), 12000.0 / 7, 0.3 * 12000 / 7) << set->kinds[k.kind];
  }
}

// Who reads the question and does not look at the picture gains next to nothing: the most frequent answer to each question
// of the training split, asked of the test split.
TEST(ProceduralQuestions, WordsAloneDoNotTell) {
  const auto set = procedural_questions({.seed = 4, .images = 4000, .test_share = 0.3});
  std::map<std::string, std::map<uint32_t, int>> by_text, by_kind;
  const auto kind = [&](const Question& q) { return set->kinds[q.kind]; };
  for (const uint32_t i : set->split("train")->questions) {
    const Question& q = set->questions[i];
    ++by_text[q.text][q.answers[0].answer];
    ++by_kind[kind(q)][q.answers[0].answer];
  }
  const auto most = [](const std::map<uint32_t, int>& counts) { return std::ranges::max_element(counts, {}, [](const auto& c) { return c.second; })->first; };
  double right = 0, guessed = 0;
  for (const uint32_t i : set->split("test")->questions) {
    const Question& q = set->questions[i];
    const auto& seen = by_text.contains(q.text) ? by_text[q.text] : by_kind[kind(q)];
    right += most(seen) == q.answers[0].answer;
    guessed += 1.0 / static_cast<double>(by_kind[kind(q)].size());
  }
  const auto n = static_cast<double>(set->split("test")->questions.size());
  EXPECT_LT(right / n, guessed / n + 0.04);
}

TEST(ProceduralQuestions, AFunctionOfSeedAndIndex) {
  const auto many = procedural_questions({.images = 60, .questions_per_image = 4}), few = procedural_questions({.images = 7, .questions_per_image = 4}),
             other = procedural_questions({.seed = 2, .images = 7, .questions_per_image = 4});
  for (size_t q = 0; q < few->questions.size(); ++q) {
    EXPECT_EQ(few->questions[q].text, many->questions[q].text);
    EXPECT_EQ(few->questions[q].answers, many->questions[q].answers);
  }
  for (size_t i = 0; i < few->images.size(); ++i) {
    EXPECT_EQ(few->images[i].load()->pixels, many->images[i].load()->pixels);
    EXPECT_NE(few->images[i].load()->pixels, other->images[i].load()->pixels);
  }
  EXPECT_EQ(many->checksum, small_set()->checksum);
  EXPECT_NE(few->checksum, other->checksum);
  // The same on every machine.
  EXPECT_EQ(small_set()->checksum, "427234083c060ca71c10553ee60cb0a7689024622a697a61301b1c2dbd7dd0c6");
}

TEST(ProceduralQuestions, NoQuestionTwiceOfOnePicture) {
  std::set<std::pair<uint32_t, std::string>> seen;
  for (const Question& q : small_set()->questions) EXPECT_TRUE(seen.insert({q.images[0], q.text}).second) << q.text;
}

// The answers, worked out again from the pictures' words alone: "is there a red circle?" and so on, over drawn scenes.
TEST(ProceduralQuestions, AnswersAreTrue) {
  using namespace scenes;
  Rng rng(5);
  int checked = 0;
  for (int i = 0; i < 400; ++i) {
    const Scene scene = draw_scene(rng, 1, 5);
    const auto count = [&](const std::string& words) {  // things that fit every word said of them
      int n = 0;
      for (const Thing& t : scene.things) {
        bool fits = true;
        for (size_t c = 0; c < kColours.size(); ++c)
          if (words.find(kColours[c]) != std::string::npos && t.colour != c) fits = false;
        for (size_t s = 0; s < kShapes.size(); ++s)
          if (words.find(kShapes[s]) != std::string::npos && t.shape != s) fits = false;
        n += fits;
      }
      return n;
    };
    for (const size_t kind : {2u, 3u}) {
      std::vector<Ask> asks;
      list_questions(scene, kind, 5, asks);
      for (Ask ask : asks) {
        const std::string text = in_words(ask, rng), answer = answers_of(kind, 5)[ask.answer];
        const bool denied = text.find(" no ") != std::string::npos || text.find(" not ") != std::string::npos;
        EXPECT_EQ(answer, kind == 2 ? std::to_string(count(text)) : (count(text) > 0) != denied ? "yes" : "no") << text;
        ++checked;
      }
    }
    std::vector<Ask> asks;
    list_questions(scene, 5, 5, asks);
    for (Ask ask : asks) {
      const std::string text = in_words(ask, rng);
      if (const size_t than = text.find(" than "); than != std::string::npos) {
        EXPECT_EQ(ask.answer == 0, count(text.substr(0, than)) > count(text.substr(than))) << text;
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 20000);
}

TEST(ProceduralQuestions, Options) {
  const auto only = procedural_questions({.images = 50, .kinds = {"count", "size"}});
  ASSERT_TRUE(only);
  EXPECT_EQ(only->answers, (std::vector<std::string>{"0", "1", "2", "3", "4", "small", "large"}));
  const auto bad = procedural_questions({.kinds = {"weight"}});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().text(), "kinds: 'weight' is no kind of question (kinds: shape, colour, count, exists, relation, compare, size)");
  EXPECT_EQ(procedural_questions({.images = 0}).error().code, Code::usage);
  EXPECT_EQ(procedural_questions({.most_objects = 12}).error().code, Code::usage);
  EXPECT_EQ(procedural_questions({.val_share = 0.5, .test_share = 0.5}).error().code, Code::usage);
}

class QuestionBatchesTest : public testing::Test {
 protected:
  void SetUp() override {
    auto t = open_tokenizer(HONE_SOURCE_DIR "/tests/formats/data/tokenizers/vocab.txt");
    ASSERT_TRUE(t);
    options.tokenizer = *t;
    options.transform = vilt_transform(64);
    options.batch = 8;
    options.max_text = 12;
  }
  QuestionBatchOptions options;
};

TEST_F(QuestionBatchesTest, HoldWhatTheSetHas) {
  options.shuffle = false;
  const auto batches = QuestionBatches::make(small_set(), "val", options);
  ASSERT_TRUE(batches) << batches.error().text();
  EXPECT_EQ(batches->steps_per_epoch(), 3);  // 6 pictures, 24 questions
  QuestionBatch b;
  ASSERT_TRUE((*batches)(1, b));
  ASSERT_EQ(b.questions.size(), 8u);
  EXPECT_EQ(b.width, 64);
  EXPECT_EQ(b.height, 64);
  const size_t answers = small_set()->answers.size();
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(b.questions[i], small_set()->splits[1].questions[8 + i]);
    const Question& q = small_set()->questions[b.questions[i]];
    std::vector<float> target(answers);
    target[q.answers[0].answer] = 1;
    EXPECT_EQ(std::vector<float>(b.targets.begin() + static_cast<long>(i * answers), b.targets.begin() + static_cast<long>((i + 1) * answers)), target);
    const Image image = *small_set()->images[q.images[0]].load();
    for (size_t c = 0; c < 3; ++c)
      for (size_t p = 0; p < 64 * 64; p += 97) EXPECT_FLOAT_EQ(b.images[(i * 3 + c) * 64 * 64 + p], (static_cast<float>(image.pixels[3 * p + c]) / 255 - 0.5f) / 0.5f);
    bool cut = false;
    auto row = options.tokenizer->encode(q.text, 12, cut);
    EXPECT_EQ(std::count(b.token_mask.begin() + static_cast<long>(12 * i), b.token_mask.begin() + static_cast<long>(12 * (i + 1)), 1), static_cast<long>(row.size()));
    row.resize(12, options.tokenizer->special().pad);
    EXPECT_EQ(std::vector<int32_t>(b.tokens.begin() + static_cast<long>(12 * i), b.tokens.begin() + static_cast<long>(12 * (i + 1))), row);
  }
}

TEST_F(QuestionBatchesTest, CountsWhatWasCut) {
  options.max_text = 5;
  options.shuffle = false;
  const auto batches = QuestionBatches::make(small_set(), "val", options);
  QuestionBatch b;
  ASSERT_TRUE((*batches)(0, b));
  int64_t longer = 0;
  for (const uint32_t q : b.questions) {
    std::vector<int32_t> ids;
    options.tokenizer->append(small_set()->questions[q].text, ids);
    longer += ids.size() > 3;
  }
  EXPECT_GT(longer, 0);
  EXPECT_EQ(b.truncated, longer);
}

TEST_F(QuestionBatchesTest, ThreadsRanksAndResumingChangeNothing) {
  const auto one = QuestionBatches::make(small_set(), "train", options);
  ASSERT_TRUE(one);
  std::vector<QuestionBatch> plain(10);
  for (int64_t s = 0; s < 10; ++s) ASSERT_TRUE((*one)(s, plain[static_cast<size_t>(s)]));
  const auto again = QuestionBatches::make(small_set(), "train", options);
  Loader<QuestionBatch> loader(4, 10, std::cref(*again), {.threads = 3});
  for (int64_t s = 4; s < 10; ++s) {
    const auto b = loader.next();
    ASSERT_TRUE(b);
    EXPECT_EQ((*b)->questions, plain[static_cast<size_t>(s)].questions);
    EXPECT_EQ((*b)->images, plain[static_cast<size_t>(s)].images);
    EXPECT_EQ((*b)->tokens, plain[static_cast<size_t>(s)].tokens);
  }
  options.batch = 4;
  options.ranks = 2;
  for (int rank = 0; rank < 2; ++rank) {
    options.rank = rank;
    QuestionBatch b;
    ASSERT_TRUE((*QuestionBatches::make(small_set(), "train", options))(3, b));
    for (size_t i = 0; i < 4; ++i) EXPECT_EQ(b.questions[i], plain[3].questions[static_cast<size_t>(4 * rank) + i]);
  }
  // An epoch shows every question once.
  options.batch = 1, options.ranks = 1, options.rank = 0;
  const auto single = QuestionBatches::make(small_set(), "train", options);
  std::set<uint32_t> seen;
  for (int64_t s = 0; s < single->steps_per_epoch(); ++s) {
    QuestionBatch b;
    ASSERT_TRUE((*single)(s, b));
    seen.insert(b.questions[0]);
  }
  EXPECT_EQ(seen.size(), small_set()->splits[0].questions.size());
}

// Pictures of two sizes in one batch: the smaller one is followed by zeros, and its own values do not depend on the other.
TEST_F(QuestionBatchesTest, PadsToTheLargest) {
  auto set = std::make_shared<QuestionSet>();
  set->task = QuestionTask::retrieve;
  set->kinds = {""};
  set->splits = {{"all", {0, 1}}};
  for (const auto& [w, h] : {std::pair(100, 60), std::pair(64, 64)})
    set->images.push_back({std::to_string(w), [w = w, h = h]() -> Result<Image> {
      Image i{w, h, std::vector<uint8_t>(static_cast<size_t>(3 * w * h))};
      for (size_t p = 0; p < i.pixels.size(); ++p) i.pixels[p] = static_cast<uint8_t>(p * 7 % 251);
      return i;
    }});
  set->questions = {{"0", "a wide picture", {0, 0}}, {"1", "a square one", {1, 0}}};
  options.transform.multiple = 16;
  options.shuffle = false;
  options.batch = 2;
  options.false_texts = 3;
  const auto batches = QuestionBatches::make(set, "all", options);
  ASSERT_TRUE(batches) << batches.error().text();
  QuestionBatch b;
  ASSERT_TRUE((*batches)(0, b));
  EXPECT_EQ(b.width, 96);  // 100 x 60: 106.67 x 64, rounded, floored to 16
  EXPECT_EQ(b.height, 64);
  EXPECT_EQ(b.valid[1].width, 64);
  EXPECT_TRUE(b.targets.empty());
  for (size_t c = 0; c < 3; ++c)
    for (size_t y = 0; y < 64; ++y)
      for (size_t x = 64; x < 96; ++x) ASSERT_EQ(b.images[((3 + c) * 64 + y) * 96 + x], 0.f);
  EXPECT_EQ(patch_mask(b.valid[1], b.width, b.height, 32), (std::vector<uint8_t>{1, 1, 0, 1, 1, 0}));
  std::vector<float> alone(3 * 64 * 64);
  place(options.transform, fit(options.transform, *set->images[1].load()), 64, 64, alone.data());
  for (size_t c = 0; c < 3; ++c)
    for (size_t y = 0; y < 64; ++y)
      for (size_t x = 0; x < 64; ++x) ASSERT_EQ(b.images[((3 + c) * 64 + y) * 96 + x], alone[(c * 64 + y) * 64 + x]);
  // Three false texts behind each true one; with two pictures they can only be the other's.
  ASSERT_EQ(b.tokens.size(), 2u * 4 * 12);
  for (size_t t = 1; t < 4; ++t) {
    EXPECT_TRUE(std::equal(b.tokens.begin(), b.tokens.begin() + 12, b.tokens.begin() + static_cast<long>((4 + t) * 12)));
    EXPECT_TRUE(std::equal(b.tokens.begin() + 48, b.tokens.begin() + 60, b.tokens.begin() + static_cast<long>(t * 12)));
  }
}

TEST_F(QuestionBatchesTest, BadOptions) {
  const auto error = [&](const QuestionBatchOptions& o, const std::string& split = "train") {
    const auto made = QuestionBatches::make(small_set(), split, o);
    return made ? std::string() : made.error().text();
  };
  EXPECT_EQ(error(options, "dev"), "procedural: has no split 'dev' (it has: train, val, test)");
  auto o = options;
  o.batch = 1000;
  EXPECT_EQ(error(o), "batch: split 'train' has 192 questions, less than a batch of 1 x 1000");
  o = options;
  o.tokenizer = nullptr;
  EXPECT_EQ(error(o), "tokenizer: a tokenizer is needed");
  o = options;
  o.false_texts = 2;
  EXPECT_EQ(error(o), "false_texts: false texts belong to retrieval");
  o = options;
  o.width = 32;
  const auto narrow = QuestionBatches::make(small_set(), "train", o);
  QuestionBatch b;
  EXPECT_NE((*narrow)(0, b).error().text().find("is 64x64 after its transform, more than the field of 32x0"), std::string::npos);
}

TEST(VisionInput, SizesOfVilt) {
  // (width, height) -> (width, height) at 384, worked out by MinMaxResize's arithmetic: scale the short side to 384, cap the long one at 639, +0.5, floor to 32s.
  const std::vector<std::array<int, 4>> cases = {{640, 480, 512, 384}, {480, 640, 384, 512}, {427, 640, 384, 576}, {500, 375, 512, 384}, {384, 384, 384, 384},
                                                 {1000, 300, 608, 192}, {300, 1000, 192, 608}, {64, 64, 384, 384}, {3000, 2, 608, 32}, {640, 383, 608, 352}};
  for (const auto& [w, h, ew, eh] : cases) {
    const ImageSize s = fitted_size(vilt_transform(), {w, h});
    EXPECT_EQ(s.width, ew) << w << "x" << h;
    EXPECT_EQ(s.height, eh) << w << "x" << h;
  }
}

TEST(VisionInput, MeterIsTheMiddleOfTheResizedPicture) {
  Rng rng(1);
  for (const auto& [w, h] : {std::pair(90, 61), std::pair(61, 90), std::pair(200, 40), std::pair(64, 64), std::pair(33, 32), std::pair(19, 300)}) {
    Image image{w, h, std::vector<uint8_t>(static_cast<size_t>(3 * w * h))};
    for (auto& p : image.pixels) p = static_cast<uint8_t>(rng.below(256));
    // torchvision: Resize(32), then CenterCrop(32).
    const int rw = w > h ? 32 * w / h : 32, rh = w > h ? 32 : 32 * h / w;
    const Image whole = resize(image, rw, rh, Filter::bicubic);
    const int left = static_cast<int>(std::nearbyint((rw - 32) / 2.0)), top = static_cast<int>(std::nearbyint((rh - 32) / 2.0));
    const Image out = fit(meter_transform(32), image);
    ASSERT_EQ(out.width, 32);
    ASSERT_EQ(out.height, 32);
    for (size_t y = 0; y < 32; ++y)
      for (size_t x = 0; x < 3 * 32; ++x)
        ASSERT_EQ(out.pixels[96 * y + x], whole.pixels[3 * static_cast<size_t>(rw) * (y + static_cast<size_t>(top)) + 3 * static_cast<size_t>(left) + x]) << w << "x" << h;
  }
}

}  // namespace
}  // namespace hone
