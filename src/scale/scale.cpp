#include "scale/scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/units.h"
#include "scale/closed_form.h"

namespace hone {

namespace {

void describe(ScaleResult& r) {
  bool groups = false;
  for (const Stage& s : r.arch.stages) {
    r.depths.push_back(s.depth);
    r.widths.push_back(s.width);
    r.group_widths.push_back(s.group_width);
    r.bot_muls.push_back(s.expand);
    groups = groups || s.group_width != 0;
  }
  if (!groups) r.group_widths.clear();
  r.stem_width = r.arch.stem.width;
  r.head_width = r.arch.head.width;
  r.train_resolution = r.arch.resolution;
  if (r.arch.test_resolution != 0) r.test_resolution = r.arch.test_resolution;
}

std::vector<StrategyRow> for_each_strategy(auto run) {
  std::vector<StrategyRow> rows;
  for (const NamedStrategy& named : named_strategies()) {
    const auto strategy = parse_strategy(named.text);
    if (strategy)
      rows.push_back({named, run(*strategy)});
    else
      rows.push_back({named, fail(strategy.error())});
  }
  return rows;
}

}  // namespace

Amounts budget_totals(const ScaleResult& r) {
  Amounts t;
  t.latency_ns = std::llround(1e6 * r.latency_ms.value_or(0));
  t.macs = r.macs;
  t.flops = 2 * r.macs;
  t.params = r.params;
  t.acts = r.plain_acts;
  t.peak_activation_bytes = r.memory;
  return t;
}

Result<ScaleResult> scale(const Arch& base, const Strategy& strategy, double factor, Rounding rounding) {
  ScaleResult r;
  r.strategy = strategy;
  r.factor = factor;
  HONE_TRY_ASSIGN(r.factors, scaling_factors(strategy, factor));
  HONE_TRY_ASSIGN(r.arch, apply_factors(base, r.factors, rounding));
  if (!(r.arch == base)) r.arch.name = fmt::format("{} x{:.6g} {}", base.name, factor, strategy.text);
  HONE_TRY_ASSIGN(const ArchCost cost, count(r.arch));
  HONE_TRY_ASSIGN(const ArchCost before, count(base));
  HONE_TRY_ASSIGN(r.memory, peak_memory(r.arch));
  describe(r);
  r.flops = cost.pycls_flops();
  r.params = cost.params;
  r.acts = cost.pycls_acts();
  r.macs = cost.macs;
  r.plain_acts = cost.acts;
  r.relative_time = static_cast<double>(r.acts) / static_cast<double>(std::max<int64_t>(1, before.pycls_acts()));
  return r;
}

Error not_met(const Solution& nearest, const Budget& budget) {
  std::string reached;
  const Amounts totals = budget_totals(nearest.best);
  for (const Limit& limit : budget.limits) {
    const int64_t n = amount_of(totals, limit.quantity);
    reached += fmt::format("{}{} {}", reached.empty() ? "" : ", ", name(limit.quantity),
                           limit.quantity == Quantity::latency ? format_amount(n, limit.quantity) : fmt::format("{} ({})", format_exact(n), format_amount(n, limit.quantity)));
  }
  return Error{Code::budget_not_met, fmt::format("no network of strategy {} meets {}", nearest.best.strategy.text, budget.text), nearest.best.arch.name,
               fmt::format("the nearest reachable has {}, at factor {:.6g}", reached, nearest.best.factor)};
}

Result<ScaleResult> scale_to(const Arch& base, const Strategy& strategy, const Budget& budget, Rounding rounding, const LatencyOf& latency) {
  HONE_TRY_ASSIGN(Solution s, solve(base, strategy, budget, rounding, latency));
  if (!s.met) return fail(not_met(s, budget));
  return std::move(s.best);
}

std::vector<StrategyRow> scale_all(const Arch& base, double factor, Rounding rounding) {
  return for_each_strategy([&](const Strategy& strategy) -> Result<Solution> {
    HONE_TRY_ASSIGN(ScaleResult r, scale(base, strategy, factor, rounding));
    return Solution{std::move(r), true};
  });
}

std::vector<StrategyRow> scale_all(const Arch& base, const Budget& budget, Rounding rounding, const LatencyOf& latency) {
  return for_each_strategy([&](const Strategy& strategy) { return solve(base, strategy, budget, rounding, latency); });
}

Result<std::vector<Curve>> growth_curves(const Arch& base, double largest, Rounding rounding) {
  std::vector<Curve> curves;
  for (const NamedStrategy& named : named_strategies()) {
    HONE_TRY_ASSIGN(const Strategy strategy, parse_strategy(named.text));
    Curve curve{named, {}, {}, {}};
    for (double factor = 1; factor <= largest; factor *= 2) {
      HONE_TRY_ASSIGN(const Factors factors, scaling_factors(strategy, factor));
      HONE_TRY_ASSIGN(const Arch arch, apply_factors(base, factors, rounding));
      HONE_TRY_ASSIGN(const ArchCost cost, count(arch));
      curve.factors.push_back(factor);
      curve.macs.push_back(cost.macs);
      curve.acts.push_back(cost.acts);
    }
    curves.push_back(std::move(curve));
  }
  return curves;
}

}  // namespace hone
