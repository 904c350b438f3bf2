#include "scale/scale.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <sstream>

#include "cost/profile.h"
#include "scale/closed_form.h"
#include "support.h"
#include "zoo/catalog.h"

namespace hone {

namespace {

Arch network(const std::string& name) {
  auto a = find_arch(name);
  EXPECT_TRUE(a) << name << ": " << (a ? "" : a.error().text());
  return a ? *a : Arch{};
}

ScaleResult scaled(const std::string& net, std::string_view strategy, double factor) {
  auto r = scale(network(net), *parse_strategy(strategy), factor);
  EXPECT_TRUE(r) << net << " " << strategy << " " << factor << ": " << (r ? "" : r.error().text());
  return r ? *r : ScaleResult{};
}

std::string joined(const std::vector<int64_t>& v) {
  std::string out;
  for (int64_t n : v) out += (out.empty() ? "" : " ") + std::to_string(n);
  return out;
}
std::string joined(const std::vector<double>& v) {
  std::ostringstream out;
  for (size_t i = 0; i < v.size(); ++i) out << (i ? " " : "") << v[i];
  return out.str();
}

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> cells(1);
  for (char c : line)
    if (c == ',')
      cells.emplace_back();
    else if (c != '\r')
      cells.back() += c;
  return cells;
}

int64_t recount_macs(const Arch& arch) {
  auto g = build(arch);
  EXPECT_TRUE(g) << (g ? "" : g.error().text());
  return g ? profile(*g)->totals.macs : 0;
}

}  // namespace

// Every row of the table that pycls' own scaler printed: factors, lists, resolutions, and the three counts from the graph.
TEST(Scale, PyclsVectors) {
  const auto shared = test::shared_dir();
  if (!shared) GTEST_SKIP() << "needs spec/scaling-vectors.csv: set HONE_SHARED";
  std::ifstream file(*shared + "/spec/scaling-vectors.csv");
  ASSERT_TRUE(file);
  std::string line;
  std::getline(file, line);
  int rows = 0;
  while (std::getline(file, line)) {
    if (line.empty()) continue;
    const auto c = split(line);
    ASSERT_EQ(c.size(), 18u) << line;
    SCOPED_TRACE(line);
    const ScaleResult r = scaled("pycls/" + c[0], c[1], std::stod(c[2]));
    EXPECT_NEAR(r.factors.d, std::stod(c[3]), 1e-9);
    EXPECT_NEAR(r.factors.w, std::stod(c[4]), 1e-9);
    EXPECT_NEAR(r.factors.g, std::stod(c[5]), 1e-9);
    EXPECT_NEAR(r.factors.r, std::stod(c[6]), 1e-9);
    EXPECT_EQ(joined(r.depths), c[7]);
    EXPECT_EQ(joined(r.widths), c[8]);
    EXPECT_EQ(joined(r.bot_muls), c[9]);
    EXPECT_EQ(joined(r.group_widths), c[10]);
    EXPECT_EQ(std::to_string(r.stem_width), c[11]);
    EXPECT_EQ(std::to_string(r.head_width), c[12]);
    EXPECT_EQ(std::to_string(r.train_resolution), c[13]);
    EXPECT_EQ(std::to_string(r.test_resolution.value_or(-1)), c[14]);
    EXPECT_EQ(std::to_string(r.flops), c[15]);
    EXPECT_EQ(std::to_string(r.params), c[16]);
    EXPECT_EQ(std::to_string(r.acts), c[17]);
    ++rows;
  }
  EXPECT_GE(rows, 536);
}

// scaling.md 4.6 and section 8.
TEST(Scale, Identities) {
  const ScaleResult base = scaled("pycls/RegNetY-4.0GF", "dWr", 1);
  EXPECT_EQ(base.flops, 3973301344);
  EXPECT_EQ(scaled("pycls/RegNetY-4.0GF", "r", 4).params, base.params);
  EXPECT_DOUBLE_EQ(base.relative_time, 1);
  const ScaleResult r = scaled("pycls/RegNetY-4.0GF", "dWr", 4);
  EXPECT_EQ(r.flops, 15608249240);
  EXPECT_EQ(r.params, 68144472);
  EXPECT_EQ(r.acts, 26542408);
  EXPECT_EQ(r.arch.resolution, 240);
  EXPECT_DOUBLE_EQ(r.relative_time, 26542408.0 / 12287200);
}

