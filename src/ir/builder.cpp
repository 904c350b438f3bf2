#include "ir/builder.h"

#include <fmt/format.h>

#include <cmath>

#include "ir/op.h"

namespace hone {

namespace {
const Shape kNoShape;
}

ConvSpec conv_spec(int64_t out, int64_t k, int64_t stride, int64_t groups, bool bias) {
  ConvSpec s;
  s.out = out;
  s.kernel = {k, k};
  s.stride = {stride, stride};
  const int64_t p = (k - 1) / 2;
  s.pad = {p, p, p, p};
  s.groups = groups;
  s.bias = bias;
  return s;
}

Builder::Builder(std::string graph_name) { graph_.name = std::move(graph_name); }

void Builder::fail(std::string message) {
  if (!error_) error_ = Error{Code::invalid, std::move(message), scope_.empty() ? graph_.name : graph_.name + ", " + scope_, {}};
}

Builder::Scope::Scope(Builder& b, std::string_view name) : b_(b), length_(b.scope_.size()) { b_.scope_ = b_.path(name); }
Builder::Scope::~Scope() { b_.scope_.resize(length_); }

std::string Builder::path(std::string_view name) const {
  if (name.empty()) return scope_;
  return scope_.empty() ? std::string(name) : fmt::format("{}.{}", scope_, name);
}

const Shape& Builder::shape(ValueId v) const { return error_ || v >= graph_.values.size() ? kNoShape : graph_.values[v].type.shape; }

int64_t Builder::channels(ValueId v) const {
  const Shape& s = shape(v);
  return s.size() > 1 ? s[1] : 0;
}

ValueId Builder::input(const std::string& name, DType dtype, Shape shape) {
  if (error_) return 0;
  Value v;
  v.name = name;
  v.kind = ValueKind::input;
  v.type = TensorType(dtype, std::move(shape));
  const ValueId id = graph_.add_value(std::move(v));
  graph_.inputs.push_back(id);
  return id;
}

ValueId Builder::parameter(const std::string& name, Shape shape, Init init, DType dtype) {
  if (error_) return 0;
  Value v;
  v.name = path(name);
  // A name met again is the same storage: tied weights, or a module that runs twice.
  if (ValueId old = graph_.find(v.name); old != kNoValue) {
    if (graph_.values[old].type.shape != shape) fail(fmt::format("parameter '{}' is asked for as {} and as {}", v.name, to_string(graph_.values[old].type.shape), to_string(shape)));
    return old;
  }
  v.kind = ValueKind::parameter;
  v.type = TensorType(dtype, std::move(shape));
  v.init = init;
  return graph_.add_value(std::move(v));
}

ValueId Builder::buffer(const std::string& name, Shape shape, Init init, DType dtype) {
  const size_t before = graph_.values.size();
  const ValueId id = parameter(name, std::move(shape), init, dtype);
  if (!error_ && graph_.values.size() > before) graph_.values[id].kind = ValueKind::buffer;
  return id;
}

ValueId Builder::constant(Tensor tensor, const std::string& name) {
  if (error_) return 0;
  Value v;
  v.name = graph_.unique_name(path(name));
  v.kind = ValueKind::constant;
  v.type = TensorType(tensor.dtype, tensor.shape);
  std::optional<Known> known = known_contents(tensor);
  v.data = std::make_shared<Tensor>(std::move(tensor));
  const ValueId id = graph_.add_value(std::move(v));
  known_.resize(graph_.values.size());
  known_[id] = std::move(known);
  return id;
}

ValueId Builder::scalar(float value) { return constant(Tensor::scalar(value)); }

void Builder::output(ValueId v) {
  if (!error_) graph_.outputs.push_back(v);
}

std::vector<ValueId> Builder::op_n(std::string_view type, std::vector<ValueId> inputs, size_t outputs, Attrs attrs, std::string_view name) {
  std::vector<ValueId> out(outputs, 0);
  if (error_) return out;
  Node node;
  node.type = type;
  node.def = find_op(type);
  if (!node.def) {
    fail(fmt::format("operator '{}' does not exist", type));
    return out;
  }
  while (!inputs.empty() && inputs.back() == kNoValue) inputs.pop_back();
  node.inputs = std::move(inputs);
  node.attrs = std::move(attrs);
  const std::string module = path(name);
  node.module = graph_.module_id(module);
  for (ValueId& v : out) {
    Value value;
    value.name = graph_.unique_name(module.empty() ? std::string(type) : fmt::format("{}/{}", module, type));
    v = graph_.add_value(std::move(value));
  }
  node.outputs = out;
  node.name = graph_.values[out[0]].name;
  const NodeId id = graph_.add_node(std::move(node));
  if (Status s = infer_node(graph_, known_, id); !s) {
    error_ = s.error();
    error_->where = graph_.name + (error_->where.empty() ? "" : ", " + error_->where);
  }
  return out;
}

ValueId Builder::op(std::string_view type, std::vector<ValueId> inputs, Attrs attrs, std::string_view name) {
  return op_n(type, std::move(inputs), 1, std::move(attrs), name)[0];
}

ValueId Builder::conv(ValueId x, std::string_view name, const ConvSpec& spec) {
  if (error_) return 0;
  const Shape& s = shape(x);
  if (s.size() != 4) return fail(fmt::format("{}: a convolution needs N x C x H x W, got {}", path(name), to_string(s))), 0;
  const int64_t in = s[1];
  if (spec.groups < 1 || in % spec.groups || spec.out % spec.groups || spec.out < 1)
    return fail(fmt::format("{}: {} groups do not divide {} input and {} output channels", path(name), spec.groups, in, spec.out)), 0;
  std::array<int64_t, 4> pad = spec.pad;
  if (spec.same)
    for (size_t i = 0; i < 2; ++i) {
      // TensorFlow SAME: ceil(in / stride) outputs; the odd pixel goes to the end.
      const int64_t size = s[2 + i], out = (size + spec.stride[i] - 1) / spec.stride[i];
      const int64_t total = std::max<int64_t>(0, (out - 1) * spec.stride[i] + spec.dilation[i] * (spec.kernel[i] - 1) + 1 - size);
      pad[i] = total / 2;
      pad[i + 2] = total - total / 2;
    }
  Attrs attrs{{"pads", std::vector<int64_t>(pad.begin(), pad.end())}};
  attrs.set("kernel_shape", std::vector<int64_t>(spec.kernel.begin(), spec.kernel.end()));
  attrs.set("strides", std::vector<int64_t>(spec.stride.begin(), spec.stride.end()));
  if (spec.dilation != std::array<int64_t, 2>{1, 1}) attrs.set("dilations", std::vector<int64_t>(spec.dilation.begin(), spec.dilation.end()));
  if (spec.groups != 1) attrs.set("group", spec.groups);
  std::vector<ValueId> inputs{x, parameter(fmt::format("{}.weight", name), {spec.out, in / spec.groups, spec.kernel[0], spec.kernel[1]}, spec.init)};
  if (spec.bias) inputs.push_back(parameter(fmt::format("{}.bias", name), {spec.out}));
  return op("Conv", std::move(inputs), std::move(attrs), name);
}

ValueId Builder::batch_norm(ValueId x, std::string_view name, float eps, Init weight, float momentum) {
  const int64_t c = channels(x);
  const Init ones{Init::Kind::ones};
  std::vector<ValueId> inputs{x, parameter(fmt::format("{}.weight", name), {c}, weight), parameter(fmt::format("{}.bias", name), {c}),
                              buffer(fmt::format("{}.running_mean", name), {c}), buffer(fmt::format("{}.running_var", name), {c}, ones)};
  buffer(fmt::format("{}.num_batches_tracked", name), {}, {}, DType::i64);
  // ONNX keeps `momentum` of the old statistics, PyTorch takes that share of the new ones.
  return op("BatchNormalization", std::move(inputs), {{"epsilon", eps}, {"momentum", 1 - momentum}}, name);
}

ValueId Builder::layer_norm(ValueId x, std::string_view name, float eps) {
  if (error_ || shape(x).empty()) return fail("layer norm of a scalar"), 0;
  const int64_t c = shape(x).back();
  return op("LayerNormalization", {x, parameter(fmt::format("{}.weight", name), {c}, {Init::Kind::ones}), parameter(fmt::format("{}.bias", name), {c})},
            {{"axis", int64_t{-1}}, {"epsilon", eps}}, name);
}

ValueId Builder::group_norm(ValueId x, std::string_view name, int64_t groups, float eps) {
  const int64_t c = channels(x);
  return op("GroupNormalization", {x, parameter(fmt::format("{}.weight", name), {c}, {Init::Kind::ones}), parameter(fmt::format("{}.bias", name), {c})},
            {{"num_groups", groups}, {"epsilon", eps}}, name);
}

ValueId Builder::linear(ValueId x, std::string_view name, int64_t out, bool bias, Init init) {
  if (error_ || shape(x).empty()) return fail(fmt::format("{}: a linear layer needs at least one dimension", path(name))), 0;
  std::vector<ValueId> inputs{x, parameter(fmt::format("{}.weight", name), {out, shape(x).back()}, init)};
  if (bias) inputs.push_back(parameter(fmt::format("{}.bias", name), {out}));
  return op("hone::Linear", std::move(inputs), {}, name);
}

ValueId Builder::relu(ValueId x) { return op("Relu", {x}); }
ValueId Builder::relu6(ValueId x) { return op("Clip", {x, scalar(0.f), scalar(6.f)}); }
ValueId Builder::silu(ValueId x) { return op("Swish", {x}); }
ValueId Builder::gelu(ValueId x, bool tanh) { return op("Gelu", {x}, tanh ? Attrs{{"approximate", std::string("tanh")}} : Attrs{}); }
ValueId Builder::sigmoid(ValueId x) { return op("Sigmoid", {x}); }
ValueId Builder::hard_sigmoid(ValueId x) { return op("HardSigmoid", {x}, {{"alpha", 1.f / 6}, {"beta", 0.5f}}); }
ValueId Builder::hard_swish(ValueId x) { return op("HardSwish", {x}); }
ValueId Builder::tanh(ValueId x) { return op("Tanh", {x}); }
ValueId Builder::softmax(ValueId x, int64_t axis) { return op("Softmax", {x}, {{"axis", axis}}); }
ValueId Builder::add(ValueId a, ValueId b) { return op("Add", {a, b}); }
ValueId Builder::mul(ValueId a, ValueId b) { return op("Mul", {a, b}); }
ValueId Builder::matmul(ValueId a, ValueId b) { return op("MatMul", {a, b}); }
ValueId Builder::concat(std::vector<ValueId> xs, int64_t axis) { return op("Concat", std::move(xs), {{"axis", axis}}); }
ValueId Builder::reshape(ValueId x, Shape shape) { return op("Reshape", {x, constant(Tensor::ints(std::move(shape)))}); }
ValueId Builder::transpose(ValueId x, std::vector<int64_t> perm) { return op("Transpose", {x}, {{"perm", std::move(perm)}}); }

ValueId Builder::slice(ValueId x, int64_t axis, int64_t begin, int64_t end, int64_t step) {
  return op("Slice", {x, constant(Tensor::ints({begin})), constant(Tensor::ints({end})), constant(Tensor::ints({axis})), constant(Tensor::ints({step}))});
}

std::vector<ValueId> Builder::split(ValueId x, int64_t axis, std::vector<int64_t> sizes) {
  const size_t n = sizes.size();
  return op_n("Split", {x, constant(Tensor::ints(std::move(sizes)))}, n, {{"axis", axis}});
}

ValueId Builder::flatten(ValueId x, int64_t axis) { return op("Flatten", {x}, {{"axis", axis}}); }

ValueId Builder::max_pool(ValueId x, int64_t k, int64_t stride, std::array<int64_t, 4> pad, bool ceil_mode) {
  Attrs attrs{{"kernel_shape", std::vector<int64_t>{k, k}}, {"strides", std::vector<int64_t>{stride, stride}}, {"pads", std::vector<int64_t>(pad.begin(), pad.end())}};
  if (ceil_mode) attrs.set("ceil_mode", int64_t{1});
  return op("MaxPool", {x}, std::move(attrs));
}

ValueId Builder::avg_pool(ValueId x, int64_t k, int64_t stride, std::array<int64_t, 4> pad, bool count_include_pad, bool ceil_mode) {
  Attrs attrs{{"kernel_shape", std::vector<int64_t>{k, k}}, {"strides", std::vector<int64_t>{stride, stride}}, {"pads", std::vector<int64_t>(pad.begin(), pad.end())},
              {"count_include_pad", int64_t{count_include_pad}}};
  if (ceil_mode) attrs.set("ceil_mode", int64_t{1});
  return op("AveragePool", {x}, std::move(attrs));
}

ValueId Builder::global_avg_pool(ValueId x) { return op("GlobalAveragePool", {x}); }

ValueId Builder::mean(ValueId x, std::vector<int64_t> axes, bool keep) {
  return op("ReduceMean", {x, constant(Tensor::ints(std::move(axes)))}, {{"keepdims", int64_t{keep}}});
}

ValueId Builder::attention(ValueId q, ValueId k, ValueId v, float scale, ValueId mask) {
  return op("Attention", {q, k, v, mask}, {{"scale", scale}});
}

Result<Graph> Builder::finish() {
  if (error_) return hone::fail(*error_);
  return std::move(graph_);
}

}  // namespace hone
