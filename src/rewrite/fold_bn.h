// Batch normalisation folded into the layer before it, for inference.
//
// With gamma, beta, mean, variance and epsilon of the norm and s = gamma / sqrt(variance + epsilon), per output channel:
//   weight' = weight * s,   bias' = beta + (bias - mean) * s
// so that norm(layer(x)) = layer'(x) up to rounding. Computed in double, stored in the weight's own type.
#pragma once

#include <cstdint>

#include "ir/graph.h"

namespace hone {

struct Folded {
  Graph graph;
  int64_t folded = 0, kept = 0;  // norms that are gone, norms that stay
};

// Folds each BatchNormalization in inference mode that alone reads the output of a Conv, ConvTranspose, Gemm or dense layer
// whose weight and bias nobody else reads; between a dense layer and its norm a reshape may make rows of tokens (LeViT). The others stay (a norm before its layer, a shared weight). A layer that gets a
// bias gets it as "<layer>.bias"; the norm's parameters and buffers leave the graph.
// Fails when a norm that could be folded, or its layer, has no contents: bind weights first.
Result<Folded> fold_batch_norm(const Graph& graph);

}  // namespace hone
