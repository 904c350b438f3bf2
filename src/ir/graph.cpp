#include "ir/graph.h"

#include <algorithm>

namespace hone {

std::string_view name(ValueKind k) {
  switch (k) {
    case ValueKind::input: return "input";
    case ValueKind::parameter: return "parameter";
    case ValueKind::buffer: return "buffer";
    case ValueKind::constant: return "constant";
    case ValueKind::node: return "node";
  }
  return "?";
}

ValueId Graph::add_value(Value value) {
  const auto id = static_cast<ValueId>(values.size());
  by_name_.emplace(value.name, id);
  values.push_back(std::move(value));
  return id;
}

NodeId Graph::add_node(Node node) {
  const auto id = static_cast<NodeId>(nodes.size());
  for (ValueId v : node.outputs)
    if (v != kNoValue) values[v].producer = id;
  nodes.push_back(std::move(node));
  return id;
}

ValueId Graph::find(std::string_view value_name) const {
  auto it = by_name_.find(std::string(value_name));
  return it == by_name_.end() ? kNoValue : it->second;
}

std::string Graph::unique_name(std::string_view wish) const {
  std::string name(wish.empty() ? "v" : wish);
  if (!by_name_.contains(name)) return name;
  // The number of values is a good first guess: names made here in sequence do not search from 1 each time.
  for (size_t i = values.size();; ++i) {
    std::string candidate = name + "_" + std::to_string(i);
    if (!by_name_.contains(candidate)) return candidate;
  }
}

uint32_t Graph::module_id(std::string_view path) {
  // Nodes of one module come in a row, so the newest entry is usually the one.
  for (size_t i = modules.size(); i-- > 0;)
    if (modules[i] == path) return static_cast<uint32_t>(i);
  modules.emplace_back(path);
  return static_cast<uint32_t>(modules.size() - 1);
}

std::vector<ValueId> Graph::state() const {
  std::vector<ValueId> out;
  for (ValueId v = 0; v < values.size(); ++v)
    if (values[v].kind == ValueKind::parameter || values[v].kind == ValueKind::buffer) out.push_back(v);
  return out;
}

void Graph::reindex() {
  by_name_.clear();
  for (ValueId v = 0; v < values.size(); ++v) by_name_.emplace(values[v].name, v);
}

std::vector<int> readers(const Graph& graph) {
  std::vector<int> count(graph.values.size(), 0);
  for (const Node& node : graph.nodes)
    for (ValueId v : node.inputs)
      if (v != kNoValue) ++count[v];
  for (ValueId v : graph.outputs) ++count[v];
  return count;
}

Graph selected(const Graph& graph, const std::vector<bool>& keep_node, const std::vector<bool>& keep_value) {
  Graph out;
  out.name = graph.name;
  out.modules = graph.modules;
  out.metadata = graph.metadata;
  std::vector<ValueId> moved(graph.values.size(), kNoValue);
  for (ValueId v = 0; v < graph.values.size(); ++v) {
    if (!keep_value[v]) continue;
    moved[v] = out.add_value(graph.values[v]);
    out.values[moved[v]].producer = kNoNode;
  }
  auto move_all = [&](std::vector<ValueId> ids) {
    for (ValueId& v : ids)
      if (v != kNoValue) v = moved[v];
    return ids;
  };
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!keep_node[n]) continue;
    Node node = graph.nodes[n];
    node.inputs = move_all(std::move(node.inputs));
    node.outputs = move_all(std::move(node.outputs));
    out.add_node(std::move(node));
  }
  out.inputs = move_all(graph.inputs);
  out.outputs = move_all(graph.outputs);
  return out;
}

namespace {

void mark(const std::vector<ValueId>& ids, std::vector<bool>& marks) {
  for (ValueId v : ids)
    if (v != kNoValue) marks[v] = true;
}

// What stays whether a node mentions it or not: inputs and the state dict.
std::vector<bool> permanent(const Graph& graph) {
  std::vector<bool> keep;
  for (const Value& v : graph.values) keep.push_back(v.kind == ValueKind::input || v.kind == ValueKind::parameter || v.kind == ValueKind::buffer);
  return keep;
}

}  // namespace

Graph prune(const Graph& graph) {
  std::vector<bool> live(graph.values.size(), false), keep_node(graph.nodes.size(), false), keep_value = permanent(graph);
  mark(graph.outputs, live);
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    if (!std::ranges::any_of(node.outputs, [&](ValueId v) { return v != kNoValue && live[v]; })) continue;
    keep_node[n] = true;
    mark(node.outputs, live);
    mark(node.inputs, live);
  }
  for (ValueId v = 0; v < live.size(); ++v) keep_value[v] = keep_value[v] || live[v];
  return selected(graph, keep_node, keep_value);
}

Graph without_unused_values(const Graph& graph) {
  std::vector<bool> keep = permanent(graph);
  mark(graph.outputs, keep);
  for (const Node& node : graph.nodes) {
    mark(node.outputs, keep);
    mark(node.inputs, keep);
  }
  return selected(graph, std::vector<bool>(graph.nodes.size(), true), keep);
}

namespace {

std::vector<std::string_view> names(const Graph& g, const std::vector<ValueId>& ids) {
  std::vector<std::string_view> out;
  for (ValueId v : ids) out.push_back(v == kNoValue ? std::string_view() : std::string_view(g.values[v].name));
  return out;
}

bool equal_values(const Value& a, const Value& b) {
  if (a.kind != b.kind || a.type != b.type || a.dim_names != b.dim_names || a.init != b.init) return false;
  if (!a.data || !b.data) return a.data == b.data;
  return a.data == b.data || same_contents(*a.data, *b.data);
}

}  // namespace

bool equal(const Graph& a, const Graph& b) {
  if (a.name != b.name || a.metadata != b.metadata || a.values.size() != b.values.size() || a.nodes.size() != b.nodes.size()) return false;
  if (names(a, a.inputs) != names(b, b.inputs) || names(a, a.outputs) != names(b, b.outputs)) return false;
  for (const Value& value : a.values) {
    const ValueId other = b.find(value.name);
    if (other == kNoValue || !equal_values(value, b.values[other])) return false;
  }
  for (size_t n = 0; n < a.nodes.size(); ++n) {
    const Node &x = a.nodes[n], &y = b.nodes[n];
    if (x.type != y.type || x.def != y.def || x.name != y.name || !(x.attrs == y.attrs)) return false;
    if (a.modules[x.module] != b.modules[y.module]) return false;
    if (names(a, x.inputs) != names(b, y.inputs) || names(a, x.outputs) != names(b, y.outputs)) return false;
  }
  return true;
}

}  // namespace hone
