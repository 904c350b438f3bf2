// Scattered patterns come back together, and no count moves. Whole exported networks: tests/formats/exports_test.cpp.
#include "ir/recognise.h"

#include <gtest/gtest.h>

#include "ir/infer.h"
#include "ir/text.h"
#include "ir/verify.h"

namespace hone {
namespace {

Graph typed(const std::string& body) {
  auto g = parse_graph("hone graph 1\n" + body, "g.hone");
  EXPECT_TRUE(g.has_value()) << g.error().text();
  auto inferred = infer(std::move(*g));
  EXPECT_TRUE(inferred.has_value()) << inferred.error().text();
  return std::move(inferred->graph);
}

std::string types(const Graph& g) {
  std::string out;
  for (const Node& n : g.nodes) out += (out.empty() ? "" : " ") + n.type;
  return out;
}

Graph recognised(const std::string& body) {
  const Graph before = typed(body);
  Graph after = recognise(before);
  const Status valid = verify(after);
  EXPECT_TRUE(valid.has_value()) << valid.error().text();
  Counts a, b;
  const auto from_before = from_parameters(before), from_after = from_parameters(after);
  for (NodeId n = 0; n < before.nodes.size(); ++n) a += count_node(before, n, from_before);
  for (NodeId n = 0; n < after.nodes.size(); ++n) b += count_node(after, n, from_after);
  EXPECT_EQ(a.macs().value(), b.macs().value());
  EXPECT_EQ(a.acts().value(), b.acts().value());
  return after;
}

TEST(Recognise, LinearFromAProductAndABias) {
  const Graph g = recognised(
      "input x: f32[1,5,3]\nparameter w: f32[4,3]\nparameter b: f32[4]\n"
      "wt = Transpose(w) {perm=[1,0]}\ny = MatMul(x, wt)\nz = Add(b, y)\noutput z\n");
  EXPECT_EQ(types(g), "hone::Linear");
  EXPECT_EQ(g.nodes[0].inputs.size(), 3u);
}

TEST(Recognise, LinearOfAnUntransposedWeightKeepsTheParameter) {
  const Graph g = recognised("input x: f32[2,3]\nparameter w: f32[3,4]\ny = MatMul(x, w)\noutput y\n");
  EXPECT_EQ(types(g), "Transpose hone::Linear");
  EXPECT_EQ(g.values[g.nodes[1].inputs[1]].type.shape, (Shape{4, 3}));
}

TEST(Recognise, AProductOfActivationsStays) {
  const Graph g = recognised("input x: f32[2,3]\ninput y: f32[3,4]\nz = MatMul(x, y)\noutput z\n");
  EXPECT_EQ(types(g), "MatMul");
}

TEST(Recognise, LayerNormWithItsAffinePart) {
  const std::string body =
      "input x: f32[1,5,8]\nparameter w: f32[8]\nparameter b: f32[8]\n"
      "constant axes: i64[1] = [-1]\nconstant two: f32[] = [2.0]\nconstant eps: f32[] = [0.00001]\n"
      "m = ReduceMean(x, axes)\nd = Sub(x, m)\nsq = Pow(d, two)\nv = ReduceMean(sq, axes)\nve = Add(v, eps)\ns = Sqrt(ve)\nn = Div(d, s)\n";
  const Graph affine = recognised(body + "nw = Mul(n, w)\ny = Add(nw, b)\noutput y\n");
  EXPECT_EQ(types(affine), "LayerNormalization");
  EXPECT_EQ(affine.nodes[0].inputs.size(), 3u);
  EXPECT_EQ(types(recognised(body + "output n\n")), "LayerNormalization");
  // An intermediate value that is also an output may not vanish.
  EXPECT_NE(types(recognised(body + "output n\noutput v\n")), "LayerNormalization");
}

TEST(Recognise, ActivationFunctions) {
  EXPECT_EQ(types(recognised("input x: f32[8]\nconstant r: f32[] = [1.4142135]\nconstant one: f32[] = [1.0]\nconstant half: f32[] = [0.5]\n"
                             "a = Div(x, r)\ne = Erf(a)\np = Add(e, one)\nq = Mul(x, p)\ny = Mul(q, half)\noutput y\n")),
            "Gelu");
  EXPECT_EQ(types(recognised("input x: f32[8]\ns = Sigmoid(x)\ny = Mul(x, s)\noutput y\n")), "Swish");
  EXPECT_EQ(types(recognised("input x: f32[8]\nconstant three: f32[] = [3.0]\nconstant zero: f32[] = [0.0]\nconstant six: f32[] = [6.0]\n"
                             "a = Add(x, three)\nc = Clip(a, zero, six)\nh = Div(c, six)\ny = Mul(x, h)\noutput y\n")),
            "HardSwish");
  // Another function's gate is no swish.
  EXPECT_EQ(types(recognised("input x: f32[8]\ninput z: f32[8]\ns = Sigmoid(x)\ny = Mul(z, s)\noutput y\n")), "Sigmoid Mul");
}

TEST(Recognise, AttentionWithScaleAndMask) {
  const Graph g = recognised(
      "input q: f32[1,2,5,4]\ninput k: f32[1,2,7,4]\ninput v: f32[1,2,7,3]\ninput mask: f32[1,1,5,7]\nconstant scale: f32[] = [0.5]\n"
      "kt = Transpose(k) {perm=[0,1,3,2]}\nl = MatMul(q, kt)\nls = Mul(l, scale)\nlm = Add(ls, mask)\np = Softmax(lm) {axis=-1}\no = MatMul(p, v)\noutput o\n");
  EXPECT_EQ(types(g), "Attention");
  EXPECT_FLOAT_EQ(g.nodes[0].attrs.real("scale", 0), 0.5f);
  EXPECT_EQ(g.nodes[0].inputs.size(), 4u);
}

TEST(Recognise, AttentionUndoesTheExportersTranspose) {
  const Graph g = recognised(
      "input q: f32[1,2,5,4]\ninput k: f32[1,7,2,4]\ninput v: f32[1,2,7,3]\n"
      "kt = Transpose(k) {perm=[0,2,3,1]}\nl = MatMul(q, kt)\np = Softmax(l) {axis=-1}\no = MatMul(p, v)\noutput o\n");
  EXPECT_EQ(types(g), "Transpose Attention");
  EXPECT_EQ(g.nodes[0].attrs.integers("perm"), (std::vector<int64_t>{0, 2, 1, 3}));
  EXPECT_FLOAT_EQ(g.nodes[1].attrs.real("scale", 0), 1.f) << "no scale in the file means 1, not the operator's default";
}

}  // namespace
}  // namespace hone
