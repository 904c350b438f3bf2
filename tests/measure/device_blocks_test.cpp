#include "measure/device_block.h"

#include <gtest/gtest.h>

#include <set>

#include "cost/profile.h"
#include "measure/device_cut.h"

namespace hone {
namespace {

using space::Member;
using space::published_space;

std::vector<Member> some_members(int n, uint64_t seed) {
  Rng rng(seed);
  std::vector<Member> out;
  for (const auto& named : space::named_members()) out.push_back(named.member);
  for (int i = 0; i < n; ++i) out.push_back(space::sample(published_space(), rng));
  return out;
}

TEST(Blocks, WorkOfEveryBlockIsThatOfItsGraph) {
  std::set<Block> blocks;
  for (const Member& m : some_members(60, 5)) {
    const auto of = blocks_of(published_space(), m).value();
    for (const BlockCount& c : of) blocks.insert(c.block);
  }
  ASSERT_GT(blocks.size(), 300u);
  for (const Block& b : blocks) {
    const auto graph = block_graph(b);
    ASSERT_TRUE(graph) << print(b) << graph.error().text();
    const auto p = profile(*graph);
    ASSERT_TRUE(p);
    const BlockWork w = work_of(b);
    EXPECT_DOUBLE_EQ(w.macs * 1e6, static_cast<double>(p->totals.macs)) << print(b);
    EXPECT_DOUBLE_EQ(w.weights * 1e6, static_cast<double>(p->totals.params)) << print(b);
  }
}

TEST(Blocks, AMemberIsTheSumOfItsBlocks) {
  for (const Member& m : some_members(20, 6)) {
    const Arch arch = space::to_arch(published_space(), m, "m");
    const auto graph = build(arch);
    ASSERT_TRUE(graph);
    const auto p = profile(*graph);
    ASSERT_TRUE(p);
    const auto blocks = blocks_of(published_space(), m).value();
    double macs = 0, weights = 0;
    for (const BlockCount& c : blocks) {
      macs += static_cast<double>(c.count) * work_of(c.block).macs * 1e6;
      weights += static_cast<double>(c.count) * work_of(c.block).weights * 1e6;
    }
    EXPECT_NEAR(macs, static_cast<double>(p->totals.macs), 0.5);
    EXPECT_NEAR(weights, static_cast<double>(p->totals.params), 0.5);
    const auto by_arch = blocks_of(arch);
    ASSERT_TRUE(by_arch);
    EXPECT_EQ(*by_arch, blocks);
  }
}

// Stem and head of another space have kinds of their own.
TEST(Blocks, MembersOfASmallSpaceAreTheSumsOfTheirBlocks) {
  const space::Space small = space::open_space("cifar-vit").value();
  Rng rng(8);
  std::set<Block> seen;
  for (int i = 0; i < 20; ++i) {
    const Member m = space::sample(small, rng);
    const auto graph = build(space::to_arch(small, m, "m"));
    ASSERT_TRUE(graph);
    const auto p = profile(*graph);
    ASSERT_TRUE(p);
    double macs = 0, weights = 0;
    const auto blocks = blocks_of(small, m);
    ASSERT_TRUE(blocks);
    for (const BlockCount& c : *blocks) {
      macs += static_cast<double>(c.count) * work_of(c.block).macs * 1e6;
      weights += static_cast<double>(c.count) * work_of(c.block).weights * 1e6;
      seen.insert(c.block);
    }
    EXPECT_NEAR(macs, static_cast<double>(p->totals.macs), 0.5);
    EXPECT_NEAR(weights, static_cast<double>(p->totals.params), 0.5);
  }
  for (const Block& b : seen) {
    const auto graph = block_graph(b);
    ASSERT_TRUE(graph) << print(b);
    const auto p = profile(*graph);
    ASSERT_TRUE(p);
    EXPECT_DOUBLE_EQ(work_of(b).macs * 1e6, static_cast<double>(p->totals.macs)) << print(b);
    EXPECT_EQ(parse_block(print(b)).value(), b);
  }
  EXPECT_TRUE(std::any_of(seen.begin(), seen.end(), [](const Block& b) { return b.kind == "pool_head"; }));
}

TEST(Blocks, TextReadsBack) {
  for (const Member& m : some_members(10, 7)) {
    const auto of = blocks_of(published_space(), m).value();
    for (const BlockCount& c : of) {
      const auto back = parse_block(print(c.block));
      ASSERT_TRUE(back) << back.error().text();
      EXPECT_EQ(*back, c.block);
    }
  }
  EXPECT_EQ(print(*parse_block("conv 16 16 24 e3 s2 k5 se")), "mobile side=16 in=16 out=24 expand=3 stride=2 kernel=5 se=1");
  EXPECT_EQ(print(*parse_block("attn 14 64 v2")), "attention side=14 width=64 value=2");
  EXPECT_EQ(print(*parse_block("transffn 14 64 m5")), "feed_forward side=14 width=64 mlp=5");
}

TEST(Blocks, BadTextIsRefused) {
  for (const char* text : {"", "pool 3", "conv 16 16 24 e3 s2 k5", "conv 16 16 24 e3 s2 k5 maybe", "attn 14 64 2", "attention side=14 width=60 value=2", "head side=0 width=160", "head side=4 width=-160",
                           "head side=4 width=99999999999999999999", "head width=160 side=4", "mobile side=16 in=16 out=24 expand=3 stride=2 kernel=5 se=2", "cut:1 2 3"})
    EXPECT_FALSE(parse_block(text)) << text;
}

TEST(Blocks, SidesRoundUp) {
  // 176: 88, 44, 22, then 11, 11, 6, 3.
  Member m = space::smallest(published_space());
  m.resolution = 176;
  const auto blocks = blocks_of(published_space(), m).value();
  EXPECT_EQ(print(blocks.back().block), "head side=3 width=160");
  EXPECT_TRUE(std::any_of(blocks.begin(), blocks.end(), [](const BlockCount& c) { return print(c.block) == "downsample side=11 in=80 out=144 stride=2"; }));
}

TEST(Cut, BlocksAddUpToTheNetwork) {
  for (const char* name : {"timm/resnet18", "timm/resnet50", "timm/vgg16", "timm/mobilenetv2_100", "timm/efficientnet_b0", "torchvision/vit_b_16", "timm/levit_128s", "pycls/RegNetY-400MF", "elasticvit/S1", "torchvision/inception_v3"}) {
    auto network = open_network(name);
    if (!network) continue;
    const auto p = profile(network->graph);
    ASSERT_TRUE(p);
    const auto cuts = cut_blocks(network->graph);
    ASSERT_TRUE(cuts) << name << ": " << cuts.error().text();
    int64_t macs = 0, n = 0;
    for (const CutBlock& c : *cuts) {
      const auto part = profile(c.graph);
      ASSERT_TRUE(part) << name << " " << c.label;
      EXPECT_EQ(part->totals.macs, c.block.sizes[3]);
      EXPECT_EQ(part->totals.params, c.block.sizes[5]);
      EXPECT_EQ(c.graph.outputs.size(), 1u);
      macs += c.count * part->totals.macs;
      n += c.count;
    }
    EXPECT_EQ(macs, p->totals.macs) << name;
    EXPECT_GT(n, 5) << name;
  }
}

TEST(Cut, EqualBlocksOfOtherSizesShareTheirKind) {
  const auto small = open_network("timm/resnet18"), large = open_network("timm/resnet34");
  ASSERT_TRUE(small && large);
  const auto a = cut_blocks(small->graph), b = cut_blocks(large->graph);
  ASSERT_TRUE(a && b);
  // Both are built of the same blocks, the larger of more of them.
  ASSERT_EQ(a->size(), b->size());
  int64_t na = 0, nb = 0;
  std::set<std::string> kinds;
  for (size_t i = 0; i < a->size(); ++i) {
    EXPECT_EQ((*a)[i].block, (*b)[i].block);
    kinds.insert((*a)[i].block.kind);
    na += (*a)[i].count;
    nb += (*b)[i].count;
  }
  EXPECT_EQ(nb - na, 8);
  EXPECT_LT(kinds.size(), a->size());  // stages 2 to 4 differ in size alone
}

}  // namespace
}  // namespace hone
