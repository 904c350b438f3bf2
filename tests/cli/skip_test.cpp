// hone skip, and searches and trainings of task skip, as a person runs them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/run_hone.h"

namespace hone::test {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

const std::string kSource = HONE_SOURCE_DIR, kDecoders = kSource + "/tests/data/decoders/";

Json json(const std::string& command, const std::string& folder = kSource) {
  const Ran ran = shell(command + " --json", folder);
  EXPECT_EQ(ran.exit, 0) << command << "\n" << ran.err;
  return Json::parse(ran.out, nullptr, false);
}

// A search and a training of seconds: a ResNet on drawn gratings.
std::string train(const std::string& phase, const std::string& run, const std::string& more = "") {
  return "train recipes/skip/demo-" + phase + ".toml " + run +
         " --set data.train_size=96 --set data.val_size=32 --set data.batch=16 --set train.epochs=3 --set train.threads=1 --set train.device=cpu " + more;
}

TEST(Skip, ADecoderLosesItsBlocksForGood) {
  for (const std::string file : {"gpt2.onnx", "llama.onnx"}) {
    SCOPED_TRACE(file);
    const std::string folder = scratch_folder(), net = kDecoders + file + " --input input_ids=2x10";
    const Json list = json("hone skip list " + net, folder);
    ASSERT_EQ(list["candidates"].size(), 3u);
    const Json applied = json("hone skip apply " + net + " --set 1,2 --adapters identity -o small.onnx", folder);
    EXPECT_EQ(applied["difference"]["params"], -list["candidates"][1]["params"].get<int64_t>() - list["candidates"][2]["params"].get<int64_t>());
    EXPECT_EQ(applied["difference"]["macs"], -list["candidates"][1]["macs"].get<int64_t>() - list["candidates"][2]["macs"].get<int64_t>());
    const Json left = json("hone skip list small.onnx --input input_ids=2x10", folder);
    EXPECT_EQ(left["candidates"].size(), 1u);
    EXPECT_EQ(left["candidates"][0]["module"], list["candidates"][0]["module"]);
    // A file that is written back whole is the measure of what the smaller one saves.
    ASSERT_EQ(shell("hone skip apply " + net + " --adapters identity -o whole.onnx", folder).exit, 0);
    EXPECT_LE(static_cast<int64_t>(fs::file_size(folder + "/small.onnx")), static_cast<int64_t>(fs::file_size(folder + "/whole.onnx")) + 4 * applied["difference"]["params"].get<int64_t>());
  }
}

// Where the exporter left batch and length open they stay open.
TEST(Skip, OpenDimensionsStayOpen) {
  const std::string folder = scratch_folder();
  ASSERT_EQ(shell("hone skip apply " + kDecoders + "llama.onnx --input input_ids=1x16 --set 1 --adapters identity -o small.onnx", folder).exit, 0);
  for (const std::string shape : {"1x7", "3x12"}) {
    const std::string input = " --input input_ids=" + shape;
    const Json list = json("hone skip list " + kDecoders + "llama.onnx" + input, folder);
    EXPECT_EQ(json("hone profile small.onnx" + input, folder)["totals"]["macs"].get<int64_t>(),
              json("hone profile " + kDecoders + "llama.onnx" + input, folder)["totals"]["macs"].get<int64_t>() - list["candidates"][1]["macs"].get<int64_t>());
  }
}

TEST(Skip, SetsThatDoNotFitAreNamed) {
  const std::string folder = scratch_folder();
  const auto says = [&](const std::string& command, const std::string& text, int exit) {
    const Ran ran = shell("hone " + command, folder);
    EXPECT_EQ(ran.exit, exit) << command << "\n" << ran.err;
    EXPECT_NE(ran.err.find(text), std::string::npos) << command << "\n" << ran.err;
  };
  const std::string apply = "skip apply timm/resnet18 -o out.onnx --set ";
  says(apply + "99", "99 is no candidate", 2);
  says(apply + "1,1", "given twice", 2);
  says(apply + "1,x", "column 3", 2);
  says(apply + "none.json", "none.json", 1);
  says("skip show " + folder, "holds no skip_set.json", 1);
  says("skip list timm/resnet18 --variant global", "has no RoBERTa layers", 2);
  const auto file = [&](const std::string& name, const std::string& modules, const std::string& identity) {
    std::ofstream(folder + "/" + name) << R"({"hone_skip_set": 1, "network": "timm/resnet34", "identity": ")" << identity << R"(", "variant": "", "set": [1], "modules": [")" << modules
                                       << R"("], "adapters": {"keep": "das", "replace": "adapter", "reduction": 8, "rank": 4, "prompts": 200, "zero_up": false}, "method": "given", "seed": 0, "scores": [], "history": []})";
  };
  file("missing.json", "layer9.1", "x");
  says(apply + "missing.json", "'layer9.1', which timm/resnet18 does not have as a candidate", 2);
  file("other.json", "layer1.1", "x");
  says(apply + "other.json", "it was made for timm/resnet34, whose modules differ", 2);
  std::ofstream(folder + "/broken.json") << R"({"hone_skip_set": 1, "network": 3)";
  says(apply + "broken.json", "is no JSON object", 1);
  EXPECT_FALSE(fs::exists(folder + "/out.onnx"));
  // A training refuses them before it makes anything of its run.
  for (const auto& [set, text] : {std::pair<std::string, std::string>{folder + "/missing.json", "layer9.1"}, {folder + "/other.json", "does not fit"}, {"'\"99\"'", "99 is no candidate"}, {folder + "/nowhere", "nowhere"}}) {
    const Ran ran = shell("hone " + train("train", folder + "/run", "--set skip.set=" + set), kSource);
    EXPECT_NE(ran.exit, 0) << set;
    EXPECT_NE(ran.err.find(text), std::string::npos) << set << "\n" << ran.err;
    EXPECT_FALSE(fs::exists(folder + "/run")) << set;
  }
}

