#include "measure/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace hone {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Mean ranks from 1, ties sharing.
std::vector<double> ranks(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> out(values.size());
  for (size_t i = 0; i < order.size();) {
    size_t end = i + 1;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (size_t k = i; k < end; ++k) out[order[k]] = static_cast<double>(i + end + 1) / 2;
    i = end;
  }
  return out;
}

// Chance that at most k of n fair coins show heads; in logarithms, so that thousands of coins do not underflow.
double coins_at_most(size_t k, size_t n) {
  double sum = 0;
  const double log_half = static_cast<double>(n) * std::log(0.5), log_n = std::lgamma(static_cast<double>(n) + 1);
  for (size_t i = 0; i <= k; ++i)
    sum += std::exp(log_n - std::lgamma(static_cast<double>(i) + 1) - std::lgamma(static_cast<double>(n - i) + 1) + log_half);
  return sum;
}

struct Moments {
  double mean_x = 0, mean_y = 0, xx = 0, yy = 0, xy = 0;
};
Moments moments(std::span<const double> x, std::span<const double> y) {
  Moments m;
  const size_t n = std::min(x.size(), y.size());
  if (n == 0) return m;
  for (size_t i = 0; i < n; ++i) m.mean_x += x[i], m.mean_y += y[i];
  m.mean_x /= static_cast<double>(n), m.mean_y /= static_cast<double>(n);
  for (size_t i = 0; i < n; ++i) {
    const double dx = x[i] - m.mean_x, dy = y[i] - m.mean_y;
    m.xx += dx * dx, m.yy += dy * dy, m.xy += dx * dy;
  }
  return m;
}

}  // namespace

double quantile(std::vector<double> values, double q) {
  if (values.empty()) return kNaN;
  const double at = std::clamp(q, 0., 1.) * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(at);
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(below), values.end());
  const double low = values[below];
  if (below + 1 >= values.size()) return low;
  const double high = *std::min_element(values.begin() + static_cast<ptrdiff_t>(below) + 1, values.end());
  return low + (at - static_cast<double>(below)) * (high - low);
}

double median(std::vector<double> values) { return quantile(std::move(values), 0.5); }

Interval median_interval(std::vector<double> values, double confidence) {
  const size_t n = values.size();
  if (n == 0) return {kNaN, kNaN, 0};
  std::sort(values.begin(), values.end());
  // The interval from the d-th smallest to the d-th largest value has confidence 1 - 2 P(at most d - 1 heads).
  const auto reached = [&](size_t d) { return 1 - 2 * coins_at_most(d - 1, n); };
  size_t d = 1;
  if (n < 2 || reached(1) < confidence) return {values.front(), values.back(), n < 2 ? 0 : reached(1)};
  while (d + 1 <= n / 2 && reached(d + 1) >= confidence) ++d;
  if (d + 1 > n / 2) return {values[d - 1], values[n - d], reached(d)};
  const double outer = reached(d), inner = reached(d + 1), i = (outer - confidence) / (outer - inner);
  const double nn = static_cast<double>(n), dd = static_cast<double>(d);
  const double lambda = (nn - dd) * i / (dd + (nn - 2 * dd) * i);
  return {(1 - lambda) * values[d - 1] + lambda * values[d], (1 - lambda) * values[n - d] + lambda * values[n - d - 1], confidence};
}

std::vector<double> block_medians(std::span<const double> series, size_t blocks) {
  blocks = std::min(blocks, series.size());
  std::vector<double> out;
  for (size_t b = 0; b < blocks; ++b) {
    const size_t begin = series.size() * b / blocks, end = series.size() * (b + 1) / blocks;
    out.push_back(median({series.begin() + static_cast<ptrdiff_t>(begin), series.begin() + static_cast<ptrdiff_t>(end)}));
  }
  return out;
}

double pearson(std::span<const double> x, std::span<const double> y) {
  const Moments m = moments(x, y);
  return m.xx > 0 && m.yy > 0 ? m.xy / std::sqrt(m.xx * m.yy) : kNaN;
}

double spearman(std::span<const double> x, std::span<const double> y) { return pearson(ranks(x), ranks(y)); }

Line fit_line(std::span<const double> x, std::span<const double> y) {
  const Moments m = moments(x, y);
  const double slope = m.xx > 0 ? m.xy / m.xx : 0;
  return {slope, m.mean_y - slope * m.mean_x};
}

}  // namespace hone
