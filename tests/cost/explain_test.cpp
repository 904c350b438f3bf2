#include "cost/explain.h"

#include <gtest/gtest.h>

#include "ir/builder.h"
#include "zoo/catalog.h"

namespace hone {
namespace {

TEST(Explain, WritesTheFormulaWithItsNumbers) {
  Builder b("net");
  ValueId x = b.input("x", DType::f32, {1, 3, 8, 8});
  x = b.conv(x, "a", conv_spec(4, 3));
  x = b.conv(x, "b", conv_spec(4, 3, 1, 4));
  x = b.conv(x, "c", conv_spec(4, 3, 1, 4));
  x = b.linear(b.flatten(x), "fc", 10);
  b.output(x);
  const auto graph = b.finish();
  ASSERT_TRUE(graph) << graph.error().text();
  const auto e = explain(*graph, *profile(*graph));
  ASSERT_EQ(e.size(), 3u);
  EXPECT_EQ(e[0].formula, "1x4x8x8 outputs x 3x3x3");
  EXPECT_EQ(e[0].macs, 4 * 64 * 27);
  EXPECT_EQ(e[1].formula, "1x4x8x8 outputs x 1x3x3");
  EXPECT_EQ(e[1].nodes, 2);
  EXPECT_EQ(e[1].macs_each, 4 * 64 * 9);
  EXPECT_EQ(e[1].macs, 2 * 4 * 64 * 9);
  EXPECT_EQ(e[2].formula, "1x10 outputs x 256");
}

TEST(Explain, AccountsForEveryMultiplyAdd) {
  for (const char* name : {"timm/resnet50", "timm/vit_base_patch16_224", "pycls/RegNetY-400MF", "elasticvit/S1", "meter/base-288"}) {
    const auto network = open_network(name);
    ASSERT_TRUE(network) << network.error().text();
    const auto counted = profile(network->graph);
    ASSERT_TRUE(counted) << counted.error().text();
    int64_t sum = 0;
    for (const Explanation& e : explain(network->graph, *counted)) {
      EXPECT_EQ(e.macs, e.macs_each * e.nodes);
      EXPECT_EQ(e.formula.find("own rule"), std::string::npos) << name << " " << e.op << " " << e.formula;
      sum += e.macs;
    }
    EXPECT_EQ(sum, counted->totals.macs) << name;
  }
}

}  // namespace
}  // namespace hone
