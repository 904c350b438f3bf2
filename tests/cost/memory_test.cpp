// The memory plan on small graphs made by hand, with operators made for the test: each figure can be added up on paper.
#include "cost/memory.h"

#include <gtest/gtest.h>

#include "ir/op.h"

namespace hone {

namespace {

const OpDef kPlain{.name = "Plain"};
const OpDef kInPlace{.name = "InPlace", .in_place = true};

// Chains of f32 vectors; sizes in elements.
struct Net {
  Graph g;

  ValueId value(const std::string& name, ValueKind kind, int64_t n) {
    Value v;
    v.name = name;
    v.kind = kind;
    v.type = TensorType(DType::f32, {n});
    return g.add_value(std::move(v));
  }
  ValueId input(const std::string& name, int64_t n) {
    const ValueId v = value(name, ValueKind::input, n);
    g.inputs.push_back(v);
    return v;
  }
  ValueId node(const std::string& type, const OpDef* def, std::vector<ValueId> inputs, const std::string& name, int64_t n) {
    Node node;
    node.type = type;
    node.def = def;
    node.name = name;
    node.inputs = std::move(inputs);
    node.outputs = {value(name, ValueKind::node, n)};
    const ValueId out = node.outputs[0];
    g.add_node(std::move(node));
    return out;
  }
  ValueId plain(ValueId in, const std::string& name, int64_t n) { return node("Plain", &kPlain, {in}, name, n); }
  ValueId in_place(ValueId in, const std::string& name, int64_t n) { return node("InPlace", &kInPlace, {in}, name, n); }
};

MemoryPlan plan(const Graph& g) {
  auto p = plan_memory(g);
  EXPECT_TRUE(p) << (p ? "" : p.error().text());
  return p ? *p : MemoryPlan{};
}

}  // namespace

TEST(Memory, AChainKeepsTwoNeighboursAlive) {
  Net n;
  ValueId x = n.input("x", 10);
  ValueId a = n.plain(x, "a", 100);
  ValueId b = n.plain(a, "b", 30);
  n.g.outputs = {n.plain(b, "c", 5)};
  const MemoryPlan p = plan(n.g);
  EXPECT_EQ(p.peak_bytes, 4 * (100 + 30));  // x is gone when b is made
  EXPECT_EQ(p.peak_node, 1u);
  ASSERT_EQ(p.live.size(), 2u);
  EXPECT_EQ(p.live[0].value, a);
  EXPECT_EQ(p.live[1].value, b);
}

TEST(Memory, AResidualKeepsTheBlockInputAlive) {
  Net n;
  ValueId x = n.input("x", 1);
  ValueId a = n.plain(x, "a", 100);
  ValueId b = n.plain(a, "b", 400);
  ValueId c = n.plain(b, "c", 100);
  n.g.outputs = {n.node("Plain", &kPlain, {c, a}, "sum", 100)};
  EXPECT_EQ(plan(n.g).peak_bytes, 4 * (100 + 400 + 100));
}

TEST(Memory, AnInPlaceOperatorCostsNothingWhenItsInputDies) {
  Net n;
  ValueId x = n.input("x", 1);
  ValueId a = n.plain(x, "a", 100);
  ValueId b = n.in_place(a, "b", 100);
  n.g.outputs = {n.plain(b, "c", 10)};
  EXPECT_EQ(plan(n.g).peak_bytes, 4 * 110);
}

TEST(Memory, AnInPlaceOperatorCopiesWhenItsInputIsStillRead) {
  Net n;
  ValueId x = n.input("x", 1);
  ValueId a = n.plain(x, "a", 100);
  ValueId b = n.in_place(a, "b", 100);
  n.g.outputs = {n.node("Plain", &kPlain, {a, b}, "c", 10)};
  EXPECT_EQ(plan(n.g).peak_bytes, 4 * 210);
}

TEST(Memory, TheCallersInputIsNeverWrittenOver) {
  Net n;
  ValueId x = n.input("x", 100);
  n.g.outputs = {n.in_place(x, "a", 100)};
  EXPECT_EQ(plan(n.g).peak_bytes, 4 * 200);
}

TEST(Memory, AnInPlaceOperatorThatBroadcastsNeedsItsOwnMemory) {
  Net n;
  ValueId x = n.input("x", 1);
  ValueId a = n.plain(x, "a", 10);
  n.g.outputs = {n.in_place(a, "b", 100)};
  EXPECT_EQ(plan(n.g).peak_bytes, 4 * 110);
}

TEST(Memory, AViewSharesMemoryAndKeepsItAlive) {
  Net n;
  ValueId x = n.input("x", 1);
  ValueId a = n.plain(x, "a", 100);
  ValueId v = n.node("Flatten", &kPlain, {a}, "v", 100);
  ValueId b = n.plain(a, "b", 50);
  n.g.outputs = {n.node("Plain", &kPlain, {v, b}, "c", 1)};
  // a's memory must survive b because v shows it, and v adds nothing: a + b + c.
  EXPECT_EQ(plan(n.g).peak_bytes, 4 * 151);
}

TEST(Memory, AnInPlaceOperatorDoesNotWriteUnderALiveView) {
  Net n;
  ValueId x = n.input("x", 1);
  ValueId a = n.plain(x, "a", 100);
  ValueId v = n.node("Reshape", &kPlain, {a}, "v", 100);
  ValueId b = n.in_place(a, "b", 100);
  n.g.outputs = {n.node("Plain", &kPlain, {v, b}, "c", 1)};
  EXPECT_EQ(plan(n.g).peak_bytes, 4 * 201);
}

TEST(Memory, OutputsLiveToTheEnd) {
  Net n;
  ValueId x = n.input("x", 1);
  ValueId a = n.plain(x, "a", 100);
  ValueId b = n.plain(a, "b", 200);
  ValueId c = n.plain(b, "c", 300);
  n.g.outputs = {a, c};
  EXPECT_EQ(plan(n.g).peak_bytes, 4 * 600);
}

TEST(Memory, WeightsAndWhatIsMadeOfThemAreNotActivations) {
  Net n;
  ValueId x = n.input("x", 10);
  ValueId w = n.value("w", ValueKind::parameter, 1000);
  ValueId wt = n.plain(w, "wt", 1000);
  n.g.outputs = {n.node("Plain", &kPlain, {x, wt}, "y", 20)};
  EXPECT_EQ(plan(n.g).peak_bytes, 4 * 30);
}

TEST(Memory, SizesThatDependOnDataAreReported) {
  Net n;
  ValueId x = n.input("x", 10);
  ValueId y = n.plain(x, "y", 20);
  n.g.values[y].type = TensorType(DType::f32, {kUnknown});
  n.g.outputs = {y};
  const MemoryPlan p = plan(n.g);
  EXPECT_EQ(p.peak_bytes, 40);
  EXPECT_EQ(p.unsized, 1);
}

TEST(Memory, OverflowIsAnError) {
  Net n;
  ValueId x = n.input("x", INT64_MAX / 64);
  for (int i = 0; i < 20; ++i) n.g.outputs.push_back(n.plain(x, "y" + std::to_string(i), INT64_MAX / 64));
  EXPECT_FALSE(plan_memory(n.g));
  Net one;
  one.g.outputs = {one.input("x", INT64_MAX / 2)};
  EXPECT_FALSE(plan_memory(one.g));
}

TEST(Memory, AGraphWithoutNodesHoldsItsInputs) {
  Net n;
  n.g.outputs = {n.input("x", 7)};
  EXPECT_EQ(plan(n.g).peak_bytes, 28);
}

}  // namespace hone
