// hone scale as other programs see it. Expected numbers are pycls' own (its scaler run over its configurations).
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/run_hone.h"

namespace hone::test {
namespace {

using Json = nlohmann::json;
using Ints = std::vector<int64_t>;

Json json(const std::string& arguments) {
  const Ran ran = hone(arguments + " --json");
  EXPECT_EQ(ran.exit, 0) << ran.err;
  return Json::parse(ran.out, nullptr, false);
}

TEST(Scale, JsonHasEveryFieldOfTheContract) {
  const Json j = json("scale pycls/RegNetY-400MF --strategy w --factor 4");
  EXPECT_EQ(j["command"], "scale");
  EXPECT_EQ(j["network"], "pycls/RegNetY-400MF");
  EXPECT_EQ(j["strategy"], "w1");
  EXPECT_EQ(j["factor"], 4.0);
  EXPECT_EQ(j["factors"], (Json{{"d", 1.0}, {"w", 2.0}, {"g", 1.0}, {"r", 1.0}}));
  EXPECT_EQ(j["depths"], (Ints{1, 3, 6, 6}));
  EXPECT_EQ(j["widths"], (Ints{96, 208, 416, 880}));
  EXPECT_EQ(j["bot_muls"], (Ints{1, 1, 1, 1}));
  EXPECT_EQ(j["group_widths"], (Ints{8, 8, 8, 8}));
  EXPECT_EQ(j["stem_width"], 32);
  EXPECT_EQ(j["head_width"], 0);
  EXPECT_EQ(j["train_resolution"], 224);
  EXPECT_EQ(j["test_resolution"], 256);
  EXPECT_EQ(j["flops"], 1415067280);
  EXPECT_EQ(j["params"], 15806800);
  EXPECT_EQ(j["acts"], 7382576);
}

TEST(Scale, FastCompoundScalingIsTheDefault) {
  EXPECT_EQ(json("scale pycls/RegNetY-400MF --factor 4"), json("scale pycls/RegNetY-400MF --factor 4 --strategy d1_w8_g8_r1"));
}

TEST(Scale, TheWrittenArchIsTheNetworkThatWasPromised) {
  const std::string folder = scratch_folder();
  const Ran scaled = shell("hone scale pycls/RegNetY-400MF --to macs=4G -o big.toml --json", folder);
  ASSERT_EQ(scaled.exit, 0) << scaled.err;
  EXPECT_EQ(scaled.err, "wrote big.toml\n");
  const Json j = Json::parse(scaled.out), p = Json::parse(shell("hone profile big.toml --json", folder).out);
  EXPECT_EQ(p["convention"]["flops"], j["flops"]);
  EXPECT_EQ(p["totals"]["macs"], j["macs"]);
  EXPECT_EQ(p["totals"]["params"], j["params"]);
  EXPECT_NEAR(j["macs"].get<double>(), 4e9, 0.1 * 4e9);
  EXPECT_EQ(shell("hone scale pycls/RegNetY-400MF --to macs=4G -o big.toml", folder).exit, 2);  // exists
}

TEST(Scale, AllStrategiesStandSideBySide) {
  const std::string folder = scratch_folder();
  const Ran ran = shell("hone scale pycls/RegNetY-400MF --to macs=4G --all-strategies --json --html r.html", folder);
  ASSERT_EQ(ran.exit, 0) << ran.err;
  const Json j = Json::parse(ran.out);
  ASSERT_GE(j["strategies"].size(), 8u);
  const std::string html = read_file(folder + "/r.html");
  EXPECT_NE(html.find("<svg"), std::string::npos);
  double depth_acts = 0, fast_acts = 0;
  for (const Json& s : j["strategies"]) {
    EXPECT_TRUE(s["met"]) << s;
    EXPECT_NE(html.find("data-value=\"" + s["acts"].dump() + "\""), std::string::npos) << s;
    if (s["strategy"] == "d") depth_acts = s["acts"];
    if (s["strategy"] == "dWr") fast_acts = s["acts"];
  }
  EXPECT_LT(fast_acts * 1.5, depth_acts);  // the paper's point
}

TEST(Scale, ABudgetOutOfReachIsExit3AndNamesTheNearest) {
  const Ran ran = hone("scale pycls/RegNetY-400MF --to 'params<1k'");
  EXPECT_EQ(ran.exit, 3);
  EXPECT_EQ(ran.out, "");
  EXPECT_NE(ran.err.find("nearest"), std::string::npos) << ran.err;
}

TEST(Scale, BadUseGetsHelp) {
  const auto expect = [](const std::string& arguments, const std::string& words) {
    const Ran ran = hone(arguments);
    EXPECT_EQ(ran.exit, 2) << arguments << "\n" << ran.err;
    EXPECT_NE(ran.err.find(words), std::string::npos) << ran.err;
    EXPECT_EQ(ran.out, "");
  };
  expect("scale pycls/RegNetY-400MF", "say how far: --factor or --to");
  expect("scale pycls/RegNetY-400MF --factor 2 --to macs=4G", "--factor and --to exclude each other");
  expect("scale pycls/RegNetY-400MF --factor 2 --strategy dqr", "dqr");
  expect("scale pycls/RegNetY-400MF --to flops=4G", "macs");     // which of the two?
  expect("scale pycls/RegNetY-400MF --to 4G", "macs");
  expect("scale pycls/RegNetY-400MF --factor 2 --rounding odd", "pycls");
  expect("scale pycls/RegNetY-400MF --factor -2", "factor");
}

}  // namespace
}  // namespace hone::test
