// Budgets: one grammar everywhere.
//
//   budget   = limit { "," limit }
//   limit    = quantity relation amount
//   quantity = "macs" | "params" | "acts" | "memory"        ("latency" is refused until something can measure it)
//   relation = "<" | "<=" | "="                              ("<" and "<=" mean the same: at most)
//   amount   = number [k | M | G | T]                        of MACs, parameters, activations
//            | number [B | KB | MB | GB | KiB | MiB | GiB]   of memory
//            | number "%"                                    of the input network's own cost
//
// "acts" are output elements of convolutions, linear layers and matrix products; "memory" is the peak activation
// memory of cost/memory.h. A word that means two things ("flops") is refused with both readings spelled out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "cost/profile.h"

namespace hone {

enum class Quantity : uint8_t { macs, params, acts, memory };
std::string_view name(Quantity q);

// The quantity's value in a network's totals.
int64_t amount_of(const Totals& totals, Quantity q);

struct Limit {
  Quantity quantity = Quantity::macs;
  bool exact = false;     // "=": as near as can be; otherwise at most
  bool percent = false;   // `amount` is a share of the input network, 0.5 for 50 %
  double amount = 0;
};

struct Budget {
  std::string text;
  std::vector<Limit> limits;  // at least one; at most one of them exact, and each quantity once
};

Result<Budget> parse_budget(std::string_view text);

// The same budget with percentages replaced by counts of `base`.
Budget resolve(const Budget& budget, const Totals& base);

// An exact limit counts as met when the network lies within this share of the amount: networks come in steps, and a
// budget between two steps is met by the nearest one.
inline constexpr double kBudgetTolerance = 0.10;
// Of a resolved budget.
bool meets(const Totals& totals, const Limit& limit);
bool meets(const Totals& totals, const Budget& budget);

}  // namespace hone
