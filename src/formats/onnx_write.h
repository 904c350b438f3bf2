// Graphs as ONNX files of opset 7 to 28, for other programs to run. What hone knows beyond ONNX (module paths, which
// initialisers are buffers, how fresh ones are filled) goes into metadata entries that others ignore (onnx_marks.h), so
// that at the newest opset read_onnx() gives the same graph again, for graphs in ONNX's own operators.
#pragma once

#include <cstdint>
#include <string>

#include "core/error.h"
#include "ir/graph.h"

namespace hone {

struct OnnxOptions {
  int64_t opset = 17;
  bool external_data = false;  // weights in PATH.data beside the model; always so above 2 GB, protobuf's limit
  bool force = false;          // overwrite existing files
};

// Writes PATH whole or not at all (and before it PATH.data). `graph` must be typed, so that operators can be spelled out for older
// opsets, and every parameter that a node reads must have contents. State that no node reads (num_batches_tracked) is
// left out. Fails (Code::unsupported) on operators that the opset cannot say: the error names node and opset.
Status write_onnx(const Graph& graph, const std::string& path, const OnnxOptions& options = {});

// The model as one message with the weights inside; fails above 2 GB.
Result<std::string> onnx_message(const Graph& graph, int64_t opset = 17);

}  // namespace hone
