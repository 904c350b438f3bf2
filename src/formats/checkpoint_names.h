// One network under several libraries' names: tables of names, and checkpoints carried from one column to another.
#pragma once

#include <cstddef>
#include <optional>

#include "formats/checkpoint.h"

namespace hone {

// The tensors under the graph's names, where a table (checkpoint_names.cpp) knows the checkpoint's library and the
// graph's. Of all pairs of columns the one that fills most of the graph is taken, and only when it fills more of it than
// `found`, the number of float tensors that the checkpoint already has under the graph's names.
// Stacked matrices (query, key and value in one) are cut or joined along dimension 0, as views where possible; a
// shape may differ where a reshape mends it (a matrix for a convolution). A tensor of another size that is neither cut nor
// joined is renamed too: whoever binds it resizes it or says what is wrong. What no row mentions keeps its name.
struct Translation {
  Renamed renamed;
  size_t filled = 0;  // float tensors of the graph that were found and fit
  bool part = false;  // the checkpoint is one of a part of the network (an encoder of METER)
};
std::optional<Translation> translated(const Graph& graph, const NamedTensors& tensors, size_t found);

}  // namespace hone
