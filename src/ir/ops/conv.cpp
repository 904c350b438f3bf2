// Convolutions. MACs: kernel elements x input channels per group, for every output element; a bias adds one addition
// per output element (pycls, models/blocks.py; fvcore counts the same products).
#include "ir/ops/common.h"

namespace hone::ops {

namespace {

const std::vector<AttrSpec> kConvAttrs{{"auto_pad", AttrKind::text},         {"dilations", AttrKind::integers}, {"group", AttrKind::integer},
                                       {"kernel_shape", AttrKind::integers}, {"pads", AttrKind::integers},      {"strides", AttrKind::integers}};

struct ConvShapes {
  Shape x, w;
  int64_t groups;
  Window window;
};

// Checks what Conv and its quantised forms share; `wi` is the weight's input index.
Result<ConvShapes> conv_shapes(InferContext& c, size_t wi) {
  HONE_TRY_ASSIGN(Shape x, ranked(c, 0, 3));
  HONE_TRY_ASSIGN(Shape w, ranked(c, wi, 3));
  if (w.size() != x.size()) return c.fail(fmt::format("input has {} dimensions, weight {}", x.size(), w.size()));
  const int64_t groups = c.attrs().integer("group", 1);
  if (groups < 1) return c.fail("group must be positive");
  if (x[1] >= 0 && w[1] >= 0 && checked_mul(w[1], groups) != x[1])
    return c.fail(fmt::format("{} input channels, but the weight expects {} in {} groups", x[1], w[1], groups));
  if (w[0] >= 0 && w[0] % groups) return c.fail(fmt::format("{} output channels do not split into {} groups", w[0], groups));
  HONE_TRY_ASSIGN(Window win, window(c, x, {w.begin() + 2, w.end()}));
  for (size_t i = 2; i < w.size(); ++i)
    if (w[i] >= 0 && w[i] != win.kernel[i - 2]) return c.fail(fmt::format("kernel_shape says {}, the weight {}", win.kernel[i - 2], w[i]));
  return ConvShapes{std::move(x), std::move(w), groups, std::move(win)};
}

Status infer_conv_like(InferContext& c, size_t wi, DType out_type) {
  HONE_TRY_ASSIGN(const ConvShapes s, conv_shapes(c, wi));
  Shape out{s.x[0], s.w[0]};
  for (size_t i = 2; i < s.x.size(); ++i) {
    HONE_TRY_ASSIGN(const Dim d, window_output(c, s.window, i - 2, s.x[i], false));
    out.push_back(d);
  }
  c.set_output(0, {out_type, std::move(out)});
  return {};
}

Status infer_conv(InferContext& c) { return infer_conv_like(c, 1, c.input(0).dtype); }
Status infer_conv_integer(InferContext& c) { return infer_conv_like(c, 1, DType::i32); }
Status infer_qlinear_conv(InferContext& c) { return infer_conv_like(c, 3, c.input(7).dtype); }

Counts count_conv(const CostContext& c, size_t wi, bool bias) {
  Counts n;
  const Shape& w = c.input(wi).shape;
  Int per_output = 1;
  for (size_t i = 1; i < w.size(); ++i) per_output *= Int(w[i]);
  n.acts_conv = c.elements_out();
  n.macs_conv = per_output * n.acts_conv;
  if (bias) n.conv_bias_adds = n.acts_conv;
  return n;
}
Counts cost_conv(const CostContext& c) { return count_conv(c, 1, c.has_input(2)); }
Counts cost_conv_integer(const CostContext& c) { return count_conv(c, 1, false); }
Counts cost_qlinear_conv(const CostContext& c) { return count_conv(c, 3, c.has_input(8)); }

// A transposed convolution spreads each input element over the kernel and the group's outputs.
Counts cost_conv_transpose(const CostContext& c) {
  Counts n;
  const Shape& w = c.input(1).shape;
  Int per_input = 1;
  for (size_t i = 1; i < w.size(); ++i) per_input *= Int(w[i]);
  n.macs_conv = per_input * c.elements_in(0);
  n.acts_conv = c.elements_out();
  if (c.has_input(2)) n.conv_bias_adds = n.acts_conv;
  return n;
}

Status infer_conv_transpose(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0, 3));
  HONE_TRY_ASSIGN(const Shape w, ranked(c, 1, 3));
  if (w.size() != x.size()) return c.fail(fmt::format("input has {} dimensions, weight {}", x.size(), w.size()));
  const int64_t groups = c.attrs().integer("group", 1);
  if (groups < 1) return c.fail("group must be positive");
  if (x[1] >= 0 && w[0] >= 0 && x[1] != w[0]) return c.fail(fmt::format("{} input channels, but the weight expects {}", x[1], w[0]));
  HONE_TRY_ASSIGN(const Window win, window(c, x, {w.begin() + 2, w.end()}));
  const size_t n = x.size() - 2;
  const auto extra = c.attrs().integers("output_padding", std::vector<int64_t>(n, 0));
  const auto asked = c.attrs().integers("output_shape");
  if (extra.size() != n || (!asked.empty() && asked.size() != n && asked.size() != n + 2)) return c.fail("output_padding and output_shape need one entry a spatial dimension");
  const Int channels = Int(w[1]) * Int(groups);
  if (!channels.ok()) return c.fail("the number of output channels overflows");
  Shape out{x[0], w[1] < 0 ? kUnknown : channels.value()};
  const std::string_view auto_pad = c.attrs().text("auto_pad", "NOTSET");
  for (size_t i = 0; i < n; ++i) {
    if (!asked.empty()) {
      const int64_t d = asked[asked.size() - n + i];
      if (d < 0) return c.fail("output_shape is negative");
      out.push_back(d);
      continue;
    }
    if (x[i + 2] == kUnknown) {
      out.push_back(kUnknown);
      continue;
    }
    Int d = Int(win.stride[i]) * Int(x[i + 2] - 1) + Int(extra[i]) + Int(win.dilation[i]) * Int(win.kernel[i] - 1) + Int(1);
    if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") d = Int(x[i + 2]) * Int(win.stride[i]);
    else if (auto_pad != "VALID") d = d - Int(win.pad_begin[i]) - Int(win.pad_end[i]);
    if (!d.ok() || d.value() < 0) return c.fail("the output size is negative or overflows");
    out.push_back(d.value());
  }
  c.set_output(0, {c.input(0).dtype, std::move(out)});
  return {};
}

