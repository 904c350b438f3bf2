#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/run_hone.h"
#include "run/run_dir.h"

namespace hone::test {
namespace {

std::string two_runs() {
  const std::string folder = scratch_folder();
  for (const auto& [name, rate, loss] : {std::tuple{"a", "0.1", 0.5}, std::tuple{"b", "0.2", 0.25}}) {
    auto run = RunDir::open_for_writing(folder + "/runs/" + name, std::string("[optimiser]\nlr = ") + rate + "\n");
    EXPECT_TRUE(run);
    for (int64_t s = 1; s <= 3; ++s) EXPECT_TRUE(run->append({s, "train", {{"loss", loss / static_cast<double>(s)}}}));
    EXPECT_TRUE(run->append({3, "validate", {{"loss", loss}}}));
  }
  return folder;
}

TEST(Runs, AreListedShownAndCompared) {
  const std::string folder = two_runs();
  const Ran list = shell("hone runs", folder);
  EXPECT_EQ(list.exit, 0) << list.err;
  EXPECT_EQ(list.out.find("2 runs\n"), 0u) << list.out;
  EXPECT_NE(list.out.find("runs/a  stopped     3  loss 0.5 (newest)"), std::string::npos) << list.out;
  const auto json = nlohmann::json::parse(shell("hone runs runs --json", folder).out);
  EXPECT_EQ(json["command"], "runs");
  ASSERT_EQ(json["runs"].size(), 2u);
  EXPECT_EQ(json["runs"][1]["run"], "runs/b");
  EXPECT_EQ(json["runs"][1]["step"], 3);
  EXPECT_TRUE(json["runs"][1]["idle_ms"].is_number_integer());

  const auto shown = nlohmann::json::parse(shell("hone runs show runs/b --json", folder).out);
  EXPECT_EQ(shown["state"], "stopped");
  EXPECT_EQ(shown["train"].size(), 3u);
  const auto compared = nlohmann::json::parse(shell("hone runs compare runs/a runs/b --json", folder).out);
  EXPECT_EQ(compared["recipe"][0]["key"], "optimiser.lr");
  EXPECT_EQ(compared["recipe"][0]["b"], "0.2");
  EXPECT_EQ(compared["metrics"][0]["difference"], -0.25);
  EXPECT_EQ(compared["a"]["run"], "runs/a");
  EXPECT_EQ(shell("hone runs compare runs/a runs/b --html both.html && grep -c '<polyline' both.html", folder).exit, 0);
  EXPECT_EQ(shell("hone runs show runs/a --html both.html", folder).exit, 2) << "exists already";
}

TEST(Runs, WhatIsNoRunIsNamed) {
  const std::string folder = two_runs();
  const Ran none = shell("hone runs show runs", folder);
  EXPECT_EQ(none.exit, 1);
  EXPECT_NE(none.err.find("recipe.toml is missing"), std::string::npos) << none.err;
  EXPECT_EQ(shell("hone runs nowhere", folder).exit, 1);
  EXPECT_EQ(shell("hone runs compare runs/a", folder).exit, 2);
  EXPECT_EQ(shell("mkdir empty && hone runs empty", folder).out, "0 runs\n");
}

}  // namespace
}  // namespace hone::test