TEST(SkipRuns, SearchTrainExport) {
  const std::string folder = scratch_folder();
  const Ran search = shell("hone " + train("search", folder + "/search", "--set skip.count=2 --set adapters.keep=das"), kSource);
  ASSERT_EQ(search.exit, 0) << search.err;
  const Json set = Json::parse(read_file(folder + "/search/skip_set.json"));
  EXPECT_EQ(set["set"].size(), 2u);
  EXPECT_GT(set["history"].size(), 2u);
  const Json shown = json("hone skip show search", folder);
  EXPECT_EQ(shown["set"], set["set"]);
  EXPECT_EQ(shown["modules"][0]["macs"], json("hone skip list timm/resnet18@32", folder)["candidates"][0]["macs"]) << "at the resolution of the run";
  EXPECT_EQ(json("hone skip apply timm/resnet18@32 --set search/skip_set.json", folder)["modules"], set["modules"]);
  EXPECT_EQ(json("hone skip apply timm/resnet18@32 --set search", folder)["modules"], set["modules"]);
  // Applied by hand and trained: the same network.
  const Ran trained = shell("hone " + train("train", folder + "/adapted", "--set adapters.keep=das --set train.epochs=1 --set skip.set=" + folder + "/search"), kSource);
  ASSERT_EQ(trained.exit, 0) << trained.err;
  const Json exported = json("hone export adapted -o small.onnx --card card.json", folder);
  const Json small = json("hone profile small.onnx", folder), whole = json("hone profile timm/resnet18@32", folder);
  EXPECT_EQ(exported["macs"], small["totals"]["macs"]);
  EXPECT_LT(small["totals"]["macs"].get<int64_t>(), whole["totals"]["macs"].get<int64_t>());
  // The names of what was left out are in the file's facts, none of its weights are in the file.
  const std::string bytes = read_file(folder + "/small.onnx");
  for (const auto& m : set["modules"]) {
    EXPECT_EQ(bytes.find(m.get<std::string>() + ".conv"), std::string::npos) << m;
    EXPECT_NE(read_file(folder + "/card.json").find(m), std::string::npos) << m;
  }
  // A run directory is a network wherever one is asked for, and the file gives what it gives.
  EXPECT_EQ(json("hone profile adapted", folder)["totals"]["macs"], small["totals"]["macs"]);
}

