// From the newest operator set down to one as old as 7, for writing: the way back of onnx_lift.h, and operators that
// the older set does not have spelled out in those it has (onnx_lower_compose.cpp).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "ir/graph.h"

namespace hone::onnx {

// The graph in the forms of `opset`; its nodes are ONNX's own (hone::Linear becomes Gemm or MatMul) and fit that version,
// not the definitions in ir/ops. Fails (Code::unsupported) on what the version cannot say: the error names the node and
// the opset that it needs.
Result<Graph> lower(const Graph& graph, int64_t opset);

// What a rule works on: one node of the graph, and the nodes written so far.
class Lowering {
 public:
  Lowering(const Graph& graph, int64_t opset);
  Result<Graph> run();

  const int64_t opset;
  Node node;

  bool has_input(size_t i) const { return i < node.inputs.size() && node.inputs[i] != kNoValue; }
  ValueId input(size_t i) const { return has_input(i) ? node.inputs[i] : kNoValue; }
  TensorType input_type(size_t i) const { return has_input(i) ? graph_.values[node.inputs[i]].type : TensorType(); }
  const TensorType& output_type() const { return graph_.values[node.outputs[0]].type; }
  bool reads_output(size_t i) const { return i < node.outputs.size() && node.outputs[i] != kNoValue; }
  // Contents of a constant input; nullptr when it is left out, computed or without bytes.
  const Tensor* constant_input(size_t i) const;
  void set_input(size_t i, ValueId v);

  // New values, named after the node's first output. Emitted nodes are lowered in turn.
  ValueId constant(Tensor tensor, std::string_view what);
  ValueId scalar(float value, std::string_view what);  // of the element type of input 0
  Result<ValueId> emit(std::string_view type, std::vector<ValueId> inputs, Attrs attrs, std::string_view what, TensorType made);
  // The same with element type and shape of input 0.
  Result<ValueId> emit(std::string_view type, std::vector<ValueId> inputs, Attrs attrs, std::string_view what) { return emit(type, std::move(inputs), std::move(attrs), what, input_type(0)); }
  // Makes the node itself another one; its outputs stay.
  void become(std::string_view type, std::vector<ValueId> inputs, Attrs attrs = {});
  // A stored matrix in transposed order under a name of its own, when this node alone reads it; kNoValue otherwise.
  ValueId transposed_parameter(ValueId v);

  // "Pad: <what> needs opset 18".
  tl::unexpected<Error> needs(int64_t version, std::string_view what) const;

 private:
  Status add(Node added);
  Status check_attributes() const;
  Status check_types() const;
  ValueId refused_operand(const struct OperandTypes& row) const;
  std::string new_name(std::string_view what) const;

  Graph graph_;  // the result under construction; values keep their ids
  std::vector<Node> source_;
  std::vector<int> readers_;       // how many inputs and outputs mention each value
  int depth_ = 0;
};

// Rules: each brings a node one step down; the driver applies those of the node's operator whose version is above the
// opset, newest first, and again to what they emit.
struct Lower {
  std::string_view type;
  int64_t version;
  Status (*apply)(Lowering&);
};
std::vector<Lower> form_rules();     // onnx_lower_forms.cpp: attributes instead of inputs, ...
std::vector<Lower> compose_rules();  // onnx_lower_compose.cpp: operators spelled out in others

// The operator set that brought an operator in; 1 for those of the beginnings and for other domains' (onnx_since.cpp).
int64_t operator_since(std::string_view type);
// The first operator set in which the attribute exists, and the value that says what older sets do without it.
struct AttributeSince {
  std::string_view type, attribute;
  int64_t version;
  Attr neutral;
};
const std::vector<AttributeSince>& attributes_since();

// The element types that an operator takes and gives from an operator set on: bit n of a mask stands for the n-th element
// type of TensorProto (DType has the same numbers). `masks` holds the inputs', then the outputs'; the last of either also
// speaks for those after it (variadic). 0: no tensor, or whatever ONNX does not restrict.
struct OperandTypes {
  std::string_view type;
  int64_t version;
  uint8_t inputs, outputs;
  std::array<uint32_t, 14> masks;
};
// Every row of an operator, oldest first (onnx_types.cpp); none for operators of other domains.
std::span<const OperandTypes> operand_types(std::string_view type);

}  // namespace hone::onnx
