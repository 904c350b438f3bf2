#include "retrieval/embeddings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/rng.h"

namespace hone {

namespace {

Status check(const Embeddings& e, const char* what) {
  if (e.count < 0 || e.dim <= 0 || e.values.size() != static_cast<size_t>(e.count * e.dim))
    return fail(Code::invalid, fmt::format("{} hold {} values for {} x {}", what, e.values.size(), e.count, e.dim));
  for (size_t i = 0; i < e.values.size(); ++i)
    if (!std::isfinite(e.values[i])) return fail(Code::invalid, fmt::format("vector {} of the {} is not finite", i / e.dim, what), {}, "the network has diverged: train with a lower rate");
  return {};
}

}  // namespace

double distance(std::span<const float> a, std::span<const float> b) {
  // Four sums side by side: the compiler may keep them in one register, and their order is the same on every machine.
  double sum[4] = {};
  size_t i = 0;
  for (; i + 4 <= a.size(); i += 4)
    for (size_t k = 0; k < 4; ++k) {
      const double d = static_cast<double>(a[i + k]) - b[i + k];
      sum[k] += d * d;
    }
  for (; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - b[i];
    sum[0] += d * d;
  }
  return std::sqrt((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

Result<std::vector<int64_t>> ranks(const Embeddings& queries, const Embeddings& gallery, std::span<const uint32_t> truth) {
  HONE_TRY(check(queries, "queries"));
  HONE_TRY(check(gallery, "gallery"));
  if (queries.dim != gallery.dim) return fail(Code::invalid, fmt::format("queries have {} dimensions, the gallery {}", queries.dim, gallery.dim));
  if (truth.size() != static_cast<size_t>(queries.count)) return fail(Code::invalid, fmt::format("{} queries, but {} true items", queries.count, truth.size()));
  std::vector<int64_t> out(truth.size());
  for (size_t i = 0; i < truth.size(); ++i) {
    if (truth[i] >= gallery.count) return fail(Code::invalid, fmt::format("the true item of query {} is not in the gallery of {}", i, gallery.count));
    const auto query = queries.row(static_cast<int64_t>(i));
    const double own = distance(query, gallery.row(truth[i]));
    for (int64_t j = 0; j < gallery.count; ++j) out[i] += distance(query, gallery.row(j)) <= own;
  }
  return out;
}

std::vector<Neighbour> nearest(std::span<const float> query, const Embeddings& gallery, size_t k) {
  std::vector<Neighbour> all(static_cast<size_t>(gallery.count));
  for (size_t j = 0; j < all.size(); ++j) all[j] = {static_cast<uint32_t>(j), distance(query, gallery.row(static_cast<int64_t>(j)))};
  k = std::min(k, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(k), all.end(),
                    [](const Neighbour& a, const Neighbour& b) { return a.distance != b.distance ? a.distance < b.distance : a.item < b.item; });
  all.resize(k);
  return all;
}

double acc_at(std::span<const int64_t> ranks, int64_t q) {
  if (ranks.empty()) return 0;
  return static_cast<double>(std::count_if(ranks.begin(), ranks.end(), [&](int64_t r) { return r <= q; })) / static_cast<double>(ranks.size());
}

double mean_reciprocal_rank(std::span<const int64_t> ranks) {
  double sum = 0;
  for (int64_t r : ranks) sum += 1.0 / static_cast<double>(r);
  return ranks.empty() ? 0 : sum / static_cast<double>(ranks.size());
}

Result<double> mean_average_precision(const Embeddings& queries, const Embeddings& gallery, std::span<const std::string> query_category,
                                      std::span<const std::string> gallery_category) {
  HONE_TRY(check(queries, "queries"));
  HONE_TRY(check(gallery, "gallery"));
  if (queries.dim != gallery.dim) return fail(Code::invalid, fmt::format("queries have {} dimensions, the gallery {}", queries.dim, gallery.dim));
  if (query_category.size() != static_cast<size_t>(queries.count) || gallery_category.size() != static_cast<size_t>(gallery.count))
    return fail(Code::invalid, "every query and every item of the gallery needs a category");
  double total = 0;
  int64_t counted = 0;
  std::vector<std::pair<double, bool>> order(static_cast<size_t>(gallery.count));
  for (int64_t i = 0; i < queries.count; ++i) {
    for (size_t j = 0; j < order.size(); ++j)
      order[j] = {distance(queries.row(i), gallery.row(static_cast<int64_t>(j))), gallery_category[j] == query_category[static_cast<size_t>(i)]};
    std::sort(order.begin(), order.end());  // false sorts before true: ties count against us
    double precision = 0;
    int64_t hits = 0;
    for (size_t j = 0; j < order.size(); ++j)
      if (order[j].second) precision += static_cast<double>(++hits) / static_cast<double>(j + 1);
    if (hits == 0) continue;
    total += precision / static_cast<double>(hits);
    ++counted;
  }
  if (counted == 0) return fail(Code::invalid, "no query has an item of its category in the gallery");
  return total / static_cast<double>(counted);
}

Result<Interval> paired_bootstrap(const std::vector<std::vector<double>>& a, const std::vector<std::vector<double>>& b, uint64_t seed, int rounds) {
  if (a.empty() || b.empty()) return fail(Code::invalid, "a bootstrap needs scores of both sides");
  const size_t queries = a[0].size();
  for (const auto* side : {&a, &b})
    for (const auto& row : *side)
      if (row.size() != queries || queries == 0) return fail(Code::invalid, fmt::format("every seed needs scores of the same queries: {} and {}", queries, row.size()));
  const auto mean = [](const std::vector<double>& v) { return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size()); };
  Interval out;
  for (const auto& row : a) out.mean += mean(row) / static_cast<double>(a.size());
  for (const auto& row : b) out.mean -= mean(row) / static_cast<double>(b.size());

  Rng rng(seed);
  std::vector<double> differences(static_cast<size_t>(rounds));
  std::vector<uint32_t> drawn(queries);
  for (double& difference : differences) {
    for (uint32_t& q : drawn) q = static_cast<uint32_t>(rng.below(queries));
    const auto resampled = [&](const std::vector<std::vector<double>>& side) {
      double sum = 0;
      for (size_t s = 0; s < side.size(); ++s) {
        const auto& row = side[rng.below(side.size())];
        for (uint32_t q : drawn) sum += row[q];
      }
      return sum / static_cast<double>(side.size() * queries);
    };
    const double first = resampled(a);  // the order of draws is fixed
    difference = first - resampled(b);
  }
  std::sort(differences.begin(), differences.end());
  out.low = differences[static_cast<size_t>(0.025 * (rounds - 1))];
  out.high = differences[static_cast<size_t>(0.975 * (rounds - 1))];
  return out;
}

}  // namespace hone
