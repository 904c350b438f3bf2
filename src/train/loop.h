// The training loop: what every method shares. A method is a Task; the loop owns steps, optimiser, schedules, averaging,
// checkpoints, events, resume and the guard against divergence.
//
// Resume is exact because a task's batch is a function of (seed, step) alone, and everything else that has a memory is
// saved: parameters, optimiser, averages, the task's own state.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "run/manifest.h"
#include "run/recipe.h"
#include "run/run_dir.h"
#include "train/distributed.h"
#include "train/params.h"
#include "train/state_file.h"

namespace hone::train {

struct Losses {
  at::Tensor total;                                         // scalar with its autograd graph, the mean over the micro-batch
  std::vector<std::pair<std::string, at::Tensor>> parts;    // scalars, for events; detached; the same names every time
};

using Metrics = std::vector<std::pair<std::string, double>>;

class Task {
 public:
  virtual ~Task() = default;
  virtual Params& params() = 0;
  virtual int64_t steps_per_epoch() const = 0;   // optimiser steps
  virtual int64_t samples_per_step() const = 0;  // for throughput
  virtual std::string unit() const { return "images"; }
  // Forward of micro-batch `micro` (of `micros`) of optimiser step `step`; the loop runs backward. A step's batch is the
  // same however many micro-batches it is cut into: ranks of a distributed run and gradient accumulation are micro-batches,
  // so a task need not know of either.
  virtual Result<Losses> forward(int64_t step, int64_t micro, int64_t micros) = 0;
  // A step of several networks runs its backward passes itself: where this is true, forward() adds the gradients of its
  // losses divided by `micros` to those of the parameters, and its total needs no graph.
  virtual bool runs_backward() const { return false; }
  // Once a step, when the gradients are those of the whole step: before clipping and the update. A task may change them here;
  // what it keeps by itself it must sum over `ranks`.
  virtual Status gradients_done(int64_t step, Ranks& ranks) { (void)step, (void)ranks; return {}; }
  // Figures on the validation data with the parameters given (the averaged ones, when there are).
  virtual Result<Metrics> validate(const Params& params) = 0;
  virtual std::string watched() const = 0;       // metric that chooses the best checkpoint; "-loss" would mean smaller is better
  // True: the newest validation counts as the best one, whatever the watched metric says.
  virtual bool keeps_newest() const { return false; }
  // Parameters that may be changed before they are validated and kept as the best (statistics of BatchNorm measured anew).
  virtual Status prepare(Params& averaged) { (void)averaged; return {}; }
  // After the update. All ranks call it, so that what they remember stays the same.
  virtual Status after_step(int64_t step, Ranks& ranks) { (void)step, (void)ranks; return {}; }
  // What the task has to tell after a step besides its losses, for the events; the loop says which step it was.
  virtual std::vector<Event> news(int64_t step) { (void)step; return {}; }
  // Where a loss that is no number came from, for the message ("" when there is nothing to say).
  virtual std::string blame() const { return ""; }
  // What the manifest says of the data. A resumed run must find the same.
  virtual std::vector<DataFacts> data() const { return {}; }
  // What a person should know before the first step (weights that did not fit, pictures left out): said and kept in the events.
  virtual std::vector<std::string> notes() const { return {}; }
  virtual State save() const { return {}; }
  virtual Status load(const State&) { return {}; }
};

// Where and how a run computes: keys device, precision, threads and seed of [train]. Tasks and the loop ask for it alike.
struct Compute {
  at::Device device = at::kCPU;
  at::ScalarType type = at::kFloat;   // RunOptions::compute
  int threads = 0;
  uint64_t seed = 0;
};
Result<Compute> read_compute(Recipe& recipe);

// A generator that depends on nothing but its arguments: for dropout and whatever else draws on tensors.
at::Generator step_generator(const Compute& compute, int64_t step, int64_t micro);

// Everything of [train], [optimiser], [schedule], [clip], [average], [guard] and [checkpoint] (train/loop_options.h);
// docs/training.md lists the keys. Read before the run directory is opened, because the frozen recipe states every value.
struct LoopOptions;
Result<std::shared_ptr<const LoopOptions>> read_loop_options(Recipe& recipe);

struct Finished {
  int64_t steps = 0;
  Metrics best, last;
  int64_t best_step = 0;
  bool stopped_early = false;
};
// Trains to the end, from the run's last checkpoint where it has one. checkpoints/best.safetensors holds the parameters of
// the best validation (averaged ones where averaging is on; without any validation those of the last step).
Result<Finished> train(const LoopOptions& options, RunDir& run, Task& task, Ranks& ranks);

}  // namespace hone::train
