// Compound scaling strategies and their real-valued factors, as pycls computes them
// (Dollar, Singh, Girshick, "Fast and Accurate Model Scaling", arXiv 2103.06877; pycls/models/scaler.py).
//
//   strategy = letter { letter }                   weight 1 for each letter written, 0 for the others
//            | letter weight { "_" letter weight } a weight for each letter, 0 for those left out
//            | "dWr"                               the paper's fast compound scaling: d1_w8_g8_r1
//   letter   = "d" depth | "w" width | "g" group width | "r" resolution
//
// With S = d + w + r (g rides along with w and is no part of it; S = g/2 for "g" alone) and a MACs factor s:
//   depth s^(d/S),  width s^(w/2S),  group width s^(g/2S),  resolution s^(r/2S),  so depth * width^2 * resolution^2 = s.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/error.h"

namespace hone {

struct Strategy {
  std::string text;                 // as written
  double d = 0, w = 0, g = 0, r = 0;  // weights, not negative

  // The weights in their canonical form, "d1_w8_g8_r1".
  std::string canonical() const;
};

struct Factors {
  double d = 1, w = 1, g = 1, r = 1;
};

// Errors point at the column and suggest the nearest strategy.
Result<Strategy> parse_strategy(std::string_view text);

// `factor` s > 0 multiplies the MACs (before rounding); below 1 it shrinks.
Result<Factors> scaling_factors(const Strategy& strategy, double factor);

// The strategies that the paper compares, in its order: what --all-strategies prints.
struct NamedStrategy {
  std::string_view text, meaning;
};
std::span<const NamedStrategy> named_strategies();

// Growth of MACs, parameters and activations for MACs factor s, by the idealised stage (convolutions of one width, no
// stem, head or rounding): s^macs, s^params, s^acts. The relative run time on bandwidth-bound hardware follows acts.
struct Growth {
  double macs = 1, params = 0, acts = 0;
};
Growth growth(const Strategy& strategy);

}  // namespace hone
