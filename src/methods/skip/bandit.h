// The search of DAS (Wu et al., NeurIPS 2023, section 3; constants and order of the official code, DoubtedSteam/DAS): every
// candidate has a redundancy score r, a sub-network leaves out k candidates drawn by sigmoid(r), and from time to time m
// sub-networks are compared on the same validation data.
//
// Draws are functions of (seed, step, micro-batch) and the scores alone, so ranks that hold the same scores draw the same, and a
// resumed search goes on as if it had not stopped. No torch.
#pragma once

#include <cstdint>
#include <vector>

namespace hone::methods {

using SkipNumbers = std::vector<int64_t>;  // candidates, ascending

enum class Reward : uint8_t {
  exponential,  // R = exp(-L), the paper's; its scale is the loss's, and the rate must follow
  standard,     // R = -(L - mean) / deviation of the event: the rate means the same for every loss
};

struct BanditOptions {
  int64_t skip = 4;                // k: candidates left out
  int64_t compare = 3;             // m: sub-networks of an event (das_step)
  int64_t every = 10;              // micro-batches from event to event (das_turn)
  int64_t warmup = 0;              // optimiser steps before the first event (the paper: one epoch)
  double rate = 1;                 // eta; LaVIN 0.05, LLaVA 0.1
  Reward reward = Reward::exponential;
  // LLaVA's ramp: in these first steps k grows from 1, k_t = min(k, floor(k t / ramp) + 1). 0: none.
  int64_t ramp = 0;
  uint64_t seed = 0;
};

class Bandit {
 public:
  // n candidates, 0 <= k <= n (BanditOptions::skip is clamped).
  Bandit(int64_t n, const BanditOptions& options);

  int64_t size() const { return static_cast<int64_t>(scores_.size()); }
  const std::vector<double>& scores() const { return scores_; }
  const BanditOptions& options() const { return options_; }
  // k of a step, the ramp considered.
  int64_t skip_at(int64_t step) const;

  // The candidates that a training micro-batch leaves out.
  SkipNumbers sample(int64_t step, int64_t micro) const;

  // Counts the step's micro-batches; true when the step has an event: at least `every` of them since the last one, and the
  // warm-up over. Micro-batches of the warm-up count, so the first event comes with the first step after it. At most one a step.
  bool step(int64_t step, int64_t micros);

  // Pairwise different sets of an event: m of them, or all there are when there are no more.
  std::vector<SkipNumbers> draw_event(int64_t step) const;

  // r_i += eta (R_j - mean R) sigmoid(r_i) (1 - sigmoid(r_i)) for every set j and candidate i in it; sigmoid(r) is that before
  // the event. Returns the rewards. Nothing happens when a loss is not finite: such an event says nothing.
  std::vector<double> update(const std::vector<SkipNumbers>& sets, const std::vector<double>& losses);

  // The k candidates of the largest scores; of equal ones those with larger numbers, as a stable ascending sort leaves them.
  SkipNumbers chosen() const;

  // What a checkpoint keeps beside the scores.
  int64_t since_event() const { return since_event_; }
  void restore(std::vector<double> scores, int64_t since_event);

 private:
  BanditOptions options_;
  std::vector<double> scores_;
  int64_t since_event_ = 0;
};

// Number of sets of k among n, at most `most`.
int64_t count_sets(int64_t n, int64_t k, int64_t most);
// The set that follows in lexicographic order; false after the last.
bool next_set(SkipNumbers& set, int64_t n);

}  // namespace hone::methods
