// Picking from archives, and the reports of searches.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "search/search_report.h"

namespace hone::search {
namespace {

using namespace space;
namespace fs = std::filesystem;

class Pick : public testing::Test {
 protected:
  void SetUp() override {
    folder = (fs::temp_directory_path() / ("hone_pick_" + std::to_string(getpid()))).string();
    fs::remove_all(folder);
    table.emplace(CostTable::make(demo).value());
  }
  void TearDown() override { fs::remove_all(folder); }
  Result<SearchResult> search(Method method, const std::string& budget, const std::string& weights = "w1") {
    SearchOptions o;
    o.method = method;
    o.budget = budget;
    o.population = 30;
    o.generations = 3;
    o.mutations = o.crossovers = 10;
    Scorer scorer{demo, weights, {[this](const Member& m) -> Result<methods::MemberScore> {
      const double a = 0.4 + 0.1 * std::log(static_cast<double>((*table)(m)->macs) / 3e5) + 0.03 * static_cast<double>(hash(m) % 1000) / 1000;
      return methods::MemberScore{a, 1 - a, 500};
    }}, {largest(demo), smallest(demo)}};
    Rng rng(3);
    for (int i = 0; i < 6; ++i) scorer.bank.push_back(sample(demo, rng));
    return run_search(scorer, o, folder);
  }
  std::string folder;
  Space demo = open_space("demo").value();
  std::optional<CostTable> table;
};

TEST_F(Pick, TheBestOfAllArchivesWithinTheBudget) {
  EXPECT_EQ(pick(folder, "macs<1M").error().code, Code::not_found);
  const auto all = search(Method::exhaustive, "");
  const auto evolution = search(Method::evolution, "macs<900k");
  ASSERT_TRUE(all && evolution);
  for (const char* budget : {"macs<900k", "macs<2M,params<50k", "memory<40KiB", "macs=50%"}) {
    const auto picked = pick(folder, budget);
    ASSERT_TRUE(picked) << budget << picked.error().text();
    const Constraint c = Constraint::make(demo, budget).value();
    double best = -1;
    for (const Entry& e : all->entries)
      if (c.meets(c.cost(e.member).value())) best = std::max(best, e.score.accuracy);
    EXPECT_EQ(picked->entry.score.accuracy, best) << budget;
    EXPECT_EQ(picked->archives, 2u);
    EXPECT_TRUE(c.meets(picked->entry.cost));
  }
  EXPECT_EQ(pick(folder, "macs<10k").error().code, Code::budget_not_met);
  EXPECT_EQ(pick(folder, "mcas<1M").error().code, Code::usage);
}

TEST_F(Pick, MembersThatWereNotEvaluatedAreNotPicked) {
  ASSERT_TRUE(search(Method::evolution, "macs<900k"));
  const auto none = pick(folder, "macs<400k");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::budget_not_met);
  EXPECT_NE(none.error().hint.find("hone search"), std::string::npos);
  // Nearest on either side: of an exact amount that all miss from below, the dearest member.
  const auto above = pick(folder, "macs=2M");
  ASSERT_FALSE(above);
  const size_t at = above.error().message.find("takes ");
  ASSERT_NE(at, std::string::npos) << above.error().text();
  const double factor = std::stod(above.error().message.substr(at + 6));
  EXPECT_GT(factor, 0.4);
  EXPECT_LE(factor, 0.45);   // 900 k of 2 M
}

TEST_F(Pick, ScoresOfOtherWeightsStayApart) {
  const auto old = search(Method::evolution, "macs<900k", "before");
  ASSERT_TRUE(old);
  fs::last_write_time(old->path, fs::last_write_time(old->path) - std::chrono::hours(1));
  ASSERT_TRUE(search(Method::random, "macs<900k", "after"));
  const auto picked = pick(folder, "macs<900k");
  ASSERT_TRUE(picked);
  EXPECT_EQ(picked->archives, 1u);
  EXPECT_EQ(picked->header.weights, "after");
  ASSERT_EQ(picked->notes.size(), 1u);
  EXPECT_NE(picked->notes[0].find(old->path), std::string::npos);
  const auto earlier = pick(folder, "macs<900k", "before");
  ASSERT_TRUE(earlier);
  EXPECT_EQ(earlier->header.weights, "before");
  std::ofstream(old->path, std::ios::app) << "damaged\n";
  EXPECT_EQ(pick(folder, "macs<900k").error().code, Code::invalid);
}

TEST_F(Pick, ReportsShowWhatWasFound) {
  const auto front = search(Method::front, "");
  ASSERT_TRUE(front) << front.error().text();
  const Report report = search_report(*front, "runs/net");
  const auto json = nlohmann::json::parse(to_json(report));
  EXPECT_EQ(json["command"], "search");
  EXPECT_EQ(json["evaluated"], front->entries.size());
  EXPECT_EQ(json["front"].size(), front->front.size());
  const Entry& best = front->entries[static_cast<size_t>(front->ranked[0])];
  EXPECT_EQ(json["best"]["accuracy"].get<double>(), best.score.accuracy);
  EXPECT_EQ(parse_member(demo, json["best"]["encoding"].get<std::string>(), "json").value(), best.member);
  double last = -1;
  for (const auto& row : json["front"]) {
    EXPECT_GT(row["accuracy"].get<double>(), last);
    last = row["accuracy"].get<double>();
  }
  const std::string html = to_html(report);
  EXPECT_NE(html.find("Accuracy against cost"), std::string::npos);
  EXPECT_NE(html.find("memory bank"), std::string::npos);
  EXPECT_EQ(html.find("AlphaNet"), std::string::npos);  // of another kind of data
  EXPECT_FALSE(to_text(report).empty());
  EXPECT_TRUE(to_csv(report));
  const auto evolution = search(Method::evolution, "macs<900k");
  ASSERT_TRUE(evolution);
  const std::string text = to_text(search_report(*evolution, "runs/net"));
  EXPECT_NE(text.find("evolution search of demo within macs<900k"), std::string::npos) << text;
  const auto picked = pick(folder, "macs<900k");
  ASSERT_TRUE(picked);
  const auto provenance = nlohmann::json::parse(to_json(pick_report(*picked, "runs/net", "macs<900k")))["provenance"];
  EXPECT_EQ(provenance["seed"], 2012);
  EXPECT_EQ(provenance["weights"], "w1");
  EXPECT_EQ(provenance["line"], picked->entry.index + 2);
}

}  // namespace
}  // namespace hone::search