TEST(Scale, FactorOneIsTheIdentityForEveryPublishedNetwork) {
  for (const Arch& arch : catalog())
    for (const ScaleRule& rule : scale_rules()) {
      if (rule.family != arch.family) continue;
      const auto one = apply_factors(arch, Factors{});
      ASSERT_TRUE(one) << one.error().text();
      Arch want = arch;
      // pycls rounds the test resolution to multiples of 4 whatever the factor: 274, 298, 342, 434, 522 and 293 move.
      if (arch.names == "pycls" && arch.test_resolution != 0) want.test_resolution = round_resolution(arch.test_resolution, 1, 4);
      EXPECT_TRUE(*one == want) << arch.name;
      for (Rounding r : rule.roundings) EXPECT_TRUE(apply_factors(arch, Factors{}, r)) << arch.name;
    }
}

// Google's own rule turns B0 into its published sisters (EfficientNet, table 8 of timm's documentation of the family).
TEST(Scale, EfficientNetRoundingMakesItsSisters) {
  const Arch b0 = network("torchvision/efficientnet_b0");
  for (const auto& [name, width, depth] : {std::tuple("torchvision/efficientnet_b1", 1.0, 1.1), {"torchvision/efficientnet_b3", 1.2, 1.4},
                                           {"torchvision/efficientnet_b4", 1.4, 1.8}, {"torchvision/efficientnet_b7", 2.0, 3.1}}) {
    const Arch want = network(name);
    const auto got = apply_factors(b0, Factors{.d = depth, .w = width}, Rounding::efficientnet);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->stem.width, want.stem.width) << name;
    EXPECT_EQ(got->head.width, want.head.width) << name;
    for (size_t i = 0; i < want.stages.size(); ++i) {
      EXPECT_EQ(got->stages[i].width, want.stages[i].width) << name << " stage " << i;
      EXPECT_EQ(got->stages[i].depth, want.stages[i].depth) << name << " stage " << i;
    }
  }
}

TEST(Scale, LibraryNetworksKeepWhatDefinesThem) {
  const ScaleResult dense = scaled("timm/resnet50", "w", 2);
  for (const Stage& s : dense.arch.stages) EXPECT_EQ(s.group_width, static_cast<int64_t>(static_cast<double>(s.width) * s.expand));
  const ScaleResult vit = scaled("timm/vit_base_patch16_224", "dWr", 2);
  EXPECT_EQ(vit.arch.stages[0].width / vit.arch.stages[0].heads, 64);
  EXPECT_EQ(vit.arch.resolution % 16, 0);
  const ScaleResult v2 = scaled("timm/mobilenetv2_100", "w", 0.5);
  EXPECT_EQ(v2.arch.head.width, 1280);  // the last layer only grows
  EXPECT_GT(scaled("timm/mobilenetv2_100", "w", 2).arch.head.width, 1280);
}

TEST(Scale, ElasticVitMembersStayMembersOnRequest) {
  const auto r = scale(network("elasticvit/S1"), *parse_strategy("dWr"), 1.7, Rounding::space);
  ASSERT_TRUE(r) << r.error().text();
  for (size_t i = 1; i < r->widths.size(); ++i) EXPECT_GE(r->widths[i], r->widths[i - 1]);
  EXPECT_TRUE(build(r->arch));
}

TEST(Scale, ErrorsHelp) {
  const auto family = scale(network("timm/inception_v3"), *parse_strategy("dWr"), 2);
  ASSERT_FALSE(family);
  EXPECT_EQ(family.error().code, Code::usage);
  EXPECT_NE(family.error().hint.find("regnet"), std::string::npos);
  const auto rounding = scale(network("timm/vit_base_patch16_224"), *parse_strategy("dWr"), 2, Rounding::efficientnet);
  ASSERT_FALSE(rounding);
  EXPECT_EQ(rounding.error().code, Code::usage);
}

