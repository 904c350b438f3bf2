// Complexity levels of a supernet's training, and the other schedules of Tang et al. (ElasticViT, ICCV 2023) that need no
// tensors: the walk over levels and the share of draws from the banks.
#pragma once

#include <cstdint>
#include <vector>

#include "core/rng.h"

namespace hone::methods {

// How a step's members get their levels.
enum class LevelMode : uint8_t {
  adjacent_step,  // one level a step, at most one away from the last step's
  adjacent,       // the same walk, moved before every member
  random,         // each member's level uniform and by itself
  cyclic,         // one level a step: the next lower one, from the lowest back to the highest
};

// One move of the walk: -1, 0 or +1 with equal probability; at the bottom 0, 0, +1, at the top -1, 0, 0. Its stationary
// distribution is uniform.
size_t next_level(size_t at, size_t count, Rng& rng);

// Levels of the `members` of a step; `at` is the walk's place and moves on.
std::vector<size_t> levels_of_step(LevelMode mode, size_t count, size_t members, size_t& at, Rng& rng);

// q: the probability of drawing from a bank. It rises by `increment` at every mark (epochs) that has been reached; above 1
// every draw is from the bank.
struct ExploitSchedule {
  double start = 0.2, increment = 0.15;
  std::vector<double> marks = {99, 199, 299, 399, 499, 599};
};
double exploit_probability(const ExploitSchedule& schedule, double epoch);

}  // namespace hone::methods