// DeformConv: x, w, offset, [b], [mask]; the products are a convolution's.
Counts cost_deform_conv(const CostContext& c) { return count_conv(c, 1, c.has_input(3)); }

// A causal depthwise convolution along time: x batch x channels x steps, weight channels x 1 x k; the state holds the
// last k - 1 steps.
Status infer_causal_conv(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0, 3));
  HONE_TRY_ASSIGN(const Shape w, ranked(c, 1, 3));
  if (x.size() != 3 || w.size() != 3) return c.fail("the input and the weight must have 3 dimensions");
  if ((x[1] >= 0 && w[0] >= 0 && x[1] != w[0]) || w[1] > 1 || w[1] == 0 || w[2] == 0)
    return c.fail(fmt::format("{} channels, but the weight is {}", x[1], to_string(w)));
  c.set_output(0, c.input(0));
  c.set_output(1, {c.input(0).dtype, {x[0], x[1], w[2] < 0 ? kUnknown : w[2] - 1}});
  return {};
}

Counts cost_causal_conv(const CostContext& c) {
  Counts n = count_conv(c, 1, c.has_input(2));
  const std::string_view fused = c.attrs().text("activation", "none");
  if (fused == "silu" || fused == "swish") n.activation_elements = c.elements_out();
  return n;
}

std::vector<Sample> causal_conv_samples() {
  Sample s{.label = "k 4, SiLU", .inputs = {f32({1, 6, 5}), f32({6, 1, 4})}};
  s.attrs = {{"activation", std::string("silu")}};
  s.outputs = {f32({1, 6, 5}), f32({1, 6, 3})};
  s.counts = Counts{.macs_conv = 120, .acts_conv = 30, .activation_elements = 30};
  return {s};
}

