#include "train/fuse.h"

#include <cmath>

#include "train/kernels/attention.h"
#include "train/kernels/dense.h"
#include "train/kernels/gate.h"
#include "train/kernels/norm_act.h"

namespace hone::train {

namespace {

using at::Tensor;

// What the rules ask about a graph.
class View {
 public:
  View(const Graph& graph, const std::vector<Tensor>& constants) : graph_(graph), constants_(constants), readers_(readers(graph)), reader_(graph.values.size(), kNoNode) {
    for (NodeId n = 0; n < graph.nodes.size(); ++n)
      for (const ValueId v : graph.nodes[n].inputs)
        if (v != kNoValue) reader_[v] = n;
  }

  const Graph& graph() const { return graph_; }
  // The only reader of `v`, or kNoNode when it has several or is an output of the graph.
  NodeId only_reader(ValueId v) const { return readers_[v] == 1 ? reader_[v] : kNoNode; }
  const Value& input(const Node& node, size_t i) const { return graph_.value(node.inputs[i]); }
  bool has(const Node& node, size_t i) const { return i < node.inputs.size() && node.inputs[i] != kNoValue; }
  bool is_number(const Node& node, size_t i, double number) const {
    if (!has(node, i)) return false;
    const Tensor& t = constants_[node.inputs[i]];
    return t.defined() && t.numel() == 1 && at::isFloatingType(t.scalar_type()) && t.item<double>() == number;
  }

