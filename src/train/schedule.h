// Learning rates as pure functions of the step: a factor on each group's base rate. Nothing is stored, so nothing can get
// out of step on resume.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hone::train {

struct Schedule {
  enum class Kind : uint8_t { constant, step, multi_step, cosine, linear, polynomial, one_cycle };
  Kind kind = Kind::constant;
  int64_t total = 1;               // steps of the whole run, warm-up included
  int64_t warmup = 0;              // steps that rise linearly from warmup_start to 1
  double warmup_start = 0;
  double final_factor = 0;         // cosine, linear, polynomial: factor at the end; one_cycle: likewise
  double gamma = 0.1;              // step, multi_step: multiplied at each mark
  int64_t every = 1;               // step: distance of the marks
  std::vector<int64_t> milestones; // multi_step: marks
  double power = 1;                // polynomial
  double rise = 0.3;               // one_cycle: share of the run that rises (Smith and Topin 2019)
  double start_factor = 0.04;      // one_cycle: factor at the beginning

  // Steps 0, 1, ..., total - 1; beyond the end the factor stays. Decay counts from the end of the warm-up.
  //   cosine      final + (1 - final) (1 + cos(pi t)) / 2      (Loshchilov and Hutter 2017, without restarts)
  //   polynomial  final + (1 - final) (1 - t)^power            linear: power 1
  //   one_cycle   cosine from start to 1, cosine from 1 to final, no separate warm-up
  // with t the share of the decay that is done: 0 at its first step, 1 at step `total`. During the warm-up of w steps:
  // warmup_start + (1 - warmup_start) (step + 1) / (w + 1).
  double factor(int64_t step) const;
};

}  // namespace hone::train
