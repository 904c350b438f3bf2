#include "formats/onnx_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>

#include "formats/onnx_read.h"
#include "ir/infer.h"
#include "ir/verify.h"

namespace hone {

namespace fs = std::filesystem;

namespace {

using Tensors = std::map<size_t, Tensor>;

// "output_12.pb" -> 12 for prefix "output_".
std::optional<size_t> number_in(const std::string& name, std::string_view prefix) {
  if (name.size() <= prefix.size() + 3 || !name.starts_with(prefix) || !name.ends_with(".pb")) return std::nullopt;
  size_t n = 0;
  const char* end = name.data() + name.size() - 3;
  const auto [next, ec] = std::from_chars(name.data() + prefix.size(), end, n);
  return ec == std::errc() && next == end ? std::optional(n) : std::nullopt;
}

Result<Tensors> recorded(const std::string& folder, std::string_view prefix, size_t limit) {
  Tensors out;
  std::error_code ec;
  for (fs::directory_iterator files(folder, ec), end; files != end; files.increment(ec)) {
    if (ec) break;
    const auto n = number_in(files->path().filename().string(), prefix);
    if (!n) continue;
    if (*n >= limit) return fail(Code::invalid, fmt::format("is recorded, but the graph has {} of them", limit), files->path().string());
    HONE_TRY_ASSIGN(out[*n], read_onnx_tensor(files->path().string()));
  }
  if (ec) return fail(Code::io, "cannot read the folder: " + ec.message(), folder);
  return out;
}

// What a file that holds `found` records for a value of type `expected`: test data made before ONNX 1.13 keeps bf16 as
// the u16 of its bits.
DType recorded_type(DType found, DType expected) { return found == DType::u16 && expected == DType::bf16 ? expected : found; }

bool allowed(const TensorType& declared, const Tensor& tensor) {
  const Shape& shape = declared.ranked ? declared.shape : tensor.shape;
  return agrees(TensorType(tensor.dtype, shape), TensorType(tensor.dtype, tensor.shape));
}

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
  HONE_TRY_ASSIGN(Tensors inputs, recorded(folder, "input_", graph.inputs.size()));
  HONE_TRY_ASSIGN(const Tensors outputs, recorded(folder, "output_", graph.outputs.size()));
  if (outputs.empty()) return fail(Code::not_found, "holds no recorded outputs", folder, "a folder with input_N.pb and output_N.pb was expected");

  Bindings bindings;
  for (auto& [i, tensor] : inputs) {
    const Value& input = graph.value(graph.inputs[i]);
    tensor.dtype = recorded_type(tensor.dtype, input.type.dtype);
    if (input.type.dtype != DType::undefined && tensor.dtype != input.type.dtype)
      return fail(Code::invalid, fmt::format("input {} is recorded as {}, but '{}' is declared as {}", i, name(tensor.dtype), input.name, to_string(input.type)), folder);
    if (!allowed(input.type, tensor)) continue;
    bindings.inputs[input.name] = tensor.shape;
    if (auto contents = known_contents(tensor)) bindings.contents[input.name] = std::move(*contents);
  }
  // What the file declares about its results must not stand in for what the rules infer.
  Graph bare = graph;
  for (Value& v : bare.values)
    if (v.kind == ValueKind::node) v.type = {};
  HONE_TRY_ASSIGN(const Inferred inferred, infer(std::move(bare), bindings, true));
  for (const auto& [i, tensor] : outputs) {
    const Value& output = inferred.graph.value(graph.outputs[i]);
    ShapeCheck::Output line{output.name, output.type, TensorType(recorded_type(tensor.dtype, output.type.dtype), tensor.shape)};
    line.ok = agrees(line.inferred, line.recorded);
    check.outputs.push_back(std::move(line));
  }
  return check;
}

Result<RecordedCase> read_case(const Graph& graph, const std::string& folder) {
  RecordedCase out{std::vector<std::optional<Tensor>>(graph.inputs.size()), std::vector<std::optional<Tensor>>(graph.outputs.size())};
  HONE_TRY_ASSIGN(Tensors inputs, recorded(folder, "input_", graph.inputs.size()));
  HONE_TRY_ASSIGN(Tensors outputs, recorded(folder, "output_", graph.outputs.size()));
  if (outputs.empty()) return fail(Code::not_found, "holds no recorded outputs", folder, "a folder with input_N.pb and output_N.pb was expected");
  const auto take = [&](Tensors& from, const std::vector<ValueId>& ids, std::vector<std::optional<Tensor>>& to) {
    for (auto& [i, tensor] : from) {
      tensor.dtype = recorded_type(tensor.dtype, graph.value(ids[i]).type.dtype);
      to[i] = std::move(tensor);
    }
  };
  take(inputs, graph.inputs, out.inputs);
  take(outputs, graph.outputs, out.outputs);
  return out;
}

}  // namespace hone