TEST(Solve, MeetsExactBudgets) {
  for (const char* net : {"pycls/RegNetY-400MF", "pycls/EfficientNet-B0", "timm/resnet50", "timm/mobilenetv2_100", "timm/vit_small_patch16_224"})
    for (const char* budget : {"macs=4G", "params=40M", "acts=20M", "memory=30MB", "macs=50%"}) {
      const auto b = *parse_budget(budget);
      const auto r = scale_to(network(net), *parse_strategy("dWr"), b);
      ASSERT_TRUE(r) << net << " " << budget << ": " << r.error().text();
      const Limit limit = resolve(b, profile(*build(network(net)))->totals).limits[0];
      const auto again = profile(*build(r->arch));
      ASSERT_TRUE(again);
      EXPECT_NEAR(static_cast<double>(amount_of(again->totals, limit.quantity)) / limit.amount, 1, kBudgetTolerance) << net << " " << budget;
      EXPECT_EQ(again->totals.macs, r->macs);
      EXPECT_EQ(again->totals.peak_activation_bytes, r->memory);
      // The printed factor makes the same network again.
      EXPECT_EQ(scaled(net, "dWr", r->factor).macs, r->macs);
    }
}

TEST(Solve, UpperBoundsHoldAndTheNextNetworkIsOver) {
  const Arch base = network("pycls/RegNetX-400MF");
  EXPECT_TRUE(rc::check("at most", [&] {
    const double amount = *rc::gen::inRange(100, 9000) * 1e6;
    const auto strategy = *parse_strategy(*rc::gen::element<std::string>("dWr", "dwr", "w", "d"));
    Budget b = *parse_budget("macs<1G");
    b.limits[0].amount = amount;
    const auto s = solve(base, strategy, b);
    RC_ASSERT(s.has_value());
    RC_PRE(s->met);
    RC_ASSERT(static_cast<double>(s->best.macs) <= amount);
    // Nothing better on a fine scan of factors around the answer.
    for (double f = s->best.factor * 0.97; f < s->best.factor * 1.03; f *= 1.0005) {
      const auto other = scale(base, strategy, f);
      RC_ASSERT(other.has_value());
      if (static_cast<double>(other->macs) <= amount) RC_ASSERT(other->macs <= s->best.macs);
    }
  }));
}

TEST(Solve, IsMonotoneInTheBudget) {
  const Arch base = network("pycls/EfficientNet-B0");
  int64_t last = 0;
  for (double amount = 100e6; amount < 8e9; amount *= 1.3) {
    Budget b = *parse_budget("macs<1G");
    b.limits[0].amount = amount;
    const auto r = scale_to(base, *parse_strategy("dWr"), b);
    ASSERT_TRUE(r) << r.error().text();
    EXPECT_GE(r->macs, last);
    EXPECT_EQ(recount_macs(r->arch), r->macs);
    last = r->macs;
  }
}

TEST(Solve, TheNetworkItselfMeetsItsOwnCost) {
  for (const char* net : {"pycls/RegNetY-400MF", "timm/vit_base_patch16_224", "torchvision/vgg16"}) {
    const Arch base = network(net);
    const auto r = scale_to(base, *parse_strategy("dWr"), *parse_budget("macs=100%"));
    ASSERT_TRUE(r) << r.error().text();
    EXPECT_TRUE(r->arch == base) << net;
    EXPECT_EQ(r->factor, 1);
  }
}

TEST(Solve, SeveralLimits) {
  const auto r = scale_to(network("pycls/RegNetY-400MF"), *parse_strategy("dWr"), *parse_budget("macs<4G,params<15M"));
  ASSERT_TRUE(r) << r.error().text();
  EXPECT_LE(r->params, 15000000);
  EXPECT_GT(r->params, 13000000);
}

