// A network as a value: typed operators over named values.
//
// Invariants that verify() (ir/verify.h) checks and every function keeps:
//   - nodes are in topological order; each value has at most one producer;
//   - value names are unique and not empty; parameters carry their checkpoint's name (`layer1.0.conv1.weight`);
//   - an operator hone has no rule for keeps its name in `Node::type` and has `def == nullptr`.
// Copying a Graph is cheap: tensors are shared and immutable.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/error.h"
#include "ir/attr.h"
#include "ir/types.h"

namespace hone {

struct OpDef;  // ir/op.h

using ValueId = uint32_t;
using NodeId = uint32_t;
inline constexpr ValueId kNoValue = UINT32_MAX;  // an optional input or output that is left out
inline constexpr NodeId kNoNode = UINT32_MAX;

enum class ValueKind : uint8_t {
  input,      // given by the caller
  parameter,  // trainable, in the checkpoint
  buffer,     // in the checkpoint but not trained (BatchNorm statistics, index tables)
  constant,   // part of the graph, not of the checkpoint
  node,       // produced by a node
};
std::string_view name(ValueKind k);

// How a fresh parameter is filled, for `hone export` without weights and for training from scratch.
struct Init {
  enum class Kind : uint8_t { zeros, ones, constant, normal, truncated_normal, uniform, kaiming_normal, kaiming_uniform, xavier_uniform };
  Kind kind = Kind::zeros;
  float a = 0;  // constant: value; normal: standard deviation; uniform: bound; kaiming_uniform: negative slope
  bool operator==(const Init&) const = default;
};

struct Value {
  std::string name;
  ValueKind kind = ValueKind::node;
  TensorType type;
  NodeId producer = kNoNode;
  std::vector<std::string> dim_names;  // inputs only: a name for each unbound dimension ("" where bound); may be empty
  TensorPtr data;                      // parameter, buffer, constant: contents, if they are known
  Init init;                           // parameter and buffer: how to fill them without data
};

struct Node {
  const OpDef* def = nullptr;  // nullptr: hone has no rule for `type`
  std::string type;            // "Conv", or "domain::Name" outside the default ONNX domain
  std::string name;            // unique where the source had names; may be empty
  std::vector<ValueId> inputs, outputs;
  Attrs attrs;
  uint32_t module = 0;  // index into Graph::modules
};

class Graph {
 public:
  std::string name;
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<ValueId> inputs, outputs;
  // Dotted module paths ("layer1.0.conv1"); entry 0 is the root, "".
  std::vector<std::string> modules{""};
  std::map<std::string, std::string> metadata;  // provenance: producer, source opset, preprocessing, ...

  ValueId add_value(Value value);                     // the name must be new; see unique_name
  NodeId add_node(Node node);                         // sets the producer of its outputs
  ValueId find(std::string_view value_name) const;    // kNoValue when absent
  std::string unique_name(std::string_view wish) const;
  uint32_t module_id(std::string_view path);          // finds or adds

  const Value& value(ValueId id) const { return values[id]; }
  // Parameters and buffers in order of declaration: the network's state dict.
  std::vector<ValueId> state() const;

  // Rebuilds the name index after values were renamed or erased by hand.
  void reindex();

 private:
  std::unordered_map<std::string, ValueId> by_name_;
};

// How often each value is read, by ValueId: once an operand of a node, once an entry of the output list.
std::vector<int> readers(const Graph& graph);
// The graph of the nodes and values that are marked, in their order; ids close up. A node or list that stays may mention
// marked values only.
Graph selected(const Graph& graph, const std::vector<bool>& keep_node, const std::vector<bool>& keep_value);
// Drops nodes whose outputs nobody reads and values nobody mentions (parameters of the state dict stay).
Graph prune(const Graph& graph);
// Drops values that no node, input or output mentions; parameters and buffers stay.
Graph without_unused_values(const Graph& graph);
// True when both have the same inputs, outputs, nodes, attributes, types and contents under the same names.
bool equal(const Graph& a, const Graph& b);

}  // namespace hone
