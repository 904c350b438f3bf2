// How a network of each family takes scaling factors: one rule a family, in one table. docs/scaling.md explains them.
#pragma once

#include <span>
#include <string_view>

#include "core/error.h"
#include "scale/rounding.h"
#include "scale/strategy.h"
#include "zoo/arch.h"

namespace hone {

struct ScaleRule {
  std::string_view family;   // Arch::family
  std::string_view meaning;  // one line for people: what moves, and in which steps
  // `rounding` is one that the rule lists; Rounding::family is its default.
  Arch (*apply)(const Arch&, const Factors&, Rounding);
  std::span<const Rounding> roundings;
};
std::span<const ScaleRule> scale_rules();

// The network with its depths, widths, group widths and resolutions scaled and rounded; factors of 1 give `arch` back,
// except for what pycls re-rounds (group widths) or its widths that were no multiple of the step.
// Errors: a family that cannot be scaled, a rounding it does not have (both usage), a result out of bounds.
Result<Arch> apply_factors(const Arch& arch, const Factors& factors, Rounding rounding = Rounding::family);

}  // namespace hone
