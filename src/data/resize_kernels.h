// The inner loops of resize.cpp, in plain C++ and for AVX2. Both give the same bytes and floats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hone::kernels {

inline constexpr int kPrecision = 22;  // fixed point: 32 bits less 8 of the value and 2 of room for weights beyond [0, 1]

// For every output position: the first input position and the weights from there on.
struct Taps {
  std::vector<int> first, count;
  std::vector<int32_t> weights;  // `stride` for each output position
  int stride = 0;

  const int32_t* weights_of(int i) const { return weights.data() + static_cast<size_t>(i) * static_cast<size_t>(stride); }
  int end() const { return first.back() + count.back(); }
};

struct Resizing {
  // Four rows of RGB pixels to four of `output` pixels. `line`: room for 16 numbers each input pixel. Reads no byte behind
  // pixel taps.end(); writes one byte behind each output row.
  void (*across)(const uint8_t* const* rows, const Taps& taps, int output, int32_t* line, uint8_t* const* to);
  // One row as the weighted sum of `count` rows that lie `pitch` bytes apart.
  void (*down)(const uint8_t* from, size_t pitch, const int32_t* weights, int count, size_t bytes, uint8_t* to);
  // value * factor[channel] + offset[channel] over interleaved RGB.
  void (*scale)(const uint8_t* from, int width, const float* factor, const float* offset, float* to);
};

const Resizing& portable();
const Resizing& best();  // what this processor can do

}  // namespace hone::kernels
