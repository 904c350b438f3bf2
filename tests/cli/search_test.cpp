// hone space, search and pick on the command line: bad use, and what does not need a trained supernet.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/run_hone.h"

namespace hone::test {
namespace {

namespace fs = std::filesystem;

struct Case {
  const char* arguments;
  int exit;
  const char* says;
};

void expect(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const Ran ran = hone(c.arguments);
    EXPECT_EQ(ran.exit, c.exit) << c.arguments << "\n" << ran.out << ran.err;
    EXPECT_NE(ran.err.find(c.says), std::string::npos) << c.arguments << "\n" << ran.err;
    EXPECT_EQ(ran.out, "") << c.arguments;
  }
}

TEST(Space, BadUseSaysWhatToWrite) {
  expect({{"space show elasticvitt", 2, "did you mean elasticvit"},
          {"space show /nowhere/mine.toml", 1, "mine.toml"},
          {"space show demo --draws 3", 2, "--draws"},
          {"space sample demo --count 0", 2, "--count"},
          {"space sample demo --budget 'mac<1M'", 2, "mac"},
          {"space sample demo --budget 'macs<1k'", 3, "the least is 305 k"},
          {"space sample demo --budget 'latency<1ms'", 2, "latency of which device?"},
          {"space sample demo --budget 'latency<1ms@/nowhere.json'", 1, "nowhere.json"},
          {"profile timm/resnet18 --space demo", 2, "--space demo"}});
}

TEST(Space, SamplesAreDistinctMembersWithinTheBudget) {
  const Ran ran = hone("space sample elasticvit --budget 'macs<=120M,params<9M' --count 40 --seed 5 --json");
  ASSERT_EQ(ran.exit, 0) << ran.err;
  const auto json = nlohmann::json::parse(ran.out);
  EXPECT_EQ(json["command"], "space sample");
  std::set<std::string> seen;
  for (const auto& row : json["members"]) {
    EXPECT_LE(row["macs"].get<int64_t>(), 120'000'000);
    EXPECT_LT(row["params"].get<int64_t>(), 9'000'001);
    seen.insert(row["encoding"].get<std::string>());
  }
  EXPECT_EQ(seen.size(), 40u);
  EXPECT_EQ(hone("space sample elasticvit --budget 'macs<=120M,params<9M' --count 40 --seed 5 --json").out, ran.out);
  // A space of two members gives two.
  const std::string folder = scratch_folder();
  const Ran toml = hone("space show demo --toml");
  ASSERT_EQ(toml.exit, 0);
  std::string text = toml.out;
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{{"depths = [1, 2, 3]", "depths = [2]"}, {"depths = [1, 2, 3]", "depths = [1]"}, {"widths = [8, 16, 24]", "widths = [16]"}, {"expands = [2, 3, 4]", "expands = [3]"}, {"kernels = [3, 5]", "kernels = [3]"},
                                                                                {"widths = [24, 32, 48]", "widths = [24]"}, {"mlps = [2, 3, 4]", "mlps = [2, 3]"}, {"values = [1, 2]", "values = [1]"}}) {
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
  }
  std::ofstream(folder + "/two.toml") << text;
  const Ran two = shell("hone space sample two.toml -o members", folder);
  EXPECT_EQ(two.exit, 0) << two.err;
  EXPECT_NE(two.out.find("2 distinct members were found"), std::string::npos) << two.out;
  EXPECT_TRUE(fs::exists(folder + "/members/2.json"));
  EXPECT_EQ(shell("hone profile members/1.json --space two.toml --json", folder).exit, 0);
  const Ran foreign = shell("hone profile members/1.json --space demo --convention elasticvit --json", folder);
  EXPECT_EQ(foreign.exit, 0) << foreign.err;
  const Ran outside = shell("hone profile members/1.json", folder);
  EXPECT_EQ(outside.exit, 1);
  EXPECT_NE(outside.err.find("expected 7 (one per stage)"), std::string::npos) << outside.err;
}

TEST(Search, BadUseSaysWhatToWrite) {
  const std::string folder = scratch_folder();
  fs::create_directories(folder + "/run");
  std::ofstream(folder + "/run/recipe.toml") << "task = \"supernet\"\n";
  const std::string run = folder + "/run";
  const std::vector<std::tuple<std::string, int, std::string>> cases = {
      {"search " + run, 2, "--budget"},
      {"search " + run + " --budget 'mcas<1M'", 2, "mcas"},
      {"search " + run + " --budget 'macs<1M' --method evolve", 2, "evolution"},
      {"search " + run + " --budget 'macs<1M' --population 0", 2, "population is 0"},
      {"search " + run + " --budget 'macs<1M' --gene-probability 2", 2, "gene_probability is 2"},
      {"search " + run + " --budget 'macs<1M' --workers 0", 2, "--workers"},
      {"search " + run + " --budget 'macs<1M' --calibration -7", 2, "--calibration: -7 batches"},
      {"search " + run + " --budget 'macs<1M' --split train", 2, "train"},
      {"supernet report " + run + " --threads 0", 2, "--threads: 0 is too few"},
      {"supernet conflict " + run + " --batches 0", 2, "--batches: 0 is too few"},
      {"supernet eval " + run + " --images 0", 2, "--images: 0 is too few"},
      {"search " + run + " --budget 'macs<1M' -o best.toml", 2, ".json"},
      {"search " + folder + " --budget 'macs<1M'", 1, "no run directory"},
      {"pick " + run, 2, "--budget"},
      {"pick " + run + " --budget 'macs>1M'", 2, "use '<' or '='"},
      {"pick " + run + " --budget 'macs<1M'", 1, "holds no archive"},
      {"pick " + folder + "/nowhere --budget 'macs<1M'", 1, "nowhere"}};
  for (const auto& [arguments, exit, says] : cases) {
    const Ran ran = hone(arguments);
    EXPECT_EQ(ran.exit, exit) << arguments << "\n" << ran.out << ran.err;
    EXPECT_NE(ran.err.find(says), std::string::npos) << arguments << "\n" << ran.err;
  }
  fs::create_directories(run + "/search");
  std::ofstream(run + "/search/evolution-0.jsonl") << "not an archive\n";
  const Ran damaged = hone("pick " + run + " --budget 'macs<1M'");
  EXPECT_EQ(damaged.exit, 1);
  EXPECT_NE(damaged.err.find("evolution-0.jsonl:1"), std::string::npos) << damaged.err;
}

}  // namespace
}  // namespace hone::test
