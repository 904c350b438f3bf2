// A network of several inputs in parts: what depends on one group of inputs alone, and what joins the groups. A retrieval over
// all pairs of pictures and texts then encodes each once, and runs the joining part alone on pairs.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"
#include "ir/graph.h"

namespace hone {

struct SplitNetwork {
  std::vector<Graph> parts;  // one a group: its inputs -> values that the joint part reads, each with the batch first
  Graph joint;               // the parts' outputs, in order of parts -> the network's outputs
};

// `graph` must be typed, at batch 1; so are the results, and their batch may be bound anew (ir/infer.h). Everything that can be
// computed from one group is: of METER not the encoders alone, but also the first co-attention layers' self-attention.
// Parameters that nothing reads are in no part. Errors (usage): an input that is in no group or in two; an output that one
// group alone decides.
Result<SplitNetwork> split_by_inputs(const Graph& graph, const std::vector<std::vector<std::string>>& groups);

}  // namespace hone
