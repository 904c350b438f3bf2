// The join of counters and counts on a network whose figures are known by hand; the counters are the test's.
#include "measure/node_profile.h"

#include <gtest/gtest.h>


#include "zoo/catalog.h"

namespace hone {
namespace {

struct Known {
  Graph graph;
  Profile counts;
};
Known resnet18() {
  Known k;
  k.graph = open_network("timm/resnet18")->graph;
  k.counts = *profile(k.graph);
  return k;
}

NodeId first_of(const Graph& graph, std::string_view type) {
  for (NodeId n = 0; n < graph.nodes.size(); ++n)
    if (graph.nodes[n].type == type) return n;
  return kNoNode;
}

TEST(NodeProfile, FusedNodesGetTheCountsOfAllTheirParts) {
  const Known k = resnet18();
  const NodeId conv = first_of(k.graph, "Conv"), pool = first_of(k.graph, "MaxPool");
  ASSERT_NE(conv, kNoNode);
  ASSERT_NE(pool, kNoNode);
  // The engine: a reorder of its own, convolution with what follows, the pool, and all the rest; batch norm and ReLU behind
  // the convolution are folded away.
  std::vector<NodeTime> times = {{"input/Reorder", {}, "Reorder", "jit", 0.1},
                                       {"conv1", {k.graph.nodes[conv].name}, "Convolution", "brgconv", 2},
                                       {"maxpool", {k.graph.nodes[pool].name}, "Pooling", "jit", 0.5}};
  times.push_back({"rest", {}, "Everything", "", 9});
  for (NodeId n = pool + 1; n < k.graph.nodes.size(); ++n) times.back().from.push_back(k.graph.nodes[n].name);
  const std::vector<NodeTiming> nodes = join(k.graph, k.counts, times);
  ASSERT_EQ(nodes.size(), 4u);
  EXPECT_TRUE(nodes[0].from.empty());
  EXPECT_EQ(nodes[0].macs, 0);
  EXPECT_EQ(nodes[1].lead, conv);
  EXPECT_EQ(nodes[1].macs, 118013952);  // 7 x 7 x 3 x 64 x 112 x 112
  EXPECT_EQ(nodes[1].from.size(), 3u) << "batch norm and ReLU belong to the convolution that feeds them";
  EXPECT_EQ(nodes[1].params, 7 * 7 * 3 * 64 + 2 * 64);
  // Image in, map out, weights, and four vectors of the batch norm; nothing in between.
  EXPECT_EQ(nodes[1].bytes, 4 * (3 * 224 * 224 + 64 * 112 * 112 + 7 * 7 * 3 * 64 + 4 * 64));
  EXPECT_DOUBLE_EQ(nodes[1].gflop_per_second(), 2 * 118013952 / 2e-3 * 1e-9);
  EXPECT_EQ(nodes[2].bytes, 4 * (64 * 112 * 112 + 64 * 56 * 56));
}

TEST(NodeProfile, EveryCountAppearsOnceWhateverTheEngineClaims) {
  const Known k = resnet18();
  std::vector<NodeTime> times;
  for (const Node& n : k.graph.nodes) {
    times.push_back({n.name, {n.name}, n.type, "", 1});
    times.push_back({n.name + "/again", {n.name}, "Reorder", "", 0.5});  // a second claim, faster
  }
  int64_t macs = 0, params = 0;
  for (const NodeTiming& t : join(k.graph, k.counts, times)) {
    macs += t.macs, params += t.params;
    ASSERT_EQ(t.from.size(), 1u);
    EXPECT_EQ(t.lead, t.from[0]);
    EXPECT_TRUE(t.ms == 1 || t.macs + t.params + t.bytes == 0);
  }
  EXPECT_EQ(macs, k.counts.totals.macs);
  EXPECT_EQ(params, k.counts.totals.params);
}

TEST(NodeProfile, PartsOfAnAttentionShareItsCountsByTime) {
  Known k;
  k.graph = open_network("timm/deit_tiny_patch16_224")->graph;
  k.counts = *profile(k.graph);
  const NodeId attention = first_of(k.graph, "Attention");
  ASSERT_NE(attention, kNoNode);
  const std::string name = k.graph.nodes[attention].name;
  const std::vector<NodeTiming> nodes = join(k.graph, k.counts, {{"qk", {name}, "MatMul", "", 3}, {"softmax", {name}, "Softmax", "", 9}, {"av", {name}, "MatMul", "", 1}});
  const int64_t macs = k.counts.nodes[attention].counts.macs().value();
  EXPECT_EQ(nodes[1].macs, 0) << "a softmax has no products, however long it takes";
  EXPECT_EQ(nodes[0].macs + nodes[2].macs, macs);
  EXPECT_NEAR(static_cast<double>(nodes[2].macs), static_cast<double>(macs) / 4, 1);
  EXPECT_NEAR(nodes[0].intensity(), nodes[2].intensity(), 1e-3);
  for (const NodeTiming& n : nodes) EXPECT_EQ(n.lead, attention);
}

TEST(NodeProfile, NamesThatTheEngineHasMadeUpAreFollowed) {
  const Known k = resnet18();
  const NodeId conv = first_of(k.graph, "Conv"), fc = first_of(k.graph, "hone::Linear");
  ASSERT_NE(fc, kNoNode);
  const std::string linear = k.graph.nodes[fc].name;
  // The layer in two halves without origins; the first convolution claimed by the name of its batch norm alone.
  const NodeId norm = first_of(k.graph, "BatchNormalization");
  const std::vector<NodeTiming> nodes = join(k.graph, k.counts, {{"Multiply_7", {k.graph.nodes[norm].name}, "Convolution", "", 2}, {linear + "/0/WithoutBiases", {}, "FullyConnected", "", 1}, {linear + "/1/WithoutBiases", {}, "FullyConnected", "", 1}});
  EXPECT_EQ(nodes[0].lead, conv);
  EXPECT_EQ(nodes[0].macs, 118013952);
  EXPECT_EQ(nodes[1].lead, fc);
  EXPECT_EQ(nodes[1].macs + nodes[2].macs, 512 * 1000);
  EXPECT_EQ(nodes[1].macs, nodes[2].macs);
}

TEST(NodeProfile, ProductsThatNobodyClaimsAreNobodys) {
  const Known k = resnet18();
  const std::vector<NodeTiming> nodes = join(k.graph, k.counts, {{"other", {"no such node"}, "X", "", 1}});
  EXPECT_EQ(nodes[0].macs, 0);
  EXPECT_TRUE(nodes[0].from.empty());
}

TEST(NodeProfile, RowsAddUpToTheWhole) {
  const Known k = resnet18();
  std::vector<NodeTime> times;
  for (const Node& n : k.graph.nodes) times.push_back({n.name, {n.name}, n.type, "", 0.25});
  times.push_back({"reorder 1", {}, "Reorder", "", 1});
  times.push_back({"reorder 2", {}, "Reorder", "", 1});
  NodeProfile measured;
  measured.nodes = join(k.graph, k.counts, times);
  for (const NodeTiming& t : measured.nodes) measured.sum_ms += t.ms;
  measured.counted_ms = measured.sum_ms / 0.96;
  measured.whole.median = measured.sum_ms * 0.9;
  EXPECT_NEAR(measured.difference(), -0.04, 1e-12);
  for (const GroupBy by : {GroupBy::op, GroupBy::module, GroupBy::stage, GroupBy::node}) {
    const std::vector<Row> rows = roll_up(k.graph, k.counts, by);
    const std::vector<RowTime> timed = roll_up_times(k.graph, rows, by, measured);
    ASSERT_EQ(timed.size(), rows.size() + 1);
    EXPECT_EQ(timed.back().name, "(Reorder)");
    EXPECT_EQ(timed.back().engine_nodes, 2);
    double ms = 0;
    int64_t macs = 0;
    for (size_t r = 0; r < timed.size(); ++r) {
      ms += timed[r].ms, macs += timed[r].macs;
      if (r < rows.size()) {
        EXPECT_EQ(timed[r].name, rows[r].name);
        EXPECT_EQ(timed[r].macs, rows[r].macs) << rows[r].name;
      }
    }
    EXPECT_NEAR(ms, measured.whole.median, 1e-9);
    EXPECT_EQ(macs, k.counts.totals.macs);
  }
}

}  // namespace
}  // namespace hone
