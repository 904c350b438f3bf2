// Module skipping (Wu et al., "Parameter and Computation Efficient Transfer Learning for Vision-Language Pre-trained
// Models", NeurIPS 2023; official code DoubtedSteam/DAS): which modules of a network can be left out. The network without
// some of them, and what is put in their place, is rewrite/adapters.h; sets as files, rewrite/skip_set.h.
//
// A candidate is a module with parameters whose output has the type of its input, which an addition inside the module joins with
// a branch that was made of it, so that replacing the module by its input keeps the graph valid. Numbers of candidates, by variant:
//   ViLT                0-11: transformer blocks
//   METER, "fusion"     0-5: text cross-modal layers; 6-11: image cross-modal layers
//   METER, "global"     the same, and 12-23: RoBERTa layers
//   other networks      innermost such modules in order of execution
//   any, "attention"    attentions alone (Wu et al. 2024, "Not All Attention is Needed", EAS): each residual sum of a candidate
//                       whose branch holds an attention. METER: 0-5 text self-, 6-11 text cross-, 12-17 image self-, 18-23
//                       image cross-attention
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "ir/graph.h"

namespace hone {

// One addition inside a module that joins the stream of tokens or maps with what a branch made of it.
struct ResidualSum {
  NodeId sum = kNoNode;
  NodeId norm = kNoNode;       // post-norm networks (BERT): the norm that alone reads the sum
  ValueId stream = kNoValue;   // operand that is the stream
  ValueId branch = kNoValue;   // the other operand
  NodeId attention = kNoNode;  // in the branch, the one closest to the sum
  ValueId out(const Graph& g) const { return g.nodes[norm == kNoNode ? sum : norm].outputs[0]; }
};

// One run of a module: it has several where the network runs it again with the same parameters (NLVR2's second image).
struct SkipPass {
  ValueId input = kNoValue, output = kNoValue;  // of one type
  std::vector<NodeId> nodes;                    // in order of execution
  std::vector<ResidualSum> sums;                // along the stream, at least one
};

struct SkipCandidate {
  std::string module;            // dotted path
  std::vector<SkipPass> passes;
  int64_t macs = 0, params = 0;  // of all passes
  int64_t width = 0;             // channels of the stream
  bool map = false;              // N x C x H x W; else channels come last
  // Names of the adapters that a kept module gets, one a residual sum; empty where the method puts none (RoBERTa).
  std::vector<std::string> adapters;
  std::string skip_adapter;      // of the one that takes its place
};

// `graph` must be typed. `variant` is "fusion", "global", "attention" or "" (for METER: fusion).
// Errors: an unknown variant (usage), a network without candidates.
Result<std::vector<SkipCandidate>> skip_candidates(const Graph& graph, std::string_view variant = "");

// Nodes of `inside` that `to` depends on, back to `from`, which they do not pass; in order of execution.
std::vector<NodeId> nodes_between(const Graph& graph, ValueId from, ValueId to, const std::vector<NodeId>& inside);

// "2,4,8,9" -> {2, 4, 8, 9}; "" is the empty set.
Result<std::vector<int64_t>> parse_skip_set(std::string_view text);

}  // namespace hone
