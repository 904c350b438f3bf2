// Question sets on disk, answers and measures.
#include "data/question_sets.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "data/question_answers.h"
#include "support.h"

namespace hone {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

Json vectors() { return Json::parse(*read_file(HONE_SOURCE_DIR "/tests/data/questions/vqa_vectors.json")); }

TEST(Answers, NormaliseAsPublished) {
  for (const Json& v : vectors().at("normalise")) EXPECT_EQ(normalise_answer(v[0].get<std::string>()), v[1].get<std::string>()) << v[0];
  EXPECT_EQ(normalise_answer("The Two dogs don't, ok?"), "2 dogs don't ok");
  EXPECT_EQ(normalise_answer("wouldnt've"), "wouldn't've");
}

TEST(Answers, AccuracyAsPublished) {
  for (const Json& v : vectors().at("accuracy")) EXPECT_NEAR(vqa_accuracy(v[1].get<std::string>(), v[0].get<std::vector<std::string>>()), v[2].get<double>(), 1e-12) << v;
  std::vector<std::string> given(10, "no");
  given[0] = given[1] = given[2] = "yes";
  // Three of ten: seven subsets hold all three (1), three hold two (2/3).
  EXPECT_DOUBLE_EQ(vqa_accuracy("yes", given), (7 + 3 * 2.0 / 3) / 10);
  EXPECT_EQ(vqa_accuracy("maybe", given), 0);
}

TEST(Answers, SoftScores) {
  for (const auto& [n, score] : {std::pair(0, 0.f), std::pair(1, 0.3f), std::pair(2, 0.6f), std::pair(3, 0.9f), std::pair(4, 1.f), std::pair(10, 1.f)}) EXPECT_EQ(soft_score(n), score) << n;
}

TEST(Answers, VocabularyByFirstOccurrence) {
  AnswerCounter counter;
  for (const char* a : {"b", "a", "c", "a", "b", "a"}) counter.add(a);
  EXPECT_EQ(counter.vocabulary(2), (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(counter.vocabulary(3), (std::vector<std::string>{"a"}));
}

TEST(Answers, LabelsThatDoNotMatchTheHead) {
  QuestionSet set;
  set.answers = {"yes", "no", "2"};
  EXPECT_TRUE(check_labels(set, {"yes", "no", "2"}, "run"));
  EXPECT_EQ(check_labels(set, {"yes", "2", "no"}, "run").error().text(), "run: label 1 of the head is '2', of the data 'no' (give the data the labels that the network was trained with)");
  EXPECT_EQ(check_labels(set, {"yes", "no"}, "run").error().message, "the head has 2 labels, the data 3 answers");
}

class Folder : public testing::Test {
 protected:
  void SetUp() override {
    dir = (fs::temp_directory_path() / ("hone-questions-" + std::to_string(::getpid()))).string();
    fs::remove_all(dir);
    fs::create_directories(dir);
  }
  void TearDown() override { fs::remove_all(dir); }
  void write(const std::string& name, const std::string& contents) {
    fs::create_directories((fs::path(dir) / name).parent_path());
    std::ofstream(fs::path(dir) / name, std::ios::binary) << contents;
  }
  void picture(const std::string& name) {
#if HONE_IMAGE
    Image image{8, 4, std::vector<uint8_t>(96, 200)};
    write(name, *encode_png(image));
#else
    write(name, "x");
#endif
  }
  std::string dir;
};

std::string note(const QuestionSet& set, const std::string& kind) {
  for (const DataNote& n : set.notes)
    if (n.kind == kind) return std::to_string(n.count) + ": " + n.examples[0];
  return "";
}

class Vqa : public Folder {
 protected:
  Json question(int id, int image, const std::string& text) { return {{"question_id", id}, {"image_id", image}, {"question", text}}; }
  Json annotation(int id, int image, const std::vector<std::string>& given, const std::string& best, const std::string& type) {
    Json a = {{"question_id", id}, {"image_id", image}, {"question_type", "what"}, {"answer_type", type}, {"multiple_choice_answer", best}, {"answers", Json::array()}};
    for (size_t i = 0; i < given.size(); ++i) a["answers"].push_back({{"answer", given[i]}, {"answer_confidence", "yes"}, {"answer_id", i + 1}});
    return a;
  }
  void SetUp() override {
    Folder::SetUp();
    for (const char* name : {"train2014/COCO_train2014_000000000001.jpg", "train2014/COCO_train2014_000000000002.jpg", "val2014/COCO_val2014_000000000003.jpg", "val2014/COCO_val2014_000000000004.jpg",
                             "test2015/COCO_test2015_000000000005.jpg"})
      picture(name);
    Json train = {{"info", {{"version", "2.0"}}}, {"questions", {question(10, 1, "How many?"), question(11, 1, "What color?"), question(12, 2, "Is it?"), question(13, 9, "Where?"), question(10, 2, "Again?"), question(14, 2, "Odd?"), question(15, 2, "Alone?")}}};
    write("v2_OpenEnded_mscoco_train2014_questions.json", train.dump());
    std::vector<std::string> two(10, "2");
    two[0] = "two";
    std::vector<std::string> red = {"red", "red", "blue", "blue", "blue", "blue", "blue", "white", "red", "yes"}, yes(10, "yes");
    Json answers = {{"annotations", {annotation(10, 1, two, "Two", "number"), annotation(11, 1, red, "blue", "other"), annotation(12, 2, yes, "yes", "yes/no"), annotation(13, 9, yes, "yes", "yes/no"),
                                     annotation(14, 2, std::vector<std::string>(10, "seldom"), "seldom", "other"), annotation(99, 2, yes, "yes", "yes/no"), annotation(98, 2, red, "red", "other"), annotation(97, 2, red, "blue", "other"), annotation(96, 2, red, "red", "other")}}};
    write("v2_mscoco_train2014_annotations.json", answers.dump());
    write("v2_OpenEnded_mscoco_val2014_questions.json", Json{{"questions", {question(20, 3, "Val?"), question(21, 4, "Val too?")}}}.dump());
    write("v2_mscoco_val2014_annotations.json", Json{{"annotations", {annotation(20, 3, two, "2", "number"), annotation(21, 4, yes, "yes", "yes/no")}}}.dump());
    write("v2_OpenEnded_mscoco_test2015_questions.json", Json{{"questions", {question(30, 5, "Test?"), question(31, 5, "Dev?")}}}.dump());
    write("v2_OpenEnded_mscoco_test-dev2015_questions.json", Json{{"questions", {question(31, 5, "Dev?")}}}.dump());
  }
};

TEST_F(Vqa, JoinsQuestionsAndAnswers) {
  const auto set = open_questions(dir, {.least = 2});
  ASSERT_TRUE(set) << set.error().text();
  EXPECT_EQ(set->answers, (std::vector<std::string>{"2", "blue", "yes", "red"})) << "given for two questions or more, by first occurrence; 'Two' is 2";
  const auto ids = [&](const std::string& split) {
    std::vector<std::string> out;
    for (const uint32_t q : set->split(split)->questions) out.push_back(set->questions[q].id);
    return out;
  };
  using Ids = std::vector<std::string>;
  EXPECT_EQ(ids("train"), (Ids{"10", "11", "12"}));
  EXPECT_EQ(ids("val"), (Ids{"20", "21"}));
  EXPECT_EQ(ids("test"), (Ids{"30", "31"}));
  EXPECT_EQ(ids("test-dev"), (Ids{"31"}));
  EXPECT_EQ(ids("rest_val").size(), 1u);
  EXPECT_EQ(ids("trainable_val").size(), 1u);
  EXPECT_NE(ids("rest_val"), ids("trainable_val"));
  using Scores = std::vector<AnswerScore>;
  EXPECT_EQ(set->questions[0].answers, (Scores{{0, 1.f}})) << "nine say 2; 'two' as written is no label";
  EXPECT_EQ(set->questions[1].answers, (Scores{{1, 1.f}, {2, 0.3f}, {3, 0.9f}})) << "blue 5, red 3, yes 1, and white is no label";
  EXPECT_EQ(set->kinds[set->questions[0].kind], "number");
  ASSERT_EQ(set->questions[0].given.size(), 10u);
  EXPECT_EQ(set->given[set->questions[0].given[0]], "two");
  EXPECT_EQ(note(*set, "missing image"), "1: " + dir + "/train2014/COCO_train2014_000000000009.jpg");
  EXPECT_EQ(note(*set, "duplicate id"), "1: 10");
  EXPECT_EQ(note(*set, "no answer in the vocabulary"), "1: 14 ('seldom')");
  EXPECT_EQ(note(*set, "question without annotation"), "1: 15");
  EXPECT_EQ(note(*set, "annotation without question").substr(0, 3), "4: ");
  EXPECT_EQ(open_questions(dir, {.least = 2})->checksum, set->checksum);
#if HONE_IMAGE
  EXPECT_EQ(set->images[0].load()->width, 8);
  EXPECT_TRUE(check_question_images(*set, 2).empty());
#endif
  EXPECT_EQ(vqa_submission(*set, set->split("test")->questions, std::vector<uint32_t>{1, 0}), "[{\"question_id\": 30, \"answer\": \"blue\"}, {\"question_id\": 31, \"answer\": \"2\"}]\n");

  write("train2014/COCO_train2014_000000000001.jpg", "no picture");
  const auto notes = check_question_images(*open_questions(dir, {.least = 2}), 2);
  ASSERT_FALSE(notes.empty());
  EXPECT_EQ(notes[0].kind, "unreadable image");
#if HONE_IMAGE
  EXPECT_EQ(notes[0].count, 1);
#endif
  EXPECT_NE(notes[0].examples[0].find("COCO_train2014_000000000001.jpg"), std::string::npos);
}

TEST_F(Vqa, LabelsOfATrainedHead) {
  const auto set = open_questions(dir, {.answers = {"yes", "white", "2"}});
  ASSERT_TRUE(set) << set.error().text();
  EXPECT_EQ(set->questions[1].answers, (std::vector<AnswerScore>{{0, 0.3f}, {1, 0.3f}}));
  write("labels.txt", "yes\nwhite\r\n2\n");
  EXPECT_EQ(*read_labels(dir + "/labels.txt"), set->answers);
  write("config.json", R"({"id2label": {"1": "white", "0": "yes", "2": "2"}})");
  EXPECT_EQ(*read_labels(dir + "/config.json"), set->answers);
  write("config.json", R"({"id2label": {"1": "white", "5": "yes"}})");
  EXPECT_EQ(read_labels(dir + "/config.json").error().message, "id2label has the id 5, expected 0 to 1 once each");
  write("labels.txt", "yes\nno\nyes\n");
  EXPECT_EQ(read_labels(dir + "/labels.txt").error().message, "labels 0 and 2 are both 'yes'");
}

TEST_F(Vqa, BadFiles) {
  EXPECT_EQ(open_questions(dir, {.least = 2, .strict = true}).error().code, Code::invalid);
  const auto nowhere = open_questions(dir, {.images = dir + "/none", .least = 2});
  ASSERT_FALSE(nowhere);
  EXPECT_NE(nowhere.error().text().find("pictures is there (say where the pictures are: --images DIR)"), std::string::npos) << nowhere.error().text();
  fs::remove(dir + "/v2_mscoco_val2014_annotations.json");
  EXPECT_NE(open_questions(dir).error().text().find("not v2_mscoco_val2014_annotations.json"), std::string::npos);
  write("v2_mscoco_val2014_annotations.json", "{\"annotations\": [{\"question_id\": 1}]}");
  EXPECT_NE(open_questions(dir).error().text().find("an element has no text 'answer_type': {\"question_id\":1}"), std::string::npos);
  write("v2_mscoco_val2014_annotations.json", "{\"annotations\": [");
  EXPECT_NE(open_questions(dir).error().text().find("is not the JSON expected"), std::string::npos);
  write("v2_mscoco_val2014_annotations.json", "{\"annotation\": []}");
  EXPECT_NE(open_questions(dir).error().text().find("has no 'annotations'"), std::string::npos);
  write("v2_mscoco_val2014_annotations.json", std::string(1000000, '['));
  EXPECT_NE(open_questions(dir).error().text().find("nested too deeply"), std::string::npos);
}

TEST_F(Folder, Nlvr2) {
  for (const char* name : {"images/train/7/train-1-0-img0.png", "images/train/7/train-1-0-img1.png", "dev/dev-2-0-img0.png", "dev/dev-2-0-img1.png", "dev/dev-2-1-img0.png", "dev/dev-2-1-img1.png"}) picture(name);
  const auto row = [](const std::string& id, bool truth, int directory = -1) {
    Json j = {{"identifier", id}, {"sentence", "There are two " + id}, {"label", truth ? "True" : "False"}};
    if (directory >= 0) j["directory"] = directory;
    return j.dump() + "\n";
  };
  write("train.json", row("train-1-0-0", true, 7) + row("train-1-0-1", false, 7) + row("train-1-0-1", false, 7) + row("train-3-0-0", true, 8));
  write("dev.json", row("dev-2-0-0", true) + "\n" + row("dev-2-1-0", false) + row("dev-2-0-1", true));
  const auto set = open_questions(dir);
  ASSERT_TRUE(set) << set.error().text();
  EXPECT_EQ(set->task, QuestionTask::verify);
  EXPECT_EQ(set->images_per_question, 2);
  EXPECT_EQ(set->split("train")->questions.size(), 2u);
  EXPECT_EQ(set->split("dev")->questions.size(), 3u);
  EXPECT_EQ(set->split("test1"), nullptr);
  const Question& first = set->questions[0];
  EXPECT_EQ(first.answers, (std::vector<AnswerScore>{{1, 1.f}}));
  EXPECT_EQ(set->images[first.images[0]].id, "train-1-0-img0");
  EXPECT_EQ(set->images[first.images[1]].id, "train-1-0-img1");
  EXPECT_EQ(set->questions[1].images, first.images) << "a pair of pictures has several sentences";
  EXPECT_EQ(note(*set, "duplicate id"), "1: train-1-0-1");
  EXPECT_EQ(note(*set, "missing image").substr(0, 3), "2: ");
  // Sentence 2-0 stands over two pairs, one of them wrong; sentence 2-1 is right.
  const auto& dev = set->split("dev")->questions;
  const PairScore score = pair_score(*set, dev, {true, false, true});
  EXPECT_DOUBLE_EQ(score.accuracy, 2.0 / 3);
  EXPECT_DOUBLE_EQ(score.consistency, 1.0 / 2);
  EXPECT_EQ(nlvr2_predictions(*set, dev, std::vector<uint32_t>{1, 0, 1}), "dev-2-0-0,True\ndev-2-1-0,False\ndev-2-0-1,True\n");
  write("dev.json", "{\"identifier\": \"dev-1\", \"sentence\": \"x\", \"label\": \"True\"}\n");
  EXPECT_EQ(open_questions(dir).error().text(), dir + "/dev.json:1: the identifier is 'dev-1', expected split-set-pair-sentence");
  write("dev.json", "{}\n");
  EXPECT_EQ(open_questions(dir).error().where, dir + "/dev.json:1");
}

TEST_F(Folder, Karpathy) {
  picture("train2014/a.jpg");
  picture("val2014/b.jpg");
  const Json images = {{{"filename", "a.jpg"}, {"filepath", "train2014"}, {"split", "train"}, {"cocoid", 1}, {"sentences", {{{"raw", "A dog."}}, {{"raw", "A dog."}}, {{"raw", "Brown dog"}}}}},
                       {{"filename", "b.jpg"}, {"filepath", "val2014"}, {"split", "restval"}, {"sentences", {{{"raw", "A cat."}}}}},
                       {{"filename", "c.jpg"}, {"filepath", "val2014"}, {"split", "test"}, {"sentences", {{{"raw", "Nothing."}}}}}};
  write("annotations/dataset_coco.json", Json{{"dataset", "coco"}, {"images", images}}.dump());
  const auto set = open_questions(dir);
  ASSERT_TRUE(set) << set.error().text();
  EXPECT_EQ(set->task, QuestionTask::retrieve);
  EXPECT_TRUE(set->answers.empty());
  ASSERT_EQ(set->questions.size(), 3u);
  EXPECT_EQ(set->questions[1].text, "Brown dog");
  EXPECT_EQ(set->questions[1].images[0], 0u);
  EXPECT_EQ(set->split("restval")->questions, (std::vector<uint32_t>{2}));
  EXPECT_EQ(set->split("test"), nullptr);
  EXPECT_EQ(note(*set, "caption twice"), "1: 1 of a.jpg");
  EXPECT_EQ(note(*set, "missing image").substr(0, 3), "1: ");

  Json bad = images;
  bad[0]["filepath"] = "../other";
  write("annotations/dataset_coco.json", Json{{"images", bad}}.dump());
  EXPECT_FALSE(open_questions(dir)) << "a path that leads out";
}

TEST_F(Folder, EasyVqa) {
  picture("train/images/0.png");
  picture("test/images/0.png");
  write("answers.txt", "circle\nyes\nno\n");
  write("train/questions.json", R"([["what shape is it?", "circle", 0], ["is it red?", "yes", 0], ["what color is it?", "mauve", 0], ["is it?", "no", 4]])");
  write("test/questions.json", R"([["is there no shape?", "no", 0]])");
  const auto set = open_questions(dir);
  ASSERT_TRUE(set) << set.error().text();
  EXPECT_EQ(set->answers, (std::vector<std::string>{"circle", "yes", "no"}));
  EXPECT_EQ(set->split("train")->questions, (std::vector<uint32_t>{0, 1}));
  EXPECT_EQ(set->split("test")->questions, (std::vector<uint32_t>{2}));
  EXPECT_EQ(set->questions[2].answers, (std::vector<AnswerScore>{{2, 1.f}}));
  EXPECT_EQ(note(*set, "unknown answer"), "1: 'mauve' of train-2");
  write("train/questions.json", R"([["what shape is it?", "circle"]])");
  EXPECT_NE(open_questions(dir).error().text().find("row 0 is no [question, answer, image]"), std::string::npos);
}

TEST_F(Folder, NothingThere) {
  EXPECT_EQ(open_questions(dir + "/none").error().code, Code::not_found);
  EXPECT_EQ(open_questions(dir).error().message, "holds no question set");
  write("x", "");
  EXPECT_EQ(open_questions(dir + "/x").error().code, Code::usage);
}

TEST(Recall, CountsTrueOnesAmongTheFirst) {
  // Two pictures with two captions each.
  const std::vector<uint32_t> picture = {0, 0, 1, 1};
  const std::vector<float> scores = {0.9f, 0.1f, 0.5f, 0.2f,   // picture 0: its first caption leads
                                     0.8f, 0.3f, 0.6f, 0.1f};  // picture 1: a false caption leads, its own is second
  const RecallScore r = recall(scores, picture, 2);
  EXPECT_DOUBLE_EQ(r.text[0], 0.5);
  EXPECT_DOUBLE_EQ(r.text[1], 1);
  // Captions: 0 finds its picture, 1 does not (0.1 < 0.3), 2 does, 3 does not.
  EXPECT_DOUBLE_EQ(r.image[0], 0.5);
  EXPECT_DOUBLE_EQ(r.image[1], 1);
  // All equal: nothing is found by luck.
  const RecallScore same = recall(std::vector<float>(8, 1.f), picture, 2);
  EXPECT_EQ(same.text[0], 0);
  EXPECT_EQ(same.image[0], 0);
  EXPECT_EQ(same.text[1], 1) << "with four captions all are among the first five";
}

TEST(RealData, EasyVqa) {
  const auto shared = test::shared_dir();
  if (!shared || !fs::exists(*shared + "/data/easy-vqa")) GTEST_SKIP() << "no reference files: set HONE_SHARED";
  const auto set = open_questions(*shared + "/data/easy-vqa");
  ASSERT_TRUE(set) << set.error().text();
  EXPECT_EQ(set->split("train")->questions.size(), 38575u);
  EXPECT_EQ(set->split("test")->questions.size(), 9673u);
  EXPECT_EQ(set->images.size(), 5000u);
  EXPECT_EQ(set->answers.size(), 13u);
  EXPECT_TRUE(set->notes.empty());
#if HONE_IMAGE
  EXPECT_EQ(set->images[0].load()->width, 64);
#endif
}

}  // namespace
}  // namespace hone
