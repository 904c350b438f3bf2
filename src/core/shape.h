// Tensor shapes. A dimension is a count >= 0, or kUnknown when it depends on data or was not bound.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hone {

using Dim = int64_t;
inline constexpr Dim kUnknown = -1;
using Shape = std::vector<Dim>;

// Number of elements; nothing when a dimension is unknown or the product does not fit 64 bits. A scalar has 1.
std::optional<int64_t> element_count(const Shape& shape);
// True when every dimension is known.
bool is_static(const Shape& shape);
// "1x3x224x224"; unknown dimensions print as "?", a scalar as "scalar".
std::string to_string(const Shape& shape);
// Reads "1x3x224x224" or "1,3,224,224"; nothing on anything else (negative, empty or overflowing parts included).
std::optional<Shape> parse_shape(const std::string& text);
// Multidirectional (numpy) broadcast; nothing when the shapes do not go together. Unknown against 1 or unknown stays
// unknown; unknown against n > 1 becomes n.
std::optional<Shape> broadcast(const Shape& a, const Shape& b);

}  // namespace hone
