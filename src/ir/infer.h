// Shape inference and shape arithmetic over a whole graph.
//
// Only integer and shape arithmetic is folded, never a node that reads a parameter; so no count changes
// (contract, "Constant folding never changes a count").
#pragma once

#include <map>
#include <string>

#include "ir/graph.h"
#include "ir/op.h"

namespace hone {

// Concrete types for graph inputs, by input name. Dimensions not bound keep what the graph declares.
struct Bindings {
  std::map<std::string, Shape> inputs;              // whole shapes; "" names the only (or first) input
  std::optional<int64_t> batch;                     // replaces dimension 0 of every input that has an unbound one or a batch
  std::map<std::string, Known> contents;            // known contents of inputs that operators read as shapes, axes, k ...
};

// Fills in the type of every value, and the contents of those that shape arithmetic determines.
// An output whose rank no rule can tell keeps the rank (not the sizes) that the file states.
// An input that stays without a static shape is an error that names it and shows an example, unless allow_unknown.
struct Inferred {
  Graph graph;                          // the same nodes, values typed
  std::vector<std::optional<Known>> known;  // by ValueId
};
Result<Inferred> infer(Graph graph, const Bindings& bindings = {}, bool allow_unknown = false);

// Contents of a small constant tensor; nothing for large ones, strings and bytes that are not at hand.
std::optional<Known> known_contents(const Tensor& tensor);

// Infers one node of `graph` in place (the builder's step): types of its outputs, and their contents if known.
Status infer_node(Graph& graph, std::vector<std::optional<Known>>& known, NodeId node);

// Marks, by ValueId, the values that are parameters or made from parameters alone.
std::vector<bool> from_parameters(const Graph& graph);

// Counts of one node of a typed graph.
Counts count_node(const Graph& graph, NodeId node, const std::vector<bool>& from_parameters);

}  // namespace hone
