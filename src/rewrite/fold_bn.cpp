#include "rewrite/fold_bn.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <vector>

namespace hone {

namespace {

// How often each value is read, by nodes or as an output of the graph.
bool is_layer(const Node& node) {
  if (node.type == "Conv" || node.type == "ConvTranspose" || node.type == "hone::Linear") return true;
  return node.type == "Gemm" && node.attrs.real("alpha", 1) == 1 && node.attrs.real("beta", 1) == 1 && node.attrs.integer("transA", 0) == 0;
}

Result<std::vector<double>> contents(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  std::optional<std::vector<double>> data;
  if (value.data && value.data->has_data()) data = to_doubles(*value.data);
  if (!data) return fail(Code::failed, "has no contents, so its batch norm cannot be folded", value.name, "bind weights first");
  return *std::move(data);
}

Result<TensorPtr> tensor_like(const Value& like, Shape shape, const std::vector<double>& data) {
  Tensor out{like.type.dtype, std::move(shape), {}, {}};
  if (like.type.dtype == DType::f32) {
    const std::vector<float> narrow(data.begin(), data.end());
    out.bytes = Bytes::copy(narrow.data(), narrow.size() * sizeof(float));
  } else if (like.type.dtype == DType::f64) {
    out.bytes = Bytes::copy(data.data(), data.size() * sizeof(double));
  } else {
    return fail(Code::unsupported, fmt::format("batch norm is folded into weights of f32 or f64, not {}", name(like.type.dtype)), like.name);
  }
  return std::make_shared<const Tensor>(std::move(out));
}

// Which output channel each element of a layer's weight belongs to.
struct Channels {
  int64_t inner = 1, count = 1;  // elements per channel step, channels per run
  int64_t run = 1;               // elements after which the channels start again, or the next group begins
  int64_t groups = 1, per_group = 0;  // ConvTranspose: elements of one group
  int64_t of(int64_t i) const {
    const int64_t group = per_group > 0 ? i / per_group : 0;
    return group * count + (i % run) / inner;
  }
};

Channels channels(const Node& layer, const Shape& weight) {
  int64_t field = 1;
  for (size_t i = 2; i < weight.size(); ++i) field *= weight[i];
  Channels c;
  if (layer.type == "ConvTranspose") {  // in x (out / groups) x kernel
    c.groups = std::max<int64_t>(1, layer.attrs.integer("group", 1));
    c.inner = field, c.count = weight[1], c.run = weight[1] * field;
    c.per_group = std::max<int64_t>(1, weight[0] / c.groups) * c.run;
  } else if (layer.type == "Gemm" && layer.attrs.integer("transB", 0) == 0) {  // in x out
    c.inner = 1, c.count = weight[1], c.run = weight[1];
  } else {  // out x in ...
    c.count = weight[0], c.inner = field * weight[1], c.run = c.inner * c.count;
  }
  return c;
}

class Folder {
 public:
  explicit Folder(const Graph& graph) : graph_(graph), reads_(readers(graph)), keep_node_(graph.nodes.size(), true) {}

  Result<Folded> run() {
    Folded out;
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) {
      if (graph_.nodes[n].type != "BatchNormalization") continue;
      const std::optional<Layer> layer = layer_before(n);
      if (layer) HONE_TRY(fold(*layer, n));
      ++(layer ? out.folded : out.kept);
    }
    out.graph = selected(graph_, keep_node_, kept_values());
    return out;
  }

 private:
  struct Layer {
    NodeId layer;
    NodeId last;  // the layer itself, or the reshape behind it
  };

  // The last dimension alone stays as it is and the others become one: rows x channels, as a norm over channels reads them.
  bool makes_rows(const Node& node) const {
    if (node.type != "Reshape") return false;
    const TensorType &from = graph_.value(node.inputs[0]).type, &to = graph_.value(node.outputs[0]).type;
    return from.ranked && to.ranked && to.shape.size() == 2 && from.shape.size() >= 2 && to.shape[1] > 0 && to.shape[1] == from.shape.back();
  }

  std::optional<Layer> layer_before(NodeId norm) const {
    const Node& node = graph_.nodes[norm];
    if (node.inputs.size() != 5 || node.attrs.integer("training_mode", 0) != 0) return std::nullopt;
    if (std::count(node.inputs.begin(), node.inputs.end(), kNoValue) || node.outputs.empty() || node.outputs[0] == kNoValue) return std::nullopt;
    for (size_t i = 1; i < node.outputs.size(); ++i)
      if (node.outputs[i] != kNoValue && reads_[node.outputs[i]] > 0) return std::nullopt;
    const Value& x = graph_.value(node.inputs[0]);
    if (x.producer == kNoNode || reads_[node.inputs[0]] != 1) return std::nullopt;
    Layer found{x.producer, x.producer};
    if (makes_rows(graph_.nodes[x.producer])) {
      const ValueId rows = graph_.nodes[x.producer].inputs[0];
      found.layer = graph_.value(rows).producer;
      if (found.layer == kNoNode || reads_[rows] != 1 || graph_.nodes[found.layer].type != "hone::Linear") return std::nullopt;
    }
    const Node& layer = graph_.nodes[found.layer];
    if (!is_layer(layer) || layer.inputs.size() < 2) return std::nullopt;
    // A dense layer's channels come last, a norm's second.
    if (layer.type == "hone::Linear" && (!x.type.ranked || x.type.shape.size() != 2)) return std::nullopt;
    for (size_t i = 1; i < layer.inputs.size(); ++i) {
      if (i >= 2 && layer.inputs[i] == kNoValue) continue;
      const Value& v = graph_.value(layer.inputs[i]);
      if (v.producer != kNoNode || v.kind == ValueKind::input || reads_[layer.inputs[i]] != 1) return std::nullopt;
    }
    const Shape& weight = graph_.value(layer.inputs[1]).type.shape;
    return weight.size() >= 2 && is_static(weight) ? std::optional(found) : std::nullopt;
  }

