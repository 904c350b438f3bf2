// The training loop: what every method shares. A method is a Task; the loop owns steps, optimiser, schedules, averaging,
// checkpoints, events, resume and the guard against divergence.
//
// Resume is exact because a task's batch is a function of (seed, step) alone, and everything else that has a memory is
// saved: parameters, optimiser, averages, the task's own state.
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "run/recipe.h"
#include "run/run_dir.h"
#include "train/params.h"

namespace hone::train {

struct Losses {
  at::Tensor total;                                         // scalar with its autograd graph
  std::vector<std::pair<std::string, at::Tensor>> parts;    // scalars, for events; detached
};

using Metrics = std::vector<std::pair<std::string, double>>;

// Named tensors and texts that a task, optimiser or bank saves and gets back, bit for bit.
struct State {
  std::map<std::string, at::Tensor> tensors;
  std::map<std::string, std::string> texts;   // JSON, counters, generator states
};

class Task {
 public:
  virtual ~Task() = default;
  virtual Params& params() = 0;
  virtual int64_t steps_per_epoch() const = 0;   // optimiser steps
  virtual int64_t samples_per_step() const = 0;  // for throughput
  // Forward of micro-batch `micro` (of `micros`) of optimiser step `step`; the loop runs backward.
  virtual Result<Losses> forward(int64_t step, int64_t micro, int64_t micros) = 0;
  // Figures on the validation data with the parameters given (the averaged ones, when there are).
  virtual Result<Metrics> validate(const Params& params) = 0;
  virtual std::string watched() const = 0;       // metric that chooses the best checkpoint; "-loss" would mean smaller is better
  virtual void after_step(int64_t step) { (void)step; }
  virtual State save() const { return {}; }
  virtual Status load(const State&) { return {}; }
};

// Optimiser steps, rates, clipping, averaging, checkpoint rhythm ... read from the recipe's tables [train], [optimiser],
// [schedule], [average], [checkpoint]; docs/training.md lists every key.
struct LoopOptions;

struct Finished {
  int64_t steps = 0;
  Metrics best, last;
  int64_t best_step = 0;
  bool stopped_early = false;
};
Result<Finished> train(Recipe& recipe, RunDir& run, Task& task);

}  // namespace hone::train
