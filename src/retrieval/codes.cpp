#include "retrieval/codes.h"

#include <algorithm>
#include <cmath>

#include "retrieval/parts.h"

namespace hone {

RowCode encode(std::span<const float> row, int8_t* code) {
  float largest = 0;
  for (float v : row) largest = std::max(largest, std::abs(v));
  RowCode out;
  out.scale = largest / 127;
  const double scale = out.scale;
  double rest = 0;
  for (size_t i = 0; i < row.size(); ++i) {
    const double at = scale > 0 ? std::clamp(std::nearbyint(row[i] / scale), -127.0, 127.0) : 0;
    code[i] = static_cast<int8_t>(at);
    out.norm += code[i] * code[i];
    const double r = row[i] - scale * at;
    rest += r * r;
  }
  // The sum has rounding errors of its own, far below this.
  out.error = static_cast<float>(std::sqrt(rest) * (1 + 1e-6) + 1e-30);
  return out;
}

Codes encode_rows(const EmbeddingStore& store, int threads) {
  Codes out;
  const size_t dim = static_cast<size_t>(store.dim()), count = static_cast<size_t>(store.count());
  out.values.resize(dim * count);
  out.rows.resize(count);
  in_parts(store.count(), threads, [&](int, int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) out.rows[static_cast<size_t>(i)] = encode(store.row(i), out.values.data() + static_cast<size_t>(i) * dim);
  });
  return out;
}

double code_distance(const RowCode& a, const RowCode& b, int32_t dot) {
  const double sa = a.scale, sb = b.scale;
  return std::sqrt(std::max(0.0, sa * sa * a.norm + sb * sb * b.norm - 2 * sa * sb * dot));
}

}  // namespace hone
