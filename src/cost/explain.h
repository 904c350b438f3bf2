// Why a network has the multiply-adds it has: the formula of each kind of node, with its numbers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cost/profile.h"

namespace hone {

// Nodes of one operator with the same numbers.
struct Explanation {
  std::string op;
  std::string formula;    // "1x64x112x112 outputs x 3x7x7"; the products of all dimensions, added up, are macs_each
  int64_t nodes = 0;
  int64_t macs_each = 0, macs = 0;
};

// Every kind of node that has multiply-adds, by falling sum. `graph` is the typed graph that `profile` is of.
// A formula is given only where it evaluates to the count of the operator's own rule; else it says so.
std::vector<Explanation> explain(const Graph& graph, const Profile& profile);

}  // namespace hone
