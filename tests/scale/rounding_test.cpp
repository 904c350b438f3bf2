#include "scale/rounding.h"

#include <gtest/gtest.h>

namespace hone {

TEST(Rounding, HalvesGoToEven) {
  EXPECT_EQ(round_depth(5, 0.5), 2);
  EXPECT_EQ(round_depth(3, 0.5), 2);
  EXPECT_EQ(round_depth(1, 0.1), 1);
  EXPECT_EQ(round_width(12, 1), 16);
  EXPECT_EQ(round_width(20, 1), 16);
  EXPECT_EQ(round_width(28, 1), 32);
  EXPECT_EQ(round_width(1, 1), 8);
  EXPECT_EQ(round_resolution(226, 1, 4), 224);  // 56.5
  EXPECT_EQ(round_resolution(230, 1, 4), 232);  // 57.5
}

TEST(Rounding, GroupsAreReRounded) {
  const int64_t expected[][2] = {{1, 1}, {2, 2}, {3, 4}, {4, 4}, {5, 4}, {6, 8}, {12, 16}, {20, 16}, {28, 32}, {64, 64}};
  for (const auto& [in, out] : expected) EXPECT_EQ(round_group(in, 1), out) << in;
}

// scaling.md 4.3: widths of published RegNets before and after the group fit, half-even cases included.
TEST(Rounding, Compatibility) {
  EXPECT_EQ(make_compatible(24, 1, 16).width, 32);
  EXPECT_EQ(make_compatible(392, 1, 16).width, 384);
  EXPECT_EQ(make_compatible(96, 1, 40).width, 80);
  EXPECT_EQ(make_compatible(96, 1, 64).width, 128);
  EXPECT_EQ(make_compatible(216, 1, 64).width, 192);
  EXPECT_EQ(make_compatible(80, 1, 120).group, 80);
  EXPECT_EQ(make_compatible(16, 4, 4).width, 16);
  EXPECT_EQ(make_compatible(448, 0.25, 160).width, 448);
  EXPECT_EQ(make_compatible(448, 0.25, 160).group, 112);
}

TEST(Rounding, MakeDiv) {
  EXPECT_EQ(round_width_make_div(24, 1.1), 24);
  EXPECT_EQ(round_width_make_div(32, 0.25), 8);
  EXPECT_EQ(round_width_make_div(16, 0.7), 16);  // 8 would lose more than 10 % of 11.2
  EXPECT_EQ(round_width_make_div(40, 1.2), 48);
}

TEST(Rounding, CeilingOfDepth) {
  EXPECT_EQ(round_depth(2, 1.1, true), 3);
  EXPECT_EQ(round_depth(5, 1.2, true), 6);
  EXPECT_EQ(round_depth(1, 1.0, true), 1);
}

TEST(Rounding, Names) {
  EXPECT_EQ(*parse_rounding("pycls"), Rounding::pycls);
  auto r = parse_rounding("up");
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().hint.find("make_div"), std::string::npos);
}

}  // namespace hone
