// The form of a network that inference engines run best: what training needs and inference does not is gone, and what an
// engine fuses stands as it looks for it. Same inputs, outputs and results up to rounding; nodes that stay keep their
// names, so that times and differences can be traced to the network.
#pragma once

#include "ir/graph.h"

namespace hone {

// Batch norms folded into the layer before (rewrite/fold_bn.h). `graph` must be typed, its parameters with contents.
Result<Graph> engine_form(const Graph& graph);

}  // namespace hone
