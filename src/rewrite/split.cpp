#include "rewrite/split.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "ir/types.h"

namespace hone {

namespace {

// The nodes that `outputs` need, back to the values that are `given`.
Graph part_of(Graph graph, const std::vector<ValueId>& given, const std::vector<ValueId>& outputs) {
  for (ValueId v : given) {
    graph.values[v].kind = ValueKind::input;
    graph.values[v].producer = kNoNode;
  }
  graph.inputs = given;
  graph.outputs = outputs;
  std::vector<bool> nodes(graph.nodes.size()), values(graph.values.size());
  for (ValueId v : given) values[v] = true;
  for (ValueId v : outputs) values[v] = true;
  for (size_t n = graph.nodes.size(); n-- > 0;) {  // nodes are in topological order
    const Node& node = graph.nodes[n];
    if (std::ranges::none_of(node.outputs, [&](ValueId v) { return v != kNoValue && values[v] && graph.values[v].producer == n; })) continue;
    nodes[n] = true;
    for (const auto* list : {&node.inputs, &node.outputs})
      for (ValueId v : *list)
        if (v != kNoValue) values[v] = true;
  }
  return selected(graph, nodes, values);
}

}  // namespace

Result<SplitNetwork> split_by_inputs(const Graph& g, const std::vector<std::vector<std::string>>& groups) {
  if (groups.empty() || groups.size() > 32) return fail(Code::usage, fmt::format("{} groups of inputs, expected 1 to 32", groups.size()), g.name);
  std::vector<uint32_t> reach(g.values.size());  // groups that a value depends on
  std::vector<std::vector<ValueId>> given(groups.size()), cuts(groups.size());
  for (size_t k = 0; k < groups.size(); ++k)
    for (const std::string& name : groups[k]) {
      const ValueId v = g.find(name);
      if (v == kNoValue || g.values[v].kind != ValueKind::input) return fail(Code::usage, fmt::format("has no input '{}'", name), g.name);
      if (reach[v]) return fail(Code::usage, fmt::format("input '{}' is in two groups", name), g.name);
      reach[v] = uint32_t{1} << k;
      given[k].push_back(v);
    }
  for (ValueId v : g.inputs)
    if (!reach[v]) return fail(Code::usage, fmt::format("input '{}' is in no group", g.values[v].name), g.name);
  for (const Node& n : g.nodes) {
    uint32_t all = 0;
    for (ValueId v : n.inputs) all |= v == kNoValue ? 0 : reach[v];
    for (ValueId v : n.outputs)
      if (v != kNoValue) reach[v] = all;
  }
  // Sizes and positions are computed anew where they are needed: they are numbers of a batch, not of an example.
  const auto can_cut = [&](ValueId v) { return std::popcount(reach[v]) == 1 && (is_float(g.values[v].type.dtype) || g.values[v].kind == ValueKind::input); };
  std::vector<bool> needed(g.values.size());
  std::vector<ValueId> todo(g.outputs.begin(), g.outputs.end());
  for (ValueId v : g.outputs)
    if (std::popcount(reach[v]) == 1) return fail(Code::usage, fmt::format("output '{}' depends on one group of inputs alone", g.values[v].name), g.name);
  while (!todo.empty()) {
    const ValueId v = todo.back();
    todo.pop_back();
    if (v == kNoValue || needed[v]) continue;
    needed[v] = true;
    if (can_cut(v) || g.values[v].producer == kNoNode) continue;
    const auto& from = g.nodes[g.values[v].producer].inputs;
    todo.insert(todo.end(), from.begin(), from.end());
  }
  std::vector<ValueId> joint;
  for (ValueId v = 0; v < g.values.size(); ++v)
    if (needed[v] && can_cut(v)) cuts[static_cast<size_t>(std::countr_zero(reach[v]))].push_back(v);
  SplitNetwork out;
  for (size_t k = 0; k < groups.size(); ++k) {
    for (ValueId v : cuts[k])
      if (g.values[v].kind == ValueKind::input || g.values[v].type.shape.empty() || g.values[v].type.shape[0] != 1)
        return fail(Code::unsupported, fmt::format("'{}' cannot be kept by example", g.values[v].name), g.name);
    out.parts.push_back(part_of(g, given[k], cuts[k]));
    joint.insert(joint.end(), cuts[k].begin(), cuts[k].end());
  }
  out.joint = part_of(g, joint, g.outputs);
  return out;
}

}  // namespace hone
