#include "scale/rounding.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace hone {

namespace {

constexpr std::pair<std::string_view, Rounding> kNames[] = {{"family", Rounding::family},
                                                            {"pycls", Rounding::pycls},
                                                            {"make_div", Rounding::make_div},
                                                            {"efficientnet", Rounding::efficientnet},
                                                            {"space", Rounding::space}};

double real(int64_t v) { return static_cast<double>(v); }

// Sizes beyond this are refused by check(Arch); clamping keeps the conversion from double defined.
int64_t whole(double v) { return static_cast<int64_t>(std::clamp(v, -1e12, 1e12)); }
int64_t rint(double v) { return whole(std::nearbyint(v)); }

}  // namespace

std::string_view name(Rounding r) {
  for (const auto& [text, value] : kNames)
    if (value == r) return text;
  return "?";
}

Result<Rounding> parse_rounding(std::string_view text) {
  std::string list;
  for (const auto& [known, value] : kNames) {
    if (known == text) return value;
    list += (list.empty() ? "" : ", ") + std::string(known);
  }
  return fail(Code::usage, fmt::format("there is no rounding called '{}'", text), {}, "roundings: " + list);
}

int64_t round_depth(int64_t depth, double factor, bool up) {
  const double v = real(depth) * factor;
  // A product like 5 * 1.2 that lies a last bit above an integer must not gain a block.
  return std::max<int64_t>(1, up ? whole(std::ceil(v - 1e-9)) : rint(v));
}

int64_t round_width(int64_t width, double factor, int64_t unit) {
  return std::max<int64_t>(1, rint(real(width) * factor / real(unit))) * unit;
}

int64_t round_width_make_div(int64_t width, double factor) {
  const double v = real(width) * factor;
  int64_t n = std::max<int64_t>(8, whole((v + 4) / 8) * 8);
  if (real(n) < 0.9 * v) n += 8;
  return n;
}

int64_t round_group(int64_t group, double factor) {
  const int64_t g = std::max<int64_t>(1, rint(real(group) * factor));
  if (g <= 2) return g;
  if (g <= 5) return 4;
  return rint(real(g) / 8) * 8;
}

int64_t round_resolution(int64_t resolution, double factor, int64_t step) {
  return std::max<int64_t>(1, rint(real(resolution) * factor / real(step))) * step;
}

Compatible make_compatible(int64_t width, double multiplier, int64_t group) {
  int64_t inner = whole(std::max(1.0, real(width) * multiplier));
  group = std::min(group, inner);
  const int64_t unit = multiplier > 1 ? std::lcm(group, whole(multiplier)) : group;
  inner = std::max(unit, rint(real(inner) / real(unit)) * unit);
  return {whole(real(inner) / multiplier), group};
}

}  // namespace hone
