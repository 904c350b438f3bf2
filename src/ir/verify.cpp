#include "ir/verify.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/op.h"

namespace hone {

namespace {

std::string describe(const Node& node, size_t index) {
  return node.name.empty() ? fmt::format("{} (node {})", node.type, index) : fmt::format("{} '{}'", node.type, node.name);
}

tl::unexpected<Error> bad(std::string message, std::string where) { return fail(Code::invalid, std::move(message), std::move(where)); }

std::string range(int low, int high) {
  if (high < 0) return fmt::format("at least {}", low);
  return low == high ? fmt::format("{}", low) : fmt::format("{} to {}", low, high);
}

Status check_definition(const Node& node, const std::string& where) {
  if (!node.def) return {};
  const OpDef& def = *node.def;
  const auto n_in = static_cast<int>(node.inputs.size()), n_out = static_cast<int>(node.outputs.size());
  if (n_in < def.min_inputs || (def.max_inputs >= 0 && n_in > def.max_inputs))
    return bad(fmt::format("has {} inputs, expected {}", n_in, range(def.min_inputs, def.max_inputs)), where);
  if (n_out < def.min_outputs || (def.max_outputs >= 0 && n_out > def.max_outputs))
    return bad(fmt::format("has {} outputs, expected {}", n_out, range(def.min_outputs, def.max_outputs)), where);
  for (int i = 0; i < def.min_inputs; ++i)
    if (node.inputs[static_cast<size_t>(i)] == kNoValue) return bad(fmt::format("input {} is left out but required", i), where);
  for (const auto& [key, value] : node.attrs) {
    auto spec = std::ranges::find(def.attrs, key, &AttrSpec::name);
    if (spec == def.attrs.end()) {
      std::string known;
      for (const AttrSpec& s : def.attrs) known += (known.empty() ? "" : ", ") + std::string(s.name);
      return fail(Code::invalid, fmt::format("has attribute '{}', which {} does not know", key, def.name), where,
                  known.empty() ? "it takes no attributes" : "it takes: " + known);
    }
    if (spec->kind != kind(value)) return bad(fmt::format("attribute '{}' is {}, expected {}", key, name(kind(value)), name(spec->kind)), where);
  }
  for (const AttrSpec& s : def.attrs)
    if (s.required && !node.attrs.has(s.name)) return bad(fmt::format("attribute '{}' is required", s.name), where);
  return {};
}

}  // namespace

Status verify(const Graph& graph) {
  const size_t n_values = graph.values.size();
  std::vector<bool> ready(n_values, false);
  for (ValueId v = 0; v < n_values; ++v) {
    const Value& value = graph.values[v];
    if (value.name.empty()) return bad(fmt::format("value {} has no name", v), graph.name);
    if (graph.find(value.name) != v) return bad(fmt::format("value name '{}' is used twice", value.name), graph.name);
    if (value.type.ranked)
      for (Dim d : value.type.shape)
        if (d < kUnknown) return bad(fmt::format("'{}' has a dimension of {}", value.name, d), graph.name);
    if (value.kind != ValueKind::node) ready[v] = true;
    if (value.kind == ValueKind::constant && !value.data) return bad(fmt::format("constant '{}' has no contents", value.name), graph.name);
  }
  for (ValueId v : graph.inputs)
    if (v >= n_values || graph.values[v].kind != ValueKind::input) return bad("an entry of the input list is not an input", graph.name);
  if (std::ranges::count(graph.values, ValueKind::input, &Value::kind) != static_cast<ptrdiff_t>(graph.inputs.size()))
    return bad("an input is missing from the input list, or listed twice", graph.name);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    const std::string where = describe(node, n);
    if (node.module >= graph.modules.size()) return bad("names a module that does not exist", where);
    for (ValueId v : node.inputs) {
      if (v == kNoValue) continue;
      if (v >= n_values) return bad("reads a value that does not exist", where);
      if (!ready[v]) return bad(fmt::format("reads '{}' before it is produced", graph.values[v].name), where);
    }
    HONE_TRY(check_definition(node, where));
    for (ValueId v : node.outputs) {
      if (v == kNoValue) continue;
      if (v >= n_values) return bad("writes a value that does not exist", where);
      if (ready[v]) return bad(fmt::format("writes '{}', which has its contents already", graph.values[v].name), where);
      if (graph.values[v].producer != n) return bad(fmt::format("'{}' names another producer", graph.values[v].name), where);
      ready[v] = true;
    }
  }
  for (ValueId v : graph.outputs) {
    if (v >= n_values) return bad("an entry of the output list does not exist", graph.name);
    if (!ready[v]) return bad(fmt::format("output '{}' is never produced", graph.values[v].name), graph.name);
  }
  return {};
}

}  // namespace hone
