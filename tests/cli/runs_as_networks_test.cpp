// A run directory wherever a network is asked for; hone index and hone retrieve on bad requests. What they answer is tested in
// the retrieval room.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/run_hone.h"
#include "formats/safetensors.h"
#include "rewrite/weights.h"
#include "zoo/catalog.h"

namespace hone::test {
namespace {

using Json = nlohmann::json;

// A finished classification run of seven classes, made without training.
std::string with_run() {
  const std::string folder = scratch_folder();
  std::filesystem::create_directories(folder + "/run/checkpoints");
  std::ofstream(folder + "/run/recipe.toml") << "task = \"classify\"\n[network]\nname = \"coral/mobilenetv1_025\"\nresolution = 96\n";
  std::ofstream(folder + "/run/result.json") << R"({"best": {"top1": 0.75, "loss": "nan"}})";
  Network network = *open_network("coral/mobilenetv1_025");
  network.arch->head.classes = 7;
  const Graph graph = *with_fresh_weights(*build(*network.arch), 3);
  SafeTensors file;
  for (ValueId v : graph.state()) file.tensors.emplace_back(graph.value(v).name, *graph.value(v).data);
  EXPECT_TRUE(write_safetensors(file, folder + "/run/checkpoints/best.safetensors", true));
  return folder;
}

TEST(RunsAsNetworks, AreProfiledExportedAndDescribed) {
  const std::string folder = with_run();
  const Ran profile = shell("hone profile run --json", folder);
  ASSERT_EQ(profile.exit, 0) << profile.err;
  const Json p = Json::parse(profile.out);
  EXPECT_EQ(p["inputs"][0]["shape"], (Json{1, 3, 96, 96}));
  const Ran exported = shell("hone export run -o r.onnx --card r.md --json", folder);
  ASSERT_EQ(exported.exit, 0) << exported.err;
  const Json e = Json::parse(exported.out);
  EXPECT_EQ(e["macs"], p["totals"]["macs"]);
  EXPECT_EQ(e["weights"], "the network's own");
  const std::string sha = e["checkpoint"];
  EXPECT_EQ(sha.size(), 64u);
  const std::string card = read_file(folder + "/r.md");
  for (const std::string& part : {std::string("`f32[1,3,96,96]`"), std::string("`f32[1,7]`"), sha, std::string("hone.best.top1 | `0.75`")}) EXPECT_NE(card.find(part), std::string::npos) << part;
  EXPECT_NE(read_file(folder + "/r.onnx").find(sha), std::string::npos);  // the file itself says it, too
  ASSERT_EQ(shell("hone export run -o r.onnx --card r.json --force", folder).exit, 0);
  const Json c = Json::parse(read_file(folder + "/r.json"));
  EXPECT_EQ(c["cost"]["macs"], p["totals"]["macs"]);
  EXPECT_EQ(c["outputs"][0]["type"], "f32[1,7]");
}

TEST(RunsAsNetworks, BadRequestsAreUsageErrors) {
  const std::string folder = with_run();
  const auto says = [&](const std::string& command, const std::string& why, int exit = 2) {
    const Ran r = shell(command, folder);
    EXPECT_EQ(r.exit, exit) << command << "\n" << r.err;
    EXPECT_NE(r.err.find(why), std::string::npos) << command << "\n" << r.err;
  };
  says("hone profile run --canvas 32", "this run's task is 'classify'");
  says("hone profile run --canvas 0", "is no side of a canvas");
  says("hone profile .", "only when it is a run directory");
  says("hone export run -o r.onnx --card r.txt", ".md or .json");
  says("hone index run photos", "-o INDEX");
  says("hone index run -o i", "--data SPLIT");
  says("hone index run photos --data test -o i", "--data SPLIT");
  says("hone index run photos -o i --links 8", "--graph");
  says("hone index run photos -o i --repair --force", "take one of them");
  says("hone retrieve run --canvas 0", "--canvas");
  says("hone retrieve run --threads 0", "--threads");
  says("hone retrieve run --top 0", "--top");
  says("hone retrieve run --search near", "--search");
  says("hone retrieve run", "a sketch run is needed, this run's task is 'classify'");
  says("hone retrieve nothing", "no such run directory", 1);
  std::filesystem::remove(folder + "/run/checkpoints/best.safetensors");
  says("hone profile run", "no checkpoint yet", 1);
}

}  // namespace
}  // namespace hone::test
