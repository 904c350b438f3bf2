#include "core/units.h"

#include <gtest/gtest.h>

#include "core/checked.h"

namespace hone {

TEST(Units, CountsForPeople) {
  EXPECT_EQ(format_count(4089184256), "4.09 G");
  EXPECT_EQ(format_count(25557032), "25.6 M");
  EXPECT_EQ(format_count(812), "812");
  EXPECT_EQ(format_exact(4089184256), "4,089,184,256");
  EXPECT_EQ(format_exact(-123), "-123");
  EXPECT_EQ(format_exact(-1234), "-1,234");
  EXPECT_EQ(parse_count("4G"), 4e9);
  EXPECT_EQ(parse_count("1.5k"), 1500);
  EXPECT_EQ(parse_count("4e9"), 4e9);
  EXPECT_EQ(parse_count("4X"), std::nullopt);
  EXPECT_EQ(parse_count("0x10"), std::nullopt);
  EXPECT_EQ(parse_count("-4G"), std::nullopt);
  EXPECT_EQ(parse_bytes("1MiB"), 1048576);
}

TEST(Checked, OverflowIsSticky) {
  Int big = INT64_MAX;
  EXPECT_TRUE((big + 0).ok());
  EXPECT_FALSE((big + 1).ok());
  EXPECT_FALSE((big + 1 - 1).ok());
  EXPECT_EQ(Int(-7) / 2, Int(-4));
  EXPECT_FALSE((Int(1) / 0).ok());
}

}  // namespace hone
