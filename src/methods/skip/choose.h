// Skip sets without a bandit: what it is compared with. All take the loss of a set on fixed data as a function. No torch.
#pragma once

#include <functional>
#include <vector>

#include "core/error.h"
#include "methods/skip/bandit.h"

namespace hone::methods {

using LossOf = std::function<Result<double>(const SkipNumbers& set)>;

struct Choice {
  SkipNumbers set;
  std::vector<double> scores;  // by candidate, larger is left out sooner; empty where a method has none
  int64_t evaluations = 0;     // losses that were asked for
};

// k of n, each set equally likely.
Choice random_choice(int64_t n, int64_t k, uint64_t seed);
// The k whose removal alone raises the loss least (sensitivity): n evaluations.
Result<Choice> drop_one_choice(int64_t n, int64_t k, const LossOf& loss);
// The k of the smallest value, for example the size of a branch beside its stream.
Choice smallest_choice(const std::vector<double>& values, int64_t k);
// One after another, each time the one whose removal leaves the smallest loss: about k n evaluations.
Result<Choice> greedy_choice(int64_t n, int64_t k, const LossOf& loss);
// Every set: C(n, k) evaluations. An error (usage) when they are more than `most`.
Result<Choice> exhaustive_choice(int64_t n, int64_t k, const LossOf& loss, int64_t most = 5000);

}  // namespace hone::methods
