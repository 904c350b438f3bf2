// Ownership of parameters, roll-ups, unknown operators and overflow, on graphs made by hand.
#include "cost/profile.h"

#include <gtest/gtest.h>

#include "ir/infer.h"

namespace hone {

namespace {

// Costs its output elements in MACs: enough to test sums without any real operator.
Counts unit_cost(const CostContext& c) {
  Counts counts;
  counts.macs_linear = c.elements_out();
  counts.acts_linear = c.elements_out();
  return counts;
}
const OpDef kUnit{.name = "Unit", .cost = unit_cost};
const OpDef kFree{.name = "Free"};

ValueId value(Graph& g, const std::string& name, ValueKind kind, Shape shape) {
  Value v;
  v.name = name;
  v.kind = kind;
  v.type = TensorType(DType::f32, std::move(shape));
  const ValueId id = g.add_value(std::move(v));
  if (kind == ValueKind::input) g.inputs.push_back(id);
  return id;
}

ValueId node(Graph& g, const OpDef* def, const std::string& type, std::vector<ValueId> inputs, const std::string& name, Shape shape,
             const std::string& module) {
  Node n;
  n.def = def;
  n.type = type;
  n.name = name;
  n.inputs = std::move(inputs);
  n.outputs = {value(g, name + ".out", ValueKind::node, std::move(shape))};
  n.module = g.module_id(module);
  const ValueId out = n.outputs[0];
  g.add_node(std::move(n));
  return out;
}

}  // namespace

TEST(Profile, ParametersBelongToTheFirstReaderAndCountOnce) {
  Graph g;
  g.name = "tied";
  ValueId x = value(g, "x", ValueKind::input, {2});
  ValueId w = value(g, "w", ValueKind::parameter, {10});
  value(g, "unread", ValueKind::parameter, {7});
  ValueId stat = value(g, "stat", ValueKind::buffer, {3});
  ValueId a = node(g, &kUnit, "Unit", {x, w}, "a", {4}, "m.a");
  ValueId b = node(g, &kUnit, "Unit", {a, w, stat}, "b", {5}, "m.b");
  g.outputs = {b};
  auto p = profile(g);
  ASSERT_TRUE(p) << p.error().text();
  EXPECT_EQ(p->nodes[0].params, 10);
  EXPECT_EQ(p->nodes[1].params, 0);
  EXPECT_EQ(p->totals.params, 17);  // declared but unread parameters count in the total
  EXPECT_EQ(p->totals.buffers, 3);
  EXPECT_EQ(p->totals.weight_bytes, 4 * 20);
  EXPECT_EQ(p->totals.macs, 9);
  EXPECT_EQ(p->totals.flops, 18);
}

TEST(Profile, APreparedParameterBelongsToTheNodeThatUsesIt) {
  Graph g;
  ValueId x = value(g, "x", ValueKind::input, {2});
  ValueId w = value(g, "w", ValueKind::parameter, {10});
  ValueId wt = node(g, &kFree, "Transpose", {w}, "t", {10}, "");
  g.outputs = {node(g, &kUnit, "Unit", {x, wt}, "a", {4}, "")};
  auto p = profile(g);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->nodes[0].params, 0);
  EXPECT_EQ(p->nodes[1].params, 10);
}

TEST(Profile, UnknownOperatorsAreListedNeverSilentlyZero) {
  Graph g;
  ValueId x = value(g, "x", ValueKind::input, {2});
  ValueId a = node(g, nullptr, "com.acme::Magic", {x}, "a", {2}, "");
  ValueId b = node(g, nullptr, "com.acme::Magic", {a}, "b", {2}, "");
  ValueId c = node(g, &kUnit, "Unit", {b}, "c", {2}, "");
  g.values[c].type = TensorType(DType::f32, {kUnknown});  // a size that depends on data cannot be counted
  g.outputs = {c};
  auto p = profile(g);
  ASSERT_TRUE(p);
  ASSERT_EQ(p->unknown.size(), 2u);
  EXPECT_EQ(p->unknown[0].op, "com.acme::Magic");
  EXPECT_EQ(p->unknown[0].nodes, 2);
  EXPECT_EQ(p->unknown[1].op, "Unit");
  EXPECT_FALSE(p->nodes[2].known);
}

TEST(Profile, OverflowIsAnErrorNotAWrongNumber) {
  Graph g;
  g.name = "big";
  ValueId x = value(g, "x", ValueKind::input, {1});
  ValueId a = node(g, &kUnit, "Unit", {x}, "a", {INT64_MAX / 16}, "");
  for (int i = 0; i < 20; ++i) a = node(g, &kUnit, "Unit", {a}, "n" + std::to_string(i), {INT64_MAX / 16}, "");
  g.outputs = {a};
  auto p = profile(g);
  ASSERT_FALSE(p);
  EXPECT_NE(p.error().text().find("64-bit"), std::string::npos);
}

