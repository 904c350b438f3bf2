// hone train and hone launch as a person runs them, on a network that trains in a second.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/run_hone.h"

namespace hone::test {
namespace {

namespace fs = std::filesystem;

const std::string kSource = HONE_SOURCE_DIR;

Ran in_source(const std::string& command) { return shell(command, kSource); }

std::string train(const std::string& run, const std::string& more = "") { return "hone train tests/cli/data/tiny.toml " + run + " " + more; }

double metric(const std::string& json, const std::string& name) {  // of the last validation
  const size_t at = json.find("\"" + name + "\": ", json.find("\"last\""));
  return at == std::string::npos ? -1 : std::stod(json.substr(at + name.size() + 4));
}

TEST(Train, LearnsAndGoesOn) {
  const std::string run = scratch_folder() + "/run";
  const Ran first = in_source(train(run));
  ASSERT_EQ(first.exit, 0) << first.err;
  const std::string result = read_file(run + "/result.json");
  EXPECT_GT(metric(result, "top1"), 0.6) << result;
  EXPECT_NE(first.out.find("192 steps"), std::string::npos) << first.out;
  // A finished run is left as it is; the run directory is its own recipe, and goes on by itself.
  const std::string before = read_file(run + "/checkpoints/last.state");
  EXPECT_EQ(in_source("hone train " + run + " " + run).exit, 0);
  const Ran again = in_source("hone train --json " + run);
  EXPECT_EQ(again.exit, 0) << again.err;
  EXPECT_NE(again.out.find("\"stopped_early\": false"), std::string::npos) << again.out;
  EXPECT_EQ(read_file(run + "/checkpoints/last.state"), before);
  // So is one of an earlier hone, whose recipe lacks a key that came since; its default stands in for it.
  EXPECT_EQ(in_source("sed -i '/^nesterov/d' " + run + "/recipe.toml; " + train(run)).exit, 0);
  const Ran stated = in_source(train(run, "--set optimiser.nesterov=true"));
  EXPECT_NE(stated.err.find("optimiser.nesterov is nothing in the run"), std::string::npos) << stated.err;
  // Another recipe does not go on with it.
  const Ran other = in_source(train(run, "--set optimiser.lr=0.1"));
  EXPECT_NE(other.exit, 0);
  EXPECT_NE(other.err.find("lr"), std::string::npos) << other.err;
}

TEST(Train, MistakesAreNamed) {
  const std::string run = scratch_folder() + "/run";
  const auto says = [&](const std::string& recipe, const std::string& text) {
    const Ran ran = in_source("hone train " + recipe + " " + run);
    EXPECT_NE(ran.exit, 0) << recipe;
    EXPECT_NE(ran.err.find(text), std::string::npos) << recipe << "\n" << ran.err;
    EXPECT_FALSE(fs::exists(run)) << recipe;  // so that the same name can be used when the mistake is put right
  };
  const std::string tiny = "tests/cli/data/tiny.toml ", folder = "recipes/classify/folder.toml ";
  says(tiny + "--set optimiser.rate=0.1", "optimiser.rate");
  says(tiny + "--set optimiser.kind=adan", "adamw");
  says(tiny + "--set task=clasify", "classify");
  says(tiny + "--set network.name=timm/resnet51", "timm/resnet50");
  says(tiny + "--set network.weights=tests/cli/data/tiny.toml", "tiny.toml");
  says(tiny + "--set data.classes=5", "the data have 5 classes");
  says(tiny + "--set 'network.freeze=[\"conf.*\"]'", "conf.*");
  says(folder, "data.path");
  says(folder + "--set data.path=/nowhere/at/all", "/nowhere/at/all");
  EXPECT_NE(in_source("hone train tests/cli/data/tiny.toml").err.find("RUN is missing"), std::string::npos);
}

// What is wrong with the data is said before the first step, kept in the events, and said again where it is measured.
TEST(Train, BadDataIsNamed) {
  const std::string folder = scratch_folder();
  std::ofstream(folder + "/sketch.toml") << "task = \"sketch\"\n[network]\nnet = \"coral/mobilenetv1_025\"\ncanvases = [32]\n[sample]\nbatch = 8\n[train]\nsteps = 1\nthreads = 1\ndevice = \"cpu\"\n[data]\nvalidation = 0.25\npath = \"set\"\n";
  ASSERT_EQ(shell("hone data convert procedural set --photos 20 --sketches 2 && grep -c . set/sketches.ndjson", folder).out, "40\n");
  const Ran ran = shell(
      "photo() { grep -o '\"photo\":\"[^\"]*\",\"split\":\"train\"' set/sketches.ndjson | sed 's/\"photo\":\"//; s/\".*//' | uniq | sed -n \"$1p\"; }\n"
      "rm set/photos/$(photo 1).png; head -c 500 set/photos/$(photo 2).png > cut; mv cut set/photos/$(photo 2).png\n"
      "head -1 set/sketches.ndjson >> set/sketches.ndjson; echo '{\"id\":\"none\",\"photo\":\"'$(photo 3)'\",\"split\":\"train\",\"drawing\":[]}' >> set/sketches.ndjson\n"
      "hone train sketch.toml run",
      folder);
  ASSERT_EQ(ran.exit, 0) << ran.err;
  const Ran shown = shell("hone runs show run && hone eval run --split validation && hone eval run --split validation --json", folder);
  for (const char* text : {"set: train ", "2 x missing photo: ", "1 x unreadable image: ", "is cut short", "1 x duplicate id: ", "1 x sketch without strokes: none"}) {
    EXPECT_NE(ran.err.find(text), std::string::npos) << text << "\n" << ran.err;
    EXPECT_NE(read_file(folder + "/run/events.jsonl").find(text), std::string::npos) << text;
  }
  EXPECT_NE(shown.out.find("set: 2 x missing photo"), std::string::npos) << shown.out << shown.err;
  EXPECT_NE(shown.out.find("warning: set: 1 x duplicate id"), std::string::npos) << shown.out << shown.err;
  EXPECT_NE(shown.out.find("{\"kind\":\"duplicate id\",\"count\":1,"), std::string::npos) << shown.out;
}

TEST(Train, ADamagedCheckpointIsNamed) {
  const std::string folder = scratch_folder();
  ASSERT_EQ(in_source(train(folder + "/run", "--set train.epochs=1")).exit, 0);
  const Ran cut = in_source("truncate -s 1000 " + folder + "/run/checkpoints/last.state; hone train " + folder + "/run");
  EXPECT_EQ(cut.exit, 1);
  EXPECT_NE(cut.err.find("last.state"), std::string::npos) << cut.err;
  EXPECT_NE(cut.err.find("delete the folder checkpoints"), std::string::npos) << cut.err;
  const std::string one = read_file(folder + "/run/checkpoints/best.safetensors");
  EXPECT_EQ(in_source("rm -r " + folder + "/run/checkpoints; hone train " + folder + "/run").exit, 0);
  EXPECT_EQ(read_file(folder + "/run/checkpoints/best.safetensors"), one);
}

TEST(Train, KilledAtAnyMomentComesOutTheSame) {
  const Ran ran = in_source("HONE=$(command -v hone) scripts/kill-resume 10 tests/cli/data/tiny.toml");
  EXPECT_EQ(ran.exit, 0) << ran.out << ran.err;
  EXPECT_NE(ran.out.find("10 kills"), std::string::npos) << ran.out;
}

// The same of a pre-training on texts and pictures, and of a search for modules to skip.
TEST(Train, KilledPretrainingsAndSearchesComeOutTheSame) {
  const Ran pretraining = in_source("HONE=$(command -v hone) scripts/kill-resume 6 tests/cli/data/pretrain.toml");
  EXPECT_EQ(pretraining.exit, 0) << pretraining.out << pretraining.err;
  EXPECT_NE(pretraining.out.find("6 kills"), std::string::npos) << pretraining.out;
  const Ran search = in_source("HONE=$(command -v hone) scripts/kill-resume 4 recipes/skip/demo-search.toml --set data.train_size=160 --set data.val_size=32 --set data.batch=16 --set train.epochs=3 --set checkpoint.every=4");
  EXPECT_EQ(search.exit, 0) << search.out << search.err;
  EXPECT_NE(search.out.find("4 kills"), std::string::npos) << search.out;
}

// A network that is a file, and the run moved, its file changed and gone.
TEST(Train, ARunKeepsTheStageTableThatItWasMadeFrom) {
  const std::string folder = scratch_folder(), source = folder + "/from";
  fs::create_directories(source);
  const std::string arch = hone("zoo coral/mobilenetv1_025 --arch").out;
  ASSERT_FALSE(arch.empty());
  std::ofstream(source + "/net.toml") << arch;
  const Ran ran = shell("hone train " + kSource + "/tests/cli/data/tiny.toml run --set network.name=net.toml --set network.resolution=32 --set train.steps=2", source);
  ASSERT_EQ(ran.exit, 0) << ran.err;
  const std::string before = shell("hone profile run --json", source).out;
  fs::rename(source + "/run", folder + "/moved");
  fs::remove(source + "/net.toml");
  const Ran after = shell("hone profile moved --json", folder);
  ASSERT_EQ(after.exit, 0) << after.err;
  EXPECT_NE(after.out.find("\"macs\""), std::string::npos);
  EXPECT_EQ(after.out.substr(after.out.find("\"totals\"")), before.substr(before.find("\"totals\"")));
  EXPECT_EQ(shell("hone export moved -o net.onnx", folder).exit, 0);
}

TEST(Launch, TwoRanksDoTheWorkOfOne) {
  const std::string folder = scratch_folder();
  // Without BatchNorm's statistics two halves are the whole.
  const std::string plain = "--set batch_norm.freeze=true --set train.epochs=2";
  ASSERT_EQ(in_source(train(folder + "/one", plain)).exit, 0);
  const Ran two = in_source("hone launch -n 2 -- train tests/cli/data/tiny.toml " + folder + "/two " + plain);
  ASSERT_EQ(two.exit, 0) << two.err;
  const std::string one = read_file(folder + "/one/result.json"), both = read_file(folder + "/two/result.json");
  EXPECT_NEAR(metric(one, "loss"), metric(both, "loss"), 1e-4) << one << both;
  EXPECT_NE(read_file(folder + "/two/manifest.json").find("\"ranks\": \"2\""), std::string::npos);
}

TEST(Launch, OneRankLostEndsAllAndTheRunGoesOn) {
  const std::string run = scratch_folder() + "/run";
  // Rank 1 is killed while both are at work.
  const Ran ran = in_source("hone launch -n 2 -- train tests/cli/data/tiny.toml " + run + " --set train.epochs=400 & l=$!; "
                            "while ! grep -q validate " + run + "/events.jsonl 2>/dev/null; do sleep 0.1; kill -0 $l || exit 3; done; "
                            "set -- $(cat /proc/$l/task/$l/children); kill -9 $2; wait $l");
  EXPECT_EQ(ran.exit, 1) << ran.err;
  EXPECT_NE(ran.err.find("rank 1 of 2 was ended by signal 9"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("rank 0 of 2 lost contact"), std::string::npos) << ran.err;
  EXPECT_FALSE(in_source("hone runs show " + run).exit);
}

TEST(Launch, UsageIsChecked) {
  EXPECT_EQ(hone("launch -n 0 -- zoo").exit, 2);
  EXPECT_EQ(hone("launch -n 2").exit, 2);
  EXPECT_NE(hone("launch -- zoo").err.find("-n: is missing"), std::string::npos);
  const Ran ran = hone("launch -n 1 -- zoo no/such/net --tensors");
  EXPECT_EQ(ran.exit, 2);
  EXPECT_NE(ran.err.find("rank 0 of 1"), std::string::npos) << ran.err;
  EXPECT_EQ(ran.err.find("checkpoint"), std::string::npos) << "it would fail again: " << ran.err;
}

// libtorch's own report of it, with its stack, stays away.
TEST(Launch, ARankAloneSaysWhomItCannotMeet) {
  const std::string run = scratch_folder() + "/run";
  const Ran ran = in_source("RANK=1 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=1 " + train(run, "--set train.timeout=1"));
  EXPECT_EQ(ran.exit, 1);
  EXPECT_EQ(ran.err.find("hone: rank 1 of 2 cannot meet the others at 127.0.0.1:1: "), 0u) << ran.err;
  EXPECT_EQ(ran.err.find('\n'), ran.err.size() - 1) << ran.err;
}

TEST(Train, WithoutThePlugInSaysWhatToDo) {
  const std::string folder = scratch_folder();
  fs::copy_file(HONE_BINARY, folder + "/hone");
  const Ran ran = shell("./hone train " + kSource + "/tests/cli/data/tiny.toml run", folder);
  EXPECT_EQ(ran.exit, 1);
  EXPECT_NE(ran.err.find("libhone_train.so"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("scripts/setup"), std::string::npos) << ran.err;
}

}  // namespace
}  // namespace hone::test
