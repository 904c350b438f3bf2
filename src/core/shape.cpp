#include "core/shape.h"

#include <algorithm>
#include <charconv>

#include "core/checked.h"

namespace hone {

std::optional<int64_t> element_count(const Shape& shape) {
  // Zero is zero only if a dimension is zero: look for it first, so that a huge product next to a zero stays exact.
  int64_t n = 1;
  bool zero = false;
  for (Dim d : shape) {
    if (d < 0) return std::nullopt;
    if (d == 0) zero = true;
  }
  if (zero) return 0;
  for (Dim d : shape) {
    auto next = checked_mul(n, d);
    if (!next) return std::nullopt;
    n = *next;
  }
  return n;
}

bool is_static(const Shape& shape) {
  return std::all_of(shape.begin(), shape.end(), [](Dim d) { return d >= 0; });
}

std::string to_string(const Shape& shape) {
  if (shape.empty()) return "scalar";
  std::string out;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i) out += 'x';
    out += shape[i] < 0 ? std::string("?") : std::to_string(shape[i]);
  }
  return out;
}

std::optional<Shape> parse_shape(const std::string& text) {
  Shape shape;
  const char* p = text.data();
  const char* end = p + text.size();
  while (true) {
    int64_t value = 0;
    auto [next, ec] = std::from_chars(p, end, value);
    if (ec != std::errc() || value < 0) return std::nullopt;
    shape.push_back(value);
    if (next == end) return shape;
    if (*next != 'x' && *next != ',') return std::nullopt;
    p = next + 1;
  }
}

std::optional<Shape> broadcast(const Shape& a, const Shape& b) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape out = longer;
  const size_t offset = longer.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); ++i) {
    const Dim x = longer[offset + i], y = shorter[i];
    if (x == y) continue;
    if (x == 1) out[offset + i] = y;
    else if (y == 1) out[offset + i] = x;
    else if (x == kUnknown) out[offset + i] = y;
    else if (y == kUnknown) out[offset + i] = x;
    else return std::nullopt;
  }
  return out;
}

}  // namespace hone
