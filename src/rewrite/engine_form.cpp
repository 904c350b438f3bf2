#include "rewrite/engine_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include "ir/op.h"
#include "rewrite/fold_bn.h"

namespace hone {

namespace {

using Ints = std::vector<int64_t>;

TensorPtr floats(Shape shape, const std::vector<double>& values) {
  const std::vector<float> narrow(values.begin(), values.end());
  return std::make_shared<const Tensor>(Tensor{DType::f32, std::move(shape), Bytes::copy(narrow.data(), narrow.size() * sizeof(float)), {}});
}

// Contents of a stored f32 tensor of this shape.
std::optional<std::vector<double>> stored(const Graph& graph, ValueId id, const Shape& shape) {
  const Value& v = graph.value(id);
  if (v.producer != kNoNode || v.kind == ValueKind::input || v.type != TensorType(DType::f32, shape) || !v.data || !v.data->has_data()) return std::nullopt;
  return to_doubles(*v.data);
}

// A graph written anew, node by node. Values keep their ids.
class Rewriter {
 public:
  explicit Rewriter(Graph graph) : graph(std::move(graph)), reads(readers(this->graph)), source_(std::move(this->graph.nodes)) { this->graph.nodes.clear(); }

  Graph graph;
  std::vector<int> reads;

  const std::vector<Node>& source() const { return source_; }
  const Node* producer(ValueId v) const { return v != kNoValue && v < reads.size() && graph.value(v).producer != kNoNode ? &source_[graph.value(v).producer] : nullptr; }
  // The only node that reads `v`; nullptr when there are several, or v is an output.
  const Node* only_reader(ValueId v) const {
    if (reads[v] != 1) return nullptr;
    for (const Node& n : source_)
      if (std::ranges::find(n.inputs, v) != n.inputs.end()) return &n;
    return nullptr;
  }

  // A stored tensor under a name like `wish`.
  ValueId constant(TensorPtr data, const std::string& wish, ValueKind kind = ValueKind::constant) {
    Value v;
    v.name = graph.unique_name(wish);
    v.kind = kind;
    v.type = TensorType(data->dtype, data->shape);
    v.data = std::move(data);
    return graph.add_value(std::move(v));
  }
  ValueId ints(Ints values, const std::string& wish) { return constant(std::make_shared<const Tensor>(Tensor::ints(std::move(values))), wish); }

  // A new node beside `like` (its module), with a new f32 output.
  ValueId emit(const Node& like, std::string_view type, std::vector<ValueId> inputs, Attrs attrs, const std::string& wish, Shape shape) {
    Value v;
    v.name = graph.unique_name(wish);
    v.type = TensorType(DType::f32, std::move(shape));
    const ValueId out = graph.add_value(std::move(v));
    put(like, type, std::move(inputs), std::move(attrs), graph.value(out).name, {out});
    return out;
  }
  void put(const Node& like, std::string_view type, std::vector<ValueId> inputs, Attrs attrs, std::string name, std::vector<ValueId> outputs) {
    Node node;
    node.type = type;
    node.def = find_op(type);
    node.name = std::move(name);
    node.inputs = std::move(inputs);
    node.outputs = std::move(outputs);
    node.attrs = std::move(attrs);
    node.module = like.module;
    made_.push_back(std::move(node));
  }
  void keep(const Node& node) { made_.push_back(node); }
  void drop_last() { made_.pop_back(); }

  Graph finish() {
    for (Value& v : graph.values) v.producer = kNoNode;
    for (Node& n : made_) graph.add_node(std::move(n));
    return prune(graph);
  }

