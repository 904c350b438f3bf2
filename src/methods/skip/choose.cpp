#include "methods/skip/choose.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/rng.h"

namespace hone::methods {

Choice random_choice(int64_t n, int64_t k, uint64_t seed) {
  SkipNumbers all(static_cast<size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  Rng rng(seed);
  for (int64_t i = 0; i < k; ++i) std::swap(all[static_cast<size_t>(i)], all[static_cast<size_t>(i + static_cast<int64_t>(rng.below(static_cast<uint64_t>(n - i))))]);
  all.resize(static_cast<size_t>(k));
  std::sort(all.begin(), all.end());
  return {std::move(all), {}, 0};
}

Choice smallest_choice(const std::vector<double>& values, int64_t k) {
  SkipNumbers order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return values[static_cast<size_t>(a)] < values[static_cast<size_t>(b)]; });
  order.resize(static_cast<size_t>(k));
  std::sort(order.begin(), order.end());
  Choice out{std::move(order), {}, 0};
  for (double v : values) out.scores.push_back(-v);
  return out;
}

Result<Choice> drop_one_choice(int64_t n, int64_t k, const LossOf& loss) {
  std::vector<double> losses;
  for (int64_t i = 0; i < n; ++i) {
    HONE_TRY_ASSIGN(const double l, loss({i}));
    losses.push_back(l);
  }
  Choice out = smallest_choice(losses, k);
  out.evaluations = n;
  return out;
}

Result<Choice> greedy_choice(int64_t n, int64_t k, const LossOf& loss) {
  Choice out;
  out.scores.assign(static_cast<size_t>(n), 0.0);
  while (static_cast<int64_t>(out.set.size()) < k) {
    double best = 0;
    SkipNumbers best_set;
    int64_t best_candidate = -1;
    for (int64_t i = 0; i < n; ++i) {
      if (std::binary_search(out.set.begin(), out.set.end(), i)) continue;
      SkipNumbers with = out.set;
      with.insert(std::upper_bound(with.begin(), with.end(), i), i);
      HONE_TRY_ASSIGN(const double l, loss(with));
      ++out.evaluations;
      if (best_candidate < 0 || l < best) best = l, best_set = std::move(with), best_candidate = i;
    }
    out.scores[static_cast<size_t>(best_candidate)] = static_cast<double>(k) - static_cast<double>(out.set.size());
    out.set = std::move(best_set);
  }
  return out;
}

Result<Choice> exhaustive_choice(int64_t n, int64_t k, const LossOf& loss, int64_t most) {
  if (count_sets(n, k, most + 1) > most)
    return fail(Code::usage, fmt::format("there are more than {} sets of {} among {} candidates", most, k, n), "skip.method", "choose another method: bandit, greedy, drop-one");
  SkipNumbers set(static_cast<size_t>(k));
  std::iota(set.begin(), set.end(), 0);
  Choice out;
  double best = 0;
  do {
    HONE_TRY_ASSIGN(const double l, loss(set));
    if (out.evaluations++ == 0 || l < best) best = l, out.set = set;
  } while (next_set(set, n));
  return out;
}

}  // namespace hone::methods
