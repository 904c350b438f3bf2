#include "run/run_report.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "run/manifest.h"

namespace hone {
namespace {

namespace fs = std::filesystem;

struct RunReport : testing::Test {
  std::string folder;
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "hone-report-XXXXXX").string();
    folder = ::mkdtemp(name.data());
  }
  void TearDown() override { fs::remove_all(folder); }

  std::string finished(const std::string& name, double accuracy, const std::string& recipe = "seed = 1\n") {
    auto run = RunDir::open_for_writing(folder + "/" + name, recipe);
    EXPECT_TRUE(run);
    EXPECT_TRUE(begin_session(*run, 1, 0, {{"chairs", "/data", "", {{"train", 10}}}}, {}, "", {"hone", "train", "x.toml"}));
    for (int64_t s = 1; s <= 50; ++s) EXPECT_TRUE(run->append({s, "train", {{"loss", 1.0 / static_cast<double>(s)}, {"rate", 0.1}}}));
    EXPECT_TRUE(run->append({50, "validate", {{"acc1", accuracy}, {"loss", 2.5}}}));
    EXPECT_TRUE(run->append({50, "note", {{"text", "rolled back"}}}));
    EXPECT_TRUE(run->write("result.json", "{\"steps\": 50, \"watched\": \"acc1\", \"best_step\": 40, \"best\": {\"acc1\": " + std::to_string(accuracy) + ", \"loss\": \"nan\"}, \"last\": {\"acc1\": 0.25}}"));
    EXPECT_TRUE(end_session(*run));
    return folder + "/" + name;
  }
};

TEST_F(RunReport, StateFollowsLockAndResult) {
  const std::string path = finished("a", 0.5);
  {
    const auto s = summarise(*RunDir::open(path));
    ASSERT_TRUE(s) << s.error().text();
    EXPECT_EQ(s->state_name(), "finished");
    EXPECT_EQ(s->step, 50);
    EXPECT_EQ(s->best_step, 40);
    EXPECT_EQ(s->best_value(), 0.5);
    EXPECT_EQ(s->sessions, 1);
    EXPECT_LT(s->idle_seconds, 60);
  }
  auto writer = RunDir::open_for_writing(folder + "/b", "seed = 2\n");
  ASSERT_TRUE(writer->append({7, "validate", {{"acc1", 0.125}}}));
  auto s = summarise(*RunDir::open(folder + "/b"));
  EXPECT_EQ(s->state_name(), "running");
  EXPECT_NE(s->writer.find(std::to_string(::getpid())), std::string::npos);
  EXPECT_EQ(s->last.at(0).second, 0.125);
  EXPECT_EQ(s->best_value(), std::nullopt);
  writer = RunDir::open_for_writing(folder + "/c", "");
  EXPECT_EQ(summarise(*RunDir::open(folder + "/b"))->state_name(), "stopped");
}

TEST_F(RunReport, RunsAreFoundBeneathAFolderAndDamagedOnesAreNamed) {
  finished("deep/x/b", 0.5);
  finished("a", 0.25);
  fs::create_directories(folder + "/recipes");
  std::ofstream(folder + "/recipes/recipe.toml") << "seed = 1\n";  // a recipe is no run
  fs::create_directory_symlink(folder, folder + "/loop");
  EXPECT_EQ(find_runs(folder), (std::vector<std::string>{folder + "/a", folder + "/deep/x/b"}));
  EXPECT_EQ(find_runs(folder + "/a"), (std::vector<std::string>{folder + "/a"}));
  std::ofstream(folder + "/a/events.jsonl", std::ios::app) << "garbage\n";
  const Report report = list_report(find_runs(folder));
  EXPECT_EQ(report.table("runs")->rows.size(), 1u);
  EXPECT_NE(to_text(report).find("warning: " + folder + "/a/events.jsonl"), std::string::npos) << to_text(report);
}

TEST_F(RunReport, OneRunWithItsCurves) {
  const auto report = run_report(*RunDir::open(finished("a", 0.5)));
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->table("train")->rows.size(), 50u);
  EXPECT_EQ(report->table("notes")->rows.size(), 1u);
  const Table* metrics = report->table("metrics");
  ASSERT_EQ(metrics->rows.size(), 2u);
  EXPECT_EQ(std::get<double>(metrics->rows[0][1]), 0.5);
  EXPECT_EQ(std::get<double>(metrics->rows[0][2]), 0.25);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(metrics->rows[1][1])) << "NaN";
  const std::string html = to_html(*report);
  EXPECT_EQ(html.find(" ago"), std::string::npos) << "a page is read later";
  EXPECT_NE(html.find("<dt>last event</dt><dd>2"), std::string::npos);
  for (const char* part : {"Losses over steps", "Learning rate", "Validation: loss", "<polyline", "rolled back", "hone train x.toml"}) EXPECT_NE(html.find(part), std::string::npos) << part;
  const std::string text = to_text(*report);
  EXPECT_LT(text.size(), 3000u) << "curves are not for terminals";
  EXPECT_NE(to_json(*report).find("\"watched\": \"acc1\""), std::string::npos);
}

TEST_F(RunReport, TwoRunsSideBySide) {
  const auto report = compare_report(*RunDir::open(finished("a", 0.5, "seed = 1\n[optimiser]\nlr = 0.1\n")), *RunDir::open(finished("b", 0.75, "seed = 1\n[optimiser]\nlr = 0.2\nkind = \"sgd\"\n")));
  ASSERT_TRUE(report);
  const Table* recipe = report->table("recipe");
  ASSERT_EQ(recipe->rows.size(), 2u);
  EXPECT_EQ(std::get<std::string>(recipe->rows[1][0]), "optimiser.lr");
  EXPECT_EQ(std::get<std::string>(recipe->rows[1][1]), "0.1");
  EXPECT_EQ(std::get<std::string>(recipe->rows[1][2]), "0.2");
  EXPECT_TRUE(std::holds_alternative<std::monostate>(recipe->rows[0][1]));
  EXPECT_EQ(std::get<double>(report->table("metrics")->rows[0][3]), 0.25);
  const std::string html = to_html(*report);
  size_t lines = 0;
  for (size_t at = html.find("<polyline"); at != std::string::npos; at = html.find("<polyline", at + 1)) ++lines;
  EXPECT_EQ(lines, 8u) << "two runs, four figures";
}

TEST_F(RunReport, DamagedResultsAreErrors) {
  const std::string path = finished("a", 0.5);
  for (const char* text : {"", "[]", "{\"best\":"}) {
    std::ofstream(path + "/result.json") << text;
    EXPECT_FALSE(summarise(*RunDir::open(path))) << text;
  }
  std::ofstream(path + "/result.json") << "{\"steps\": \"x\", \"best\": 3}";  // odd, but no lie: its figures are left out
  EXPECT_TRUE(summarise(*RunDir::open(path)));
  std::ofstream(path + "/manifest.json") << "{";
  EXPECT_FALSE(run_report(*RunDir::open(path)));
}

}  // namespace
}  // namespace hone
