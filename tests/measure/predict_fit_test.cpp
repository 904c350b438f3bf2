#include "measure/predict_fit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/rng.h"

namespace hone {
namespace {

TEST(FitRelative, FindsExactCoefficientsOfVeryDifferentSize) {
  std::vector<Equation> e;
  Rng rng(1);
  for (int i = 0; i < 30; ++i) {
    const double a = 1e6 * rng.uniform(), b = rng.uniform();
    e.push_back({{a, b, 1}, 3e-7 * a + 2 * b + 0.5});
  }
  const auto fit = fit_relative(e);
  ASSERT_TRUE(fit);
  EXPECT_NEAR((*fit)[0], 3e-7, 1e-12);
  EXPECT_NEAR((*fit)[1], 2, 1e-4);
  EXPECT_NEAR((*fit)[2], 0.5, 1e-4);
}

TEST(FitRelative, WeighsByShareNotBySize) {
  // y = b x with b = 1 for a small x and b = 2 for a large one: both count alike, b = sum(x/y) / sum((x/y)^2) = 1.2.
  const auto fit = fit_relative({{{1}, 1}, {{1000}, 2000}});
  ASSERT_TRUE(fit);
  EXPECT_NEAR((*fit)[0], 1.2, 1e-6);
  const auto sure = fit_relative({{{1}, 1, 1}, {{1000}, 2000, 0}});
  EXPECT_NEAR((*sure)[0], 1, 1e-6);
}

TEST(FitRelative, RidgeHoldsWhatNothingSettles) {
  const auto fit = fit_relative({{{1, 0}, 2}}, {0, 1}, {0, 7});
  ASSERT_TRUE(fit);
  EXPECT_NEAR((*fit)[0], 2, 1e-6);
  EXPECT_NEAR((*fit)[1], 7, 1e-6);
  // Alike as they are, only their sum is settled.
  const auto alike = fit_relative({{{1, 1}, 4}, {{2, 2}, 8}});
  ASSERT_TRUE(alike);
  EXPECT_NEAR((*alike)[0] + (*alike)[1], 4, 1e-5);
  EXPECT_FALSE(fit_relative({}));
  EXPECT_FALSE(fit_relative({{{NAN}, 1}}));
}

TEST(Cholesky, SolvesAndRefuses) {
  const auto c = Cholesky::of({4, 2, 2, 3}, 2);
  ASSERT_TRUE(c);
  const auto x = c->solve({8, 7});
  EXPECT_NEAR(x[0], 1.25, 1e-12);
  EXPECT_NEAR(x[1], 1.5, 1e-12);
  EXPECT_NEAR(c->log_determinant(), std::log(8.0), 1e-12);
  EXPECT_FALSE(Cholesky::of({1, 2, 2, 1}, 2));
}

TEST(Interpolation, FollowsASmoothFunctionAndKnowsWhereItDoesNot) {
  auto f = [](double x, double y) { return std::sin(3 * x) + 0.5 * y; };
  Rng rng(2);
  std::vector<std::vector<double>> points;
  std::vector<double> values;
  for (int i = 0; i < 80; ++i) {
    points.push_back({rng.uniform(), 10 * rng.uniform()});
    values.push_back(f(points.back()[0], points.back()[1] / 10));
  }
  const Interpolation g = Interpolation::fit(points, values);
  double worst = 0;
  for (int i = 0; i < 100; ++i) {
    const double x = 0.1 + 0.8 * rng.uniform(), y = 1 + 8 * rng.uniform();
    const auto at = g({x, y});
    worst = std::max(worst, std::fabs(at.value - f(x, y / 10)));
    EXPECT_DOUBLE_EQ(at.value, g.value({x, y}));
  }
  EXPECT_LT(worst, 0.05);
  EXPECT_GT(g({30, 300}).deviation, 5 * g({0.5, 5}).deviation);
  EXPECT_NEAR(g({30, 300}).value, 0, 1e-3);
}

TEST(Interpolation, UnsureValuesBendToTheirNeighbours) {
  std::vector<std::vector<double>> points;
  std::vector<double> values, deviations;
  for (int i = 0; i <= 20; ++i) {
    points.push_back({i / 20.0});
    values.push_back(0.3 + 0.2 * i / 20.0 + (i == 10 ? 0.4 : 0));
    deviations.push_back(i == 10 ? 0.5 : 0.001);
  }
  const double sure = Interpolation::fit(points, values).value({0.5}), unsure = Interpolation::fit(points, values, deviations).value({0.5});
  EXPECT_NEAR(unsure, 0.4, 0.03);
  EXPECT_GT(sure, unsure + 0.02);
}

TEST(Interpolation, NothingAndOnePoint) {
  EXPECT_EQ(Interpolation().value({1}), 0);
  EXPECT_EQ(Interpolation::fit({}, {}).value({1, 2}), 0);
  EXPECT_NEAR(Interpolation::fit({{1, 2}}, {0.5}).value({1, 2}), 0.5, 0.1);
}

}  // namespace
}  // namespace hone
