#include "scale/strategy.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

namespace hone {

namespace {

Factors factors(std::string_view text, double s) {
  auto strategy = parse_strategy(text);
  EXPECT_TRUE(strategy) << text;
  auto f = scaling_factors(*strategy, s);
  EXPECT_TRUE(f);
  return *f;
}

Error refused(std::string_view text) {
  auto s = parse_strategy(text);
  EXPECT_FALSE(s) << text;
  if (s) return {};
  EXPECT_EQ(s.error().code, Code::usage);
  return s.error();
}

}  // namespace

TEST(Strategy, Forms) {
  EXPECT_EQ(parse_strategy("dwr")->canonical(), "d1_w1_r1");
  EXPECT_EQ(parse_strategy("dWr")->canonical(), "d1_w8_g8_r1");
  EXPECT_EQ(parse_strategy("wg")->canonical(), "w1_g1");
  EXPECT_EQ(parse_strategy("w0.5_r2")->canonical(), "w0.5_r2");
  EXPECT_EQ(parse_strategy("r1_d3")->canonical(), "d3_r1");
}

TEST(Strategy, ErrorsPointAtTheColumnAndSuggest) {
  EXPECT_NE(refused("dwx").message.find("column 2"), std::string::npos);
  EXPECT_NE(refused("d1_x2").message.find("column 4: 'x'"), std::string::npos);
  EXPECT_NE(refused("d1_w8_g8_r1_").message.find("column 13"), std::string::npos);
  EXPECT_NE(refused("DWR").hint.find("dWr"), std::string::npos);
  EXPECT_NE(refused("d1_w8_g8_rl").hint.find("d1_w8_g8_r1"), std::string::npos);
  EXPECT_NE(refused("d1_d2").message.find("twice"), std::string::npos);
  refused("");
  refused("d-1_w2");
  refused("d1__w2");
  refused("dnan");
  refused("d1e300");
}

TEST(Strategy, ExponentsOfThePaper) {
  const double s = 4;
  EXPECT_DOUBLE_EQ(factors("d", s).d, 4);
  EXPECT_DOUBLE_EQ(factors("w", s).w, 2);
  EXPECT_DOUBLE_EQ(factors("w", s).g, 1);
  EXPECT_DOUBLE_EQ(factors("g", s).g, 4);
  EXPECT_DOUBLE_EQ(factors("dWr", s).d, std::pow(s, 0.1));
  EXPECT_DOUBLE_EQ(factors("dWr", s).w, std::pow(s, 0.4));
  EXPECT_DOUBLE_EQ(factors("dWr", s).g, std::pow(s, 0.4));
  EXPECT_DOUBLE_EQ(factors("dWr", s).r, std::pow(s, 0.05));
  EXPECT_DOUBLE_EQ(growth(*parse_strategy("dWr")).params, 0.9);
  EXPECT_DOUBLE_EQ(growth(*parse_strategy("dWr")).acts, 0.6);
  EXPECT_DOUBLE_EQ(growth(*parse_strategy("dwr")).acts, 5.0 / 6);
  EXPECT_DOUBLE_EQ(growth(*parse_strategy("r")).params, 0);
}

TEST(Strategy, FactorsThatMakeNoSense) {
  const Strategy s = *parse_strategy("dwr");
  for (double f : {0.0, -1.0, std::nan(""), static_cast<double>(INFINITY)}) {
    auto r = scaling_factors(s, f);
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().code, Code::usage);
  }
}

TEST(Strategy, DepthTimesWidthSquaredTimesResolutionSquaredIsTheFactor) {
  EXPECT_TRUE(rc::check("d w^2 r^2 = s", [] {
    Strategy s;
    s.d = *rc::gen::inRange(0, 10);
    s.w = *rc::gen::inRange(0, 10);
    s.g = *rc::gen::inRange(0, 10);
    s.r = *rc::gen::inRange(0, 10);
    RC_PRE(s.d + s.w + s.r > 0);
    const double factor = *rc::gen::inRange(1, 10000) / 100.0;
    const Factors f = *scaling_factors(s, factor);
    RC_ASSERT(std::fabs(f.d * f.w * f.w * f.r * f.r - factor) < 1e-9 * factor);
    // The canonical form means the same.
    const Strategy again = *parse_strategy(s.canonical());
    RC_ASSERT((again.d == s.d && again.w == s.w && again.g == s.g && again.r == s.r));
  }));
}

}  // namespace hone
