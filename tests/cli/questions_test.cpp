// hone data questions, tokenize and vocabulary as other programs see them.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/run_hone.h"

namespace hone::test {
namespace {

using Json = nlohmann::json;

TEST(Questions, ShowsTheProceduralSet) {
  const Ran ran = hone("data questions procedural --pictures 50 --json");
  ASSERT_EQ(ran.exit, 0) << ran.err;
  const Json j = Json::parse(ran.out);
  EXPECT_EQ(j["command"], "data questions");
  EXPECT_EQ(j["task"], "answer");
  EXPECT_EQ(j["splits"][0], (Json{{"split", "train"}, {"questions", 160}, {"pictures", 40}}));
  EXPECT_EQ(j["kinds"].size(), 7u);
  EXPECT_EQ(j["answers"].size(), 23u);
  EXPECT_EQ(j["notes"], Json::array());
  EXPECT_NE(Json::parse(hone("data questions procedural --pictures 50 --seed 2 --json").out)["checksum"], j["checksum"]);
}

TEST(Questions, ShowsASetOnDiskAndWhatIsWrong) {
  const std::string dir = scratch_folder();
  std::filesystem::create_directories(dir + "/train/images");
  std::ofstream(dir + "/answers.txt") << "circle\nyes\nno\n";
  std::ofstream(dir + "/train/questions.json") << R"([["what shape is it?", "circle", 0], ["is it red?", "yes", 0], ["is it?", "no", 4], ["is it not?", "yes", 4]])";
  const Ran nothing = hone("data questions " + dir);
  EXPECT_EQ(nothing.exit, 1);
  EXPECT_NE(nothing.err.find(dir + "/train/images: none of the 2 pictures is there"), std::string::npos) << nothing.err;
  std::ofstream(dir + "/train/images/0.png") << "no picture";
  const Ran ran = hone("data questions " + dir + " --decode --json");
  ASSERT_EQ(ran.exit, 0) << ran.err;
  const Json notes = Json::parse(ran.out)["notes"];
  ASSERT_EQ(notes.size(), 2u);
  EXPECT_EQ(notes[0]["kind"], "missing image");
  EXPECT_EQ(notes[0]["count"], 2) << "questions";
  EXPECT_EQ(notes[0]["examples"], Json::array({dir + "/train/images/4.png"})) << "a picture is named once";
  EXPECT_EQ(notes[1]["kind"], "unreadable image");
  EXPECT_EQ(hone("data questions " + dir + " --strict").exit, 1);
  // Labels in another order than a head's.
  std::ofstream(dir + "/labels.txt") << "no\nyes\n";
  const Json other = Json::parse(hone("data questions " + dir + " --labels " + dir + "/labels.txt --json").out);
  EXPECT_EQ(other["answers"][0]["answer"], "no");
  EXPECT_EQ(other["notes"][0]["kind"], "unknown answer");
  const Ran wrong = hone("data questions procedural --pictures 5 --labels " + dir + "/labels.txt");
  EXPECT_EQ(wrong.exit, 1);
  EXPECT_NE(wrong.err.find("label 0 of the head is 'no', of the data 'circle'"), std::string::npos) << wrong.err;
}

TEST(Questions, BadUse) {
  EXPECT_EQ(hone("data questions /no/such/folder").exit, 1);
  EXPECT_EQ(hone("data questions procedural --pictures 0").exit, 2);
  EXPECT_EQ(hone("data questions procedural --images x").exit, 2);
  EXPECT_EQ(hone("data questions procedural --max-text 9").exit, 2);
  EXPECT_EQ(hone("data questions /tmp --seed 1").exit, 2);
}

#if HONE_IMAGE
TEST(Questions, SheetIsAPicture) {
  const std::string file = scratch_folder() + "/s.png";
  ASSERT_EQ(hone("data questions procedural --pictures 20 --sheet " + file).exit, 0);
  EXPECT_EQ(read_file(file).substr(0, 4), "\x89PNG");
  EXPECT_EQ(hone("data questions procedural --pictures 20 --sheet " + file).exit, 2) << "the file exists";
  EXPECT_EQ(hone("data questions procedural --pictures 20 --force --sheet " + file).exit, 0);
}
#endif

TEST(Tokenize, WithAVocabularyLearnt) {
  const std::string dir = scratch_folder();
  for (const std::string kind : {"wordpiece", "bpe"}) {
    const Ran made = hone("data vocabulary procedural --kind " + kind + " --size 400 -o " + dir + "/" + kind);
    ASSERT_EQ(made.exit, 0) << made.err;
    EXPECT_EQ(hone("data vocabulary procedural --kind " + kind + " -o " + dir + "/" + kind).exit, 2) << "the files exist";
    const Ran ran = hone("data tokenize " + dir + "/" + kind + " 'is there a red circle?' 'how many?' --max-text 8 --json");
    ASSERT_EQ(ran.exit, 0) << ran.err;
    const Json j = Json::parse(ran.out);
    EXPECT_EQ(j["model"], kind == "bpe" ? "byte-level BPE" : "WordPiece");
    ASSERT_EQ(j["texts"].size(), 2u);
    EXPECT_EQ(j["texts"][0]["ids"].size(), 8u);
    EXPECT_EQ(j["texts"][0]["tokens"].size(), 8u);
    EXPECT_EQ(j["texts"][1]["truncated"], false);
  }
  EXPECT_EQ(Json::parse(hone("data tokenize " + dir + "/wordpiece 'is there a red circle?' --max-text 4 --json").out)["truncated"], 1);
  const Json lengths = Json::parse(hone("data questions procedural --pictures 20 --tokenizer " + dir + "/wordpiece --max-text 6 --json").out)["tokens"];
  EXPECT_GT(lengths["truncated"], 0);
  EXPECT_EQ(lengths["unknown"], 0);
  std::ofstream(dir + "/text") << "is it red?\nhow many?\n";
  EXPECT_EQ(Json::parse(hone("data tokenize " + dir + "/bpe --file " + dir + "/text --json").out)["texts"].size(), 2u);
}

TEST(Tokenize, BadUse) {
  const std::string dir = scratch_folder();
  EXPECT_EQ(hone("data tokenize " + dir + " x").exit, 1) << "no vocabulary in the folder";
  std::ofstream(dir + "/vocab.txt") << "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\na\n";
  const Ran twice = hone("data tokenize " + dir + " x");
  EXPECT_EQ(twice.exit, 1);
  EXPECT_NE(twice.err.find("tokens 4 and 5 are both 'a'"), std::string::npos) << twice.err;
  EXPECT_EQ(hone("data tokenize " + dir).exit, 2) << "no text";
  EXPECT_EQ(hone("data tokenize " + dir + " x --max-text 2").exit, 2);
  EXPECT_EQ(hone("data vocabulary procedural --size 5 -o " + dir + "/v").exit, 2);
  EXPECT_EQ(hone("data vocabulary " + dir + "/none -o " + dir + "/v").exit, 1);
  EXPECT_EQ(hone("data vocabulary procedural --kind unigram -o " + dir + "/v").exit, 2);
}

}  // namespace
}  // namespace hone::test
