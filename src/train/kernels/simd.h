// One body, compiled for several instruction sets and chosen when it runs, so that the program starts on any x86-64
// machine. A body is a struct with a static HONE_INLINE function `run`; what it calls must be HONE_INLINE too. Loops are
// left to the compiler's vectoriser (cmake sets -O3 for this folder).
#pragma once

#include <cstdint>
#include <cstring>

#define HONE_INLINE inline __attribute__((always_inline))
// The loop that follows writes to no memory that it reads in a later iteration.
#define HONE_VECTOR _Pragma("GCC ivdep")

namespace hone::train::simd {

enum class Level : uint8_t { base, avx2, avx512 };

inline Level level() {
#if defined(__x86_64__)
  static const Level found = [] {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")) return Level::avx512;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? Level::avx2 : Level::base;
  }();
  return found;
#else
  return Level::base;
#endif
}

#if defined(__x86_64__)
template <class Body, class... A>
__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,prefer-vector-width=512"))) void run_avx512(A... a) {
  Body::run(a...);
}
template <class Body, class... A>
__attribute__((target("avx2,fma"))) void run_avx2(A... a) {
  Body::run(a...);
}
#endif

template <class Body, class... A>
void run(A... a) {
#if defined(__x86_64__)
  if (level() == Level::avx512) return run_avx512<Body>(a...);
  if (level() == Level::avx2) return run_avx2<Body>(a...);
#endif
  Body::run(a...);
}

HONE_INLINE float max(float a, float b) { return a > b ? a : b; }
HONE_INLINE float min(float a, float b) { return a < b ? a : b; }

// e^x to about 1 unit in the last place, with the range clamped to normal numbers: Cody and Waite's reduction by
// multiples of ln 2, then the polynomial of the Cephes library's expf.
HONE_INLINE float exp(float x) {
  x = min(max(x, -87.0f), 88.0f);
  const float shifted = x * 1.44269504f + 12582912.0f;  // 1.5 * 2^23: rounds to the nearest integer
  const float n = shifted - 12582912.0f;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int32_t bits = (static_cast<int32_t>(n) + 127) << 23;
  float scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return p * scale;
}
HONE_INLINE float sigmoid(float x) { return 1.0f / (1.0f + exp(-x)); }

}  // namespace hone::train::simd
