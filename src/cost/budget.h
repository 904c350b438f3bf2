// Budgets: one grammar everywhere.
//
//   budget   = limit { "," limit }
//   limit    = quantity relation amount
//   quantity = "macs" | "params" | "acts" | "memory" | "latency"
//   relation = "<" | "<=" | "="                              ("<" and "<=" mean the same: at most)
//   amount   = number [k | M | G | T]                        of MACs, parameters, activations
//            | number [B | KB | MB | GB | KiB | MiB | GiB]   of memory
//            | number ["us" | "ms" | "s"] "@" device         of latency: milliseconds unless told, on the device of that table
//            | number "%" ["@" device]                       of the input network's own cost
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

enum class Quantity : uint8_t { macs, params, acts, memory, latency };
std::string_view name(Quantity q);

// What a budget looks at: counts, and a time that the caller knows (predicted from a device table, or measured).
struct Amounts : Totals {
  int64_t latency_ns = 0;
  Amounts() = default;
  Amounts(const Totals& totals, int64_t latency = 0) : Totals(totals), latency_ns(latency) {}
};

// The quantity's value; latency in nanoseconds.
int64_t amount_of(const Amounts& amounts, Quantity q);
// For people: "4.09 G", "9.2 MiB", "8.13 ms".
std::string format_amount(int64_t amount, Quantity q);

struct Limit {
  Quantity quantity = Quantity::macs;
  bool exact = false;     // "=": as near as can be; otherwise at most
  bool percent = false;   // `amount` is a share of the input network, 0.5 for 50 %
  double amount = 0;      // of latency: nanoseconds
  std::string device;     // of latency: the table's file
};

struct Budget {
  std::string text;
  std::vector<Limit> limits;  // at least one; at most one of them exact, and each quantity once
};

Result<Budget> parse_budget(std::string_view text);

// The same budget with percentages replaced by counts of `base`.
Budget resolve(const Budget& budget, const Amounts& base);
// The latency limit, if there is one.
const Limit* latency_limit(const Budget& budget);

// An exact limit counts as met when the network lies within this share of the amount: networks come in steps, and a
// budget between two steps is met by the nearest one.
inline constexpr double kBudgetTolerance = 0.10;
// Of a resolved budget.
bool meets(const Amounts& amounts, const Limit& limit);
bool meets(const Amounts& amounts, const Budget& budget);

}  // namespace hone
