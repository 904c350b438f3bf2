#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace hone::train {

namespace {

double cosine(double from, double to, double t) { return to + (from - to) * 0.5 * (1 + std::cos(std::numbers::pi * t)); }

}  // namespace

double Schedule::factor(int64_t step) const {
  if (kind == Kind::one_cycle) {
    const double at = std::clamp(static_cast<double>(step) / static_cast<double>(std::max<int64_t>(total, 1)), 0.0, 1.0);
    return at < rise ? cosine(start_factor, 1, at / rise) : cosine(1, final_factor, rise < 1 ? (at - rise) / (1 - rise) : 1);
  }
  if (step < warmup) return warmup_start + (1 - warmup_start) * static_cast<double>(step + 1) / static_cast<double>(warmup + 1);
  const double t = std::clamp(static_cast<double>(step - warmup) / static_cast<double>(std::max<int64_t>(total - warmup, 1)), 0.0, 1.0);
  switch (kind) {
    case Kind::step: return std::pow(gamma, static_cast<double>((step - warmup) / std::max<int64_t>(every, 1)));
    case Kind::multi_step: return std::pow(gamma, static_cast<double>(std::ranges::count_if(milestones, [&](int64_t m) { return step >= m; })));
    case Kind::cosine: return cosine(1, final_factor, t);
    case Kind::linear: return final_factor + (1 - final_factor) * (1 - t);
    case Kind::polynomial: return final_factor + (1 - final_factor) * std::pow(1 - t, power);
    default: return 1;
  }
}

}  // namespace hone::train
