#include "methods/skip/bandit.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/rng.h"
#include "data/shuffle.h"

namespace hone::methods {

namespace {

double sigmoid(double r) { return 1 / (1 + std::exp(-r)); }

// k distinct numbers, drawn one after another by weight among those that are left (torch.multinomial without replacement).
SkipNumbers draw(const std::vector<double>& weights, int64_t k, Rng& rng) {
  std::vector<double> left = weights;
  SkipNumbers out;
  for (int64_t drawn = 0; drawn < k; ++drawn) {
    double at = rng.uniform() * std::accumulate(left.begin(), left.end(), 0.0);
    int64_t chosen = -1;
    for (size_t i = 0; i < left.size(); ++i) {
      if (left[i] <= 0) continue;
      chosen = static_cast<int64_t>(i);  // rounding may leave `at` above the last
      if (at < left[i]) break;
      at -= left[i];
    }
    if (chosen < 0)  // weights too small for doubles: the first that was not drawn
      while (++chosen, std::find(out.begin(), out.end(), chosen) != out.end()) {}
    left[static_cast<size_t>(chosen)] = 0;
    out.push_back(chosen);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

int64_t count_sets(int64_t n, int64_t k, int64_t most) {
  k = std::min(k, n - k);
  if (k < 0) return 0;
  double count = 1;
  for (int64_t i = 0; i < k; ++i) {
    count = count * static_cast<double>(n - i) / static_cast<double>(i + 1);
    if (count > static_cast<double>(most) + 0.5) return most;
  }
  return std::min(most, static_cast<int64_t>(std::llround(count)));
}

bool next_set(SkipNumbers& set, int64_t n) {
  const auto k = static_cast<int64_t>(set.size());
  for (int64_t i = k - 1; i >= 0; --i) {
    if (set[static_cast<size_t>(i)] >= n - k + i) continue;
    ++set[static_cast<size_t>(i)];
    for (int64_t j = i + 1; j < k; ++j) set[static_cast<size_t>(j)] = set[static_cast<size_t>(j - 1)] + 1;
    return true;
  }
  return false;
}

Bandit::Bandit(int64_t n, const BanditOptions& options) : options_(options), scores_(static_cast<size_t>(std::max<int64_t>(0, n)), 0.0) {
  options_.skip = std::clamp<int64_t>(options.skip, 0, size());
}

int64_t Bandit::skip_at(int64_t step) const {
  if (options_.ramp < 1 || step >= options_.ramp) return options_.skip;
  return std::min(options_.skip, static_cast<int64_t>(static_cast<double>(options_.skip) * static_cast<double>(step) / static_cast<double>(options_.ramp)) + 1);
}

SkipNumbers Bandit::sample(int64_t step, int64_t micro) const {
  Rng rng(derive_seed(options_.seed, static_cast<uint64_t>(step), 0, static_cast<uint64_t>(micro)));
  std::vector<double> p(scores_.size());
  std::transform(scores_.begin(), scores_.end(), p.begin(), sigmoid);
  return draw(p, skip_at(step), rng);
}

bool Bandit::step(int64_t step, int64_t micros) {
  since_event_ += micros;
  if (since_event_ < options_.every || step < options_.warmup) return false;
  since_event_ = 0;
  return true;
}

std::vector<SkipNumbers> Bandit::draw_event(int64_t step) const {
  const int64_t k = skip_at(step), n = size(), wanted = count_sets(n, k, options_.compare);
  std::vector<SkipNumbers> out;
  Rng rng(derive_seed(options_.seed, static_cast<uint64_t>(step), 1));
  std::vector<double> p(scores_.size());
  std::transform(scores_.begin(), scores_.end(), p.begin(), sigmoid);
  const auto taken = [&](const SkipNumbers& s) { return std::find(out.begin(), out.end(), s) != out.end(); };
  while (static_cast<int64_t>(out.size()) < wanted) {
    SkipNumbers set = draw(p, k, rng);
    for (int again = 0; again < 100 && taken(set); ++again) set = draw(p, k, rng);
    // A policy that is all but certain would be asked for ever: the next set in order, from the first after the last.
    while (taken(set))
      if (!next_set(set, n)) std::iota(set.begin(), set.end(), 0);
    out.push_back(std::move(set));
  }
  return out;
}

std::vector<double> Bandit::update(const std::vector<SkipNumbers>& sets, const std::vector<double>& losses) {
  const auto m = static_cast<double>(losses.size());
  if (sets.size() != losses.size() || losses.empty() || !std::all_of(losses.begin(), losses.end(), [](double l) { return std::isfinite(l); })) return {};
  std::vector<double> rewards(losses.size());
  if (options_.reward == Reward::exponential) {
    std::transform(losses.begin(), losses.end(), rewards.begin(), [](double l) { return std::exp(-l); });
  } else {
    const double mean = std::accumulate(losses.begin(), losses.end(), 0.0) / m;
    double square = 0;
    for (double l : losses) square += (l - mean) * (l - mean) / m;
    for (size_t j = 0; j < losses.size(); ++j) rewards[j] = square > 0 ? -(losses[j] - mean) / std::sqrt(square) : 0;
  }
  const double baseline = std::accumulate(rewards.begin(), rewards.end(), 0.0) / m;
  std::vector<double> slope(scores_.size());
  std::transform(scores_.begin(), scores_.end(), slope.begin(), [](double r) { return sigmoid(r) * (1 - sigmoid(r)); });
  for (size_t j = 0; j < sets.size(); ++j)
    for (int64_t i : sets[j]) scores_[static_cast<size_t>(i)] += options_.rate * (rewards[j] - baseline) * slope[static_cast<size_t>(i)];
  return rewards;
}

SkipNumbers Bandit::chosen() const {
  SkipNumbers order(scores_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return scores_[static_cast<size_t>(a)] < scores_[static_cast<size_t>(b)]; });
  SkipNumbers out(order.end() - options_.skip, order.end());
  std::sort(out.begin(), out.end());
  return out;
}

void Bandit::restore(std::vector<double> scores, int64_t since_event) {
  if (scores.size() == scores_.size()) scores_ = std::move(scores);
  since_event_ = since_event;
}

}  // namespace hone::methods
