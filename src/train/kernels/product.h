// Products of small matrices by oneDNN's micro-kernels, and the transposes that they ask for. Internal.
#pragma once

#include <ATen/native/CPUBlas.h>

#include <exception>

#include "train/kernels/simd.h"

namespace hone::train {

#ifdef CPUBLAS_BRGEMM_F32F32F32
// c [m, n] = a [m, k] b [k, n] (plus c when `add`), rows `lda`, `ldb`, `ldc` apart, on this thread.
inline void product(int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b, int64_t ldb, float* c, int64_t ldc, bool add = false) {
  at::native::cpublas::brgemm(m, n, k, lda, ldb, ldc, add, a, b, c, false);
}

// Whether this build and processor have the micro-kernels: asked once, by using one.
inline bool have_products() {
  static const bool have = [] {
    if (simd::level() != simd::Level::avx512) return false;
    try {
      const float a[4] = {1, 2, 3, 4}, b[4] = {5, 6, 7, 8};
      float c[4] = {};
      product(2, 2, 2, a, 2, b, 2, c, 2);
      at::native::cpublas::brgemm_release(false);
      return c[0] == 19 && c[1] == 22 && c[2] == 43 && c[3] == 50;
    } catch (const std::exception&) {
      return false;
    }
  }();
  return have;
}
#else
inline void product(int64_t, int64_t, int64_t, const float*, int64_t, const float*, int64_t, float*, int64_t, bool = false) {}
inline bool have_products() { return false; }
#endif

// out [columns, rows] = in [rows, columns]^T, the rows of `in` `stride` apart.
struct Transpose {
  typedef float Lanes __attribute__((vector_size(64), aligned(4), may_alias));
  static constexpr int64_t kTile = 16;

  // 16 x 16 in registers: blocks of 8, 4, 2 and 1 change sides.
  static HONE_INLINE void tile(const float* in, int64_t stride, float* out, int64_t to) {
    Lanes r[kTile];
    for (int64_t i = 0; i < kTile; ++i) r[i] = *reinterpret_cast<const Lanes*>(in + i * stride);
#define HONE_SWAP(step, low, high)                          \
  for (int64_t i = 0; i < kTile; ++i) {                     \
    if (i & step) continue;                                 \
    const Lanes a = r[i], b = r[i + step];                  \
    r[i] = __builtin_shufflevector(a, b, low);              \
    r[i + step] = __builtin_shufflevector(a, b, high);      \
  }
#define HONE_LIST(...) __VA_ARGS__
    HONE_SWAP(8, HONE_LIST(0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23), HONE_LIST(8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
    HONE_SWAP(4, HONE_LIST(0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27), HONE_LIST(4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31))
    HONE_SWAP(2, HONE_LIST(0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29), HONE_LIST(2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31))
    HONE_SWAP(1, HONE_LIST(0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30), HONE_LIST(1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31))
#undef HONE_LIST
#undef HONE_SWAP
    for (int64_t i = 0; i < kTile; ++i) *reinterpret_cast<Lanes*>(out + i * to) = r[i];
  }

  static HONE_INLINE void run(const float* in, int64_t stride, int64_t rows, int64_t columns, float* out) {
    const int64_t whole_rows = rows / kTile * kTile, whole_columns = columns / kTile * kTile;
    for (int64_t r = 0; r < whole_rows; r += kTile)
      for (int64_t c = 0; c < whole_columns; c += kTile) tile(in + r * stride + c, stride, out + c * rows + r, rows);
    for (int64_t c = 0; c < columns; ++c)
      for (int64_t r = c < whole_columns ? whole_rows : 0; r < rows; ++r) out[c * rows + r] = in[r * stride + c];
  }
};

}  // namespace hone::train
