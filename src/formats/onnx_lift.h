// From an operator set as old as 7 to the newest: each change of an operator between two versions is one small
// function in a table (onnx_lift.cpp); onnx_lower.h is the way back.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "ir/graph.h"
#include "ir/op.h"

namespace hone::onnx {

// A node on its way into `graph`: its inputs and outputs exist, the node itself is not added yet.
class Lifting {
 public:
  // How far types are inferred already; one for all nodes of a graph.
  struct Progress {
    std::vector<std::optional<Known>> known;
    size_t values = 0, nodes = 0;
  };
  Lifting(Graph& graph, Progress& progress) : graph(graph), progress_(progress) {}

  Graph& graph;
  int64_t opset = 0;
  Node node;

  // Type of input i as far as shape rules can tell at this point; nodes so far are inferred when first asked.
  TensorType input_type(size_t i);
  bool has_input(size_t i) const { return i < node.inputs.size() && node.inputs[i] != kNoValue; }
  // Contents of input i when it is a constant; nullptr otherwise.
  const Tensor* constant_input(size_t i) const;
  void set_input(size_t i, ValueId v);
  // A new constant, named after the node's first output.
  ValueId constant(Tensor tensor, std::string_view what);
  // Adds a node before this one, in the same module.
  ValueId emit(std::string_view type, std::vector<ValueId> inputs, Attrs attrs, std::string_view what);
  // The attribute as a constant input, where it is present.
  void attribute_to_input(std::string_view attribute, size_t input);
  tl::unexpected<Error> unsupported(std::string message) const;

 private:
  std::string new_name(std::string_view what) const;
  Progress& progress_;
};

// Brings lifting.node from lifting.opset to the newest form.
Status lift(Lifting& lifting);

// A rank-0 tensor of a floating point type; f32 where `dtype` is not one.
Tensor real_scalar(DType dtype, float value);

}  // namespace hone::onnx
