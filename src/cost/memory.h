// Peak activation memory of a network from a liveness plan: what an engine needs beside the weights when it runs the
// nodes in their order and frees each tensor after its last use.
//
// Rules, in bytes of the tensors' own element types:
//   - parameters, buffers, constants and what is computed from them or from shapes alone are not activations;
//   - a graph input lives from the start to its last use, a graph output until the end;
//   - views (Reshape, Flatten, Squeeze, Unsqueeze, Identity, Dropout) share the memory of what they look at;
//   - an operator marked in_place (ir/op.h) writes over its first input when nobody reads that memory afterwards and the
//     sizes agree; a graph input is the caller's and is never written over;
//   - an operator's inputs and outputs are alive together; scratch memory inside a kernel is not counted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "ir/graph.h"

namespace hone {

struct LiveTensor {
  ValueId value = kNoValue;  // first value that occupied this memory
  int64_t bytes = 0;
};

struct MemoryPlan {
  int64_t peak_bytes = 0;
  NodeId peak_node = kNoNode;      // first node at which the peak is reached; kNoNode in a graph without nodes
  std::vector<LiveTensor> live;    // what is alive there, largest first
  int64_t unsized = 0;             // tensors whose size depends on data; they count 0
};

// `graph` must be typed. Fails when the sum does not fit 64 bits.
Result<MemoryPlan> plan_memory(const Graph& graph);

}  // namespace hone
