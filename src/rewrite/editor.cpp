#include "rewrite/editor.h"

#include <fmt/format.h>

#include <set>

#include "ir/infer.h"
#include "ir/op.h"

namespace hone {

Editor::Editor(const Graph& graph) : graph_(graph) { graph_.nodes.clear(); }

void Editor::copy(Node node) {
  for (ValueId& v : node.inputs)
    if (v != kNoValue) v = current(v);
  graph_.add_node(std::move(node));
}

void Editor::replace(ValueId old, ValueId by) { replaced_[old] = by; }

ValueId Editor::current(ValueId v) const {
  for (auto it = replaced_.find(v); it != replaced_.end(); it = replaced_.find(v)) v = it->second;
  return v;
}

ValueId Editor::emit(std::string_view type, std::vector<ValueId> inputs, const std::string& module, Attrs attrs, ValueId into) {
  Node n;
  n.type = type;
  n.def = find_op(type);
  for (ValueId& v : inputs)
    if (v != kNoValue) v = current(v);
  if (into == kNoValue) {
    Value v;
    v.name = graph_.unique_name(fmt::format("{}/{}", module, type.substr(type.rfind(':') + 1)));
    into = graph_.add_value(std::move(v));
  }
  n.name = graph_.values[into].name;
  n.inputs = std::move(inputs);
  n.outputs = {into};
  n.attrs = std::move(attrs);
  n.module = graph_.module_id(module);
  graph_.add_node(std::move(n));
  return into;
}

ValueId Editor::constant(Tensor tensor, const std::string& name) {
  Value v;
  v.name = graph_.unique_name(name);
  v.kind = ValueKind::constant;
  v.type = TensorType(tensor.dtype, tensor.shape);
  v.data = std::make_shared<const Tensor>(std::move(tensor));
  return graph_.add_value(std::move(v));
}

ValueId Editor::parameter(const std::string& name, Shape shape, Init init) {
  if (const ValueId old = graph_.find(name); old != kNoValue) return old;
  Value v;
  v.name = name;
  v.kind = ValueKind::parameter;
  v.type = TensorType(DType::f32, std::move(shape));
  v.init = init;
  return graph_.add_value(std::move(v));
}

ValueId Editor::rename_output(Node& node, size_t index) {
  Value v;
  v.name = graph_.unique_name(graph_.values[node.outputs[index]].name + "/kept");
  v.type = graph_.values[node.outputs[index]].type;
  return node.outputs[index] = graph_.add_value(std::move(v));
}

Result<Graph> Editor::finish(const Graph& before) {
  for (ValueId& v : graph_.outputs) v = current(v);
  std::vector<bool> was_read(before.values.size());
  for (const Node& n : before.nodes)
    for (ValueId v : n.inputs)
      if (v != kNoValue) was_read[v] = true;
  const Graph pruned = prune(graph_);  // also without nodes in front of a left-out module that nobody needs any more
  std::set<std::string_view> kept;
  for (const Node& n : pruned.nodes)
    for (ValueId v : n.inputs)
      if (v != kNoValue) kept.insert(pruned.values[v].name);
  for (ValueId v = 0; v < before.values.size(); ++v) {
    const Value& value = before.values[v];
    const bool state = value.kind == ValueKind::parameter || value.kind == ValueKind::buffer;
    if (state && was_read[v] && !kept.count(value.name)) graph_.values[v].kind = ValueKind::constant;
  }
  HONE_TRY_ASSIGN(Inferred typed, infer(prune(graph_)));
  return std::move(typed.graph);
}

}  // namespace hone
