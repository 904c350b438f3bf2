#include "run/format.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

#include "core/units.h"

namespace hone {

namespace {

template <class T>
std::string join(const std::vector<T>& list, std::string_view separator) {
  std::string out;
  for (size_t i = 0; i < list.size(); ++i) {
    if (i) out += separator;
    if constexpr (std::is_same_v<T, double>) out += fmt::format("{:.4g}", list[i]);
    else out += fmt::format("{}", list[i]);
  }
  return out;
}

std::string format_integer(int64_t v, Unit unit) {
  switch (unit) {
    case Unit::count: return format_count(v);
    case Unit::signed_count: return (v > 0 ? "+" : "") + format_count(v);
    case Unit::bytes: return format_bytes(v);
    case Unit::share:
    case Unit::percent:
    case Unit::factor:
    case Unit::milliseconds: return format_cell(static_cast<double>(v), unit);
    default: return fmt::format("{}", v);
  }
}

std::string format_real(double v, Unit unit) {
  switch (unit) {
    // A count that was predicted or interpolated: round first, so that it reads as the integers around it do.
    case Unit::count:
    case Unit::signed_count:
    case Unit::bytes: return std::fabs(v) < 9e18 ? format_integer(std::llround(v), unit) : fmt::format("{:.3g}", v);
    case Unit::share: return v != 0 && std::fabs(v) < 5e-4 ? fmt::format("{:.1g} %", v * 100) : fmt::format("{:.1f} %", v * 100);
    case Unit::percent: return v == 0 ? "0.0 %" : fmt::format("{:+.1f} %", v);
    case Unit::factor: return fmt::format("{:.2f}x", v);
    case Unit::milliseconds: return std::fabs(v) < 1000 ? fmt::format("{:#.3g} ms", v) : fmt::format("{:.0f} ms", v);
    default: return fmt::format("{:.6g}", v);
  }
}

// Length of the UTF-8 sequence at text[i] when it is well formed, else 0.
size_t sequence(std::string_view text, size_t i) {
  const auto c = static_cast<unsigned char>(text[i]);
  const size_t n = c < 0x80 ? 1 : c >= 0xC2 && c < 0xE0 ? 2 : c >= 0xE0 && c < 0xF0 ? 3 : c >= 0xF0 && c < 0xF5 ? 4 : 0;
  if (n == 0 || i + n > text.size()) return 0;
  for (size_t k = 1; k < n; ++k)
    if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return 0;
  const auto next = n > 1 ? static_cast<unsigned char>(text[i + 1]) : 0;
  if ((c == 0xE0 && next < 0xA0) || (c == 0xED && next > 0x9F) || (c == 0xF0 && next < 0x90) || (c == 0xF4 && next > 0x8F)) return 0;
  return n;
}

}  // namespace

bool is_number(const Cell& cell) { return std::holds_alternative<int64_t>(cell) || std::holds_alternative<double>(cell); }

Cell finite_cell(double value) { return std::isfinite(value) ? Cell(value) : Cell(std::monostate{}); }

double number(const Cell& cell) {
  if (const auto* i = std::get_if<int64_t>(&cell)) return static_cast<double>(*i);
  if (const auto* d = std::get_if<double>(&cell)) return *d;
  return 0;
}

std::string format_cell(const Cell& cell, Unit unit) {
  struct Visitor {
    Unit unit;
    std::string operator()(std::monostate) const { return "-"; }
    std::string operator()(bool b) const { return b ? "yes" : "no"; }
    std::string operator()(int64_t v) const { return format_integer(v, unit); }
    std::string operator()(double v) const { return format_real(v, unit); }
    std::string operator()(const std::string& s) const { return clean_text(s); }
    std::string operator()(const std::vector<int64_t>& list) const {
      return unit == Unit::shape && list.empty() ? "scalar" : join(list, unit == Unit::shape ? "x" : ", ");
    }
    std::string operator()(const std::vector<double>& list) const { return join(list, ", "); }
    std::string operator()(const std::vector<std::string>& list) const { return clean_text(join(list, ", ")); }
  };
  return std::visit(Visitor{unit}, cell);
}

std::string exact_cell(const Cell& cell, Unit unit) {
  const auto* v = std::get_if<int64_t>(&cell);
  if (!v || (unit != Unit::count && unit != Unit::signed_count && unit != Unit::bytes)) return "";
  const int64_t limit = unit == Unit::bytes ? 1024 : 1000;  // below it format_cell writes every digit
  return *v > -limit && *v < limit ? "" : format_exact(*v);
}

std::string clean_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const size_t n = sequence(text, i);
    const auto c = static_cast<unsigned char>(text[i]);
    if (n == 0) out += '?';
    else if (c < 0x20 || c == 0x7F || (c == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0)) out += ' ';
    else out.append(text, i, n);
    i += n == 0 ? 1 : n;
  }
  return out;
}

size_t display_width(std::string_view utf8) {
  size_t n = 0;
  for (char c : utf8) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}

std::string shorten(std::string_view utf8, size_t width, std::string_view ellipsis) {
  const size_t total = display_width(utf8), mark = display_width(ellipsis);
  if (total <= width) return std::string(utf8);
  if (width <= mark) return std::string(ellipsis.substr(0, width));
  const size_t keep = width - mark, head = keep / 2, tail = keep - head;
  // Byte offset of the k-th code point.
  auto offset = [&](size_t k) {
    size_t seen = 0;
    for (size_t i = 0; i < utf8.size(); ++i)
      if ((static_cast<unsigned char>(utf8[i]) & 0xC0) != 0x80 && seen++ == k) return i;
    return utf8.size();
  };
  return std::string(utf8.substr(0, offset(head))) + std::string(ellipsis) + std::string(utf8.substr(offset(total - tail)));
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (char c : clean_text(text)) switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  return out;
}

}  // namespace hone
