// Checks the invariants of graph.h and each node against its operator's definition: arity, attribute names and kinds.
#pragma once

#include "ir/graph.h"

namespace hone {
Status verify(const Graph& graph);
}
