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
//   2. names that a table knows (checkpoint_names.h) are translated, stacked matrices cut or joined;
//   3. when that does not fill the graph, both sides are laid side by side in their own order, integers (batch counters,
//      index tables) left out: as many tensors and every shape equal means the same network in the same order;
//   4. else what a table translated stays, if it fills more than half of the graph or is a part of it by design (CLIP in METER).
// Anything else is returned as it came. `how` says in a sentence what was done; "" when nothing was.
struct Renamed {
  NamedTensors tensors;
  std::string how;
};
Renamed to_names_of(const Graph& graph, NamedTensors tensors);

}  // namespace hone
