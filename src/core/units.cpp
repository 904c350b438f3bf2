#include "core/units.h"

#include <fmt/format.h>

#include <cctype>
#include <cmath>
#include <cstdlib>

namespace hone {

namespace {

struct Suffix {
  std::string_view text;
  double factor;
};

// Splits "12.5 MiB" into its number and the upper-cased rest; nothing unless the number is finite and not negative.
std::optional<std::pair<double, std::string>> split_number(std::string_view text) {
  std::string compact;
  for (char c : text)
    if (!std::isspace(static_cast<unsigned char>(c))) compact += c;
  if (compact.empty() || !(std::isdigit(static_cast<unsigned char>(compact[0])) || compact[0] == '.')) return std::nullopt;
  // strtod would also take hexadecimal.
  if (compact.size() > 1 && (compact[1] == 'x' || compact[1] == 'X')) return std::nullopt;
  char* end = nullptr;
  const double number = std::strtod(compact.c_str(), &end);
  if (end == compact.c_str() || !std::isfinite(number)) return std::nullopt;
  std::string rest(end);
  for (char& c : rest) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return std::pair{number, rest};
}

template <size_t N>
std::optional<double> with_suffix(std::string_view text, const Suffix (&suffixes)[N]) {
  auto split = split_number(text);
  if (!split) return std::nullopt;
  for (const Suffix& s : suffixes)
    if (split->second == s.text) return split->first * s.factor;
  return std::nullopt;
}

}  // namespace

std::string format_count(int64_t n) {
  const double v = static_cast<double>(n);
  const double a = std::fabs(v);
  static constexpr Suffix kSteps[] = {{" T", 1e12}, {" G", 1e9}, {" M", 1e6}, {" k", 1e3}};
  for (const Suffix& s : kSteps)
    if (a >= s.factor) {
      const double scaled = v / s.factor;
      return fmt::format("{:.{}f}{}", scaled, std::fabs(scaled) < 10 ? 2 : std::fabs(scaled) < 100 ? 1 : 0, s.text);
    }
  return fmt::format("{}", n);
}

std::string format_exact(int64_t n) {
  std::string digits = fmt::format("{}", n);
  for (ptrdiff_t i = static_cast<ptrdiff_t>(digits.size()) - 3; i > (n < 0 ? 1 : 0); i -= 3) digits.insert(static_cast<size_t>(i), ",");
  return digits;
}

std::string format_bytes(int64_t n) {
  const double v = static_cast<double>(n);
  static constexpr Suffix kSteps[] = {{" GiB", 1024. * 1024 * 1024}, {" MiB", 1024. * 1024}, {" KiB", 1024.}};
  for (const Suffix& s : kSteps)
    if (std::fabs(v) >= s.factor) return fmt::format("{:.1f}{}", v / s.factor, s.text);
  return fmt::format("{} B", n);
}

std::string format_percent(double share) { return fmt::format("{:.2f} %", share * 100); }

std::optional<double> parse_count(std::string_view text) {
  static constexpr Suffix kSuffixes[] = {{"", 1}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}};
  return with_suffix(text, kSuffixes);
}

std::optional<double> parse_bytes(std::string_view text) {
  static constexpr Suffix kSuffixes[] = {{"", 1},       {"B", 1},       {"KB", 1e3},     {"MB", 1e6},         {"GB", 1e9},
                                         {"KIB", 1024}, {"MIB", 1048576}, {"GIB", 1073741824}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}};
  return with_suffix(text, kSuffixes);
}

}  // namespace hone
