#include "ir/infer.h"

#include <fmt/format.h>

#include <algorithm>

namespace hone {

namespace {

class NodeInference final : public InferContext {
 public:
  NodeInference(Graph& graph, std::vector<std::optional<Known>>& known, NodeId id) : graph_(graph), known_(known), node_(graph.nodes[id]) {}

  const Node& node() const override { return node_; }
  const TensorType& input(size_t i) const override {
    static const TensorType kNothing;
    return has_input(i) ? graph_.values[node_.inputs[i]].type : kNothing;
  }
  const Known* known(size_t i) const override {
    if (!has_input(i)) return nullptr;
    const auto& k = known_[node_.inputs[i]];
    return k ? &*k : nullptr;
  }
  void set_output(size_t i, TensorType type) override {
    if (has_output(i)) graph_.values[node_.outputs[i]].type = std::move(type);
  }
  void set_known(size_t i, Known contents) override {
    if (has_output(i) && static_cast<int64_t>(contents.size()) <= kMaxKnown) known_[node_.outputs[i]] = std::move(contents);
  }

 private:
  Graph& graph_;
  std::vector<std::optional<Known>>& known_;
  const Node& node_;
};

class NodeCount final : public CostContext {
 public:
  NodeCount(const Graph& graph, const Node& node, const std::vector<bool>& from_parameters) : graph_(graph), node_(node), from_(from_parameters) {}

  const Node& node() const override { return node_; }
  const TensorType& input(size_t i) const override { return type(node_.inputs, i); }
  const TensorType& output(size_t i) const override { return type(node_.outputs, i); }
  bool from_parameters(size_t i) const override { return has_input(i) && from_[node_.inputs[i]]; }

