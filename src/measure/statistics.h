// Statistics of measurements: medians with intervals that assume no distribution, rank and linear correlation.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace hone {

double median(std::vector<double> values);              // NaN without values
double quantile(std::vector<double> values, double q);  // between order statistics linearly (Hyndman and Fan 1996, type 7)

struct Interval {
  double low = 0, high = 0;
  double confidence = 0;  // what the interval really has: less than was asked for when there are too few values
};

// Interval of the median from order statistics: the sign test inverted, interpolated to the confidence asked for
// (Hettmansperger and Sheather 1986). With n values the confidence is at most 1 - 2^(1-n), so 0.95 needs six of them.
Interval median_interval(std::vector<double> values, double confidence = 0.95);

// Medians of `blocks` consecutive stretches of about equal length. Neighbouring measurements share the machine's mood, so
// the interval of a series comes from its blocks: median_interval() of these is as wide as the slow changes make it.
std::vector<double> block_medians(std::span<const double> series, size_t blocks);

double pearson(std::span<const double> x, std::span<const double> y);   // NaN when one of them does not vary
double spearman(std::span<const double> x, std::span<const double> y);  // ties share their mean rank

// y = slope x + intercept by least squares.
struct Line {
  double slope = 0, intercept = 0;
};
Line fit_line(std::span<const double> x, std::span<const double> y);

}  // namespace hone
