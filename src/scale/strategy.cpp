#include "scale/strategy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "core/nearest.h"

namespace hone {

namespace {

constexpr std::string_view kLetters = "dwgr";

constexpr std::array<NamedStrategy, 9> kNamed{{
    {"d", "depth alone"},
    {"w", "width alone"},
    {"r", "resolution alone"},
    {"dw", "depth and width"},
    {"wr", "width and resolution"},
    {"dr", "depth and resolution"},
    {"dwr", "uniform compound"},
    {"d1_w4_g4_r1", "mostly width (alpha 2/3)"},
    {"dWr", "fast compound (alpha 0.8)"},
}};

double* weight_of(Strategy& s, char letter) {
  switch (letter) {
    case 'd': return &s.d;
    case 'w': return &s.w;
    case 'g': return &s.g;
    case 'r': return &s.r;
    default: return nullptr;
  }
}

std::string nearest_strategy(std::string_view text) {
  constexpr std::string_view kCommon[] = {"dWr", "dwr", "dw", "wr", "dr", "d", "w", "r", "g", "d1_w8_g8_r1", "d1_w4_g4_r1", "d1_w1_g1_r1", "w1_g1"};
  return std::string(*std::min_element(std::begin(kCommon), std::end(kCommon),
                                       [&](auto a, auto b) { return edit_distance(a, text) < edit_distance(b, text); }));
}

tl::unexpected<Error> bad(std::string_view text, size_t column, std::string message) {
  return fail(Code::usage, fmt::format("strategy '{}', column {}: {}", text, column + 1, message), {},
              fmt::format("did you mean '{}'? letters are d (depth), w (width), g (group width), r (resolution), each with an optional "
                          "weight, as in d1_w8_g8_r1; dWr is the recommended one",
                          nearest_strategy(text)));
}

}  // namespace

std::string Strategy::canonical() const {
  std::string out;
  for (auto [letter, weight] : {std::pair{'d', d}, {'w', w}, {'g', g}, {'r', r}})
    if (weight > 0) out += fmt::format("{}{}{}", out.empty() ? "" : "_", letter, weight);
  return out;
}

Result<Strategy> parse_strategy(std::string_view text) {
  Strategy s;
  s.text = std::string(text);
  if (text.empty()) return bad(text, 0, "it is empty");
  if (text == "dWr") {
    s.d = 1, s.w = 8, s.g = 8, s.r = 1;
    return s;
  }
  if (text.find_first_not_of(kLetters) == std::string_view::npos) {
    for (char c : text) *weight_of(s, c) = 1;
    return s;
  }
  std::string seen;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('_', at), text.size());
    if (at == end) return bad(text, at, "a letter is missing");
    double* weight = weight_of(s, text[at]);
    if (!weight) return bad(text, at, fmt::format("'{}' is not a dimension", text[at]));
    if (seen.find(text[at]) != std::string::npos) return bad(text, at, fmt::format("'{}' is weighted twice", text[at]));
    seen += text[at];
    const auto [stop, error] = std::from_chars(text.data() + at + 1, text.data() + end, *weight);
    if (error != std::errc() || stop != text.data() + end || !std::isfinite(*weight) || *weight < 0 || *weight > 1e6)
      return bad(text, at + 1, fmt::format("the weight of '{}' must be a number from 0 to 1000000, not '{}'", text[at], text.substr(at + 1, end - at - 1)));
    at = end + 1;
  }
  return s;
}

Result<Factors> scaling_factors(const Strategy& s, double factor) {
  if (!(factor > 0) || !std::isfinite(factor))
    return fail(Code::usage, fmt::format("the scaling factor must be a number above 0, not {}", factor), {}, "4 makes a network of about four times the MACs");
  double sum = s.d + s.w + s.r;
  if (sum == 0) sum = s.g > 0 ? s.g / 2 : 1;
  Factors f;
  f.d = std::pow(factor, s.d / sum);
  f.w = std::pow(factor, s.w / sum / 2);
  f.g = std::pow(factor, s.g / sum / 2);
  f.r = std::pow(factor, s.r / sum / 2);
  return f;
}

std::span<const NamedStrategy> named_strategies() { return kNamed; }

Growth growth(const Strategy& s) {
  const double sum = s.d + s.w + s.r;
  if (sum == 0) return {s.g > 0 ? 1.0 : 0.0, s.g > 0 ? 1.0 : 0.0, 0.0};  // groups alone: MACs and parameters, no outputs
  return {1, (s.d + s.w) / sum, 1 - s.w / sum / 2};
}

}  // namespace hone
