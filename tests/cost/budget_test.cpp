#include "cost/budget.h"

#include <gtest/gtest.h>

namespace hone {

namespace {

Limit one(std::string_view text) {
  auto b = parse_budget(text);
  EXPECT_TRUE(b) << (b ? "" : b.error().text());
  return b ? b->limits.at(0) : Limit{};
}

Error refused(std::string_view text) {
  auto b = parse_budget(text);
  EXPECT_FALSE(b) << text;
  if (b) return {};
  EXPECT_EQ(b.error().code, Code::usage) << text;
  EXPECT_FALSE(b.error().hint.empty()) << text;
  return b.error();
}

}  // namespace

TEST(Budget, Amounts) {
  EXPECT_EQ(one("macs=4G").amount, 4e9);
  EXPECT_TRUE(one("macs=4G").exact);
  EXPECT_EQ(one("params<25M").amount, 25e6);
  EXPECT_FALSE(one("params<=25M").exact);
  EXPECT_EQ(one("memory<24MiB").amount, 24 * 1048576.0);
  EXPECT_EQ(one(" acts < 1.5e6 ").amount, 1.5e6);
  EXPECT_TRUE(one("macs=50%").percent);
  EXPECT_EQ(one("macs=50%").amount, 0.5);
}

TEST(Budget, SeveralLimits) {
  auto b = parse_budget("macs=4G,params<25M");
  ASSERT_TRUE(b);
  ASSERT_EQ(b->limits.size(), 2u);
  EXPECT_EQ(b->limits[1].quantity, Quantity::params);
}

TEST(Budget, PercentagesAreOfTheInputNetwork) {
  Totals base;
  base.macs = 1000;
  base.peak_activation_bytes = 64;
  const Budget b = resolve(*parse_budget("macs=250%,memory<50%"), base);
  EXPECT_EQ(b.limits[0].amount, 2500);
  EXPECT_EQ(b.limits[1].amount, 32);
}

TEST(Budget, Meets) {
  Totals t;
  t.macs = 109;
  EXPECT_TRUE(meets(t, *parse_budget("macs=100")));
  t.macs = 111;
  EXPECT_FALSE(meets(t, *parse_budget("macs=100")));
  EXPECT_FALSE(meets(t, *parse_budget("macs<110")));
  EXPECT_TRUE(meets(t, *parse_budget("macs<111")));
}

TEST(Budget, AmbiguousBudgetsGetHelp) {
  EXPECT_NE(refused("flops=4G").hint.find("macs=2000000000"), std::string::npos);
  EXPECT_NE(refused("4G").message.find("of what"), std::string::npos);
  EXPECT_NE(refused("4G").hint.find("macs=4G"), std::string::npos);
  EXPECT_NE(refused("latency<5ms").hint.find("latency<5ms@DEVICE.json"), std::string::npos);
  refused("latency<5ms@");
  refused("latency<5MB@d.json");
  refused("latency=0@d.json");
  EXPECT_NE(refused("mem<5MB").hint.find("memory"), std::string::npos);
  refused("macs");
  refused("macs>4G");
  refused("macs=");
  refused("=4G");
  refused("macs=4X");
  refused("macs=0");
  refused("macs=-1");
  refused("params<1MiB");
  refused("macs=1e300");
  refused("");
  refused("macs=4G,");
  refused("macs=4G,macs<5G");
  refused("macs=4G,params=5M");
  refused("speed<3");
}

TEST(Budget, LatencyNamesItsDevice) {
  for (const auto& [text, ns] : {std::pair{"latency<8ms@a/b.json", 8e6}, {"latency = 8 @ a/b.json", 8e6}, {"latency=0.5s@a/b.json", 5e8}, {"latency<=800us@a/b.json", 8e5}}) {
    const auto b = parse_budget(text);
    ASSERT_TRUE(b) << text << ": " << b.error().text();
    ASSERT_TRUE(latency_limit(*b));
    EXPECT_EQ(latency_limit(*b)->device, "a/b.json");
    EXPECT_DOUBLE_EQ(latency_limit(*b)->amount, ns) << text;
  }
  const auto both = parse_budget("macs=50%,latency<50%@d.json");
  ASSERT_TRUE(both);
  Amounts base;
  base.macs = 100;
  base.latency_ns = 3000000;
  const Budget b = resolve(*both, base);
  EXPECT_DOUBLE_EQ(latency_limit(b)->amount, 1.5e6);
  EXPECT_TRUE(meets(Amounts({}, 1500000), *latency_limit(b)));
  EXPECT_FALSE(meets(Amounts({}, 1500001), *latency_limit(b)));
  EXPECT_FALSE(latency_limit(*parse_budget("macs=4G")));
  EXPECT_EQ(format_amount(8130000, Quantity::latency), "8.13 ms");
}

}  // namespace hone
