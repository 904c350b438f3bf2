// Retrieval over all pairs of captions and pictures, with what depends on one of the two alone computed once for each
// (rewrite/split.h): METER's encoders run as often as there are captions and pictures, its co-attention on every pair.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/question_answers.h"
#include "ir/graph.h"
#include "train/params.h"

namespace hone::methods {

struct PairSet {
  int64_t pictures = 0;
  std::vector<uint32_t> picture_of;                       // of each caption: its picture
  std::vector<std::string> text_inputs, picture_inputs;   // of the network
  // Inputs of `count` captions or pictures from `first` on, in the order of those names.
  std::function<Result<std::vector<at::Tensor>>(int64_t first, int64_t count)> load_texts, load_pictures;
};

struct PairOptions {
  int64_t batch = 64;    // pairs at once
  bool cached = true;    // false: the whole network on every pair, for comparison
  at::Device device = at::kCPU;
  at::ScalarType compute = at::kFloat;
  std::function<void(int64_t done)> progress;   // pairs; may be empty
};

struct PairScores {
  at::Tensor scores;               // pictures x captions, fp32
  int64_t encoded_macs = 0;        // of encoding one caption and one picture; 0 without the cache
  int64_t pair_macs = 0;           // of a pair, given both
};

// First output of `graph` (typed, batch 1, N x 1) for every pair.
Result<PairScores> score_pairs(const Graph& graph, const train::Params& params, const PairSet& pairs, const PairOptions& options);

}  // namespace hone::methods
