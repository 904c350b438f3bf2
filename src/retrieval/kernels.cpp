#include "retrieval/kernels.h"

// Clones are picked through an indirect function, which runs before a sanitizer is set up.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
#define HONE_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), optimize("O3")))
#else
#define HONE_CLONES
#endif

namespace hone {

HONE_CLONES float squared_distance(const float* a, const float* b, size_t n) {
  // Lanes side by side are what the compiler may keep in vectors without changing the order of sums.
  constexpr size_t kLanes = 64;
  float lane[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (size_t k = 0; k < kLanes; ++k) {
      const float d = a[i + k] - b[i + k];
      lane[k] += d * d;
    }
  for (size_t k = 0; i + k < n; ++k) {
    const float d = a[i + k] - b[i + k];
    lane[k] += d * d;
  }
  for (size_t half = kLanes / 2; half > 0; half /= 2)
    for (size_t k = 0; k < half; ++k) lane[k] += lane[k + half];
  return lane[0];
}

double kernel_error(size_t n) {
  const double roundings = static_cast<double>(n) + 3, u = 5.9604644775390625e-8;  // 2^-24
  return roundings * u / (1 - roundings * u);
}

HONE_CLONES int32_t dot(const int8_t* a, const int8_t* b, size_t n) {
  int32_t sum = 0;
  for (size_t i = 0; i < n; ++i) sum += static_cast<int16_t>(static_cast<int16_t>(a[i]) * static_cast<int16_t>(b[i]));
  return sum;
}

}  // namespace hone
