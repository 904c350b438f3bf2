#include "rewrite/embed.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/infer.h"

namespace hone {

namespace {

constexpr std::string_view kOutput = "embedding";

bool one_of(std::string_view type, std::initializer_list<std::string_view> list) { return std::find(list.begin(), list.end(), type) != list.end(); }

// The value that the classifier reads, or `v` where there is none.
ValueId before_classifier(const Graph& g, ValueId v, const std::vector<bool>& weights) {
  ValueId at = v;
  while (g.values[at].producer != kNoNode) {
    const Node& n = g.nodes[g.values[at].producer];
    const auto weight = [&](size_t i) { return i < n.inputs.size() && n.inputs[i] != kNoValue && weights[n.inputs[i]]; };
    if (one_of(n.type, {"Softmax", "LogSoftmax", "Identity", "Dropout", "Flatten", "Squeeze"})) at = n.inputs[0];
    else if (n.type == "Add" && weight(1) && !weight(0)) at = n.inputs[0];  // the bias of a MatMul
    else if (one_of(n.type, {"hone::Linear", "Gemm", "MatMul"}) && weight(1)) return n.inputs[0];
    else break;
  }
  return v;
}

// The feature map that only pools and reshapes separate from `v`; `v` itself where there is none.
ValueId feature_map(const Graph& g, ValueId v) {
  for (ValueId at = v; g.values[at].type.ranked;) {
    if (g.values[at].type.shape.size() == 4) {
      // A map of one pixel may come from a pool that belongs to the head, too.
      const NodeId producer = g.values[at].producer;
      if (producer == kNoNode || !one_of(g.nodes[producer].type, {"GlobalAveragePool", "GlobalMaxPool", "Dropout", "Identity"})) return at;
    }
    if (g.values[at].producer == kNoNode) break;
    const Node& n = g.nodes[g.values[at].producer];
    if (!one_of(n.type, {"Dropout", "Identity", "Flatten", "Reshape", "Squeeze", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean"})) break;
    at = n.inputs[0];
    // Means over the tokens of a transformer start from rank 3: not a map.
    if (g.values[at].type.ranked && g.values[at].type.shape.size() == 3) break;
  }
  return v;
}


}  // namespace

std::string_view name(Pool pool) { return pool == Pool::max ? "max" : "average"; }

Result<Graph> embedding_network(Graph g, Pool pool) {
  if (g.outputs.empty()) return fail(Code::invalid, "the network has no output to take an embedding from", g.name);
  const ValueId features = feature_map(g, before_classifier(g, g.outputs[0], from_parameters(g)));
  const TensorType type = g.values[features].type;
  if (!type.ranked || type.shape.size() < 2 || type.shape.size() > 4)
    return fail(Code::unsupported, fmt::format("an embedding is taken from N x C, N x T x C or N x C x H x W, not from {}", to_string(type)), g.values[features].name);

  // Nodes that made the old outputs go; what they alone read goes with them.
  const std::vector<int> before = readers(g);
  std::vector<bool> keep_node(g.nodes.size()), keep_value(g.values.size());
  std::vector<ValueId> todo{features};
  while (!todo.empty()) {
    const ValueId v = todo.back();
    todo.pop_back();
    if (keep_value[v]) continue;
    keep_value[v] = true;
    const NodeId n = g.values[v].producer;
    if (n == kNoNode || keep_node[n]) continue;
    keep_node[n] = true;
    for (ValueId i : g.nodes[n].inputs)
      if (i != kNoValue) todo.push_back(i);
    for (ValueId o : g.nodes[n].outputs)
      if (o != kNoValue) keep_value[o] = true;
  }
  for (ValueId v = 0; v < g.values.size(); ++v) {
    const ValueKind kind = g.values[v].kind;
    if (kind == ValueKind::input || ((kind == ValueKind::parameter || kind == ValueKind::buffer) && before[v] == 0)) keep_value[v] = true;
  }
  const std::string at = g.values[features].name;
  g.outputs = {features};
  Graph out = selected(g, keep_node, keep_value);

  ValueId v = out.find(at);
  const auto then = [&](std::string_view op, std::vector<ValueId> extra, Attrs attrs, std::string wish) {
    std::vector<ValueId> inputs{v};
    inputs.insert(inputs.end(), extra.begin(), extra.end());
    Value result;
    result.name = out.unique_name(wish);
    v = out.add_value(std::move(result));
    out.add_node({find_op(op), std::string(op), std::string(wish), std::move(inputs), {v}, std::move(attrs), out.module_id("head")});
  };
  if (type.shape.size() == 4) {
    then(pool == Pool::max ? "GlobalMaxPool" : "GlobalAveragePool", {}, {}, "head.pool");
    then("Flatten", {}, {{"axis", int64_t{1}}}, "head.flatten");
  } else if (type.shape.size() == 3) {
    Value axes;
    axes.name = out.unique_name("head.axes");
    axes.kind = ValueKind::constant;
    axes.data = std::make_shared<const Tensor>(Tensor::ints({1}));
    axes.type = {DType::i64, {1}};
    const ValueId id = out.add_value(std::move(axes));
    then(pool == Pool::max ? "ReduceMax" : "ReduceMean", {id}, {{"keepdims", int64_t{0}}}, "head.pool");
  }
  then("LpNormalization", {}, {{"axis", int64_t{-1}}, {"p", int64_t{2}}}, std::string(kOutput));
  out.outputs = {v};
  HONE_TRY_ASSIGN(Inferred inferred, infer(std::move(out), {}, true));
  return std::move(inferred.graph);
}

}  // namespace hone