 private:
  const TensorType& type(const std::vector<ValueId>& ids, size_t i) const {
    static const TensorType kNothing;
    return i < ids.size() && ids[i] != kNoValue ? graph_.values[ids[i]].type : kNothing;
  }
  const Graph& graph_;
  const Node& node_;
  const std::vector<bool>& from_;
};

std::string example_input(const Value& v) {
  std::string dims;
  const size_t rank = v.type.ranked ? v.type.shape.size() : 4;
  for (size_t i = 0; i < rank; ++i) {
    const Dim d = v.type.ranked ? v.type.shape[i] : kUnknown;
    static constexpr Dim kTypical[] = {1, 3, 224, 224};
    dims += (i ? "x" : "") + std::to_string(d >= 0 ? d : rank == 4 ? kTypical[i] : i == 0 ? 1 : 16);
  }
  return fmt::format("--input {}={}", v.name, dims);
}

Status bind_inputs(Graph& graph, const Bindings& bindings, bool allow_unknown) {
  for (const auto& [name, shape] : bindings.inputs) {
    ValueId id = name.empty() && !graph.inputs.empty() ? graph.inputs[0] : graph.find(name);
    if (id == kNoValue || graph.values[id].kind != ValueKind::input) {
      std::string list;
      for (ValueId v : graph.inputs) list += (list.empty() ? "" : ", ") + graph.values[v].name;
      return fail(Code::usage, fmt::format("no input is called '{}'", name), graph.name, "inputs: " + list);
    }
    Value& v = graph.values[id];
    if (v.type.ranked && v.type.shape.size() != shape.size())
      return fail(Code::usage, fmt::format("input '{}' has {} dimensions ({}), but {} were given ({})", v.name, v.type.shape.size(), to_string(v.type), shape.size(), to_string(shape)), graph.name);
    v.type = TensorType(v.type.dtype, shape);
    v.dim_names.clear();
  }
  if (bindings.batch) {
    for (ValueId id : graph.inputs) {
      Value& v = graph.values[id];
      if (!v.type.ranked || v.type.shape.empty()) continue;
      v.type.shape[0] = *bindings.batch;
      if (!v.dim_names.empty()) v.dim_names[0].clear();
    }
  }
  if (allow_unknown) return {};
  for (ValueId id : graph.inputs) {
    const Value& v = graph.values[id];
    if (v.type.ranked && is_static(v.type.shape)) continue;
    std::string unbound;
    for (size_t i = 0; i < v.dim_names.size(); ++i)
      if (!v.dim_names[i].empty()) unbound += (unbound.empty() ? "" : ", ") + v.dim_names[i];
    return fail(Code::usage, fmt::format("the shape of input '{}' is not known: the file says {}{}", v.name, to_string(v.type), unbound.empty() ? "" : " with " + unbound + " left open"),
                graph.name, "give it, for example " + example_input(v));
  }
  return {};
}

}  // namespace

std::optional<Known> known_contents(const Tensor& t) {
  const auto n = element_count(t.shape);
  if (!n || *n > kMaxKnown) return std::nullopt;
  Known k;
  k.dtype = t.dtype;
  k.shape = t.shape;
  if (is_float(t.dtype)) {
    auto v = to_doubles(t);
    if (!v) return std::nullopt;
    k.floats = std::move(*v);
  } else {
    auto v = to_ints(t);
    if (!v) return std::nullopt;
    k.ints = std::move(*v);
    // A genuine INT64_MIN ("from the very beginning" of a backward slice) must not read as unknown.
    std::ranges::replace(k.ints, kUnknownElement, kUnknownElement + 1);
  }
  return k;
}

Status infer_node(Graph& graph, std::vector<std::optional<Known>>& known, NodeId id) {
  known.resize(graph.values.size());
  const Node& node = graph.nodes[id];
  if (!node.def) return {};  // outputs of an operator without a rule keep the type the file states
  NodeInference context(graph, known, id);
  return node.def->infer(context);
}

Result<Inferred> infer(Graph graph, const Bindings& bindings, bool allow_unknown) {
  HONE_TRY(bind_inputs(graph, bindings, allow_unknown));
  std::vector<TensorType> stated;  // of the outputs, by the file
  for (ValueId v : graph.outputs) stated.push_back(graph.values[v].type);
  Inferred out;
  out.known.resize(graph.values.size());
  for (ValueId v = 0; v < graph.values.size(); ++v) {
    const Value& value = graph.values[v];
    if (value.kind == ValueKind::constant && value.data) out.known[v] = known_contents(*value.data);
    // An index table or a shape that an exporter stored as a buffer is shape arithmetic too; weights never are.
    if (value.kind == ValueKind::buffer && value.data && !is_float(value.data->dtype)) out.known[v] = known_contents(*value.data);
  }
  for (const auto& [name, contents] : bindings.contents)
    if (ValueId v = graph.find(name); v != kNoValue && element_count(contents.shape) == static_cast<int64_t>(contents.size())) out.known[v] = contents;
  // A hostile file could name a thousand contents a node with a few bytes each; real shape arithmetic stays far below.
  constexpr size_t kMaxTracked = size_t{1} << 22;
  size_t tracked = 0;
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    HONE_TRY(infer_node(graph, out.known, n));
    for (ValueId v : graph.nodes[n].outputs)
      if (v != kNoValue && out.known[v] && (tracked += out.known[v]->size()) > kMaxTracked) out.known[v].reset();
  }
  // Where no rule can tell even the rank of an output, the file may.
  for (size_t i = 0; i < stated.size(); ++i) {
    TensorType& type = graph.values[graph.outputs[i]].type;
    if (!type.ranked && stated[i].ranked && type.dtype == stated[i].dtype) type = TensorType(type.dtype, Shape(stated[i].shape.size(), kUnknown));
  }
  out.graph = std::move(graph);
  return out;
}

std::vector<bool> from_parameters(const Graph& graph) {
  std::vector<bool> from(graph.values.size(), false);
  std::vector<bool> fixed(graph.values.size(), false);  // depends on no input
  for (ValueId v = 0; v < graph.values.size(); ++v) {
    from[v] = graph.values[v].kind == ValueKind::parameter;
    fixed[v] = graph.values[v].kind != ValueKind::input && graph.values[v].kind != ValueKind::node;
  }
  for (const Node& node : graph.nodes) {
    bool all_fixed = true, any_parameter = false;
    for (ValueId v : node.inputs) {
      if (v == kNoValue) continue;
      all_fixed = all_fixed && fixed[v];
      any_parameter = any_parameter || from[v];
    }
    for (ValueId v : node.outputs) {
      if (v == kNoValue) continue;
      fixed[v] = all_fixed;
      from[v] = all_fixed && any_parameter;
    }
  }
  return from;
}

Counts count_node(const Graph& graph, NodeId id, const std::vector<bool>& from) {
  const Node& node = graph.nodes[id];
  if (!node.def || !node.def->cost) return {};
  return node.def->cost(NodeCount(graph, node, from));
}

}  // namespace hone
