// The study with a machine of the test's own: time is what the test says it is.
#include "measure/scaling_study.h"

#include <gtest/gtest.h>

#include <cmath>

#include "zoo/catalog.h"

namespace hone {
namespace {

// A machine on which a network takes time as its activations say, and which is `mood` times slower at each measurement.
struct Machine {
  double mood = 1;
  size_t measurements = 0, loaded_at_once = 0;
  TimeNetworks timer() {
    return [this](const std::vector<ScaledNetwork>& networks) -> Result<Measurement> {
      ++measurements;
      loaded_at_once = std::max(loaded_at_once, networks.size());
      mood *= 1.02;
      Measurement m;
      for (const ScaledNetwork& n : networks) {
        Timing t;
        t.name = n.name();
        t.steady = true;
        for (int i = 0; i < 32; ++i) t.series.push_back(static_cast<double>(n.acts) * 1e-6 * mood * (1 + 1e-4 * (i % 3)));
        t.median = median(t.series);
        t.interval = median_interval(t.series);
        m.timings.push_back(std::move(t));
      }
      return m;
    };
  }
};

TEST(ScalingStudy, NetworksAreTheScalersOwn) {
  const Arch base = *find_arch("pycls/EfficientNet-B0");
  std::vector<std::string> refused;
  const auto networks = scaled_networks(base, {"dWr", "w", "r"}, {1, 5}, refused);
  ASSERT_TRUE(networks) << networks.error().text();
  EXPECT_TRUE(refused.empty());
  ASSERT_EQ(networks->size(), 4u) << "factor 1 is the base itself, once";
  // Published triples of the base and of its scaling by 5 (pycls' scaler): flops there include 1 per bias.
  EXPECT_EQ((*networks)[0].params, 5288548);
  EXPECT_EQ((*networks)[0].acts, 6748036);
  EXPECT_EQ((*networks)[1].strategy, "dWr");
  EXPECT_EQ((*networks)[1].params, 19949996);
  EXPECT_EQ((*networks)[1].acts, 17862524);
  EXPECT_EQ((*networks)[3].acts, 34119956);
  EXPECT_EQ((*networks)[1].name(), "pycls/EfficientNet-B0 dWr x5");
  EXPECT_FALSE(scaled_networks(base, {"xyz"}, {2}, refused));
}

TEST(ScalingStudy, EqualMacs) {
  const Arch base = *find_arch("pycls/EfficientNet-B0");
  const auto b2 = as_network(*find_arch("pycls/EfficientNet-B2"));
  const auto fast = scaled_to_macs(base, "dWr", b2->macs);
  ASSERT_TRUE(b2);
  ASSERT_TRUE(fast);
  EXPECT_NEAR(static_cast<double>(fast->macs) / static_cast<double>(b2->macs), 1, 0.1);
  EXPECT_LT(fast->acts, b2->acts) << "what the strategy is for";
}

TEST(ScalingStudy, TimesStandBesideTheAnchorWhateverTheMoodOfTheMachine) {
  Machine machine;
  std::vector<std::string> refused;
  auto networks = *scaled_networks(*find_arch("pycls/EfficientNet-B0"), {"dWr", "dwr", "w", "d"}, {2, 4, 8}, refused);
  size_t steps = 0;
  const auto points = time_points(networks, machine.timer(), [&](size_t) { ++steps; });
  ASSERT_TRUE(points);
  EXPECT_EQ(steps, networks.size());
  EXPECT_EQ(machine.measurements, networks.size());
  EXPECT_EQ(machine.loaded_at_once, 2u);
  for (const StudyPoint& p : *points)
    EXPECT_NEAR(p.ms / (*points)[0].ms, static_cast<double>(p.network.acts) / static_cast<double>(networks[0].acts), 1e-3) << p.network.name();

  const auto found = correlate(*points);
  ASSERT_EQ(found.size(), 5u) << "the family and its four strategies";
  EXPECT_EQ(found[0].group, "pycls/EfficientNet-B0");
  EXPECT_EQ(found[0].networks, networks.size());
  EXPECT_NEAR(found[0].pearson_acts, 1, 1e-6);
  EXPECT_NEAR(found[0].spearman_acts, 1, 1e-9);
  // The paper's point: over all strategies the other counts say less; within one strategy all of them do.
  EXPECT_LT(found[0].pearson_params, 0.9);
  EXPECT_LT(found[0].pearson_macs, found[0].pearson_acts);
  for (size_t i = 1; i < found.size(); ++i) EXPECT_GT(found[i].pearson_macs, 0.97) << found[i].group;
  EXPECT_NEAR(found[0].by_acts.intercept, 0, 0.05);
}

TEST(ScalingStudy, PairsAreTimedTogether) {
  Machine machine;
  const Arch base = *find_arch("pycls/RegNetY-400MF");
  const auto fast = scaled_to_macs(base, "dWr", 1'600'000'000), uniform = scaled_to_macs(base, "dwr", 1'600'000'000);
  ASSERT_TRUE(fast && uniform);
  const auto pair = time_pair(*fast, *uniform, machine.timer());
  ASSERT_TRUE(pair);
  EXPECT_EQ(machine.measurements, 1u);
  EXPECT_NEAR(pair->time.ratio, static_cast<double>(fast->acts) / static_cast<double>(uniform->acts), 1e-3);
  EXPECT_EQ(pair->time.verdict, TimeRatio::Verdict::faster);
}

}  // namespace
}  // namespace hone
