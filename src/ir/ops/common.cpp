#include "ir/ops/common.h"

#include <algorithm>

namespace hone::ops {

Result<Shape> ranked(const InferContext& c, size_t i, size_t min_rank) {
  if (!c.has_input(i)) return c.fail(fmt::format("input {} is left out but required", i));
  const TensorType& t = c.input(i);
  if (!t.ranked) return c.fail(fmt::format("the rank of input {} is not known", i));
  if (t.shape.size() < min_rank) return c.fail(fmt::format("input {} is {}, expected at least {} dimensions", i, to_string(t), min_rank));
  return t.shape;
}

Result<int64_t> axis_in(const InferContext& c, int64_t axis, size_t rank) {
  const auto r = static_cast<int64_t>(rank);
  if (axis < -r || axis >= r) return c.fail(fmt::format("axis {} is outside a tensor of {} dimensions", axis, rank));
  return axis < 0 ? axis + r : axis;
}

std::optional<std::vector<int64_t>> known_ints(const InferContext& c, size_t i) {
  const Known* k = c.known(i);
  if (!k || k->is_float() || std::ranges::find(k->ints, kUnknownElement) != k->ints.end()) return std::nullopt;
  return k->ints;
}

Result<std::optional<std::vector<int64_t>>> known_axes(const InferContext& c, size_t i, size_t rank) {
  std::vector<int64_t> axes;
  if (!c.has_input(i)) {
    for (size_t a = 0; a < rank; ++a) axes.push_back(static_cast<int64_t>(a));
    return std::optional(axes);
  }
  auto known = known_ints(c, i);
  if (!known) return std::optional<std::vector<int64_t>>();
  for (int64_t a : *known) {
    HONE_TRY_ASSIGN(const int64_t axis, axis_in(c, a, rank));
    if (std::ranges::find(axes, axis) != axes.end()) return c.fail(fmt::format("axis {} is named twice", axis));
    axes.push_back(axis);
  }
  return std::optional(axes);
}

Result<std::vector<int64_t>> attribute_axes(const InferContext& c, size_t rank) {
  std::vector<int64_t> axes;
  for (int64_t a : c.attrs().integers("axes")) {
    HONE_TRY_ASSIGN(const int64_t axis, axis_in(c, a, rank));
    axes.push_back(axis);
  }
  return axes;
}

std::vector<int64_t> strides_of(const Shape& shape) {
  std::vector<int64_t> out(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) out[i - 1] = out[i] * shape[i];
  return out;
}

Status infer_same(InferContext& c) {
  c.set_output(0, c.input(0));
  return {};
}

Status infer_broadcast(InferContext& c) {
  TensorType out = c.input(0);
  for (size_t i = 1; i < c.num_inputs(); ++i) {
    if (!c.has_input(i)) continue;
    const TensorType& t = c.input(i);
    if (!t.ranked || !out.ranked) {
      out = TensorType(out.dtype);
      continue;
    }
    auto shape = broadcast(out.shape, t.shape);
    if (!shape) return c.fail(fmt::format("{} and {} do not broadcast", to_string(out), to_string(t)));
    out.shape = std::move(*shape);
  }
  c.set_output(0, std::move(out));
  return {};
}

Status infer_unknown_rank(InferContext& c, DType dtype) {
  c.set_output(0, TensorType(dtype));
  return {};
}

Counts cost_activation(const CostContext& c) {
  Counts n;
  n.activation_elements = c.elements_out();
  return n;
}

Result<Window> window(const InferContext& c, const Shape& input, const std::vector<int64_t>& kernel_default) {
  const size_t n = input.size() - 2;
  Window w;
  w.kernel = c.attrs().integers("kernel_shape", kernel_default);
  w.stride = c.attrs().integers("strides", std::vector<int64_t>(n, 1));
  w.dilation = c.attrs().integers("dilations", std::vector<int64_t>(n, 1));
  const std::vector<int64_t> pads = c.attrs().integers("pads", std::vector<int64_t>(2 * n, 0));
  if (w.kernel.size() != n || w.stride.size() != n || w.dilation.size() != n || pads.size() != 2 * n)
    return c.fail(fmt::format("kernel_shape, strides, dilations and pads do not fit {} spatial dimensions", n));
  constexpr int64_t kLimit = int64_t{1} << 31;
  for (size_t i = 0; i < n; ++i) {
    if (w.kernel[i] < 1 || w.stride[i] < 1 || w.dilation[i] < 1 || w.kernel[i] > kLimit || w.stride[i] > kLimit || w.dilation[i] > kLimit)
      return c.fail("kernel_shape, strides and dilations must be positive and below 2^31");
    for (int64_t pad : {pads[i], pads[n + i]})
      if (pad > kLimit || pad < -kLimit) return c.fail("pads must lie within 2^31");
  }
  w.pad_begin.assign(pads.begin(), pads.begin() + static_cast<ptrdiff_t>(n));
  w.pad_end.assign(pads.begin() + static_cast<ptrdiff_t>(n), pads.end());
  return w;
}

Result<Dim> window_output(const InferContext& c, const Window& w, size_t axis, Dim size, bool ceil_mode) {
  if (size == kUnknown) return kUnknown;
  const std::string_view auto_pad = c.attrs().text("auto_pad", "NOTSET");
  const int64_t stride = w.stride[axis];
  const Int span = Int(w.dilation[axis]) * Int(w.kernel[axis] - 1) + Int(1);
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") return size == 0 ? 0 : (size - 1) / stride + 1;
  const bool padded = auto_pad != "VALID";
  const Int room = Int(size) + Int(padded ? w.pad_begin[axis] + w.pad_end[axis] : 0) - span;
  if (!room.ok()) return c.fail("the output size overflows");
  if (room.value() < 0) {
    if (size == 0) return Dim{0};
    return c.fail(fmt::format("a window of {} does not fit {} padded elements along spatial axis {}", span.value(), room.value() + span.value(), axis));
  }
  int64_t out = room.value() / stride + 1;
  if (ceil_mode && room.value() % stride) {
    // The last window must start inside the input or its left padding.
    const Int start = Int(out) * Int(stride), end = Int(size) + Int(padded ? w.pad_begin[axis] : 0);
    if (!start.ok() || !end.ok()) return c.fail("the output size overflows");
    if (start.value() < end.value()) ++out;
  }
  return out;
}

Known ints(std::vector<int64_t> v) {
  Known k{DType::i64, {static_cast<int64_t>(v.size())}, {}, {}};
  k.ints = std::move(v);
  return k;
}
Known whole(int64_t v) { return {DType::i64, {}, {v}, {}}; }
Known reals(std::vector<double> v) {
  Known k{DType::f32, {static_cast<int64_t>(v.size())}, {}, {}};
  k.floats = std::move(v);
  return k;
}

}  // namespace hone::ops
