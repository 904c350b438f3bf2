// Compound scaling of a network: by a factor, to a budget, and by every strategy side by side.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "cost/budget.h"
#include "scale/rules.h"
#include "scale/strategy.h"
#include "zoo/arch.h"

namespace hone {

// A scaled network and what it costs. Names are the contract's; counts are of one image.
struct ScaleResult {
  Arch arch;
  Strategy strategy;
  double factor = 1;
  Factors factors;

  // One entry a stage. bot_muls: inner width / width, or the expansion and MLP ratios; group_widths is empty where no
  // stage has groups.
  std::vector<int64_t> depths, widths, group_widths;
  std::vector<double> bot_muls;
  int64_t stem_width = 0, head_width = 0, train_resolution = 0;
  std::optional<int64_t> test_resolution;

  int64_t flops = 0, params = 0, acts = 0;  // pycls convention
  int64_t macs = 0, plain_acts = 0;         // cost/profile.h: without bias adds and max pools
  int64_t memory = 0;                       // peak activation bytes, fp32
  // Run time over the input network's, by the activation rule: on bandwidth-bound hardware it follows acts (scaling paper,
  // figure 2). An estimate for comparing strategies, not a measurement.
  double relative_time = 1;
  // On the device of the budget's latency limit, as its caller has told; nothing without such a limit.
  std::optional<double> latency_ms;
};

// What a budget is checked against: macs, params, acts, peak memory and latency of the result.
Amounts budget_totals(const ScaleResult& r);

// Milliseconds of a network, for budgets with a latency limit: a prediction from a device table (measure/predict.h).
using LatencyOf = std::function<Result<double>(const Arch&)>;

Result<ScaleResult> scale(const Arch& base, const Strategy& strategy, double factor, Rounding rounding = Rounding::family);

// The network nearest to an exact budget, or the largest within an upper bound, among all that the strategy reaches with
// some factor. `met` is false when even that one misses the budget (an exact one by more than kBudgetTolerance).
// Errors: what scale() refuses, a budget that the strategy cannot move towards its bound (usage), and a latency limit without
// `latency` to tell.
struct Solution {
  ScaleResult best;
  bool met = false;
};
Result<Solution> solve(const Arch& base, const Strategy& strategy, const Budget& budget, Rounding rounding = Rounding::family, const LatencyOf& latency = {});

// solve() for callers that want the network or nothing: a missed budget is Code::budget_not_met and names the nearest.
Result<ScaleResult> scale_to(const Arch& base, const Strategy& strategy, const Budget& budget, Rounding rounding = Rounding::family, const LatencyOf& latency = {});
Error not_met(const Solution& nearest, const Budget& budget);

// Every named strategy (scale/strategy.h), each with its result or the reason why it has none.
struct StrategyRow {
  NamedStrategy strategy;
  Result<Solution> result;
};
std::vector<StrategyRow> scale_all(const Arch& base, double factor, Rounding rounding = Rounding::family);
std::vector<StrategyRow> scale_all(const Arch& base, const Budget& budget, Rounding rounding = Rounding::family, const LatencyOf& latency = {});

// Chart of activations against MACs: for each named strategy the points reached at factors 1, 2, 4 ... `largest`.
struct Curve {
  NamedStrategy strategy;
  std::vector<double> factors;
  std::vector<int64_t> macs, acts;
};
Result<std::vector<Curve>> growth_curves(const Arch& base, double largest = 16, Rounding rounding = Rounding::family);

}  // namespace hone
