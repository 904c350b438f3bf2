// Loops of norm_act over rows of `width` numbers, where column c belongs to channel c mod C. Internal.
#pragma once

#include "train/kernels/norm_act.h"
#include "train/kernels/simd.h"

namespace hone::train::norm_act_loops {

template <Activation A>
HONE_INLINE float value(float z) {
  if constexpr (A == Activation::relu) return simd::max(z, 0.0f);
  if constexpr (A == Activation::relu6) return simd::min(simd::max(z, 0.0f), 6.0f);
  if constexpr (A == Activation::silu) return z * simd::sigmoid(z);
  if constexpr (A == Activation::hard_swish) return z * simd::min(simd::max(z + 3.0f, 0.0f), 6.0f) * (1.0f / 6.0f);
  return z;
}

// dy times the derivative at z; at the corners PyTorch's choice.
template <Activation A>
HONE_INLINE float slope(float z, float dy) {
  if constexpr (A == Activation::relu) return z > 0.0f ? dy : 0.0f;
  if constexpr (A == Activation::relu6) return (z > 0.0f) & (z < 6.0f) ? dy : 0.0f;
  if constexpr (A == Activation::silu) {
    const float s = simd::sigmoid(z);
    return dy * s * (1.0f + z * (1.0f - s));
  }
  if constexpr (A == Activation::hard_swish) {
    const float inner = dy * (z * (1.0f / 3.0f) + 0.5f);
    return z <= -3.0f ? 0.0f : z >= 3.0f ? dy : inner;
  }
  return dy;
}

// sum[c] += x - shift[c], square[c] += (x - shift[c])^2.
struct Moments {
  static HONE_INLINE void run(const float* x, int64_t rows, int64_t width, const float* shift, float* sum, float* square) {
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) {
      const float* a = x + r * width;
      const float *b = a + width, *c = b + width, *d = c + width;
      HONE_VECTOR
      for (int64_t i = 0; i < width; ++i) {
        const float k = shift[i], p = a[i] - k, q = b[i] - k, s = c[i] - k, t = d[i] - k;
        sum[i] += (p + q) + (s + t);
        square[i] += (p * p + q * q) + (s * s + t * t);
      }
    }
    for (; r < rows; ++r)
      HONE_VECTOR
      for (int64_t i = 0; i < width; ++i) {
        const float p = x[r * width + i] - shift[i];
        sum[i] += p;
        square[i] += p * p;
      }
  }
};

// y = act(x * scale + offset (+ residual)).
template <Activation A, bool R>
struct Forward {
  static HONE_INLINE void run(const float* x, const float* residual, float* y, int64_t rows, int64_t width, const float* scale, const float* offset) {
    for (int64_t r = 0; r < rows; ++r) {
      const float *a = x + r * width, *e = R ? residual + r * width : nullptr;
      float* o = y + r * width;
      HONE_VECTOR
      for (int64_t i = 0; i < width; ++i) {
        float z = a[i] * scale[i] + offset[i];
        if constexpr (R) z += e[i];
        o[i] = value<A>(z);
      }
    }
  }
};

// With g = dy * act'(z): sum[c] += g, product[c] += g * (x - mean[c]).
template <Activation A, bool R>
struct Sums {
  static HONE_INLINE float g(const float* x, const float* residual, const float* dy, int64_t at, float scale, float offset) {
    float z = x[at] * scale + offset;
    if constexpr (R) z += residual[at];
    return slope<A>(z, dy[at]);
  }
  static HONE_INLINE void run(const float* x, const float* residual, const float* dy, int64_t rows, int64_t width, const float* scale, const float* offset, const float* mean,
                              float* sum, float* product) {
    int64_t r = 0;
    for (; r + 2 <= rows; r += 2)
      HONE_VECTOR
      for (int64_t i = 0; i < width; ++i) {
        const int64_t a = r * width + i, b = a + width;
        const float p = g(x, residual, dy, a, scale[i], offset[i]), q = g(x, residual, dy, b, scale[i], offset[i]);
        sum[i] += p + q;
        product[i] += p * (x[a] - mean[i]) + q * (x[b] - mean[i]);
      }
    for (; r < rows; ++r)
      HONE_VECTOR
      for (int64_t i = 0; i < width; ++i) {
        const int64_t a = r * width + i;
        const float p = g(x, residual, dy, a, scale[i], offset[i]);
        sum[i] += p;
        product[i] += p * (x[a] - mean[i]);
      }
  }
};

// dx = g * scale + x * slant + level; the residual's gradient is g itself.
template <Activation A, bool R>
struct Backward {
  static HONE_INLINE void run(const float* x, const float* residual, const float* dy, float* dx, float* dresidual, int64_t rows, int64_t width, const float* scale,
                              const float* offset, const float* slant, const float* level) {
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t start = r * width;
      HONE_VECTOR
      for (int64_t i = 0; i < width; ++i) {
        const int64_t a = start + i;
        const float g = Sums<A, R>::g(x, residual, dy, a, scale[i], offset[i]);
        dx[a] = g * scale[i] + (x[a] * slant[i] + level[i]);
        if constexpr (R) dresidual[a] = g;
      }
    }
  }
};

}  // namespace hone::train::norm_act_loops
