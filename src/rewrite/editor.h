// Rewrites a graph node by node: the nodes of the old graph are copied in order, and new ones are put before, after or in
// place of them. Value ids of the old graph stay valid throughout.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "ir/graph.h"

namespace hone {

class Editor {
 public:
  explicit Editor(const Graph& graph);

  // Copies a node of the old graph; values that were replaced are read by their new ids.
  void copy(Node node);
  // Readers that are copied from now on read `by` in the place of `old`.
  void replace(ValueId old, ValueId by);
  ValueId current(ValueId v) const;

  // New nodes. The result is a new value, or `into` where that is given: a value of the old graph whose producer is left out
  // or renamed, so that its readers need not change. `module` is the path of the node.
  ValueId emit(std::string_view type, std::vector<ValueId> inputs, const std::string& module, Attrs attrs = {}, ValueId into = kNoValue);
  ValueId constant(Tensor tensor, const std::string& name);
  // A name that the graph has already gives that parameter: a module that runs twice declares its adapter once.
  ValueId parameter(const std::string& name, Shape shape, Init init);
  // The producer of `v` writes another value from now on, which is returned; to be called before it is copied.
  ValueId rename_output(Node& node, size_t index = 0);

  const Value& value(ValueId v) const { return graph_.values[v]; }

  // The new graph, typed. State that only left-out nodes read is gone; state that nobody read before stays.
  Result<Graph> finish(const Graph& before);

 private:
  Graph graph_;
  std::map<ValueId, ValueId> replaced_;
};

}  // namespace hone
