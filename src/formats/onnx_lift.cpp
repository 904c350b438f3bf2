#include "formats/onnx_lift.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <limits>

#include "ir/infer.h"

namespace hone::onnx {

TensorType Lifting::input_type(size_t i) {
  if (!has_input(i)) return {};
  if (graph.values[node.inputs[i]].type.ranked) return graph.values[node.inputs[i]].type;
  Progress& p = progress_;
  p.known.resize(graph.values.size());
  for (; p.values < graph.values.size(); ++p.values)
    if (const Value& v = graph.values[p.values]; v.kind == ValueKind::constant && v.data) p.known[p.values] = known_contents(*v.data);
  // A node that cannot be inferred leaves its outputs unknown here; infer() will say why when the graph is used.
  for (; p.nodes < graph.nodes.size(); ++p.nodes) (void)infer_node(graph, p.known, static_cast<NodeId>(p.nodes));
  return graph.values[node.inputs[i]].type;
}

const Tensor* Lifting::constant_input(size_t i) const {
  if (!has_input(i)) return nullptr;
  const Value& v = graph.values[node.inputs[i]];
  return v.kind == ValueKind::constant ? v.data.get() : nullptr;
}

void Lifting::set_input(size_t i, ValueId v) {
  if (node.inputs.size() <= i) node.inputs.resize(i + 1, kNoValue);
  node.inputs[i] = v;
}

std::string Lifting::new_name(std::string_view what) const {
  const ValueId out = node.outputs.empty() ? kNoValue : node.outputs[0];
  return graph.unique_name(fmt::format("{}/{}", out == kNoValue ? node.type : graph.values[out].name, what));
}

ValueId Lifting::constant(Tensor tensor, std::string_view what) {
  Value v;
  v.name = new_name(what);
  v.kind = ValueKind::constant;
  v.type = TensorType(tensor.dtype, tensor.shape);
  v.data = std::make_shared<Tensor>(std::move(tensor));
  return graph.add_value(std::move(v));
}

ValueId Lifting::emit(std::string_view type, std::vector<ValueId> inputs, Attrs attrs, std::string_view what) {
  Value v;
  v.name = new_name(what);
  const ValueId out = graph.add_value(std::move(v));
  Node n;
  n.type = type;
  n.def = find_op(type);
  n.module = node.module;
  n.inputs = std::move(inputs);
  n.outputs = {out};
  n.attrs = std::move(attrs);
  graph.add_node(std::move(n));
  return out;
}

void Lifting::attribute_to_input(std::string_view attribute, size_t input) {
  const Attr* a = node.attrs.find(attribute);
  if (!a) return;
  if (const auto* list = std::get_if<std::vector<int64_t>>(a)) set_input(input, constant(Tensor::ints(*list), attribute));
  if (const auto* reals = std::get_if<std::vector<float>>(a)) set_input(input, constant(Tensor::floats(*reals), attribute));
  node.attrs.erase(attribute);
}

tl::unexpected<Error> Lifting::unsupported(std::string message) const {
  return fail(Code::unsupported, std::move(message), fmt::format("{} '{}'", node.type, node.name));
}

namespace {

// Bits of a float to those of a half, to nearest even.
uint16_t to_half(uint32_t f) {
  const uint32_t sign = f >> 16 & 0x8000, magnitude = f & 0x7fffffff;
  uint32_t half;
  if (magnitude > 0x7f800000) half = 0x7e00;        // NaN
  else if (magnitude >= 0x477ff000) half = 0x7c00;  // rounds past 65504
  else if (magnitude < 0x38800000) half = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000;  // 0.5 has the step of subnormals
  else half = (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13;
  return static_cast<uint16_t>(sign | half);
}

}  // namespace

Tensor real_scalar(DType dtype, float value) {
  const auto of = [&](const auto& bits) {
    Tensor t;
    t.dtype = dtype;
    t.bytes = Bytes::copy(&bits, sizeof bits);
    return t;
  };
  if (dtype == DType::f64) return of(static_cast<double>(value));
  const auto f32 = std::bit_cast<uint32_t>(value);
  if (dtype == DType::bf16) return of(static_cast<uint16_t>((f32 + 0x7fff + ((f32 >> 16) & 1)) >> 16));
  if (dtype == DType::f16) return of(to_half(f32));
  return Tensor::scalar(value);
}

namespace {

Status axes_to_input(Lifting& l) {
  l.attribute_to_input("axes", 1);
  return {};
}

Status split_sizes_to_input(Lifting& l) {
  l.attribute_to_input("split", 1);
  return {};
}

// Equal parts came from the number of outputs alone before 18.
Status split_count(Lifting& l) {
  if (!l.has_input(1)) l.node.attrs.set("num_outputs", static_cast<int64_t>(l.node.outputs.size()));
  return {};
}

// An attribute of a number as a rank-0 input of the type of input 0.
void real_to_input(Lifting& l, std::string_view attribute, size_t input) {
  const Attr* a = l.node.attrs.find(attribute);
  if (const float* value = a ? std::get_if<float>(a) : nullptr) l.set_input(input, l.constant(real_scalar(l.input_type(0).dtype, *value), attribute));
  l.node.attrs.erase(attribute);
}

Status clip_bounds_to_inputs(Lifting& l) {
  real_to_input(l, "min", 1);
  real_to_input(l, "max", 2);
  return {};
}

Status dropout_ratio_to_input(Lifting& l) {
  const Attr* ratio = l.node.attrs.find("ratio");
  if (const float* value = ratio ? std::get_if<float>(ratio) : nullptr) l.set_input(1, l.constant(Tensor::scalar(*value), "ratio"));
  l.node.attrs.erase("ratio");
  return {};
}

Status pad_to_inputs(Lifting& l) {
  l.attribute_to_input("pads", 1);
  real_to_input(l, "value", 2);
  return {};
}

Status slice_to_inputs(Lifting& l) {
  l.attribute_to_input("starts", 1);
  l.attribute_to_input("ends", 2);
  l.attribute_to_input("axes", 3);
  return {};
}

Status topk_to_input(Lifting& l) {
  const int64_t k = l.node.attrs.integer("k", 1);
  l.node.attrs.erase("k");
  l.set_input(1, l.constant(Tensor::ints({k}), "k"));
  return {};
}

// Upsample and Resize before 11 sample at floor(x / scale).
void to_asymmetric_resize(Lifting& l) {
  l.node.type = "Resize";
  l.node.attrs.set("coordinate_transformation_mode", std::string("asymmetric"));
  if (l.node.attrs.text("mode", "nearest") == "nearest") l.node.attrs.set("nearest_mode", std::string("floor"));
}

Status upsample_to_resize(Lifting& l) {
  if (l.node.attrs.text("mode", "nearest") == "bilinear") l.node.attrs.set("mode", std::string("linear"));
  ValueId scales = l.has_input(1) ? l.node.inputs[1] : kNoValue;
  if (const Attr* a = l.node.attrs.find("scales"))
    if (const auto* list = std::get_if<std::vector<float>>(a)) scales = l.constant(Tensor::floats(*list), "scales");
  l.node.attrs.erase("scales");
  l.node.inputs.resize(1);
  if (scales != kNoValue) l.set_input(2, scales);
  to_asymmetric_resize(l);
  return {};
}

Status resize_10(Lifting& l) {
  if (l.has_input(1)) l.node.inputs = {l.node.inputs[0], kNoValue, l.node.inputs[1]};
  to_asymmetric_resize(l);
  return {};
}

// Where one of roi, scales and sizes was not wanted, writers put an empty tensor.
Status resize_empty_inputs(Lifting& l) {
  for (size_t i = 1; i < l.node.inputs.size(); ++i)
    if (const Tensor* t = l.constant_input(i); t && element_count(t->shape) == 0) l.node.inputs[i] = kNoValue;
  return {};
}

Status batch_norm_spatial(Lifting& l) {
  if (l.node.attrs.integer("spatial", 1) == 0) return l.unsupported("normalises each position by itself (spatial = 0), a form that ONNX withdrew with opset 9");
  l.node.attrs.erase("spatial");
  return {};
}

// Before 14 a node in training form was told by its further outputs; two of them are gone since.
Status batch_norm_training(Lifting& l) {
  bool training = false;
  for (size_t i = 1; i < l.node.outputs.size(); ++i) training = training || l.node.outputs[i] != kNoValue;
  if (training) l.node.attrs.set("training_mode", int64_t{1});
  if (l.node.outputs.size() > 3) l.node.outputs.resize(3);
  return {};
}

// Before 13, Softmax flattened to two dimensions at `axis` (1 by default) and worked on the second.
Status softmax_flattened(Lifting& l) {
  if (!l.has_input(0)) return {};
  const int64_t axis = l.node.attrs.integer("axis", 1);
  const TensorType x = l.input_type(0);
  const auto rank = static_cast<int64_t>(x.shape.size());
  if (x.ranked && rank > 0 && (axis == -1 || axis == rank - 1)) {
    l.node.attrs.set("axis", int64_t{-1});
    return {};
  }
  const ValueId in = l.node.inputs[0];
  const ValueId shape = l.emit("Shape", {in}, {}, "shape");
  const ValueId flat = l.emit("Flatten", {in}, {{"axis", axis}}, "flat");
  const ValueId soft = l.emit(l.node.type, {flat}, {{"axis", int64_t{-1}}}, "rows");
  l.node.type = "Reshape";
  l.node.inputs = {soft, shape};
  l.node.attrs = {};
  return {};
}

// Scale and bias went from one a group to one a channel with 21.
Status group_norm_per_channel(Lifting& l) {
  const TensorType x = l.input_type(0);
  const int64_t groups = l.node.attrs.integer("num_groups", 0);
  if (!x.ranked || x.shape.size() < 2 || x.shape[1] < 0 || groups < 1 || x.shape[1] % groups)
    return l.unsupported("has one scale a group (opset 18 to 20), and the number of channels is not known");
  for (size_t i = 1; i <= 2; ++i) {
    if (!l.has_input(i)) continue;
    const ValueId column = l.emit("Reshape", {l.node.inputs[i], l.constant(Tensor::ints({groups, 1}), "column")}, {}, "per_group");
    const ValueId wide = l.emit("Expand", {column, l.constant(Tensor::ints({groups, x.shape[1] / groups}), "wide")}, {}, "expanded");
    l.node.inputs[i] = l.emit("Reshape", {wide, l.constant(Tensor::ints({-1}), "flat")}, {}, "per_channel");
  }
  return {};
}

Status roi_align_coordinates(Lifting& l) {
  if (!l.node.attrs.has("coordinate_transformation_mode")) l.node.attrs.set("coordinate_transformation_mode", std::string("output_half_pixel"));
  return {};
}

Status grid_sample_modes(Lifting& l) {
  const auto mode = l.node.attrs.text("mode", "");
  if (mode == "bilinear") l.node.attrs.set("mode", std::string("linear"));
  else if (mode == "bicubic") l.node.attrs.set("mode", std::string("cubic"));
  return {};
}

Status dft_axis_to_input(Lifting& l) {
  const int64_t axis = l.node.attrs.integer("axis", 1);
  l.node.attrs.erase("axis");
  l.set_input(2, l.constant(Tensor::scalar(axis), "axis"));
  return {};
}

Status scatter_renamed(Lifting& l) {
  l.node.type = "ScatterElements";
  return {};
}

// One change of one operator: applies to files whose operator set is below `version`. Rows of an operator stand in
// order of version, and each leaves the node in the form of its version.
struct Change {
  std::string_view type;
  int64_t version;
  Status (*apply)(Lifting&);
};

constexpr int64_t kAlways = std::numeric_limits<int64_t>::max();

constexpr Change kChanges[] = {
    {"BatchNormalization", 9, batch_norm_spatial},
    {"BatchNormalization", 14, batch_norm_training},
    {"Clip", 11, clip_bounds_to_inputs},
    {"DFT", 20, dft_axis_to_input},
    {"Dropout", 12, dropout_ratio_to_input},
    {"GridSample", 20, grid_sample_modes},
    {"GroupNormalization", 21, group_norm_per_channel},
    {"Hardmax", 13, softmax_flattened},
    {"LogSoftmax", 13, softmax_flattened},
    {"Pad", 11, pad_to_inputs},
    {"ReduceL1", 18, axes_to_input},
    {"ReduceL2", 18, axes_to_input},
    {"ReduceLogSum", 18, axes_to_input},
    {"ReduceLogSumExp", 18, axes_to_input},
    {"ReduceMax", 18, axes_to_input},
    {"ReduceMean", 18, axes_to_input},
    {"ReduceMin", 18, axes_to_input},
    {"ReduceProd", 18, axes_to_input},
    {"ReduceSum", 13, axes_to_input},
    {"ReduceSumSquare", 18, axes_to_input},
    {"Upsample", kAlways, upsample_to_resize},
    {"Resize", 11, resize_10},
    {"Resize", kAlways, resize_empty_inputs},
    {"RoiAlign", 16, roi_align_coordinates},
    {"Scatter", kAlways, scatter_renamed},
    {"Slice", 10, slice_to_inputs},
    {"Softmax", 13, softmax_flattened},
    {"Split", 13, split_sizes_to_input},
    {"Split", 18, split_count},
    {"Squeeze", 13, axes_to_input},
    {"TopK", 10, topk_to_input},
    {"Unsqueeze", 13, axes_to_input},
};

}  // namespace

Status lift(Lifting& l) {
  const std::string type = l.node.type;  // a change may rename the node
  for (const Change& c : kChanges) {
    if (c.type != type || l.opset >= c.version) continue;
    HONE_TRY(c.apply(l));
  }
  // Each operator ends with inputs that are there.
  while (!l.node.inputs.empty() && l.node.inputs.back() == kNoValue) l.node.inputs.pop_back();
  while (!l.node.outputs.empty() && l.node.outputs.back() == kNoValue) l.node.outputs.pop_back();
  return {};
}

}  // namespace hone::onnx