 private:
  std::vector<Node> source_, made_;
};

bool no_padding(const Node& conv) {
  const std::string_view automatic = conv.attrs.text("auto_pad", "NOTSET");
  if (automatic != "NOTSET" && automatic != "VALID") return false;
  const Ints pads = conv.attrs.integers("pads");
  return std::ranges::all_of(pads, [](int64_t p) { return p == 0; });
}

// Whether W (s x + t) + b can be written into the weights of this reader of x.
bool takes_scale(const Rewriter& r, const Node& conv, ValueId x, int64_t channels) {
  if (conv.type != "Conv" || conv.inputs.size() < 2 || conv.inputs[0] != x || conv.attrs.integer("group", 1) != 1 || !no_padding(conv)) return false;
  const Shape& w = r.graph.value(conv.inputs[1]).type.shape;
  if (w.size() < 3 || w[1] != channels || r.reads[conv.inputs[1]] != 1 || !stored(r.graph, conv.inputs[1], w)) return false;
  return conv.inputs.size() < 3 || conv.inputs[2] == kNoValue || (r.reads[conv.inputs[2]] == 1 && stored(r.graph, conv.inputs[2], {w[0]}));
}

void scale_into(Rewriter& r, Node& conv, const std::vector<double>& scale, const std::vector<double>& shift) {
  const ValueId id = conv.inputs[1];
  const Shape shape = r.graph.value(id).type.shape;
  std::vector<double> w = *stored(r.graph, id, shape);
  const bool has_bias = conv.inputs.size() > 2 && conv.inputs[2] != kNoValue;
  std::vector<double> bias = has_bias ? *stored(r.graph, conv.inputs[2], {shape[0]}) : std::vector<double>(static_cast<size_t>(shape[0]), 0);
  const size_t out = bias.size(), in = scale.size(), field = w.size() / (out * in);
  for (size_t o = 0; o < out; ++o)
    for (size_t i = 0; i < in; ++i)
      for (size_t k = 0; k < field; ++k) {
        double& weight = w[(o * in + i) * field + k];
        bias[o] += weight * shift[i];
        weight *= scale[i];
      }
  r.graph.values[id].data = floats(shape, w);
  if (has_bias) {
    r.graph.values[conv.inputs[2]].data = floats({shape[0]}, bias);
    return;
  }
  std::string stem = r.graph.value(id).name;
  if (stem.ends_with(".weight")) stem.resize(stem.size() - 7);
  conv.inputs.resize(3, kNoValue);
  conv.inputs[2] = r.constant(floats({shape[0]}, bias), stem + ".bias", ValueKind::parameter);
}

Graph fold_norm_scales(const Graph& graph) {
  Rewriter r(graph);
  std::vector<Node> nodes = r.source();
  for (Node& norm : nodes) {
    if (norm.type != "GroupNormalization" || norm.inputs.size() != 3) continue;
    const TensorType& t = r.graph.value(norm.inputs[0]).type;
    if (t.dtype != DType::f32 || !t.ranked || t.shape.size() < 2) continue;
    const int64_t channels = t.shape[1];
    const auto scale = stored(r.graph, norm.inputs[1], {channels}), shift = stored(r.graph, norm.inputs[2], {channels});
    if (!scale || !shift) continue;
    std::vector<Node*> takers;
    for (Node& n : nodes)
      if (takes_scale(r, n, norm.outputs[0], channels)) takers.push_back(&n);
    if (takers.empty() || static_cast<int>(takers.size()) != r.reads[norm.outputs[0]]) continue;
    for (Node* conv : takers) scale_into(r, *conv, *scale, *shift);
    const std::vector<double> ones(scale->size(), 1), zeros(scale->size(), 0);
    norm.inputs[1] = r.constant(floats({channels}, ones), r.graph.value(norm.outputs[0]).name + "/ones");
    norm.inputs[2] = r.constant(floats({channels}, zeros), r.graph.value(norm.outputs[0]).name + "/zeros");
  }
  for (const Node& n : nodes) r.keep(n);
  return r.finish();
}

Graph norms_over_maps(const Graph& graph) {
  Rewriter r(graph);
  for (const Node& n : r.source()) {
    const TensorType t = n.inputs.empty() ? TensorType() : r.graph.value(n.inputs[0]).type;
    const bool whole = n.type == "GroupNormalization" && n.inputs.size() == 3 && n.attrs.integer("num_groups", 0) == 1 && t.dtype == DType::f32 && t.ranked && t.shape.size() == 4;
    const auto scale = whole ? stored(r.graph, n.inputs[1], {t.shape[1]}) : std::nullopt, shift = whole ? stored(r.graph, n.inputs[2], {t.shape[1]}) : std::nullopt;
    if (!scale || !shift) {
      r.keep(n);
      continue;
    }
    const std::string name = r.graph.value(n.outputs[0]).name;
    const ValueId s = r.constant(floats({t.shape[1], 1, 1}, *scale), name + "/scale"), b = r.constant(floats({t.shape[1], 1, 1}, *shift), name + "/shift");
    r.put(n, "LayerNormalization", {n.inputs[0], s, b}, {{"axis", int64_t{1}}, {"epsilon", n.attrs.real("epsilon", 1e-5f)}}, n.name, n.outputs);
  }
  return r.finish();
}

bool turns_last(const Node& n) { return n.type == "Transpose" && n.attrs.integers("perm") == Ints{0, 1, 3, 2}; }

// A map [B, C, H, W] cut into heads [B, heads, C / heads, H W].
bool cuts_heads(const Shape& map, const Shape& cut) {
  return map.size() == 4 && cut.size() == 4 && is_static(map) && cut[0] == map[0] && cut[1] * cut[2] == map[1] && cut[3] == map[2] * map[3];
}

Graph heads_from_nhwc(const Graph& graph) {
  Rewriter r(graph);
  const auto shape = [&](ValueId v) -> const Shape& { return r.graph.value(v).type.shape; };
  for (const Node& n : r.source()) {
    const std::string name = r.graph.value(n.outputs.empty() || n.outputs[0] == kNoValue ? n.inputs[0] : n.outputs[0]).name;
    // map -> heads x dim x positions -> heads x positions x dim
    if (const Node* cut = turns_last(n) ? r.producer(n.inputs[0]) : nullptr; cut && cut->type == "Reshape" && cuts_heads(shape(cut->inputs[0]), shape(n.inputs[0]))) {
      const Shape map = shape(cut->inputs[0]), heads = shape(n.inputs[0]);
      const ValueId nhwc = r.emit(n, "Transpose", {cut->inputs[0]}, {{"perm", Ints{0, 2, 3, 1}}}, name + "/nhwc", {map[0], map[2], map[3], map[1]});
      const Ints to{map[0], heads[3], heads[1], heads[2]};
      const ValueId split = r.emit(n, "Reshape", {nhwc, r.ints(to, name + "/heads")}, {}, name + "/by_head", to);
      r.put(n, "Transpose", {split}, {{"perm", Ints{0, 2, 1, 3}}}, n.name, n.outputs);
      continue;
    }
    // heads x positions x dim -> heads x dim x positions -> map
    if (const Node* turn = n.type == "Reshape" ? r.producer(n.inputs[0]) : nullptr; turn && turns_last(*turn) && cuts_heads(shape(n.outputs[0]), shape(n.inputs[0]))) {
      const Shape map = shape(n.outputs[0]), heads = shape(n.inputs[0]);
      const ValueId first = r.emit(n, "Transpose", {turn->inputs[0]}, {{"perm", Ints{0, 2, 1, 3}}}, name + "/positions", {map[0], heads[3], heads[1], heads[2]});
      const Ints to{map[0], map[2], map[3], map[1]};
      const ValueId nhwc = r.emit(n, "Reshape", {first, r.ints(to, name + "/map")}, {}, name + "/nhwc", to);
      r.put(n, "Transpose", {nhwc}, {{"perm", Ints{0, 3, 1, 2}}}, n.name, n.outputs);
      continue;
    }
    r.keep(n);
  }
  return r.finish();
}

// Rows of a stored matrix [out, in] or elements of a stored vector: [begin, end).
TensorPtr rows(const Tensor& t, int64_t begin, int64_t end) {
  Tensor part = t;
  const size_t row = t.bytes.size / static_cast<size_t>(t.shape[0]);
  part.shape[0] = end - begin;
  part.bytes.data = t.bytes.data + static_cast<size_t>(begin) * row;
  part.bytes.size = static_cast<size_t>(end - begin) * row;
  return std::make_shared<const Tensor>(std::move(part));
}

Graph split_rows(const Graph& graph, int64_t above) {
  static const std::vector<std::string_view> kActivations = {"HardSwish", "Relu", "Clip", "Swish", "Gelu", "Sigmoid", "HardSigmoid", "Tanh"};
  Rewriter r(graph);
  for (const Node& n : r.source()) {
    r.keep(n);
    if (n.type != "hone::Linear" || n.inputs.size() < 2) continue;
    const Shape x = r.graph.value(n.inputs[0]).type.shape, w = r.graph.value(n.inputs[1]).type.shape;
    if (x.size() != 2 || x[0] != 1 || w.size() != 2 || w[0] * w[1] <= above || w[0] < 2) continue;
    const Node* next = r.only_reader(n.outputs[0]);
    if (!next || std::ranges::find(kActivations, next->type) == kActivations.end()) continue;
    const bool has_bias = n.inputs.size() > 2 && n.inputs[2] != kNoValue;
    if (!stored(r.graph, n.inputs[1], w) || (has_bias && !stored(r.graph, n.inputs[2], {w[0]}))) continue;
    r.drop_last();
    const int64_t half = w[0] / 2;
    const std::string weight = r.graph.value(n.inputs[1]).name;
    std::vector<ValueId> parts;
    for (const auto& [begin, end] : {std::pair{int64_t{0}, half}, {half, w[0]}}) {
      std::vector<ValueId> inputs{n.inputs[0], r.constant(rows(*r.graph.value(n.inputs[1]).data, begin, end), fmt::format("{}.{}", weight, parts.size()), ValueKind::parameter)};
      if (has_bias) inputs.push_back(r.constant(rows(*r.graph.value(n.inputs[2]).data, begin, end), fmt::format("{}.{}", r.graph.value(n.inputs[2]).name, parts.size()), ValueKind::parameter));
      parts.push_back(r.emit(n, n.type, std::move(inputs), n.attrs, fmt::format("{}/{}", n.name, parts.size()), {1, end - begin}));
    }
    r.put(n, "Concat", parts, {{"axis", int64_t{1}}}, n.name, n.outputs);
  }
  return r.finish();
}

Graph int8_rows(const Graph& graph, int64_t above) {
  Rewriter r(graph);
  for (const Node& n : r.source()) {
    const Shape x = n.inputs.empty() || n.inputs[0] == kNoValue ? Shape() : r.graph.value(n.inputs[0]).type.shape;
    const Shape w = n.type == "hone::Linear" ? r.graph.value(n.inputs[1]).type.shape : Shape();
    const bool wide = x.size() == 2 && x[0] == 1 && w.size() == 2 && w[0] * w[1] > above;
    const auto weights = wide ? stored(r.graph, n.inputs[1], w) : std::nullopt;
    if (!weights) {
      r.keep(n);
      continue;
    }
    const auto outputs = static_cast<size_t>(w[0]), inputs = static_cast<size_t>(w[1]);
    std::vector<int8_t> q(weights->size());
    std::vector<double> scale(outputs);
    for (size_t o = 0; o < outputs; ++o) {
      const double* row = weights->data() + o * inputs;
      double largest = 0;
      for (size_t i = 0; i < inputs; ++i) largest = std::max(largest, std::abs(row[i]));
      scale[o] = static_cast<float>(largest > 0 ? largest / 127 : 1);
      for (size_t i = 0; i < inputs; ++i) q[o * inputs + i] = static_cast<int8_t>(std::clamp(std::nearbyint(row[i] / scale[o]), -127.0, 127.0));
    }
    const std::string name = r.graph.value(n.inputs[1]).name;
    const ValueId packed = r.constant(std::make_shared<const Tensor>(Tensor{DType::i8, w, Bytes::copy(q.data(), q.size()), {}}), name + "/int8");
    const ValueId unit = r.constant(floats({w[0]}, scale), name + "/scale");
    const ValueId wide_again = r.emit(n, "DequantizeLinear", {packed, unit}, {{"axis", int64_t{0}}}, name + "/f32", w);
    Node dense = n;
    dense.inputs[1] = wide_again;
    r.keep(dense);
  }
  return r.finish();
}

}  // namespace

EngineForm engine_form_for(std::string_view engine) {
  EngineForm form;
  if (engine == "openvino") form.split_rows_above = kWideRow;
  // ONNX Runtime keeps maps as blocks of channels within NCHW: nothing is saved there, and its normalisation is slower.
  if (engine == "onnxruntime") form.norms_over_maps = form.heads_from_nhwc = false;
  return form;
}

Result<Graph> engine_form(const Graph& graph, const EngineForm& form) {
  Graph out = graph;
  if (form.fold_batch_norms) {
    HONE_TRY_ASSIGN(Folded folded, fold_batch_norm(out));
    out = std::move(folded.graph);
  }
  if (form.fold_norm_scales) out = fold_norm_scales(out);
  if (form.norms_over_maps) out = norms_over_maps(out);
  if (form.heads_from_nhwc) out = heads_from_nhwc(out);
  if (form.split_rows_above > 0) out = split_rows(out, form.split_rows_above);
  if (form.int8_rows_above > 0) out = int8_rows(out, form.int8_rows_above);
  return out;
}

}  // namespace hone
