// Recorded cases: a folder with input_0.pb, input_1.pb, ... and output_0.pb, ... as ONNX test data has them. Checking
// the shapes of a case runs nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "ir/graph.h"

namespace hone {

struct ShapeCheck {
  struct Output {
    std::string name;
    TensorType inferred, recorded;
    bool ok = false;
  };
  std::vector<Output> outputs;
  std::vector<std::string> unsupported;  // "Op: reason", each once; then no outputs are compared
  bool ok() const;                       // nothing unsupported, and every output agrees
};

// True when element types agree and the shapes do; a dimension that depends on data (kUnknown) agrees with anything, a
// rank that is not known with nothing.
bool agrees(const TensorType& inferred, const TensorType& recorded);

// Operators of the graph that have no rule, as "Op: reason".
std::vector<std::string> unsupported_operators(const Graph& graph);

// Infers `graph` for the recorded inputs in `folder` and compares its outputs with the recorded ones. File k belongs to the
// k-th graph input or output; numbers may be missing, where an optional input was left out. What a small input holds is
// known while shapes are inferred, as if it were a constant: operators read it as shape, axes, sizes, steps or k. A
// recorded input that contradicts the graph's declaration gives way to it (some of ONNX's own data does).
// Errors: a folder without recorded outputs, a broken file, a graph whose shapes cannot be inferred.
Result<ShapeCheck> check_shapes(const Graph& graph, const std::string& folder);

// What a folder records: by position of the graph's inputs and outputs, nothing where a file is missing. Types are the
// graph's where the files hold bits of another name (bf16 as u16). Errors as above.
struct RecordedCase {
  std::vector<std::optional<Tensor>> inputs, outputs;
};
Result<RecordedCase> read_case(const Graph& graph, const std::string& folder);

}  // namespace hone
