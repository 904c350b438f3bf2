// Rows of a store rounded to 8 bits, with what the rounding lost.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "retrieval/store.h"

namespace hone {

// x = scale * code + rest, |code_i| <= 127. `error` is the Euclidean norm of the rest, rounded up.
struct RowCode {
  float scale = 0, error = 0;
  int32_t norm = 0;  // sum of code_i^2
};
RowCode encode(std::span<const float> row, int8_t* code);

struct Codes {
  std::vector<int8_t> values;  // rows x dim
  std::vector<RowCode> rows;
};
Codes encode_rows(const EmbeddingStore& store, int threads);

// Euclidean distance of what two codes stand for. The vectors themselves are at most the sum of the errors nearer or farther.
double code_distance(const RowCode& a, const RowCode& b, int32_t dot);

}  // namespace hone
