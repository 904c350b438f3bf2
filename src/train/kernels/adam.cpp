#include "train/kernels/adam.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "train/kernels/simd.h"

namespace hone::train {

namespace {

constexpr int64_t kBlock = 16384;  // numbers that one piece of work covers, unless a unit is larger

// Sums of squares of p and g, in lanes of fp32 that are added up in double every so often.
struct Squares {
  static HONE_INLINE void run(const float* p, const float* g, int64_t n, double* out) {
    constexpr int64_t kLanes = 32, kFlush = 4096;
    double a = 0, b = 0;
    for (int64_t from = 0; from < n; from += kFlush) {
      const int64_t to = from + kFlush < n ? from + kFlush : n;
      float x[kLanes] = {}, y[kLanes] = {};
      int64_t i = from;
      for (; i + kLanes <= to; i += kLanes)
        for (int64_t k = 0; k < kLanes; ++k) {
          x[k] += p[i + k] * p[i + k];
          y[k] += g[i + k] * g[i + k];
        }
      for (; i < to; ++i) {
        x[0] += p[i] * p[i];
        y[0] += g[i] * g[i];
      }
      for (int64_t k = 0; k < kLanes; ++k) {
        a += x[k];
        b += y[k];
      }
    }
    out[0] = a;
    out[1] = b;
  }
};

struct Numbers {  // of a unit
  float scale, decay, keep, first, second, step, root, eps, share;  // decay: of AdamW lr * weight_decay, of Adam weight_decay; keep: 1 - lr * weight_decay
};

template <bool Decoupled, bool Averaged>
struct Adam {
  static HONE_INLINE void run(float* p, const float* grad, float* m, float* v, float* average, int64_t n, const Numbers* numbers) {
    const Numbers k = *numbers;
    HONE_VECTOR
    for (int64_t i = 0; i < n; ++i) {
      float g = grad[i] * k.scale, w = p[i];
      if constexpr (Decoupled) w *= k.keep;
      else g += w * k.decay;
      m[i] += k.first * (g - m[i]);
      v[i] += k.second * (g * g - v[i]);
      w -= k.step * m[i] / (__builtin_sqrtf(v[i]) * k.root + k.eps);
      p[i] = w;
      if constexpr (Averaged) average[i] += k.share * (w - average[i]);
    }
  }
};

struct Piece {
  size_t item;
  int64_t begin, end;  // units
};

int64_t units_of(const AdamItem& item, bool clip) {
  if (!clip || item.param.dim() < 2) return 1;
  return item.param.size(0);
}

}  // namespace

bool has_adam_update(const AdamItem& item) {
  const at::Tensor& p = item.param;
  const auto alike = [&](const at::Tensor& t) { return t.device().is_cpu() && t.scalar_type() == at::kFloat && t.sizes() == p.sizes() && t.strides() == p.strides(); };
  if (p.numel() == 0 || !p.is_non_overlapping_and_dense() || !alike(p) || !alike(item.grad) || !alike(item.first) || !alike(item.second)) return false;
  if (item.average.defined() && !alike(item.average)) return false;
  return !item.clip || p.dim() < 2 || p.size(0) == 1 || p.stride(0) == p.numel() / p.size(0);
}

void adam_update(const std::vector<AdamItem>& items, const AdamUpdate& how) {
  std::vector<Piece> pieces;
  for (size_t i = 0; i < items.size(); ++i) {
    const bool clip = items[i].clip && how.clip_factor > 0;
    const int64_t numel = items[i].param.numel();
    // Without clipping a tensor is cut anywhere: units of one number.
    const int64_t units = clip ? units_of(items[i], clip) : numel, per_piece = std::max<int64_t>(1, kBlock / (numel / units));
    for (int64_t u = 0; u < units; u += per_piece) pieces.push_back({i, u, std::min(units, u + per_piece)});
  }
  at::parallel_for(0, static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const Piece& piece = pieces[static_cast<size_t>(n)];
      const AdamItem& item = items[piece.item];
      const bool clip = item.clip && how.clip_factor > 0;
      const int64_t numel = item.param.numel(), unit = clip ? numel / units_of(item, clip) : 1;
      float *p = item.param.mutable_data_ptr<float>(), *m = item.first.mutable_data_ptr<float>(), *v = item.second.mutable_data_ptr<float>();
      float* average = item.average.defined() ? item.average.mutable_data_ptr<float>() : nullptr;
      const float* g = item.grad.const_data_ptr<float>();
      const double steps = static_cast<double>(item.steps), c1 = 1 - std::pow(how.beta1, steps), c2 = 1 - std::pow(how.beta2, steps);
      Numbers k{1,
                static_cast<float>(item.weight_decay),
                static_cast<float>(1 - item.lr * item.weight_decay),
                static_cast<float>(1 - how.beta1),
                static_cast<float>(1 - how.beta2),
                static_cast<float>(item.lr / c1),
                static_cast<float>(1 / std::sqrt(c2)),
                static_cast<float>(how.eps),
                static_cast<float>(how.average_share)};
      const auto update = [&](int64_t from, int64_t count) {
        float* a = average ? average + from : nullptr;
        if (how.decoupled && a) simd::run<Adam<true, true>>(p + from, g + from, m + from, v + from, a, count, static_cast<const Numbers*>(&k));
        else if (how.decoupled) simd::run<Adam<true, false>>(p + from, g + from, m + from, v + from, a, count, static_cast<const Numbers*>(&k));
        else if (a) simd::run<Adam<false, true>>(p + from, g + from, m + from, v + from, a, count, static_cast<const Numbers*>(&k));
        else simd::run<Adam<false, false>>(p + from, g + from, m + from, v + from, a, count, static_cast<const Numbers*>(&k));
      };
      if (!clip) {
        update(piece.begin, piece.end - piece.begin);
        continue;
      }
      for (int64_t u = piece.begin; u < piece.end; ++u) {
        double squares[2];
        simd::run<Squares>(static_cast<const float*>(p + u * unit), g + u * unit, unit, static_cast<double*>(squares));
        const double limit = how.clip_factor * std::max(std::sqrt(squares[0]), how.clip_eps), norm = std::sqrt(squares[1]);
        k.scale = norm > limit ? static_cast<float>(limit / std::max(norm, 1e-6)) : 1.0f;
        update(u * unit, unit);
      }
    }
  });
}

}  // namespace hone::train
