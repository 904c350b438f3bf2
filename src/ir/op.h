// One operator, one home: src/ir/ops/<family>.cpp holds its attributes, shape rule, cost rule and test samples, and
// src/ir/ops/table.cpp lists it in one line. The IR speaks ONNX's newest opset (axes are inputs, and so on);
// formats/onnx lifts older forms on reading and lowers them on writing.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/checked.h"
#include "core/error.h"
#include "ir/graph.h"

namespace hone {

// What a node does, in exact integers per run of the graph. Units: elements, except macs (multiply-adds).
// `docs/counting.md` explains each; contract names are the same.
struct Counts {
  Int macs_conv, macs_linear, macs_matmul;           // products: convolution, with a parameter, between activations
  Int conv_bias_adds, linear_bias_adds;
  Int acts_conv, acts_linear, acts_matmul;           // output elements of those
  Int maxpool_out;                                   // output elements of max pools
  Int bn_elements, ln_elements, gn_elements;         // output elements of batch, layer, and group or instance norms
  Int softmax_elements;                              // output elements
  Int activation_elements;                           // outputs of ReLU, SiLU, GELU, sigmoid, tanh, ... (softmax not)
  Int pool_inputs;                                   // input elements of average and max pools, global ones included
  Int adaptive_pool_inputs;                          // input elements of adaptive (global) average pools

  Int macs() const { return macs_conv + macs_linear + macs_matmul; }
  Int acts() const { return acts_conv + acts_linear + acts_matmul; }
  Counts& operator+=(const Counts& o);
  bool ok() const;  // no sum has overflowed
};

// Small tensor whose contents are known while shapes are inferred (shape arithmetic). Unknown elements hold
// kUnknownElement; tensors above kMaxKnown elements are not tracked.
inline constexpr int64_t kUnknownElement = INT64_MIN;
inline constexpr int64_t kMaxKnown = 4096;
struct Known {
  DType dtype = DType::i64;
  Shape shape;
  std::vector<int64_t> ints;    // integers and bools
  std::vector<double> floats;   // floating point types
  bool is_float() const { return hone::is_float(dtype); }
  size_t size() const { return is_float() ? floats.size() : ints.size(); }
};

// What a shape rule sees of its node. Inputs that are left out have has_input() == false.
class InferContext {
 public:
  virtual ~InferContext() = default;
  virtual const Node& node() const = 0;
  virtual const TensorType& input(size_t i) const = 0;   // a default TensorType when left out
  virtual const Known* known(size_t i) const = 0;        // contents of input i, or nullptr
  virtual void set_output(size_t i, TensorType type) = 0;
  virtual void set_known(size_t i, Known contents) = 0;  // contents of output i; set_output first

  const Attrs& attrs() const { return node().attrs; }
  size_t num_inputs() const { return node().inputs.size(); }
  size_t num_outputs() const { return node().outputs.size(); }
  bool has_input(size_t i) const { return i < num_inputs() && node().inputs[i] != kNoValue; }
  bool has_output(size_t i) const { return i < num_outputs() && node().outputs[i] != kNoValue; }
  // Error that names the node: "Conv 'layer1.0.conv1': <message>".
  tl::unexpected<Error> fail(std::string message, std::string hint = {}) const;
};

// What a cost rule sees: concrete types (every dimension known) and where each input comes from.
class CostContext {
 public:
  virtual ~CostContext() = default;
  virtual const Node& node() const = 0;
  virtual const TensorType& input(size_t i) const = 0;
  virtual const TensorType& output(size_t i) const = 0;
  // True when input i is a parameter, or was made from parameters alone (a transposed weight).
  virtual bool from_parameters(size_t i) const = 0;

  const Attrs& attrs() const { return node().attrs; }
  bool has_input(size_t i) const { return i < node().inputs.size() && node().inputs[i] != kNoValue; }
  Int elements_in(size_t i) const;
  Int elements_out(size_t i = 0) const;
};

struct AttrSpec {
  std::string_view name;
  AttrKind kind;
  bool required = false;
};

// A case for generic tests: verify, infer, cost, print and parse, ONNX round trip, later lowering and gradients.
struct Sample {
  std::string label;
  std::vector<TensorType> inputs;       // dtype undefined: left out
  std::vector<std::optional<Known>> contents;  // for inputs that the shape rule reads; may be shorter than inputs
  Attrs attrs;
  std::vector<TensorType> outputs;      // expected
  std::optional<Counts> counts;         // expected, when the operator counts anything
  std::vector<bool> parameter;          // which inputs are parameters; may be shorter than inputs
};

struct OpDef {
  std::string_view name;        // ONNX name; hone's own operators are "hone::Name"
  int min_inputs, max_inputs;   // max -1: any number
  int min_outputs, max_outputs;
  std::vector<AttrSpec> attrs;
  Status (*infer)(InferContext&);
  Counts (*cost)(const CostContext&);   // nullptr: costs nothing that is counted
  std::vector<Sample> (*samples)();     // nullptr: none yet
  // For the memory plan: output 0 may reuse the memory of input 0 (same size and type).
  bool in_place = false;
};

const OpDef* find_op(std::string_view type);   // nullptr when hone has no rule
std::span<const OpDef> all_ops();              // sorted by name

}  // namespace hone