// What two processes find is what one finds: the same sets in every event, the same losses and scores but for the rounding of
// gradients that were summed in another order.
TEST(SkipRuns, RanksFindWhatOneProcessFinds) {
  const std::string folder = scratch_folder();
  const std::string settings = "--set network.name=timm/resnet18 --set skip.count=2 --set skip.warmup=1";
  ASSERT_EQ(shell("hone " + train("search", folder + "/one", settings + " --set train.accumulate=2"), kSource).exit, 0);
  const Ran two = shell("hone launch -n 2 -- " + train("search", folder + "/two", settings), kSource);
  ASSERT_EQ(two.exit, 0) << two.err;
  const Json a = Json::parse(read_file(folder + "/one/skip_set.json")), b = Json::parse(read_file(folder + "/two/skip_set.json"));
  EXPECT_EQ(a["set"], b["set"]);
  ASSERT_GT(a["history"].size(), 2u);
  ASSERT_EQ(a["history"].size(), b["history"].size());
  for (size_t i = 0; i < a["history"].size(); ++i) {
    EXPECT_EQ(a["history"][i]["step"], b["history"][i]["step"]);
    EXPECT_EQ(a["history"][i]["sets"], b["history"][i]["sets"]) << i;
    for (size_t j = 0; j < a["history"][i]["losses"].size(); ++j) EXPECT_NEAR(a["history"][i]["losses"][j].get<double>(), b["history"][i]["losses"][j].get<double>(), 1e-3) << i;
  }
  for (size_t i = 0; i < a["scores"].size(); ++i) EXPECT_NEAR(a["scores"][i].get<double>(), b["scores"][i].get<double>(), 1e-3) << i;
  EXPECT_NE(read_file(folder + "/two/manifest.json").find("\"ranks\": \"2\""), std::string::npos);
}

// Ids and labels mean what they meant when the weights were trained, or the training says what is wrong.
TEST(SkipRuns, VocabularyAndLabelsAreThoseOfTheWeights) {
  const std::string folder = scratch_folder(), run = folder + "/vilt";
  const std::string small = "train recipes/skip/demo-questions.toml ", quick = " --set questions.images=60 --set train.epochs=1 --set data.batch=16 --set train.threads=1 --set train.device=cpu";
  const Ran first = shell("hone " + small + run + quick + " --set questions.text_length=8", kSource);
  ASSERT_EQ(first.exit, 0) << first.err;
  // Sentences over the limit are cut, counted, and the first ones named.
  EXPECT_NE((first.out + first.err).find("text of more than 8 tokens, cut: "), std::string::npos) << first.out << first.err;
  const std::string answers = read_file(run + "/answers.txt"), next = folder + "/next";
  ASSERT_FALSE(answers.empty());
  const auto says = [&](const std::string& settings, const std::string& text) {
    const Ran ran = shell("hone " + small + next + quick + " " + settings, kSource);
    EXPECT_EQ(ran.exit, 1) << settings << "\n" << ran.out << ran.err;
    EXPECT_NE(ran.err.find(text), std::string::npos) << settings << "\n" << ran.err;
    EXPECT_FALSE(fs::exists(next)) << settings;
  };
  // A checkpoint by itself: its table of words has another number of rows than a vocabulary learnt here.
  fs::copy_file(run + "/checkpoints/best.safetensors", folder + "/w.safetensors");
  says("--set questions.vocabulary=70 --set network.weights=" + folder + "/w.safetensors", "the vocabulary has 70 tokens, the embedding table ");
  // The run's answers in another order than the data's.
  const size_t line = answers.find('\n') + 1;
  std::ofstream(run + "/answers.txt") << answers.substr(line) << answers.substr(0, line);
  says("--set network.weights=" + run, "label 0 of the head is '");
  says("--set network.weights=" + run, "--set questions.answers=" + run + "/answers.txt");
  std::ofstream(run + "/answers.txt") << answers;
  EXPECT_EQ(shell("hone " + small + next + quick + " --set network.weights=" + run, kSource).exit, 0);
}

// A network's file that the recipe names from the folder of the project is found from any other folder, too.
TEST(SkipRuns, ShownFromAnyFolder) {
  const std::string folder = scratch_folder();
  fs::copy_file(kSource + "/recipes/skip/demo-vilt.toml", folder + "/net.toml");
  const Ran search = shell("hone train " + kSource + "/recipes/skip/demo-questions-search.toml runs/search --set network.name=net.toml --set questions.images=60 --set data.batch=16 --set train.device=cpu", folder);
  ASSERT_EQ(search.exit, 0) << search.err;
  const Json shown = json("hone skip show " + folder + "/runs/search", kSource);
  ASSERT_EQ(shown["modules"].size(), 4u);
  EXPECT_EQ(shown["modules"][1]["module"], "vilt.encoder.layer.1");
  EXPECT_GT(shown["modules"][1]["macs"].get<int64_t>(), 0);
}

