// The networks of "Sketch Down the FLOPs" (Sain et al., CVPR 2025): the convolution trunks of torchvision's VGG-16 (teacher)
// and MobileNetV2 (student), without the pool that retrieval puts behind them, and the canvas-size selector: a one-layer GRU
// over the strokes, its last state to one logit a canvas size, with PyTorch's parameter names and gate order (r, z, n).
//
// Arch of the selector: one stage of block "gru" (width = hidden size), channels = values a point (x, y and three pen states), option points
// (length of the default input), head.classes canvas sizes.
#include <fmt/format.h>

#include <cmath>

#include "ir/builder.h"
#include "zoo/families.h"
#include "zoo/tokens.h"

namespace hone {

Family mobilenetv2_family();
Family vgg_family();

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
  const int64_t hidden = a.stages[0].width, points = option_size(b, a.options, "points", 100);
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

constexpr int64_t kCanvas = 256;  // side of the full canvas, which the coordinates refer to

// The named network of another family, cut behind its last feature map.
Arch trunk(const Family& family, std::string_view of, std::string name) {
  for (Arch& a : family.published()) {
    if (a.name != of) continue;
    a.name = std::move(name);
    a.resolution = kCanvas;
    a.head.kind = "none";
    a.head.classes = 0;
    a.head.dropout = 0;
    return a;
  }
  return {};
}

std::vector<Arch> published_sketch() {
  Arch a;
  a.name = "sketch/selector";
  a.family = "sketch_selector";
  a.names = "sketch";
  a.resolution = kCanvas;
  a.channels = 5;
  a.activation = "tanh";
  Stage s;
  s.block = "gru";
  s.width = 128;
  a.stages = {s};
  a.head.kind = "fc";
  a.head.classes = 4;
  a.options["points"] = int64_t{100};
  return {a, trunk(vgg_family(), "torchvision/vgg16", "sketch/vgg16"), trunk(mobilenetv2_family(), "torchvision/mobilenet_v2", "sketch/mobilenetv2")};
}

}  // namespace

Family sketch_selector_family() { return {"sketch_selector", build_selector, published_sketch, nullptr, "points:integer"}; }

}  // namespace hone
