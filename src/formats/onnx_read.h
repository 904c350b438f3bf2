// ONNX files as graphs. Operator sets 7 to 28 are lifted to the newest form (onnx_lift.h), so that every other room knows
// one form of each operator. Weights stay views into the mapped file and are not read.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/error.h"
#include "ir/graph.h"

namespace hone {

// Initialisers become parameters, buffers or constants (onnx_parameters.h); Constant nodes become constants; functions
// that the model defines are inlined. Nodes get module paths (onnx_modules.h). Operators without a rule stay as nodes.
// Refused by name: control flow, sequences, optionals, maps, sparse tensors, training information.
// External data is looked for in the folder of `path`; where such a file is absent, tensors have a size and no bytes,
// which is enough to count.
// Errors name the file and the byte or the node.
Result<Graph> read_onnx(const std::string& path);

// The same from memory that `owner` keeps alive (nothing: the caller does, for as long as the graph lives). `source`
// names it in messages. External data is not opened: those values have no contents.
Result<Graph> read_onnx_bytes(std::string_view bytes, std::shared_ptr<const void> owner, const std::string& source);

// A tensor in a file of its own, as ONNX test data has them (input_0.pb); sequences and optionals are refused.
Result<Tensor> read_onnx_tensor(const std::string& path);

}  // namespace hone
