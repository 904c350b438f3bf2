// A sample of an operator as a graph of one node: parameters where the sample says so, graph inputs otherwise, known
// contents as bindings.
#pragma once

#include "ir/graph.h"
#include "ir/infer.h"
#include "ir/op.h"

namespace hone {

struct Case {
  Graph graph;
  Bindings bindings;
};

inline Case build(const OpDef& def, const Sample& s) {
  Case c;
  Node node;
  node.def = &def;
  node.type = def.name;
  node.attrs = s.attrs;
  for (size_t i = 0; i < s.inputs.size(); ++i) {
    if (s.inputs[i].dtype == DType::undefined) {
      node.inputs.push_back(kNoValue);
      continue;
    }
    Value v;
    v.name = "in" + std::to_string(i);
    v.type = s.inputs[i];
    v.kind = i < s.parameter.size() && s.parameter[i] ? ValueKind::parameter : ValueKind::input;
    if (i < s.contents.size() && s.contents[i]) c.bindings.contents[v.name] = *s.contents[i];
    const bool input = v.kind == ValueKind::input;
    const ValueId id = c.graph.add_value(std::move(v));
    if (input) c.graph.inputs.push_back(id);
    node.inputs.push_back(id);
  }
  for (size_t i = 0; i < s.outputs.size(); ++i) {
    Value v;
    v.name = "out" + std::to_string(i);
    const ValueId id = c.graph.add_value(std::move(v));
    node.outputs.push_back(id);
    c.graph.outputs.push_back(id);
  }
  c.graph.add_node(std::move(node));
  return c;
}

}  // namespace hone
