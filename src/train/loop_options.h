// What the loop reads from a recipe. Lengths that are written in epochs become steps once the task says how long an epoch is.
#pragma once

#include "train/loop.h"
#include "train/optimiser.h"
#include "train/schedule.h"

namespace hone::train {

struct LoopOptions {
  Compute compute;
  double epochs = 10;
  int64_t steps = 0;               // 0: from epochs
  int64_t accumulate = 1, log_every = 20, patience = 0;
  double validate_every = 1;       // epochs; 0: only at the end

  OptimiserOptions optimiser;

  Schedule schedule;               // kind and factors; lengths from the fields below
  double warmup = 0, every = 1;    // epochs
  std::vector<double> milestones;  // epochs

  double clip_norm = 0, clip_value = 0, clip_adaptive = 0, clip_eps = 1e-3;  // 0: off
  std::vector<std::string> clip_exclude;

  double average_decay = 0;        // 0: off
  bool average_warm_up = true;

  double guard_spike = 20, guard_rate = 0.5;
  int64_t guard_times = 3, guard_window = 100;

  int64_t checkpoint_every = 0;    // steps; 0: after every validation, and at least once an epoch
  double timeout = 1800;           // seconds that ranks wait for each other

  int64_t total_steps(int64_t steps_per_epoch) const;
  Schedule schedule_for(int64_t steps_per_epoch) const;
};

}  // namespace hone::train
