#include "measure/device_scale.h"

#include <gtest/gtest.h>

#include "measure/device_cut.h"

namespace hone {
namespace {

// Rows for every block of the network and of some that it scales to, at a made-up speed.
DeviceTable table_for(const char* net) {
  DeviceTable t;
  const auto base = find_arch(net);
  for (const double factor : {0.25, 0.5, 1.0, 2.0, 4.0}) {
    const auto scaled = scale(*base, *parse_strategy("dWr"), factor);
    const auto blocks = blocks_of(Network{"n", *build(scaled->arch), scaled->arch});
    for (const BlockCount& c : *blocks)
      if (!t.find(c.block)) t.rows.push_back({c.block, {0.01 * work_of(c.block).macs + 0.3 * work_of(c.block).elements + 0.002, 0, 0, 0}, ""});
  }
  return t;
}

TEST(DeviceScale, MeetsABudgetInMilliseconds) {
  for (const char* net : {"pycls/RegNetX-200MF", "timm/resnet18", "elasticvit/T2"}) {
    const DeviceTable table = table_for(net);
    const auto predictor = Predictor::fit(table, TimeModel::table);
    ASSERT_TRUE(predictor) << predictor.error().text();
    const auto base = find_arch(net);
    const auto before = predict(*predictor, *base);
    ASSERT_TRUE(before);
    EXPECT_EQ(before->guessed + before->outside + before->interpolated, 0);
    const auto r = scale_to_latency(*base, *parse_strategy("dWr"), *parse_budget("latency<180%@t.json"), Rounding::family, *predictor);
    ASSERT_TRUE(r) << net << ": " << r.error().text();
    EXPECT_LE(r->prediction.ms, 1.8 * before->ms);
    EXPECT_GT(r->prediction.ms, 1.3 * before->ms) << net;
    EXPECT_FALSE(r->measured);
  }
}

TEST(DeviceScale, AMeasurementThatDisagreesIsFollowed) {
  const DeviceTable table = table_for("timm/resnet18");
  const auto predictor = Predictor::fit(table, TimeModel::table);
  const auto base = find_arch("timm/resnet18");
  int measured = 0;
  // The machine is a quarter slower than its table says.
  const TimeOf time = [&](const Arch& a) -> Result<MeasuredTime> {
    ++measured;
    return MeasuredTime{1.25 * predict(*predictor, a)->ms, 0, 0, 9};
  };
  const auto r = scale_to_latency(*base, *parse_strategy("dWr"), *parse_budget("latency<60%@t.json"), Rounding::family, *predictor, time);
  ASSERT_TRUE(r) << r.error().text();
  EXPECT_TRUE(r->met);
  EXPECT_EQ(r->tries, measured);
  EXPECT_EQ(measured, 2);
  EXPECT_LE(r->measured->ms, 0.6 * predict(*predictor, *base)->ms);
  // Out of reach stays out of reach, and says so.
  const TimeOf never = [](const Arch&) -> Result<MeasuredTime> { return MeasuredTime{1e3, 0, 0, 9}; };
  const auto missed = scale_to_latency(*base, *parse_strategy("dWr"), *parse_budget("latency<60%@t.json"), Rounding::family, *predictor, never);
  EXPECT_TRUE(!missed || !missed->met);
}

TEST(DeviceScale, AKindWithoutRowsIsNamed) {
  const DeviceTable table = table_for("elasticvit/T1");
  const auto predictor = Predictor::fit(table, TimeModel::table);
  const auto r = scale_to_latency(*find_arch("timm/resnet18"), *parse_strategy("dWr"), *parse_budget("latency<60%@t.json"), Rounding::family, *predictor);
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().message.find("no row of kind cut:"), std::string::npos) << r.error().text();
}

}  // namespace
}  // namespace hone