TEST(Profile, RollUpsAddUp) {
  Graph g;
  ValueId x = value(g, "x", ValueKind::input, {2});
  ValueId w = value(g, "w", ValueKind::parameter, {10});
  ValueId a = node(g, &kUnit, "Unit", {x, w}, "a", {4}, "layer1.0.conv1");
  ValueId b = node(g, &kFree, "Free", {a}, "b", {4}, "layer1.0.bn1");
  ValueId c = node(g, &kUnit, "Unit", {b}, "c", {6}, "layer2.0.conv1");
  g.outputs = {node(g, &kUnit, "Unit", {c}, "d", {1}, "fc")};
  auto p = profile(g);
  ASSERT_TRUE(p);
  const auto ops = roll_up(g, *p, GroupBy::op);
  ASSERT_EQ(ops.size(), 2u);
  EXPECT_EQ(ops[0].name, "Unit");
  EXPECT_EQ(ops[0].nodes, 3);
  EXPECT_EQ(ops[0].macs, 11);
  EXPECT_EQ(ops[0].params, 10);
  const auto stages = roll_up(g, *p, GroupBy::stage);
  ASSERT_EQ(stages.size(), 3u);
  EXPECT_EQ(stages[0].name, "layer1");
  EXPECT_EQ(stages[0].macs, 4);
  EXPECT_EQ(stages[0].op, "");
  EXPECT_EQ(stages[2].name, "fc");
  for (GroupBy by : {GroupBy::op, GroupBy::module, GroupBy::stage, GroupBy::node}) {
    int64_t nodes = 0, macs = 0, params = 0, acts = 0;
    for (const Row& row : roll_up(g, *p, by)) {
      nodes += row.nodes;
      macs += row.macs;
      params += row.params;
      acts += row.acts;
    }
    EXPECT_EQ(nodes, 4);
    EXPECT_EQ(macs, p->totals.macs);
    EXPECT_EQ(params, p->totals.params);
    EXPECT_EQ(acts, p->totals.acts);
  }
}

TEST(Profile, StageOfAModulePath) {
  EXPECT_EQ(stage_of("layer1.0.conv1"), "layer1");
  EXPECT_EQ(stage_of("blocks.3.0.conv_pw"), "blocks.3");
  EXPECT_EQ(stage_of("s1.b1.f.a"), "s1");
  EXPECT_EQ(stage_of("trunk_output.block1.block1-0.f.a"), "trunk_output.block1");
  EXPECT_EQ(stage_of("encoder.layers.encoder_layer_11.mlp.0"), "encoder.layers.encoder_layer_11");
  EXPECT_EQ(stage_of("vilt.encoder.layer.3.attention.output"), "vilt.encoder.layer.3");
  EXPECT_EQ(stage_of("Mixed_6b.branch7x7_2.conv"), "Mixed_6b");
  EXPECT_EQ(stage_of("features.0"), "features.0");
  EXPECT_EQ(stage_of("head.fc"), "head");
  EXPECT_EQ(stage_of("stem.conv"), "stem");
  EXPECT_EQ(stage_of("fc"), "fc");
  EXPECT_EQ(stage_of(""), "");
}

// The conventions' formulas on totals with a different power of ten in each place, so that each term shows in the sum.
TEST(Convention, FormulasTermByTerm) {
  Profile p;
  p.totals.macs = 1;
  p.totals.params = 77;
  p.totals.conv_bias_adds = 10;
  p.totals.linear_bias_adds = 100;
  p.totals.bn_elements = 1000;
  p.totals.ln_elements = 10000;
  p.totals.activation_elements = 100000;
  p.totals.pool_inputs = 1000000;
  p.totals.adaptive_pool_inputs = 10000000;
  p.totals.acts = 5;
  p.totals.maxpool_out = 30;
  auto flops = [&](std::string_view name) { return convention(p, name)->flops; };
  EXPECT_EQ(flops("pycls"), 111);
  EXPECT_EQ(flops("fvcore"), 10052001);
  EXPECT_EQ(flops("timm"), 10052001);
  EXPECT_EQ(flops("torchvision"), 1);
  EXPECT_EQ(flops("ptflops"), 1102111);
  EXPECT_EQ(flops("ptflops-hooks"), 2202111);
  EXPECT_EQ(flops("ptflops-aten"), 111);
  for (std::string_view name : convention_names()) {
    EXPECT_EQ(convention(p, name)->params, 77);
    EXPECT_EQ(convention(p, name)->acts, name == "pycls" ? 35 : 5) << name;
  }
}

TEST(Convention, UnknownNamesGetTheList) {
  Profile p;
  auto c = convention(p, "pytorch");
  ASSERT_FALSE(c);
  EXPECT_EQ(c.error().code, Code::usage);
  EXPECT_NE(c.error().hint.find("ptflops-hooks"), std::string::npos);
  auto e = convention(p, "elasticvit");
  ASSERT_FALSE(e);
  EXPECT_EQ(e.error().code, Code::usage);
}

}  // namespace hone
