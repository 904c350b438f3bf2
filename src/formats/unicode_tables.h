// The tables of unicode_tables.cpp, which scripts/unicode_tables.py writes; formats/unicode.h is what others use.
#pragma once

#include <cstdint>
#include <span>

namespace hone::unicode {

struct Pair {
  uint32_t point, value;
};
struct Triple {
  uint32_t point;
  uint32_t values[3];  // zeros behind the last
};
struct Range {
  uint32_t first, last, step;
  int32_t delta;
};

extern const std::span<const uint32_t> kRuns;         // point << 8 | flags: from this point to the next run's
extern const std::span<const Pair> kBare;             // canonical decomposition without its nonspacing marks, where one point is left
extern const std::span<const Triple> kBareSequence;   // where two or three are left
extern const std::span<const Range> kLower;           // lower case is point + delta
extern const std::span<const Pair> kOrder;            // combining class of marks that are not stripped, where it is not 0

}  // namespace hone::unicode
