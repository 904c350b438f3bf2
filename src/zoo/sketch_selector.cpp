// The canvas-size selector of "Sketch Down the FLOPs" (Sain et al., CVPR 2025): a one-layer GRU over the strokes, its last
// state to one logit a canvas size. PyTorch's parameter names and gate order (r, z, n).
//
// Arch: one stage of block "gru" (width = hidden size), channels = values a point (x, y and three pen states), option points
// (length of the default input), head.classes canvas sizes.
#include <fmt/format.h>

#include <cmath>

#include "ir/builder.h"
#include "zoo/families.h"

namespace hone {

namespace {

// PyTorch keeps the gates as r, z, n, ONNX as z, r, n.
ValueId onnx_gates(Builder& b, ValueId stacked, int64_t hidden) {
  const auto gate = b.split(stacked, 0, {hidden, hidden, hidden});
  return b.concat({gate[1], gate[0], gate[2]}, 0);
}

Result<Graph> build_selector(const Arch& a) {
  Builder b(a.name);
  if (a.stages.size() != 1 || a.stages[0].block != "gru" || a.stages[0].depth != 1) {
    b.fail("a selector has one stage of one 'gru' layer");
    return b.finish();
  }
  const int64_t hidden = a.stages[0].width, points = option_int(a.options, "points", 100);
  if (hidden < 1 || points < 1 || points > 1 << 20) {
    b.fail(fmt::format("{} hidden units and {} points", hidden, points));
    return b.finish();
  }
  const ValueId strokes = b.input("strokes", DType::f32, {1, points, a.channels});
  ValueId state;
  {
    Builder::Scope scope(b, "gru");
    const Init uniform{Init::Kind::uniform, static_cast<float>(1 / std::sqrt(static_cast<double>(hidden)))};
    const ValueId w = onnx_gates(b, b.parameter("weight_ih_l0", {3 * hidden, a.channels}, uniform), hidden);
    const ValueId r = onnx_gates(b, b.parameter("weight_hh_l0", {3 * hidden, hidden}, uniform), hidden);
    const ValueId wb = onnx_gates(b, b.parameter("bias_ih_l0", {3 * hidden}, uniform), hidden);
    const ValueId rb = onnx_gates(b, b.parameter("bias_hh_l0", {3 * hidden}, uniform), hidden);
    const ValueId x = b.transpose(strokes, {1, 0, 2});  // time first
    state = b.op_n("GRU",
                   {x, b.reshape(w, {1, 3 * hidden, a.channels}), b.reshape(r, {1, 3 * hidden, hidden}), b.reshape(b.concat({wb, rb}, 0), {1, 6 * hidden})}, 2,
                   {{"hidden_size", hidden}, {"linear_before_reset", int64_t{1}}})[1];
    state = b.reshape(state, {-1, hidden});  // (1, B, hidden)
  }
  b.output(b.linear(state, "fc", a.head.classes));
  return b.finish();
}

std::vector<Arch> published_selector() {
  Arch a;
  a.name = "sketch/selector";
  a.family = "sketch_selector";
  a.names = "sketch";
  a.resolution = 256;  // canvas that the coordinates refer to
  a.channels = 5;
  a.activation = "tanh";
  Stage s;
  s.block = "gru";
  s.width = 128;
  a.stages = {s};
  a.head.kind = "fc";
  a.head.classes = 4;
  a.options["points"] = int64_t{100};
  return {a};
}

}  // namespace

Family sketch_selector_family() { return {"sketch_selector", build_selector, published_selector}; }

}  // namespace hone
