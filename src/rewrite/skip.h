// Module skipping (Wu et al., "Parameter and Computation Efficient Transfer Learning for Vision-Language Pre-trained
// Models", NeurIPS 2023; official code DoubtedSteam/DAS): which modules of a network can be left out, and the network
// without some of them, with the adapters that the method puts in.
//
// A candidate is a module whose output has the type of its input and is joined with it by an addition inside the module, so
// that replacing the module by its input keeps the graph valid. Numbers of candidates:
//   ViLT            0-11: transformer blocks
//   METER, fusion   0-5: text cross-modal layers; 6-11: image cross-modal layers
//   METER, global   the same, and 12-23: RoBERTa layers
//   other networks  innermost such modules in order of execution
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "ir/graph.h"

namespace hone {

struct SkipCandidate {
  std::string module;              // dotted path
  ValueId input = kNoValue, output = kNoValue;
  std::vector<NodeId> nodes;       // in order of execution
  int64_t macs = 0, params = 0;
  // Parallel adapters of a kept module, one a residual sum in order of execution; empty where the method puts none.
  std::vector<std::string> adapters;
  std::string skip_adapter;        // of a skipped one; "" outside ViLT and METER
  int64_t skip_width = 0;          // its bottleneck
};

// `graph` must be typed. `variant` is "fusion" or "global" for METER and "" elsewhere ("" is METER's "fusion" too).
// Errors: an unknown variant (usage), a network without candidates, a module that runs more than once.
Result<std::vector<SkipCandidate>> skip_candidates(const Graph& graph, std::string_view variant = "");

enum class Adapters : uint8_t {
  das,       // kept candidates get their parallel adapters, skipped ones become x + A(x)
  identity,  // skipped candidates become x, nothing else changes
};

// The network without the candidates numbered in `set`; their parameters are gone. Adapter: scale 1,
// A(x) = up(relu(down(norm(x)))), LayerNorm eps 1e-5, weights N(0, 0.02^2), biases 0; bottleneck an eighth of the width.
// Errors (usage): a number that is no candidate or is given twice; das on a network that the method does not define.
Result<Graph> apply_skips(const Graph& graph, const std::vector<SkipCandidate>& candidates, const std::vector<int64_t>& set, Adapters adapters);

// "2,4,8,9" -> {2, 4, 8, 9}; "" is the empty set.
Result<std::vector<int64_t>> parse_skip_set(std::string_view text);

}  // namespace hone