  Status fold(const Layer& found, NodeId norm_id) {
    const Node norm = graph_.nodes[norm_id];
    Node& layer = graph_.nodes[found.layer];
    const ValueId weight_id = layer.inputs[1];
    const bool has_bias = layer.inputs.size() > 2 && layer.inputs[2] != kNoValue;
    HONE_TRY_ASSIGN(std::vector<double> weight, contents(graph_, weight_id));
    HONE_TRY_ASSIGN(const std::vector<double> gamma, contents(graph_, norm.inputs[1]));
    HONE_TRY_ASSIGN(const std::vector<double> beta, contents(graph_, norm.inputs[2]));
    HONE_TRY_ASSIGN(const std::vector<double> mean, contents(graph_, norm.inputs[3]));
    HONE_TRY_ASSIGN(const std::vector<double> variance, contents(graph_, norm.inputs[4]));

    const Shape weight_shape = graph_.value(weight_id).type.shape;
    if (element_count(weight_shape) != static_cast<int64_t>(weight.size()))
      return fail(Code::invalid, fmt::format("its shape is {}, it has {} elements", to_string(weight_shape), weight.size()), graph_.value(weight_id).name);
    const Channels map = channels(layer, weight_shape);
    const size_t outputs = static_cast<size_t>(map.count * map.groups);
    std::vector<double> bias(outputs, 0);
    if (has_bias) {
      HONE_TRY_ASSIGN(bias, contents(graph_, layer.inputs[2]));
      if (bias.size() == 1) bias.assign(outputs, bias[0]);  // Gemm broadcasts
    }
    for (const auto* list : {&gamma, &beta, &mean, &variance, static_cast<const std::vector<double>*>(&bias)})
      if (list->size() != outputs)
        return fail(Code::invalid, fmt::format("the norm has {} channels, the layer before it {}", list->size(), outputs), norm.name.empty() ? graph_.modules[norm.module] : norm.name);

    std::vector<double> scale(outputs);
    const double epsilon = norm.attrs.real("epsilon", 1e-5f);
    for (size_t c = 0; c < outputs; ++c) {
      scale[c] = gamma[c] / std::sqrt(variance[c] + epsilon);
      bias[c] = beta[c] + (bias[c] - mean[c]) * scale[c];
    }
    for (size_t i = 0; i < weight.size(); ++i) weight[i] *= scale[static_cast<size_t>(map.of(static_cast<int64_t>(i)))];

    const Value weight_value = graph_.value(weight_id);
    HONE_TRY_ASSIGN(graph_.values[weight_id].data, tensor_like(weight_value, weight_shape, weight));
    const Shape bias_shape{static_cast<int64_t>(outputs)};
    HONE_TRY_ASSIGN(TensorPtr bias_tensor, tensor_like(weight_value, bias_shape, bias));
    if (has_bias) {
      Value& value = graph_.values[layer.inputs[2]];
      value.data = std::move(bias_tensor);
      value.type.shape = bias_shape;
    } else {
      Value value;
      std::string stem = weight_value.name;
      if (stem.size() > 7 && stem.compare(stem.size() - 7, 7, ".weight") == 0) stem.resize(stem.size() - 7);
      value.name = graph_.unique_name(stem + ".bias");
      value.kind = weight_value.kind;
      value.type = TensorType(weight_value.type.dtype, bias_shape);
      value.data = std::move(bias_tensor);
      layer.inputs.resize(3, kNoValue);
      layer.inputs[2] = graph_.add_value(std::move(value));
      reads_.push_back(1);
    }
    // The layer, or the reshape behind it, now makes what the norm made.
    graph_.nodes[found.last].outputs[0] = norm.outputs[0];
    graph_.values[norm.outputs[0]].producer = found.last;
    keep_node_[norm_id] = false;
    return {};
  }

  // All but what only folded norms mentioned: their input, their parameters and buffers, and counters beside those.
  std::vector<bool> kept_values() const {
    std::vector<bool> read(graph_.values.size()), keep(graph_.values.size(), true);
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) {
      if (!keep_node_[n]) continue;
      for (const auto* list : {&graph_.nodes[n].inputs, &graph_.nodes[n].outputs})
        for (ValueId v : *list)
          if (v != kNoValue) read[v] = true;
    }
    for (const auto* list : {&graph_.inputs, &graph_.outputs})
      for (ValueId v : *list) read[v] = true;
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) {
      if (keep_node_[n]) continue;
      for (const auto* list : {&graph_.nodes[n].inputs, &graph_.nodes[n].outputs})
        for (ValueId v : *list)
          if (v != kNoValue && !read[v]) keep[v] = false;
      const std::string& mean = graph_.value(graph_.nodes[n].inputs[3]).name;
      const size_t dot = mean.rfind('.');
      if (dot == std::string::npos) continue;
      const ValueId counter = graph_.find(mean.substr(0, dot) + ".num_batches_tracked");
      if (counter != kNoValue && !read[counter]) keep[counter] = false;
    }
    return keep;
  }

  Graph graph_;
  std::vector<int> reads_;
  std::vector<bool> keep_node_;
};

}  // namespace

Result<Folded> fold_batch_norm(const Graph& graph) { return Folder(graph).run(); }

}  // namespace hone
