// A network as an encoder: without its classifier, pooled, on the unit sphere.
#pragma once

#include <cstdint>
#include <string_view>

#include "ir/graph.h"

namespace hone {

enum class Pool : uint8_t { max, average };
std::string_view name(Pool pool);

// From the first output backwards: softmax, dropout and a dense layer with parameters (the classifier) go, with the
// parameters that only they read; then, as far as only pools and reshapes follow, everything behind the last feature map.
// What is left ends in
//   N x C x H x W   global pool, N x C        (spec of the sketch method, 1.1: features, global pooling, flatten)
//   N x T x C       mean or maximum over tokens
//   N x C           as it is
// followed by division by the Euclidean norm. One output, "embedding".
// `graph` must be typed, and so is the result. Errors: no output, an output of another rank.
Result<Graph> embedding_network(Graph graph, Pool pool);

}  // namespace hone
