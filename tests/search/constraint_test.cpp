// Budgets over a space: impossible ones are answered with the space's own minimum, draws meet every limit.
#include "search/constraint.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <set>

#include "core/units.h"
#include "measure/device_cut.h"
#include "measure/device_scale.h"
#include "search/operators.h"
#include "search/space_report.h"
#include "zoo/space_draw.h"

namespace hone::search {
namespace {

using namespace space;

TEST(Constraint, ImpossibleBudgetsNameTheMinimum) {
  const Space s = open_space("small-vit").value();
  for (const char* budget : {"macs<1M", "params<1k", "acts<1k", "memory<1KB", "macs=1M", "macs=1G", "macs<100M,params<10"}) {
    const auto c = Constraint::make(s, budget);
    ASSERT_FALSE(c) << budget;
    EXPECT_EQ(c.error().code, Code::budget_not_met) << c.error().text();
  }
  const auto c = Constraint::make(s, "macs<1M");
  EXPECT_NE(c.error().message.find("1.63 M"), std::string::npos) << c.error().text();
  EXPECT_NE(c.error().hint.find(print_member(s, smallest(s)).substr(0, 20)), std::string::npos) << c.error().text();
}

// The input of a shortcut stays alive to the block's end. Where one stands only around equal widths, the smallest member, all of
// whose widths are equal, needs more memory than some that are wider.
TEST(Constraint, TheLeastMemoryNeedNotBeTheSmallestMembers) {
  for (const bool may_fall : {false, true}) {
    Space s = open_space("demo").value();
    s.widths_may_fall = may_fall;
    s.levels = {};
    s.resolutions = {32};
    s.stages.assign(3, {"a", space::Block::mobile, 1, false, {1}, {16, 24, 32}, {1}, {3}, {}, {}});
    for (size_t i = 1; i < 3; ++i) {
      s.stages[i].name = i == 1 ? "b" : "c";
      s.stages[i].expands = {6};
      s.stages[i].depths = {1, 2};
      s.stages[i].stride = static_cast<int64_t>(i);
      s.stages[i].shortcut = Shortcut::same;
    }
    const auto all = Constraint::make(s, "memory<1GiB");
    ASSERT_TRUE(all) << all.error().text();
    int64_t least = INT64_MAX;
    MemberOdometer odometer(s);
    do {
      if (check(s, odometer.member())) least = std::min(least, all->cost(odometer.member())->memory.value());
    } while (odometer.next());
    ASSERT_LT(least, all->cost(smallest(s))->memory.value());
    const auto tight = Constraint::make(s, fmt::format("memory<{}", least));
    ASSERT_TRUE(tight) << tight.error().text();
    Rng rng(1);
    EXPECT_EQ(tight->cost(tight->draw(rng).value())->memory, least);
    const auto none = Constraint::make(s, fmt::format("memory<{}", least - 1));
    ASSERT_FALSE(none);
    EXPECT_NE(none.error().message.find("the least is " + format_bytes(least)), std::string::npos) << none.error().text();
  }
}

TEST(Constraint, TyposAreUsageErrors) {
  const Space s = open_space("small-vit").value();
  for (const char* budget : {"mac<10M", "macs<", "macs>10M", "flops<10M", "macs<10Q", "latency<8ms", "macs<10M,macs<20M"}) {
    const auto c = Constraint::make(s, budget);
    ASSERT_FALSE(c) << budget;
    EXPECT_EQ(c.error().code, Code::usage) << budget << ": " << c.error().text();
  }
}

TEST(Constraint, DrawsMeetEveryLimitAndFillOne) {
  for (const char* name : {"small-vit", "ofa-mobilenetv3", "demo"}) {
    const Space s = open_space(name).value();
    const CostTable table = CostTable::make(s).value();
    const Extremes macs = extremes(s, part_macs(table)), params = extremes(s, part_params(table));
    const std::string limits = "macs<" + std::to_string(static_cast<int64_t>(macs.least + 0.3 * (macs.most - macs.least))) + ",params<" + std::to_string(static_cast<int64_t>(params.least + 0.5 * (params.most - params.least)));
    for (const std::string& budget : {limits, limits + ",memory<60%", std::string("macs=50%")}) {
      const auto c = Constraint::make(s, budget);
      ASSERT_TRUE(c) << budget << c.error().text();
      Rng rng(4);
      for (const double full : {0.0, 0.9})
        for (int i = 0; i < 20; ++i) {
          const auto m = c->draw(rng, full);
          ASSERT_TRUE(m) << name << " " << budget << m.error().text();
          ASSERT_TRUE(check(s, *m));
          const MemberCost cost = c->cost(*m).value();
          EXPECT_TRUE(c->meets(cost));
          EXPECT_GE(c->fullness(cost), full);
          EXPECT_EQ(cost.memory.has_value(), budget.find("memory") != std::string::npos);
        }
    }
  }
}

TEST(Constraint, WithoutLimitsEverythingMeets) {
  const auto c = Constraint::make(published_space(), "");
  ASSERT_TRUE(c);
  EXPECT_FALSE(c->limited());
  const MemberCost cost = c->cost(largest(published_space())).value();
  EXPECT_TRUE(c->meets(cost));
  EXPECT_EQ(c->primary(), Quantity::macs);
  Member foreign = largest(published_space());
  foreign.resolution = 100;
  EXPECT_FALSE(c->cost(foreign));
}

// A table of an invented device: rows of every kind, whole networks that take a constant more than their blocks.
std::string write_device(const std::string& path, double kernel_5 = 1) {
  DeviceTable t;
  t.device.name = "invented";
  t.device.threads = 1;
  t.space = "elasticvit";
  std::set<hone::Block> seen;
  auto ms = [kernel_5](const hone::Block& b) {
    const BlockWork w = work_of(b);
    return (0.01 + 0.05 * w.macs + 0.2 * w.elements) * (b.kind == "mobile" && b.sizes[5] == 5 ? kernel_5 : 1);
  };
  Rng rng(9);
  for (int i = 0; i < 150; ++i) {
    const auto blocks = blocks_of(published_space(), sample(published_space(), rng)).value();
    double sum = 0.4;
    for (const BlockCount& c : blocks) {
      sum += static_cast<double>(c.count) * ms(c.block);
      if (seen.insert(c.block).second) t.rows.push_back({c.block, {ms(c.block), 0, 0, 0}, ""});
    }
    t.networks.push_back({"network " + std::to_string(i), blocks, 0, {sum, 0, 0, 0}});
  }
  EXPECT_TRUE(write_table(t, path, true));
  return path;
}

TEST(Constraint, LatencyOfADeviceTable) {
  const std::string path = (std::filesystem::temp_directory_path() / ("hone_constraint_" + std::to_string(getpid()) + ".json")).string();
  write_device(path);
  const Space& s = published_space();
  const auto predictor = Predictor::fit(read_table(path).value(), TimeModel::table);
  ASSERT_TRUE(predictor);
  for (const std::string& budget : {"latency<20ms@" + path, "macs<300M,latency<22ms@" + path, "latency=30ms@" + path + ",params<16M", "latency<50%@" + path}) {
    const auto c = Constraint::make(s, budget);
    ASSERT_TRUE(c) << budget << c.error().text();
    Rng rng(4);
    for (int i = 0; i < 30; ++i) {
      const double full = i % 2 ? 0.93 : 0;
      const auto m = c->draw(rng, full);
      ASSERT_TRUE(m) << m.error().text();
      const MemberCost cost = c->cost(*m).value();
      EXPECT_TRUE(c->meets(cost));
      EXPECT_GE(c->fullness(cost), full);
      // The sum over parts is what the predictor says of the network.
      EXPECT_NEAR(*cost.latency_ms, predict(*predictor, to_arch(s, *m, "m"))->ms, 1e-9);
    }
  }
  // The same where blocks choose squeeze-and-excitation.
  Space chooses = s;
  for (size_t i : {size_t{1}, size_t{2}}) chooses.stages[i].se = false, chooses.stages[i].ses = {0, 1};
  chooses.levels = {};
  const auto c = Constraint::make(chooses, "latency<20ms@" + path);
  ASSERT_TRUE(c) << c.error().text();
  Rng draws(6);
  int with = 0;
  for (int i = 0; i < 30; ++i) {
    const Member m = c->draw(draws, 0.9).value();
    with += m.stage[2].block[0].se;
    EXPECT_NEAR(*c->cost(m)->latency_ms, predict(*predictor, to_arch(chooses, m, "m"))->ms, 1e-9);
  }
  EXPECT_GT(with, 0);
  EXPECT_LT(with, 30);
  const auto impossible = Constraint::make(s, "latency<1ms@" + path);
  ASSERT_FALSE(impossible);
  EXPECT_EQ(impossible.error().code, Code::budget_not_met);
  // The least is that of the fastest member: no member drawn is faster.
  const auto at = impossible.error().message.rfind(' ', impossible.error().message.size() - 4);
  const double least = std::stod(impossible.error().message.substr(at));
  Rng rng(5);
  for (int i = 0; i < 300; ++i) EXPECT_GT(predict(*predictor, to_arch(s, sample(s, rng), "m"))->ms, least * 0.99);
  // A space of other blocks: the table does not know them.
  const auto foreign = Constraint::make(open_space("ofa-mobilenetv3").value(), "latency<20ms@" + path);
  ASSERT_FALSE(foreign);
  EXPECT_NE(foreign.error().message.find("no row of kind"), std::string::npos) << foreign.error().text();
  std::filesystem::remove(path);
}

// A device on which layers of 8 channels are ten times as slow, and a space whose members are cut: the fastest is not the smallest.
TEST(Constraint, TheLeastTimeNeedNotBeTheSmallestMembers) {
  Space s = open_space("small-conv").value();
  s.resolutions.resize(2);
  s.levels = {};  // whose smallest members are deeper
  for (StageChoices& c : s.stages) c.depths.resize(1);  // few members, so that the test is short
  DeviceTable t;
  t.device.name = "invented";
  std::set<hone::Block> seen;
  Rng rng(3);
  for (int i = 0; i < 30; ++i) {
    const std::vector<BlockCount> parts = parts_of(to_arch(s, i == 0 ? smallest(s) : sample(s, rng), "m")).value();
    for (const BlockCount& c : parts)
      if (seen.insert(c.block).second) t.rows.push_back({c.block, {(0.01 + work_of(c.block).macs) * (c.block.sizes[0] == 8 ? 10 : 1), 0, 0, 0}, ""});
  }
  const std::string path = (std::filesystem::temp_directory_path() / ("hone_least_" + std::to_string(getpid()) + ".json")).string();
  ASSERT_TRUE(write_table(t, path, true));
  const auto predictor = Predictor::fit(t, TimeModel::table);
  ASSERT_TRUE(predictor);
  const auto ms = [&](const Member& m) { return predict(*predictor, to_arch(s, m, "m"))->ms; };
  const auto c = Constraint::make(s, "latency<100ms@" + path);
  ASSERT_TRUE(c) << c.error().text();
  const double least = c->range()->first;
  EXPECT_LT(least, 0.9 * ms(smallest(s)));
  for (int i = 0; i < 300; ++i) EXPECT_GE(*c->cost(sample(s, rng))->latency_ms, least);
  const Member one = sample(s, rng);
  EXPECT_NEAR(*c->cost(one)->latency_ms, ms(one), 1e-9);
  // Between the two a budget can be met.
  EXPECT_TRUE(Constraint::make(s, fmt::format("latency<{}ms@{}", 1.001 * least, path)));
  EXPECT_FALSE(Constraint::make(s, fmt::format("latency<{}ms@{}", 0.999 * least, path)));
  std::filesystem::remove(path);
}

// On a device where kernels of 5 take three times as long, the regression says so of every stage that has them.
TEST(SpaceReport, WhichChoicesAreFastOnADevice) {
  const std::string path = (std::filesystem::temp_directory_path() / ("hone_device_" + std::to_string(getpid()) + ".json")).string();
  write_device(path, 3);
  Report report;
  const Status added = add_device(report, published_space(), path, 1500);
  ASSERT_TRUE(added) << added.error().text();
  const Table* choices = report.table("choices");
  ASSERT_NE(choices, nullptr);
  int found = 0;
  for (const auto& row : choices->rows)
    if (row[1] == Cell(std::string("kernel"))) {
      ++found;
      EXPECT_EQ(std::get<double>(row[3]) > 0, std::get<int64_t>(row[2]) == 5) << std::get<std::string>(row[0]);
    }
  EXPECT_EQ(found, 6);
  const Table* fastest = report.table("fastest");
  ASSERT_NE(fastest, nullptr);
  EXPECT_EQ(fastest->rows.size(), 6u);
  for (const auto& row : fastest->rows) {
    EXPECT_LT(std::get<double>(row[1]), std::get<double>(row[2]));
    EXPECT_LT(std::get<double>(row[2]), std::get<double>(row[3]));
    EXPECT_TRUE(parse_member(published_space(), std::get<std::string>(row[4]), "fastest"));
  }
  EXPECT_NE(to_html(report).find("Time against MACs"), std::string::npos);
  EXPECT_FALSE(add_device(report, published_space(), "/nowhere.json"));
  std::filesystem::remove(path);
}

TEST(SpaceReport, ALevelWithoutMembersIsSaid) {
  Space s = open_space("demo").value();
  s.levels.at = {10, 600000};
  const auto report = show_space(s, 200, 1);
  ASSERT_TRUE(report) << report.error().text();
  const std::string text = to_text(*report);
  EXPECT_NE(text.find("level 10: no member of the space demo costs 10 to 100010"), std::string::npos) << text;
  EXPECT_EQ(text.find("level 600 k:"), std::string::npos) << text;
}

TEST(SpaceReport, NumbersAreThoseOfTheSpace) {
  const auto report = show_space(published_space(), 20000, 3);
  ASSERT_TRUE(report) << report.error().text();
  const Table* range = report->table("range");
  ASSERT_NE(range, nullptr);
  EXPECT_NEAR(static_cast<double>(std::get<int64_t>(range->rows[0][1])), 37.365e6, 500);
  EXPECT_NEAR(static_cast<double>(std::get<int64_t>(range->rows[0][2])), 3191.46e6, 1e4);
  // Quantiles and acceptance that the authors' sampler has (spec of ElasticViT, 1.6 and 2.2).
  const Table* q = report->table("quantiles");
  const double published[] = {137, 185, 327, 492, 731, 1192, 1516};
  for (size_t i = 0; i < 7; ++i) EXPECT_NEAR(static_cast<double>(std::get<int64_t>(q->rows[0][2 + i])) / 1e6 / published[i], 1, 0.05) << i;
  const Table* levels = report->table("levels");
  const double share[] = {0.29, 2.57, 2.91, 3.13, 2.67, 1.58, 0.96, 0.41}, above[] = {0.29, 2.8, 0.09, 1.2, 0.01, 1.1, 2.8, 2.4};
  ASSERT_EQ(levels->rows.size(), 8u);
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_NEAR(100 * std::get<double>(levels->rows[i][3]) / share[i], 1, 0.15) << i;
    if (i != 4) {
      EXPECT_NEAR(100 * std::get<double>(levels->rows[i][4]) / above[i], 1, 0.2) << i;
    }
  }
  // The rarest one, published as about 0.01 %, against rejection.
  const Space cut = space::above(published_space(), smallest_of_level(published_space(), 500'000'000));
  Rng rng(8);
  int hits = 0;
  constexpr int kDraws = 400000;
  for (int i = 0; i < kDraws; ++i) {
    const int64_t macs = authors_macs(cut, sample(cut, rng));
    hits += macs >= 500'000'000 && macs <= 520'000'000;
  }
  const double expected = kDraws * std::get<double>(levels->rows[4][4]);
  EXPECT_LT(std::fabs(hits - expected), 5 * std::sqrt(expected)) << hits;
}

}  // namespace
}  // namespace hone::search