TEST(SkipRuns, MissingPicturesAreNamed) {
  const std::string folder = scratch_folder(), data = folder + "/data";
  fs::create_directories(data + "/train/images");
  fs::create_directories(data + "/test/images");
  std::ofstream(data + "/answers.txt") << "yes\nno\n";
  for (const char* split : {"train", "test"})
    std::ofstream(data + "/" + split + "/questions.json") << R"([["is it red?", "yes", 0], ["is it blue?", "no", 0], ["is it red?", "no", 1], ["is it there?", "yes", 7]])";
  const std::string train = "hone train recipes/skip/demo-questions.toml " + folder + "/run --set train.epochs=1 --set data.batch=1 --set train.device=cpu --set questions.val=test --set questions.kinds=[] --set questions.path=" + data;
  const Ran none = shell(train, kSource);
  EXPECT_EQ(none.exit, 1);
  EXPECT_NE(none.err.find(data), std::string::npos) << none.err;
  EXPECT_FALSE(fs::exists(folder + "/run"));
  ASSERT_EQ(shell("hone data questions procedural --pictures 20 --sheet sheet.png", folder).exit, 0);  // any picture will do
  for (const char* split : {"train", "test"})
    for (const char* id : {"0", "1"}) fs::copy_file(folder + "/sheet.png", data + "/" + split + "/images/" + id + ".png");
  const Ran some = shell(train + " --set skip.held=0.5", kSource);
  ASSERT_EQ(some.exit, 0) << some.err;
  for (const std::string& text : {std::string("missing image"), data + "/train/images/7.png", data + "/test/images/7.png"}) EXPECT_NE((some.out + some.err).find(text), std::string::npos) << some.out << some.err;
}

// What a run answers, as the servers of VQAv2 and NLVR2 take it: also of splits whose answers only they know.
struct AnswerFiles : ::testing::Test {
  const std::string folder = scratch_folder(), data = folder + "/data", run = folder + "/run";

  void picture(const std::string& path) {
    if (!fs::exists(folder + "/sheet.png")) {
      ASSERT_EQ(shell("hone data questions procedural --pictures 20 --sheet sheet.png", folder).exit, 0);  // any picture will do
    }
    fs::create_directories(fs::path(data + "/" + path).parent_path());
    fs::copy_file(folder + "/sheet.png", data + "/" + path);
  }
  void write(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(data + "/" + path).parent_path());
    std::ofstream(data + "/" + path) << text;
  }
  std::string eval(const std::string& split, const std::string& file) const { return "hone eval " + run + " --split " + split + " --answers " + folder + "/" + file; }
  Ran train(const std::string& more) {
    return shell("hone train recipes/skip/demo-questions.toml " + run + " --set train.epochs=1 --set data.batch=2 --set skip.held=0.2 --set train.threads=1 --set train.device=cpu --set questions.kinds=[] --set questions.path=" + data + more, kSource);
  }
};

