// Puts back together what exporters scatter over many nodes, so that a profile speaks of Linear, LayerNormalization,
// Gelu, HardSwish, Swish and Attention. MACs, parameters and activations stay the same to the integer; norms and
// activation functions become countable. A node whose last reader a pattern took goes;
// one that nobody ever read stays, as the file has it.
//
// Every intermediate value must have one reader inside its pattern, so nothing is ever counted twice or lost.
#pragma once

#include "ir/graph.h"

namespace hone {

// `graph` must be typed (ir/infer.h); so is the result.
Graph recognise(const Graph& graph);

}  // namespace hone
