// A checkpoint of any format, and its tensors under a graph's own names.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "ir/graph.h"

namespace hone {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

// A safetensors file, or a torch.save archive (which is a zip file: told apart by its first bytes).
Result<NamedTensors> read_checkpoint(const std::string& path);

// Names of another library, brought to the graph's where that is safe:
//   1. a prefix that every tensor has ("module.", "model.", "_orig_mod.") is dropped when that makes names match;
//   2. when still less than all match, both sides are laid side by side in their own order, batch counters left out:
//      if there are as many tensors and every shape is equal, they are the same network in the same order.
// Anything else is returned as it came. `how` says in a sentence what was done; "" when nothing was.
struct Renamed {
  NamedTensors tensors;
  std::string how;
};
Renamed to_names_of(const Graph& graph, NamedTensors tensors);

}  // namespace hone