TEST_F(AnswerFiles, Vqa) {
  const auto questions = [](int first, int count) {
    Json list = Json::array();
    for (int i = 0; i < count; ++i) list.push_back({{"question_id", first + i}, {"image_id", 1 + i % 4}, {"question", i % 3 ? "is it red?" : "is it \"there\"?"}});
    return Json{{"questions", list}}.dump();
  };
  const auto annotations = [](int first, int count) {
    Json list = Json::array();
    for (int i = 0; i < count; ++i) {
      const char* answer = i % 2 ? "yes" : "no";
      Json all = Json::array();
      for (int k = 0; k < 10; ++k) all.push_back({{"answer", answer}});
      list.push_back({{"question_id", first + i}, {"answer_type", "yes/no"}, {"multiple_choice_answer", answer}, {"answers", all}});
    }
    return Json{{"annotations", list}}.dump();
  };
  for (const std::string split : {"train2014", "val2014", "test2015"})
    for (int i = 1; i <= 4; ++i) picture(split + "/COCO_" + split + "_00000000000" + std::to_string(i) + ".jpg");
  write("v2_OpenEnded_mscoco_train2014_questions.json", questions(100, 20));
  write("v2_mscoco_train2014_annotations.json", annotations(100, 20));
  write("v2_OpenEnded_mscoco_val2014_questions.json", questions(200, 7));
  write("v2_mscoco_val2014_annotations.json", annotations(200, 7));
  write("v2_OpenEnded_mscoco_test2015_questions.json", questions(300, 5));
  const Ran trained = train("");
  ASSERT_EQ(trained.exit, 0) << trained.err;

  // A split whose answers are known: the file holds what the measure was taken of.
  const Json scored = json(eval("val", "val.json"));
  EXPECT_EQ(scored["answers"]["questions"], 7);
  const Json val = Json::parse(read_file(folder + "/val.json"));
  ASSERT_EQ(val.size(), 7u);
  double right = 0;
  for (size_t i = 0; i < 7; ++i) {
    EXPECT_EQ(val[i]["question_id"], 200 + static_cast<int>(i));
    right += val[i]["answer"] == (i % 2 ? "yes" : "no");
  }
  EXPECT_NEAR(scored["runs"][0]["VQA accuracy"].get<double>(), right / 7, 1e-6);

  const Ran unknown = shell("hone eval " + run + " --split test", kSource);
  EXPECT_EQ(unknown.exit, 1);
  EXPECT_NE(unknown.err.find("--answers FILE"), std::string::npos) << unknown.err;
  const Json test = json(eval("test", "test.json"));
  EXPECT_EQ(test["answers"]["file"], folder + "/test.json");
  const std::string written = read_file(folder + "/test.json");
  ASSERT_EQ(Json::parse(written).size(), 5u);
  for (const Json& a : Json::parse(written)) EXPECT_TRUE(a["question_id"].is_number_integer() && (a["answer"] == "yes" || a["answer"] == "no")) << a;

  // Nothing is lost: a file that is there stays, unless told.
  std::ofstream(folder + "/test.json") << "mine";
  EXPECT_NE(shell(eval("test", "test.json"), kSource).exit, 0);
  EXPECT_EQ(read_file(folder + "/test.json"), "mine");
  EXPECT_EQ(shell(eval("test", "test.json") + " --force", kSource).exit, 0);
  EXPECT_EQ(read_file(folder + "/test.json"), written);
  EXPECT_EQ(shell(eval("val", "two.json") + " " + run, kSource).exit, 2);
  EXPECT_NE(shell(eval("nowhere", "two.json"), kSource).exit, 0);
  EXPECT_FALSE(fs::exists(folder + "/two.json"));
}

TEST_F(AnswerFiles, Nlvr2) {
  std::string train_lines, dev_lines;
  for (int i = 0; i < 6; ++i) {
    const std::string split = i < 4 ? "train" : "dev", pair = split + "-" + std::to_string(i) + "-0";
    for (const char* side : {"-img0.png", "-img1.png"}) picture((i < 4 ? "images/train/1/" : "dev/") + pair + side);
    Json j = {{"identifier", pair + "-0"}, {"sentence", "Both are red."}, {"label", i % 2 ? "True" : "False"}};
    if (i < 4) j["directory"] = 1;
    (i < 4 ? train_lines : dev_lines) += j.dump() + "\n";
  }
  write("train.json", train_lines);
  write("dev.json", dev_lines);
  const Ran trained = train(" --set network.name=vilt/tiny-nlvr2 --set questions.val=dev --set data.batch=1");
  ASSERT_EQ(trained.exit, 0) << trained.err;
  const Json j = json(eval("dev", "dev.csv"));
  const std::string text = read_file(folder + "/dev.csv");
  double right = 0;
  for (const std::string line : {"dev-4-0-0,False\n", "dev-5-0-0,True\n"}) right += text.find(line) != std::string::npos;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
  EXPECT_EQ(text.find("dev-4-0-0,"), 0u) << text;
  EXPECT_NEAR(j["runs"][0]["accuracy"].get<double>(), right / 2, 1e-6);
}

TEST_F(AnswerFiles, OfPicturesWithoutQuestionsThereAreNone) {
  ASSERT_EQ(shell("hone " + hone::test::train("train", run, "--set skip.set=random --set skip.count=1"), kSource).exit, 0);
  const Ran ran = shell(eval("validation", "a.json"), kSource);
  EXPECT_EQ(ran.exit, 1);
  EXPECT_NE(ran.err.find("questions with labels"), std::string::npos) << ran.err;
  EXPECT_FALSE(fs::exists(folder + "/a.json"));
}

}  // namespace
}  // namespace hone::test
