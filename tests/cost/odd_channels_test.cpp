#include "cost/odd_channels.h"

#include <gtest/gtest.h>

#include "scale/scale.h"
#include "zoo/catalog.h"

namespace hone {
namespace {

OddChannels odd(const Arch& arch) {
  const Graph graph = *build(arch);
  return odd_channels(graph, *profile(graph));
}

TEST(OddChannels, PublishedNetworksHaveNone) {
  for (const char* name : {"timm/resnet50", "timm/mobilenetv2_100", "pycls/RegNetY-400MF"}) {
    const OddChannels o = odd(*find_arch(name));
    EXPECT_EQ(o.nodes, 0) << name << ": " << o.example;
    EXPECT_EQ(o.macs_share, 0) << name;
  }
}

// pycls' own scaling of ResNet-50 by 4: bottleneck widths 112, 222, 446 and 888 (spec of scaling, 4.3).
TEST(OddChannels, ScaledWidthsThatFitNoVectorAreFound) {
  const auto scaled = scale(*find_arch("pycls/ResNet-50"), *parse_strategy("dWr"), 4);
  ASSERT_TRUE(scaled);
  const OddChannels o = odd(scaled->arch);
  EXPECT_GT(o.nodes, 0);
  EXPECT_TRUE(o.example_channels == 222 || o.example_channels == 446) << o.example_channels;
  EXPECT_GT(o.macs_share, 0.2);
  EXPECT_LT(o.macs_share, 0.8);
}

}  // namespace
}  // namespace hone
