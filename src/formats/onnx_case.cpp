#include "formats/onnx_case.h"

#include <fmt/format.h>

#include <algorithm>

#include "formats/onnx_read.h"
#include "ir/infer.h"
#include "ir/verify.h"

namespace hone {

namespace {

// What a file that holds `found` records for a value of type `expected`: test data made before ONNX 1.13 keeps bf16 as
// the u16 of its bits.
DType recorded_type(DType found, DType expected) { return found == DType::u16 && expected == DType::bf16 ? expected : found; }

}  // namespace

bool ShapeCheck::ok() const { return unsupported.empty() && std::ranges::all_of(outputs, &Output::ok); }

bool agrees(const TensorType& inferred, const TensorType& recorded) {
  if (inferred.dtype != recorded.dtype || !inferred.ranked || inferred.shape.size() != recorded.shape.size()) return false;
  for (size_t i = 0; i < inferred.shape.size(); ++i)
    if (inferred.shape[i] != kUnknown && inferred.shape[i] != recorded.shape[i]) return false;
  return true;
}

std::vector<std::string> unsupported_operators(const Graph& graph) {
  std::vector<std::string> out;
  for (const Node& node : graph.nodes) {
    if (node.def) continue;
    std::string line = node.type + ": hone has no rule for it";
    if (std::ranges::find(out, line) == out.end()) out.push_back(std::move(line));
  }
  return out;
}

Result<ShapeCheck> check_shapes(const Graph& graph, const std::string& folder) {
  ShapeCheck check;
  check.unsupported = unsupported_operators(graph);
  if (!check.unsupported.empty()) return check;
  HONE_TRY(verify(graph));

  Bindings bindings;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const Value& input = graph.value(graph.inputs[i]);
    const std::string path = fmt::format("{}/input_{}.pb", folder, i);
    HONE_TRY_ASSIGN(Tensor tensor, read_onnx_tensor(path));
    tensor.dtype = recorded_type(tensor.dtype, input.type.dtype);
    if (input.type.dtype != DType::undefined && tensor.dtype != input.type.dtype)
      return fail(Code::invalid, fmt::format("holds {}, but input '{}' is declared as {}", name(tensor.dtype), input.name, to_string(input.type)), path);
    if (!agrees(TensorType(tensor.dtype, input.type.ranked ? input.type.shape : tensor.shape), TensorType(tensor.dtype, tensor.shape)))
      return fail(Code::invalid, fmt::format("holds {}, but input '{}' is declared as {}", to_string(tensor.shape), input.name, to_string(input.type)), path);
    bindings.inputs[input.name] = tensor.shape;
    if (auto contents = known_contents(tensor)) bindings.contents[input.name] = std::move(*contents);
  }
  // What the file declares about its results must not stand in for what the rules infer.
  Graph bare = graph;
  for (Value& v : bare.values)
    if (v.kind == ValueKind::node) v.type = {};
  HONE_TRY_ASSIGN(const Inferred inferred, infer(std::move(bare), bindings));
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const Value& output = inferred.graph.value(graph.outputs[i]);
    HONE_TRY_ASSIGN(const Tensor tensor, read_onnx_tensor(fmt::format("{}/output_{}.pb", folder, i)));
    ShapeCheck::Output line{output.name, output.type, TensorType(recorded_type(tensor.dtype, output.type.dtype), tensor.shape)};
    line.ok = agrees(line.inferred, line.recorded);
    check.outputs.push_back(std::move(line));
  }
  return check;
}

}  // namespace hone
