#include "measure/statistics.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/rng.h"

namespace hone {
namespace {

TEST(Statistics, QuantilesLieBetweenOrderStatistics) {
  EXPECT_DOUBLE_EQ(median({3, 1, 2}), 2);
  EXPECT_DOUBLE_EQ(median({4, 1, 2, 3}), 2.5);
  EXPECT_DOUBLE_EQ(quantile({1, 2, 3, 4, 5}, 0.95), 4.8);  // numpy.quantile
  EXPECT_DOUBLE_EQ(quantile({7}, 0.25), 7);
  EXPECT_TRUE(std::isnan(median({})));
}

// The table of the sign test: with 10 values the 2nd to the 9th have 97.85 %, the 3rd to the 8th 89.06 %.
TEST(Statistics, MedianIntervalInterpolatesTheSignTest) {
  std::vector<double> ten(10);
  std::iota(ten.begin(), ten.end(), 1);
  const Interval outer = median_interval(ten, 1 - 2 * 11.0 / 1024);
  EXPECT_NEAR(outer.low, 2, 1e-9);
  EXPECT_NEAR(outer.high, 9, 1e-9);
  const Interval inner = median_interval(ten, 1 - 2 * 56.0 / 1024);
  EXPECT_NEAR(inner.low, 3, 1e-9);
  EXPECT_NEAR(inner.high, 8, 1e-9);
  const Interval i = median_interval(ten, 0.95);
  EXPECT_GT(i.low, 2);
  EXPECT_LT(i.low, 3);
  EXPECT_DOUBLE_EQ(i.low + i.high, 11);
  EXPECT_DOUBLE_EQ(i.confidence, 0.95);
}

TEST(Statistics, TooFewValuesSayWhatConfidenceTheyGive) {
  EXPECT_DOUBLE_EQ(median_interval({1, 2, 3}).confidence, 0.75);
  EXPECT_DOUBLE_EQ(median_interval({5}).confidence, 0);
  EXPECT_EQ(median_interval({}).confidence, 0);
  EXPECT_DOUBLE_EQ(median_interval({1, 2, 3, 4, 5, 6}).confidence, 0.95);
}

// The promise itself, for a skewed distribution: intervals of 95 % hold the true median in about 95 of 100 samples.
TEST(Statistics, MedianIntervalsHoldTheMedianAsOftenAsTheySay) {
  Rng rng(7);
  for (size_t n : {8, 20, 75}) {
    int held = 0;
    constexpr int kTrials = 4000;
    for (int t = 0; t < kTrials; ++t) {
      std::vector<double> values(n);
      for (double& v : values) v = -std::log(1 - rng.uniform());
      const Interval i = median_interval(values);
      held += i.low <= std::log(2.) && std::log(2.) <= i.high;
    }
    EXPECT_NEAR(held / double(kTrials), 0.95, 0.015) << n;
  }
}

TEST(Statistics, ThousandsOfValuesDoNotUnderflow) {
  std::vector<double> many(5000);
  std::iota(many.begin(), many.end(), 0);
  const Interval i = median_interval(many);
  // The normal approximation: n/2 -+ 1.96 sqrt(n)/2.
  EXPECT_NEAR(i.low, 2500 - 0.98 * std::sqrt(5000.), 3);
  EXPECT_NEAR(i.high, 2500 + 0.98 * std::sqrt(5000.), 3);
}

TEST(Statistics, BlocksCoverTheSeriesOnce) {
  rc::check("block medians of any series", [](const std::vector<int>& raw) {
    const auto blocks = *rc::gen::inRange<size_t>(1, 20);
    const std::vector<double> series(raw.begin(), raw.end());
    const std::vector<double> medians = block_medians(series, blocks);
    RC_ASSERT(medians.size() == std::min(blocks, series.size()));
    if (blocks >= series.size()) RC_ASSERT(medians == series);
    if (!series.empty()) {
      RC_ASSERT(*std::min_element(medians.begin(), medians.end()) >= *std::min_element(series.begin(), series.end()));
      RC_ASSERT(block_medians(series, 1)[0] == median(series));
    }
  });
}

TEST(Statistics, Correlation) {
  const std::vector<double> x{1, 2, 3, 4, 5}, cubes{1, 8, 27, 64, 125}, falling{5, 4, 3, 2, 1}, flat{2, 2, 2, 2, 2};
  EXPECT_NEAR(pearson(x, cubes), 0.943118, 1e-6);  // numpy.corrcoef
  EXPECT_DOUBLE_EQ(spearman(x, cubes), 1);
  EXPECT_DOUBLE_EQ(pearson(x, falling), -1);
  EXPECT_TRUE(std::isnan(pearson(x, flat)));
  const std::vector<double> tied{1, 2, 2, 4, 5};
  EXPECT_NEAR(spearman(x, tied), 0.974679, 1e-6);  // scipy.stats.spearmanr
  const std::vector<double> y{5, 7, 9, 11, 13};
  const Line line = fit_line(x, y);
  EXPECT_DOUBLE_EQ(line.slope, 2);
  EXPECT_DOUBLE_EQ(line.intercept, 3);
}

}  // namespace
}  // namespace hone
