// Old forms of operators, read: the newest form, with the same outputs as the old one stated.
#include <gtest/gtest.h>

#include "formats/onnx_bytes.h"
#include "formats/onnx_read.h"
#include "ir/infer.h"

namespace hone {
namespace {

using namespace test;
using Ints = std::vector<int64_t>;

// One node of an old opset on x: f32[1,4,6,8], typed.
Graph lifted(int64_t opset, const Message& old, const std::vector<Message>& initializers = {}, const std::vector<std::string>& outputs = {"y"}) {
  Model m;
  m.opset = opset;
  m.inputs = {value_info("x", {1, 4, 6, 8})};
  for (const std::string& o : outputs) m.outputs.push_back(Message().put(1, o).put(2, Message().put(1, Message().put(1, int64_t{1}))));
  m.initializers = initializers;
  m.nodes = {old};
  const auto bytes = std::make_shared<const std::string>(m.bytes());
  auto g = read_onnx_bytes(*bytes, bytes, "old.onnx");
  EXPECT_TRUE(g) << g.error().text();
  if (!g) return {};
  auto typed = infer(std::move(*g));
  EXPECT_TRUE(typed) << typed.error().text();
  return typed ? std::move(typed->graph) : Graph{};
}

Shape out_shape(const Graph& g, size_t i = 0) { return g.value(g.outputs.at(i)).type.shape; }
Ints ints_of(const Graph& g, const Node& n, size_t input) { return to_ints(*g.value(n.inputs.at(input)).data).value(); }
std::vector<double> reals_of(const Graph& g, const Node& n, size_t input) { return to_doubles(*g.value(n.inputs.at(input)).data).value(); }

TEST(OnnxLift, AttributesBecomeInputs) {
  Graph g = lifted(11, node("Unsqueeze", {"x"}, {"y"}, {attr("axes", Ints{0, 2})}));
  EXPECT_EQ(out_shape(g), (Shape{1, 1, 1, 4, 6, 8}));
  EXPECT_EQ(ints_of(g, g.nodes[0], 1), (Ints{0, 2}));
  EXPECT_FALSE(g.nodes[0].attrs.has("axes"));
  EXPECT_EQ(out_shape(lifted(11, node("Squeeze", {"x"}, {"y"}, {attr("axes", Ints{0})}))), (Shape{4, 6, 8}));
  EXPECT_EQ(out_shape(lifted(17, node("ReduceMean", {"x"}, {"y"}, {attr("axes", Ints{2, 3}), attr("keepdims", int64_t{0})}))), (Shape{1, 4}));
  EXPECT_EQ(out_shape(lifted(11, node("ReduceSum", {"x"}, {"y"}, {attr("axes", Ints{1})}))), (Shape{1, 1, 6, 8}));
  EXPECT_EQ(out_shape(lifted(9, node("Slice", {"x"}, {"y"}, {attr("starts", Ints{1, 0}), attr("ends", Ints{3, 4}), attr("axes", Ints{1, 3})}))), (Shape{1, 2, 6, 4}));
  g = lifted(9, node("TopK", {"x"}, {"y", "i"}, {attr("k", int64_t{3})}), {}, {"y"});
  EXPECT_EQ(out_shape(g), (Shape{1, 4, 6, 3}));
  g = lifted(10, node("Pad", {"x"}, {"y"}, {attr("pads", Ints{0, 0, 1, 2, 0, 0, 3, 4}), attr("value", 0.5f)}));
  EXPECT_EQ(out_shape(g), (Shape{1, 4, 10, 14}));
  EXPECT_EQ(reals_of(g, g.nodes[0], 2), (std::vector<double>{0.5}));
  g = lifted(10, node("Clip", {"x"}, {"y"}, {attr("min", 0.f), attr("max", 6.f)}));
  EXPECT_EQ(reals_of(g, g.nodes[0], 1), (std::vector<double>{0}));
  EXPECT_EQ(reals_of(g, g.nodes[0], 2), (std::vector<double>{6}));
  g = lifted(10, node("Dropout", {"x"}, {"y"}, {attr("ratio", 0.25f)}));
  EXPECT_EQ(reals_of(g, g.nodes[0], 1), (std::vector<double>{0.25}));
}

TEST(OnnxLift, ClipOfOneSideLeavesTheOtherOut) {
  const Graph g = lifted(10, node("Clip", {"x"}, {"y"}, {attr("max", 6.f)}));
  ASSERT_EQ(g.nodes[0].inputs.size(), 3u);
  EXPECT_EQ(g.nodes[0].inputs[1], kNoValue);
}

TEST(OnnxLift, SplitBySizesAndBySheerNumberOfOutputs) {
  Graph g = lifted(11, node("Split", {"x"}, {"a", "b"}, {attr("axis", int64_t{3}), attr("split", Ints{3, 5})}), {}, {"a", "b"});
  EXPECT_EQ(out_shape(g, 0), (Shape{1, 4, 6, 3}));
  EXPECT_EQ(out_shape(g, 1), (Shape{1, 4, 6, 5}));
  g = lifted(13, node("Split", {"x"}, {"a", "b"}, {attr("axis", int64_t{3})}), {}, {"a", "b"});
  EXPECT_EQ(g.nodes[0].attrs.integer("num_outputs", 0), 2);
  EXPECT_EQ(out_shape(g, 1), (Shape{1, 4, 6, 4}));
}

TEST(OnnxLift, SoftmaxOverSeveralDimensionsIsFlattened) {
  Graph g = lifted(12, node("Softmax", {"x"}, {"y"}, {attr("axis", int64_t{2})}));
  ASSERT_EQ(g.nodes.size(), 4u);
  const auto softmax = std::ranges::find(g.nodes, "Softmax", &Node::type);
  ASSERT_NE(softmax, g.nodes.end());
  EXPECT_EQ(g.value(softmax->inputs[0]).type.shape, (Shape{4, 48}));
  EXPECT_EQ(softmax->attrs.integer("axis", 0), -1);
  EXPECT_EQ(g.nodes.back().type, "Reshape");
  EXPECT_EQ(out_shape(g), (Shape{1, 4, 6, 8}));
  // Along the last dimension, and since opset 13, it is the plain one.
  for (auto [opset, axis] : {std::pair{12, 3}, std::pair{12, -1}, std::pair{13, 2}}) {
    g = lifted(opset, node("Softmax", {"x"}, {"y"}, {attr("axis", int64_t{axis})}));
    ASSERT_EQ(g.nodes.size(), 1u) << opset << " " << axis;
    EXPECT_EQ(g.nodes[0].attrs.integer("axis", 9), opset == 12 ? -1 : axis);
  }
}

TEST(OnnxLift, UpsampleAndTheFirstResizeAreAsymmetric) {
  const std::vector<float> scales{1, 1, 2, 3};
  const std::vector<Graph> all{lifted(8, node("Upsample", {"x"}, {"y"}, {attr("scales", scales)})), lifted(9, node("Upsample", {"x", "s"}, {"y"}), {floats("s", {4}, scales)}),
                               lifted(10, node("Resize", {"x", "s"}, {"y"}), {floats("s", {4}, scales)})};
  for (const Graph& g : all) {
    ASSERT_EQ(g.nodes.size(), 1u);
    EXPECT_EQ(g.nodes[0].type, "Resize");
    EXPECT_EQ(g.nodes[0].attrs.text("coordinate_transformation_mode", ""), "asymmetric");
    EXPECT_EQ(g.nodes[0].attrs.text("nearest_mode", ""), "floor");
    EXPECT_EQ(out_shape(g), (Shape{1, 4, 12, 24}));
  }
}

TEST(OnnxLift, EmptyScalesOfResizeAreLeftOut) {
  const Graph g = lifted(11, node("Resize", {"x", "none", "none", "sizes"}, {"y"}), {floats("none", {0}, {}), ints("sizes", {4}, {1, 4, 5, 7})});
  EXPECT_EQ(g.nodes[0].inputs[1], kNoValue);
  EXPECT_EQ(g.nodes[0].inputs[2], kNoValue);
  EXPECT_EQ(out_shape(g), (Shape{1, 4, 5, 7}));
}

TEST(OnnxLift, BatchNormOfOldTimes) {
  const std::vector<Message> four{floats("s", {4}, {1, 1, 1, 1}), floats("b", {4}, {0, 0, 0, 0}), floats("m", {4}, {0, 0, 0, 0}), floats("v", {4}, {1, 1, 1, 1})};
  Graph g = lifted(7, node("BatchNormalization", {"x", "s", "b", "m", "v"}, {"y"}, {attr("spatial", int64_t{1})}), four);
  EXPECT_FALSE(g.nodes[0].attrs.has("spatial"));
  EXPECT_FALSE(g.nodes[0].attrs.has("training_mode"));
  EXPECT_EQ(g.value(g.find("s")).kind, ValueKind::parameter);
  EXPECT_EQ(g.value(g.find("v")).kind, ValueKind::buffer);
  g = lifted(9, node("BatchNormalization", {"x", "s", "b", "m", "v"}, {"y", "m1", "v1", "m2", "v2"}), four);
  EXPECT_EQ(g.nodes[0].attrs.integer("training_mode", 0), 1);
  EXPECT_EQ(g.nodes[0].outputs.size(), 3u);
}

TEST(OnnxLift, GroupNormOfOneScaleAGroup) {
  const Graph g = lifted(18, node("GroupNormalization", {"x", "s", "b"}, {"y"}, {attr("num_groups", int64_t{2})}), {floats("s", {2}, {1, 2}), floats("b", {2}, {0, 0})});
  EXPECT_EQ(g.value(g.nodes.back().inputs[1]).type.shape, (Shape{4}));
  EXPECT_EQ(g.value(g.find("s")).kind, ValueKind::parameter);
  EXPECT_EQ(out_shape(g), (Shape{1, 4, 6, 8}));
}

}  // namespace
}  // namespace hone
