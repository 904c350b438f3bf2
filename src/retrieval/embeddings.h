// Vectors of queries and of a gallery, distances between them, and the measures that retrieval is judged by.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"

namespace hone {

// count x dim, row-major.
struct Embeddings {
  int64_t count = 0, dim = 0;
  std::vector<float> values;

  std::span<const float> row(int64_t i) const { return {values.data() + i * dim, static_cast<size_t>(dim)}; }
};

// Euclidean distance. Every comparison of hone's retrieval goes through this one routine, so equal vectors are at equal
// distances to the last bit, whichever side of a comparison they stand on.
double distance(std::span<const float> a, std::span<const float> b);

// rank_i = #{ j : d(query_i, gallery_j) <= d(query_i, gallery_truth(i)) }: the true item counts itself, so the best rank is 1,
// and ties count against us (Bhunia et al., Baseline_FGSBIR; spec of the sketch method, section 1.2).
// Errors: another dimension, a truth outside the gallery, vectors that are not finite.
Result<std::vector<int64_t>> ranks(const Embeddings& queries, const Embeddings& gallery, std::span<const uint32_t> truth);

struct Neighbour {
  uint32_t item;
  double distance;
};
// The k nearest of the gallery, nearest first; ties by index.
std::vector<Neighbour> nearest(std::span<const float> query, const Embeddings& gallery, size_t k);

double acc_at(std::span<const int64_t> ranks, int64_t q);    // share of ranks <= q, 0..1
double mean_reciprocal_rank(std::span<const int64_t> ranks);

// Mean average precision of category retrieval: the relevant items of a query are those of its category; queries without
// a relevant item are left out. Among equal distances relevant items come last.
Result<double> mean_average_precision(const Embeddings& queries, const Embeddings& gallery, std::span<const std::string> query_category,
                                      std::span<const std::string> gallery_category);

// A mean and its two-sided 95 % interval.
struct Interval {
  double mean = 0, low = 0, high = 0;
};
// Paired bootstrap over queries and seeds (Efron and Tibshirani 1993, chapter 13): `a` and `b` hold one row of scores per seed,
// a score per query in the same order. Both levels are drawn anew, percentiles of mean(a) - mean(b) over `rounds` draws.
// Errors: rows of different lengths, no rows.
Result<Interval> paired_bootstrap(const std::vector<std::vector<double>>& a, const std::vector<std::vector<double>>& b, uint64_t seed, int rounds = 10000);

}  // namespace hone
