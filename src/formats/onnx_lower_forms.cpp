// Operators that older sets have in another form: numbers as attributes instead of inputs, other defaults, other names.
// Each rule undoes the change of onnx_lift.cpp with the same version.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "formats/onnx_lower.h"

namespace hone::onnx {

namespace {

// Input `i`, which must be a constant, becomes an attribute; one that is left out leaves the attribute out.
Status ints_to_attribute(Lowering& l, size_t i, const std::string& attribute, int64_t version) {
  if (!l.has_input(i)) return {};
  const Tensor* t = l.constant_input(i);
  auto list = t ? to_ints(*t) : std::nullopt;
  if (!list) return l.needs(version, fmt::format("its '{}', computed at run time,", attribute));
  l.node.attrs.set(attribute, std::move(*list));
  l.node.inputs[i] = kNoValue;
  return {};
}

Status real_to_attribute(Lowering& l, size_t i, const std::string& attribute, int64_t version) {
  if (!l.has_input(i)) return {};
  const Tensor* t = l.constant_input(i);
  const auto value = t ? to_doubles(*t) : std::nullopt;
  if (!value || value->size() != 1) return l.needs(version, fmt::format("its '{}', computed at run time,", attribute));
  l.node.attrs.set(attribute, static_cast<float>((*value)[0]));
  l.node.inputs[i] = kNoValue;
  return {};
}

template <int64_t version>
Status axes(Lowering& l) {
  // With noop_with_empty_axes nothing is reduced without axes; older forms reduce everything then.
  const bool noop = l.node.attrs.integer("noop_with_empty_axes", 0) != 0;
  const Tensor* t = l.constant_input(1);
  const bool empty = !l.has_input(1) || (t && element_count(t->shape) == 0);
  if (noop && empty) {
    l.become("Identity", {l.input(0)});
    return {};
  }
  l.node.attrs.erase("noop_with_empty_axes");
  if (empty) {
    l.node.inputs.resize(1);
    return {};
  }
  return ints_to_attribute(l, 1, "axes", version);
}

Status clip(Lowering& l) {
  HONE_TRY(real_to_attribute(l, 1, "min", 11));
  return real_to_attribute(l, 2, "max", 11);
}

Status dropout(Lowering& l) {
  if (l.reads_output(1)) return l.needs(12, "its mask");  // older forms say little about it
  if (l.has_input(2)) {
    const Tensor* t = l.constant_input(2);
    const auto training = t ? to_ints(*t) : std::nullopt;
    if (!training || training->size() != 1 || (*training)[0]) return l.needs(12, "its training form");
    l.node.inputs.resize(2);
  }
  l.node.attrs.erase("seed");  // only training draws
  return real_to_attribute(l, 1, "ratio", 12);
}

// The axis was an attribute; without one, the last of the signal's.
Status dft(Lowering& l) {
  const TensorType x = l.input_type(0);
  std::vector<int64_t> axis{-2};
  if (l.has_input(2)) {
    const Tensor* t = l.constant_input(2);
    axis = (t ? to_ints(*t) : std::nullopt).value_or(std::vector<int64_t>{});
  }
  if (!x.ranked || axis.size() != 1) return l.needs(20, "an axis, or an input of a rank, that is not known");
  l.node.attrs.set("axis", axis[0] + (axis[0] < 0 ? static_cast<int64_t>(x.shape.size()) : 0));
  l.node.inputs.resize(std::min<size_t>(l.node.inputs.size(), 2));
  return {};
}

Status equal_integers(Lowering& l) {
  if (is_float(l.input_type(0).dtype)) return l.needs(11, "comparing floating point numbers");
  return {};
}

// Max, Min, Mean and Sum did not broadcast.
Status same_shapes(Lowering& l) {
  for (size_t i = 0; i < l.node.inputs.size(); ++i)
    if (!(l.input_type(i) == l.output_type())) return l.needs(8, "broadcasting its operands");
  return {};
}

// Scatter is the name of ScatterElements in opsets 9 and 10.
Status scatter(Lowering& l) {
  if (l.opset >= 11) l.node.type = "ScatterElements";
  return {};
}
Status scatter_elements(Lowering& l) {
  if (l.node.attrs.text("reduction", "none") != "none") return l.needs(16, "its 'reduction'");
  l.node.attrs.erase("reduction");
  l.node.type = "Scatter";
  return {};
}

Status grid_sample(Lowering& l) {
  const std::string mode(l.node.attrs.text("mode", "linear"));
  l.node.attrs.set("mode", mode == "linear" ? std::string("bilinear") : mode == "cubic" ? std::string("bicubic") : mode);
  return {};
}

// A missing bias was not allowed.
Status gemm(Lowering& l) {
  if (!l.has_input(2)) l.set_input(2, l.scalar(0, "no_bias"));
  return {};
}

Status pad_axes(Lowering& l) {
  if (l.node.attrs.text("mode", "constant") == "wrap") return l.needs(19, "mode 'wrap'");
  if (!l.has_input(3)) return {};
  const Tensor* axes = l.constant_input(3);
  const Tensor* pads = l.constant_input(1);
  const auto of = axes ? to_ints(*axes) : std::nullopt;
  const auto some = pads ? to_ints(*pads) : std::nullopt;
  const TensorType x = l.input_type(0);
  const auto rank = static_cast<int64_t>(x.shape.size());
  if (!of || !some || !x.ranked || some->size() != 2 * of->size()) return l.needs(18, "its 'axes'");
  std::vector<int64_t> all(2 * x.shape.size(), 0);
  for (size_t i = 0; i < of->size(); ++i) {
    const int64_t axis = (*of)[i] + ((*of)[i] < 0 ? rank : 0);
    if (axis < 0 || axis >= rank) return l.needs(18, "its 'axes'");
    all[static_cast<size_t>(axis)] = (*some)[i];
    all[static_cast<size_t>(axis + rank)] = (*some)[i + of->size()];
  }
  l.node.inputs[1] = l.constant(Tensor::ints(std::move(all)), "pads");
  l.node.inputs[3] = kNoValue;
  return {};
}

Status pad(Lowering& l) {
  HONE_TRY(ints_to_attribute(l, 1, "pads", 11));
  return real_to_attribute(l, 2, "value", 11);
}

Status resize_modes(Lowering& l) {
  if (l.node.attrs.text("coordinate_transformation_mode", "half_pixel") == "half_pixel_symmetric") return l.needs(19, "mode 'half_pixel_symmetric'");
  return {};
}

// roi and scales had to be there, if only as empty tensors.
Status resize_all_inputs(Lowering& l) {
  l.node.inputs.resize(std::max<size_t>(l.node.inputs.size(), 3), kNoValue);
  for (size_t i : {size_t{1}, size_t{2}})
    if (!l.has_input(i)) l.node.inputs[i] = l.constant(Tensor::floats({}), i == 1 ? "no_roi" : "no_scales");
  return {};
}

Status resize_scales_only(Lowering& l) {
  const std::string mode(l.node.attrs.text("mode", "nearest"));
  const auto coordinates = l.node.attrs.text("coordinate_transformation_mode", "half_pixel"), nearest = l.node.attrs.text("nearest_mode", "round_prefer_floor");
  const Tensor* scales = l.constant_input(2);
  if (l.has_input(3) || (scales && element_count(scales->shape) == 0)) return l.needs(11, "its 'sizes'");
  if (mode == "cubic" || coordinates != "asymmetric" || (mode == "nearest" && nearest != "floor") || l.node.attrs.integer("exclude_outside", 0)) return l.needs(11, "its way of sampling");
  l.become("Resize", {l.input(0), l.input(2)}, {{"mode", mode}});
  return {};
}

Status resize_to_upsample(Lowering& l) {
  l.node.type = "Upsample";
  return {};
}

Status upsample_scales(Lowering& l) {
  const Tensor* t = l.constant_input(1);
  const auto scales = t ? to_doubles(*t) : std::nullopt;
  if (!scales) return l.needs(9, "its scales, computed at run time,");
  l.node.attrs.set("scales", std::vector<float>(scales->begin(), scales->end()));
  l.node.inputs.resize(1);
  return {};
}

Status roi_align(Lowering& l) {
  if (l.node.attrs.text("coordinate_transformation_mode", "half_pixel") != "output_half_pixel") return l.needs(16, "its coordinates (half_pixel)");
  l.node.attrs.erase("coordinate_transformation_mode");
  return {};
}

Status slice(Lowering& l) {
  if (l.has_input(4)) {
    const Tensor* t = l.constant_input(4);
    const auto steps = t ? to_ints(*t) : std::nullopt;
    if (!steps || std::ranges::any_of(*steps, [](int64_t s) { return s != 1; })) return l.needs(10, "its 'steps'");
    l.node.inputs.resize(4);
  }
  HONE_TRY(ints_to_attribute(l, 1, "starts", 10));
  HONE_TRY(ints_to_attribute(l, 2, "ends", 10));
  return ints_to_attribute(l, 3, "axes", 10);
}

// Softmax worked on the input as a matrix that is split at `axis`: the same only along the last axis.
Status softmax(Lowering& l) {
  const TensorType x = l.input_type(0);
  const int64_t given = l.node.attrs.integer("axis", -1);
  if (!x.ranked) return l.needs(13, "an input of unknown rank");
  const auto rank = static_cast<int64_t>(x.shape.size());
  const int64_t axis = given + (given < 0 ? rank : 0);
  if (axis < 0 || axis >= rank) return l.needs(13, "an axis outside the input");
  if (axis == rank - 1) {
    l.node.attrs.set("axis", axis);
    return {};
  }
  std::vector<int64_t> swap(x.shape.size());  // its own inverse
  std::iota(swap.begin(), swap.end(), 0);
  std::swap(swap[static_cast<size_t>(axis)], swap.back());
  TensorType turned = x;
  std::swap(turned.shape[static_cast<size_t>(axis)], turned.shape.back());
  HONE_TRY_ASSIGN(const ValueId in, l.emit("Transpose", {l.input(0)}, {{"perm", swap}}, "last", turned));
  HONE_TRY_ASSIGN(const ValueId out, l.emit(l.node.type, {in}, {{"axis", int64_t{-1}}}, "rows", turned));
  l.become("Transpose", {out}, {{"perm", swap}});
  return {};
}

// Parts were equal, or their sizes were given.
Status split_count(Lowering& l) {
  if (l.has_input(1)) return {};
  l.node.attrs.erase("num_outputs");
  const TensorType x = l.input_type(0);
  const int64_t axis = l.node.attrs.integer("axis", 0), rank = static_cast<int64_t>(x.shape.size());
  const int64_t at = axis + (axis < 0 ? rank : 0);
  if (!x.ranked || at < 0 || at >= rank || x.shape[static_cast<size_t>(at)] < 0) return l.needs(18, "a split whose size is not known");
  const int64_t size = x.shape[static_cast<size_t>(at)], n = static_cast<int64_t>(l.node.outputs.size());
  if (size % n == 0) return {};
  const int64_t part = (size + n - 1) / n;  // the last part is the smaller one
  std::vector<int64_t> sizes(static_cast<size_t>(n), part);
  sizes.back() = size - part * (n - 1);
  if (sizes.back() < 0) return l.needs(18, "a split into parts of which some are empty");
  l.set_input(1, l.constant(Tensor::ints(std::move(sizes)), "sizes"));
  return {};
}

Status split_sizes(Lowering& l) { return ints_to_attribute(l, 1, "split", 13); }

Status top_k(Lowering& l) {
  const Tensor* t = l.constant_input(1);
  const auto k = t ? to_ints(*t) : std::nullopt;
  if (!k || k->size() != 1) return l.needs(10, "its 'k', computed at run time,");
  l.node.attrs.set("k", (*k)[0]);
  l.node.inputs.resize(1);
  return {};
}

}  // namespace

std::vector<Lower> form_rules() {
  std::vector<Lower> out{
      {"Clip", 11, clip},
      {"DFT", 20, dft},
      {"Dropout", 12, dropout},
      {"Equal", 11, equal_integers},
      {"Gemm", 11, gemm},
      {"GridSample", 20, grid_sample},
      {"Hardmax", 13, softmax},
      {"LogSoftmax", 13, softmax},
      {"Max", 8, same_shapes},
      {"Mean", 8, same_shapes},
      {"Min", 8, same_shapes},
      {"Pad", 18, pad_axes},
      {"Pad", 11, pad},
      {"ReduceSum", 13, axes<13>},
      {"Resize", 19, resize_modes},
      {"Resize", 13, resize_all_inputs},
      {"Resize", 11, resize_scales_only},
      {"Resize", 10, resize_to_upsample},
      {"RoiAlign", 16, roi_align},
      {"Scatter", std::numeric_limits<int64_t>::max(), scatter},
      {"ScatterElements", 11, scatter_elements},
      {"Slice", 10, slice},
      {"Softmax", 13, softmax},
      {"Split", 18, split_count},
      {"Split", 13, split_sizes},
      {"Squeeze", 13, axes<13>},
      {"Sum", 8, same_shapes},
      {"TopK", 10, top_k},
      {"Unsqueeze", 13, axes<13>},
      {"Upsample", 9, upsample_scales},
  };
  for (std::string_view reduce : {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSumSquare"})
    out.push_back({reduce, 18, axes<18>});
  return out;
}

}  // namespace hone::onnx