std::vector<Sample> conv_samples() {
  Sample s{.label = "3x3 stride 2 grouped with bias", .inputs = {f32({1, 4, 9, 9}), f32({6, 2, 3, 3}), f32({6})}};
  s.attrs = {{"group", int64_t{2}}, {"pads", std::vector<int64_t>{1, 1, 1, 1}}, {"strides", std::vector<int64_t>{2, 2}}};
  s.outputs = {f32({1, 6, 5, 5})};
  s.counts = Counts{.macs_conv = 6 * 25 * 2 * 9, .conv_bias_adds = 150, .acts_conv = 150};
  Sample same{.label = "SAME_UPPER", .inputs = {f32({1, 1, 5, 5}), f32({1, 1, 3, 3})}};
  same.attrs = {{"auto_pad", std::string("SAME_UPPER")}, {"strides", std::vector<int64_t>{2, 2}}};
  same.outputs = {f32({1, 1, 3, 3})};
  Sample line{.label = "1-d dilated", .inputs = {f32({2, 3, 10}), f32({4, 3, 3})}};
  line.attrs = {{"dilations", std::vector<int64_t>{2}}};
  line.outputs = {f32({2, 4, 6})};
  line.counts = Counts{.macs_conv = 48 * 9, .acts_conv = 48};
  return {s, same, line};
}

std::vector<Sample> conv_transpose_samples() {
  Sample s{.label = "stride 2", .inputs = {f32({1, 2, 3, 3}), f32({2, 4, 3, 3})}};
  s.attrs = {{"strides", std::vector<int64_t>{2, 2}}};
  s.outputs = {f32({1, 4, 7, 7})};
  s.counts = Counts{.macs_conv = 18 * 36, .acts_conv = 196};
  return {s};
}

std::vector<Sample> conv_integer_samples() {
  Sample s{.label = "u8", .inputs = {{DType::u8, {1, 1, 3, 3}}, {DType::u8, {1, 1, 2, 2}}}};
  s.outputs = {{DType::i32, {1, 1, 2, 2}}};
  s.counts = Counts{.macs_conv = 16, .acts_conv = 4};
  return {s};
}

std::vector<Sample> qlinear_conv_samples() {
  const TensorType u8_scalar{DType::u8, {}};
  Sample s{.label = "1x1", .inputs = {{DType::u8, {1, 1, 7, 7}}, f32({}), u8_scalar, {DType::u8, {1, 1, 1, 1}}, f32({1}), {DType::u8, {1}}, f32({}), u8_scalar}};
  s.outputs = {{DType::u8, {1, 1, 7, 7}}};
  s.counts = Counts{.macs_conv = 49, .acts_conv = 49};
  return {s};
}

std::vector<Sample> deform_conv_samples() {
  Sample s{.label = "2x2", .inputs = {f32({1, 1, 3, 3}), f32({1, 1, 2, 2}), f32({1, 8, 2, 2})}};
  s.outputs = {f32({1, 1, 2, 2})};
  s.counts = Counts{.macs_conv = 16, .acts_conv = 4};
  return {s};
}

std::vector<AttrSpec> with(std::vector<AttrSpec> base, std::vector<AttrSpec> more) {
  base.insert(base.end(), more.begin(), more.end());
  return base;
}

}  // namespace

std::vector<OpDef> conv_ops() {
  return {
      {"Conv", 2, 3, 1, 1, kConvAttrs, infer_conv, cost_conv, conv_samples},
      {"ConvTranspose", 2, 3, 1, 1, with(kConvAttrs, {{"output_padding", AttrKind::integers}, {"output_shape", AttrKind::integers}}), infer_conv_transpose,
       cost_conv_transpose, conv_transpose_samples},
      {"ConvInteger", 2, 4, 1, 1, kConvAttrs, infer_conv_integer, cost_conv_integer, conv_integer_samples},
      {"QLinearConv", 8, 9, 1, 1, kConvAttrs, infer_qlinear_conv, cost_qlinear_conv, qlinear_conv_samples},
      {"DeformConv", 3, 5, 1, 1, with(kConvAttrs, {{"offset_group", AttrKind::integer}}), infer_conv, cost_deform_conv, deform_conv_samples},
      {"CausalConvWithState", 2, 4, 2, 2, {{"activation", AttrKind::text}}, infer_causal_conv, cost_causal_conv, causal_conv_samples},
  };
}

}  // namespace hone::ops
