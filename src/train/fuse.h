// Groups of nodes that one step does faster than the nodes one by one.
#pragma once

#include <vector>

#include "train/lower.h"

namespace hone::train {

// One group: its nodes, and the step that replaces them. Frame positions follow `inputs` and `outputs`. Values that the
// group's nodes hand to each other and that are not among `outputs` must have no reader outside the group. The step runs
// where the group's last node stood.
struct Fused {
  std::vector<NodeId> nodes;
  std::vector<ValueId> inputs, outputs;
  Step step;
};

// Disjoint groups of `graph`; called once at compile, when CompileOptions::fuse is set. `constants` by ValueId, undefined
// where a value is not a constant.
std::vector<Fused> fuse(const Graph& graph, const CompileOptions& options, const std::vector<at::Tensor>& constants);

}  // namespace hone::train