TEST(Solve, UnreachableBudgetsNameTheNearest) {
  const auto r = scale_to(network("pycls/RegNetY-400MF"), *parse_strategy("dWr"), *parse_budget("macs=1"));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::budget_not_met);
  EXPECT_NE(r.error().hint.find("nearest reachable"), std::string::npos);
  // Resolution does not change parameters: the nearest network is the one itself.
  const auto p = solve(network("pycls/RegNetY-400MF"), *parse_strategy("r"), *parse_budget("params=9M"));
  ASSERT_TRUE(p) << p.error().text();
  EXPECT_FALSE(p->met);
  EXPECT_EQ(p->best.params, 4344144);
  const auto unbounded = solve(network("pycls/RegNetY-400MF"), *parse_strategy("r"), *parse_budget("params<9M"));
  ASSERT_FALSE(unbounded);
  EXPECT_EQ(unbounded.error().code, Code::usage);
  // Group widths end at the width: the strategy comes to an end and says so.
  const auto groups = solve(network("pycls/RegNetY-400MF"), *parse_strategy("g"), *parse_budget("macs=40G"));
  ASSERT_TRUE(groups) << groups.error().text();
  EXPECT_FALSE(groups->met);
}

// A resolution whose bias tables would not fit is no network: the solver stops in front of it.
TEST(Solve, EndsWhereNetworksCannotBeBuilt) {
  const auto s = solve(network("elasticvit/S1"), *parse_strategy("r"), *parse_budget("macs=400G"));
  ASSERT_TRUE(s) << s.error().text();
  EXPECT_FALSE(s->met);
  EXPECT_TRUE(build(s->best.arch));
}

TEST(Solve, AllStrategiesSideBySide) {
  const auto rows = scale_all(network("pycls/RegNetY-400MF"), *parse_budget("macs=4G"));
  ASSERT_EQ(rows.size(), named_strategies().size());
  double fastest = 1e9;
  for (const StrategyRow& row : rows) {
    ASSERT_TRUE(row.result) << row.strategy.text << ": " << row.result.error().text();
    EXPECT_TRUE(row.result->met) << row.strategy.text;
    if (row.strategy.text != "w") fastest = std::min(fastest, row.result->best.relative_time);
  }
  // The paper's point: of the strategies that keep accuracy, fast compound scaling has the fewest activations.
  EXPECT_EQ(rows.back().strategy.text, "dWr");
  EXPECT_DOUBLE_EQ(rows.back().result->best.relative_time, fastest);
  const auto curves = growth_curves(network("pycls/RegNetY-400MF"));
  ASSERT_TRUE(curves);
  EXPECT_EQ(curves->front().macs.size(), 5u);
}

// A made-up device: a microsecond per 10,000 activations.
TEST(Solve, LatencyIsABudgetWhereSomebodyTellsIt) {
  const LatencyOf latency = [](const Arch& a) -> Result<double> { return static_cast<double>(count(a)->acts) / 1e7; };
  const Arch base = network("pycls/RegNetY-400MF");
  const auto r = scale_to(base, *parse_strategy("dWr"), *parse_budget("latency=2ms@d.json"), Rounding::family, latency);
  ASSERT_TRUE(r) << r.error().text();
  EXPECT_NEAR(*r->latency_ms, 2, 0.1);
  EXPECT_NEAR(*r->latency_ms, static_cast<double>(r->plain_acts) / 1e7, 1e-6);
  const auto below = scale_to(base, *parse_strategy("dWr"), *parse_budget("latency<50%@d.json,macs<300M"), Rounding::family, latency);
  ASSERT_TRUE(below) << below.error().text();
  EXPECT_LE(*below->latency_ms, 0.5 * *latency(base));
  EXPECT_LE(below->macs, 300'000'000);
  const auto nobody = solve(base, *parse_strategy("dWr"), *parse_budget("latency=2ms@d.json"));
  ASSERT_FALSE(nobody);
  EXPECT_NE(nobody.error().hint.find("device"), std::string::npos);
  const auto fails = solve(base, *parse_strategy("dWr"), *parse_budget("latency=2ms@d.json"), Rounding::family, [](const Arch&) -> Result<double> { return fail(Code::failed, "no row"); });
  ASSERT_FALSE(fails);
  EXPECT_EQ(fails.error().message, "no row");
}

}  // namespace hone