 private:
  const Graph& graph_;
  const std::vector<Tensor>& constants_;
  std::vector<int> readers_;
  std::vector<NodeId> reader_;  // the last one
};

// The activation that `node` applies to its operand 0; nothing when norm_act does not know it.
std::optional<Activation> activation(const View& view, const Node& node) {
  if (node.type == "Relu") return Activation::relu;
  if (node.type == "Clip" && view.is_number(node, 1, 0) && view.is_number(node, 2, 6)) return Activation::relu6;
  if (node.type == "Swish" && node.attrs.real("alpha", 1) == 1) return Activation::silu;
  if (node.type == "HardSwish") return Activation::hard_swish;
  return std::nullopt;
}

bool in_state(const Value& v) { return v.kind == ValueKind::buffer || v.kind == ValueKind::parameter; }

// BatchNormalization, then a sum with a tensor of the same shape, then an activation, each with one reader.
Fused norm_group(const View& view, NodeId first) {
  const Graph& graph = view.graph();
  const Node& norm = graph.nodes[first];
  Fused out{{first}, {norm.inputs.begin(), norm.inputs.begin() + 5}, {}, {}};
  ValueId last = norm.outputs[0];
  size_t residual_at = 0, counter_at = 0;
  Activation act = Activation::none;
  NodeId next = view.only_reader(last);
  if (next != kNoNode && graph.nodes[next].type == "Add") {
    const Node& add = graph.nodes[next];
    const ValueId other = add.inputs[add.inputs[0] == last ? 1 : 0];
    const TensorType &mine = graph.value(last).type, &its = graph.value(other).type;
    if (mine.ranked && its.ranked && mine == its) {
      residual_at = out.inputs.size();
      out.inputs.push_back(other);
      out.nodes.push_back(next);
      last = add.outputs[0];
      next = view.only_reader(last);
    }
  }
  if (next != kNoNode && graph.nodes[next].inputs[0] == last)
    if (const auto found = activation(view, graph.nodes[next])) {
      act = *found;
      out.nodes.push_back(next);
      last = graph.nodes[next].outputs[0];
    }
  out.outputs = {last};
  const std::string& mean = view.input(norm, 3).name;
  constexpr std::string_view kMean = "running_mean";
  if (mean.ends_with(kMean))
    if (const ValueId counter = graph.find(mean.substr(0, mean.size() - kMean.size()) + "num_batches_tracked"); counter != kNoValue) {
      counter_at = out.inputs.size();
      out.inputs.push_back(counter);
    }
  out.step = [act, residual_at, counter_at, eps = norm.attrs.real("epsilon", 1e-5f)](Frame& f) {
    const bool train = f.options.batch_norm == BatchNorm::train;
    const Tensor residual = residual_at ? f.precise(residual_at) : Tensor();
    f.set(0, norm_act(f.precise(0), f[1], f[2], f[3], f[4], residual, {train, f.options.batch_norm_momentum, eps, act}));
    if (!train || !counter_at) return;
    at::NoGradGuard quiet;
    Tensor count = f[counter_at];
    count.add_(1);
  };
  return out;
}

bool fusible_norm(const View& view, const Node& node) {
  return node.type == "BatchNormalization" && node.attrs.integer("training_mode", 0) == 0 && node.inputs.size() >= 5 && in_state(view.input(node, 3)) && in_state(view.input(node, 4));
}

// A product with a weight [outputs, inputs].
std::optional<Fused> dense_group(const View& view, NodeId n) {
  const Node& node = view.graph().nodes[n];
  const bool bias = view.has(node, 2);
  if (node.type == "Gemm") {
    const bool plain = node.attrs.real("alpha", 1) == 1 && node.attrs.real("beta", 1) == 1 && !node.attrs.integer("transA", 0) && node.attrs.integer("transB", 0);
    if (!plain || !in_state(view.input(node, 1)) || (bias && view.input(node, 2).type.shape.size() != 1)) return std::nullopt;
  } else if (node.type != "hone::Linear") {
    return std::nullopt;
  }
  return Fused{{n}, node.inputs, node.outputs, [](Frame& f) { f.set(0, dense(f.factor(0), f.factor(1), f.factor(2))); }};
}

// A parameter, or what is read from one: never the minus infinities of masks that hide keys.
bool learnt(const View& view, ValueId v) {
  const Graph& graph = view.graph();
  while (graph.value(v).kind == ValueKind::node) {
    const Node& node = graph.nodes[graph.value(v).producer];
    if (node.type != "Reshape" && node.type != "Gather" && node.type != "Transpose") return false;
    v = node.inputs[0];
  }
  return graph.value(v).kind == ValueKind::parameter;
}

// Attention without window, soft cap, cache or further outputs; with a bias that is learnt and that all images share, or none.
std::optional<Fused> attention_group(const View& view, NodeId n) {
  const Node& node = view.graph().nodes[n];
  if (node.type != "Attention" || node.inputs.size() < 3 || node.attrs.integer("is_causal", 0) || node.attrs.integer("left_window_size", -1) >= 0 ||
      node.attrs.integer("right_window_size", -1) >= 0 || node.attrs.real("softcap", 0) != 0)
    return std::nullopt;
  for (size_t i = 4; i < node.inputs.size(); ++i)
    if (view.has(node, i)) return std::nullopt;
  for (size_t o = 1; o < node.outputs.size(); ++o)
    if (node.outputs[o] != kNoValue) return std::nullopt;
  const TensorType &q = view.input(node, 0).type, &k = view.input(node, 1).type;
  if (!q.ranked || !k.ranked || q.shape.size() != 4 || q.shape[1] != k.shape[1] || q.shape[1] < 0) return std::nullopt;  // heads apart, one key head for each
  const bool biased = view.has(node, 3);
  if (biased) {
    const TensorType& mask = view.input(node, 3).type;
    if (!learnt(view, node.inputs[3]) || !mask.ranked || mask.dtype != DType::f32 || mask.shape != Shape{1, q.shape[1], q.shape[2], k.shape[2]}) return std::nullopt;
  }
  std::optional<double> scale;
  if (node.attrs.has("scale")) scale = node.attrs.real("scale", 1);
  return Fused{{n}, {node.inputs.begin(), node.inputs.begin() + (biased ? 4 : 3)}, {node.outputs[0]}, [scale, biased](Frame& f) {
                 const Tensor q = f.factor(0);
                 f.set(0, attention(q, f.factor(1), f.factor(2), biased ? f[3] : Tensor(), scale.value_or(1 / std::sqrt(static_cast<double>(q.size(3))))));
               }};
}

// The gate that `node` computes from its operand; nothing when channel_gate does not know it.
std::optional<Gate> gate_of(const Node& node) {
  if (node.type == "Sigmoid") return Gate::sigmoid;
  if (node.type == "HardSigmoid" && node.attrs.real("alpha", 0.2f) == 1.f / 6 && node.attrs.real("beta", 0.5f) == 0.5f) return Gate::hard_sigmoid;
  return std::nullopt;
}

// x * sigmoid(s) with one number a channel.
std::optional<Fused> gate_group(const View& view, NodeId n) {
  const Graph& graph = view.graph();
  const Node& sigmoid = graph.nodes[n];
  const auto gate = gate_of(sigmoid);
  if (!gate) return std::nullopt;
  const NodeId next = view.only_reader(sigmoid.outputs[0]);
  if (next == kNoNode || graph.nodes[next].type != "Mul") return std::nullopt;
  const Node& mul = graph.nodes[next];
  const ValueId x = mul.inputs[mul.inputs[0] == sigmoid.outputs[0] ? 1 : 0], s = sigmoid.inputs[0];
  const TensorType &large = graph.value(x).type, &small = graph.value(s).type;
  if (!large.ranked || !small.ranked || large.shape.size() != 4 || small.shape.size() != 4 || small.shape[1] != large.shape[1] || small.shape[2] != 1 || small.shape[3] != 1) return std::nullopt;
  return Fused{{n, next}, {x, s}, {mul.outputs[0]}, [gate = *gate](Frame& f) { f.set(0, channel_gate(f[0], f[1], gate)); }};
}

}  // namespace

std::vector<Fused> fuse(const Graph& graph, const CompileOptions& options, const std::vector<Tensor>& constants) {
  const View view(graph, constants);
  std::vector<Fused> groups;
  std::vector<bool> taken(graph.nodes.size(), false);
  const auto add = [&](Fused group) {
    for (const NodeId n : group.nodes)
      if (taken[n]) return false;
    for (const NodeId n : group.nodes) taken[n] = true;
    groups.push_back(std::move(group));
    return true;
  };
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    if (taken[n]) continue;
    if (options.channels_last && fusible_norm(view, graph.nodes[n])) {
      add(norm_group(view, n));
      continue;
    }
    for (const auto rule : {dense_group, attention_group, gate_group})
      if (auto group = rule(view, n)) {
        add(std::move(*group));
        break;
      }
  }
  return groups;
}

}  // namespace hone::train
