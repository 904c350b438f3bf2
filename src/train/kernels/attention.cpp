#include "train/kernels/attention.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <limits>

#include "train/kernels/product.h"

namespace hone::train {

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// scores = scale * scores + bias, all [rows, columns] and dense.
struct AddBias {
  static HONE_INLINE void run(float* scores, const float* bias, int64_t n, float scale) {
    HONE_VECTOR
    for (int64_t i = 0; i < n; ++i) scores[i] = scores[i] * scale + bias[i];
  }
};

// Rows of scores to probabilities; lse[r] = log sum exp of the scaled row.
struct Softmax {
  static HONE_INLINE void run(float* scores, int64_t rows, int64_t columns, float scale, float* lse) {
    constexpr int64_t kLanes = 16;
    for (int64_t r = 0; r < rows; ++r) {
      float* s = scores + r * columns;
      float lanes[kLanes];
      for (int64_t i = 0; i < kLanes; ++i) lanes[i] = -std::numeric_limits<float>::infinity();
      int64_t c = 0;
      for (; c + kLanes <= columns; c += kLanes)
        for (int64_t i = 0; i < kLanes; ++i) lanes[i] = simd::max(s[c + i], lanes[i]);
      for (; c < columns; ++c) lanes[0] = simd::max(s[c], lanes[0]);
      float top = lanes[0];
      for (int64_t i = 1; i < kLanes; ++i) top = simd::max(lanes[i], top);
      top *= scale;
      for (int64_t i = 0; i < kLanes; ++i) lanes[i] = 0;
      for (c = 0; c + kLanes <= columns; c += kLanes)
        for (int64_t i = 0; i < kLanes; ++i) {
          s[c + i] = simd::exp(s[c + i] * scale - top);
          lanes[i] += s[c + i];
        }
      for (; c < columns; ++c) {
        s[c] = simd::exp(s[c] * scale - top);
        lanes[0] += s[c];
      }
      float sum = 0;
      for (int64_t i = 0; i < kLanes; ++i) sum += lanes[i];
      const float inverse = 1.0f / sum;
      HONE_VECTOR
      for (c = 0; c < columns; ++c) s[c] *= inverse;
      lse[r] = top + std::log(sum);
    }
  }
};

// Transposed scores [keys, queries] to probabilities p, and dp (gradients of p) to gradients of the scores.
struct SoftmaxBackward {
  static HONE_INLINE void run(float* p, float* dp, int64_t keys, int64_t queries, float scale, const float* lse, const float* delta) {
    for (int64_t j = 0; j < keys; ++j) {
      float *a = p + j * queries, *b = dp + j * queries;
      HONE_VECTOR
      for (int64_t i = 0; i < queries; ++i) {
        a[i] = simd::exp(a[i] * scale - lse[i]);
        b[i] = a[i] * (b[i] - delta[i]) * scale;
      }
    }
  }
};

// The same with transposed biases; dbias, transposed too, gains the gradients of the biased scores.
struct BiasedSoftmaxBackward {
  static HONE_INLINE void run(float* p, float* dp, int64_t keys, int64_t queries, float scale, const float* lse, const float* delta, const float* bias, float* dbias) {
    for (int64_t j = 0; j < keys; ++j) {
      float *a = p + j * queries, *b = dp + j * queries, *sum = dbias + j * queries;
      const float* e = bias + j * queries;
      HONE_VECTOR
      for (int64_t i = 0; i < queries; ++i) {
        a[i] = simd::exp(a[i] * scale + e[i] - lse[i]);
        const float g = a[i] * (b[i] - delta[i]);
        sum[i] += g;
        b[i] = g * scale;
      }
    }
  }
};

// delta[r] = sum over columns of a * b, both [rows, columns].
struct RowDots {
  static HONE_INLINE void run(const float* a, int64_t stride_a, const float* b, int64_t stride_b, int64_t rows, int64_t columns, float* delta) {
    constexpr int64_t kLanes = 16;
    for (int64_t r = 0; r < rows; ++r) {
      float lanes[kLanes] = {};
      int64_t c = 0;
      for (; c + kLanes <= columns; c += kLanes)
        for (int64_t i = 0; i < kLanes; ++i) lanes[i] += a[r * stride_a + c + i] * b[r * stride_b + c + i];
      for (; c < columns; ++c) lanes[0] += a[r * stride_a + c] * b[r * stride_b + c];
      float sum = 0;
      for (int64_t i = 0; i < kLanes; ++i) sum += lanes[i];
      delta[r] = sum;
    }
  }
};

// One head of a [B, H, N, D] tensor whose last dimension is dense.
struct Head {
  const float* data;
  int64_t stride;
  Head(const Tensor& t, int64_t b, int64_t h) : data(t.const_data_ptr<float>() + b * t.stride(0) + h * t.stride(1)), stride(t.stride(2)) {}
};
float* mutable_head(const Tensor& t, int64_t b, int64_t h) { return t.mutable_data_ptr<float>() + b * t.stride(0) + h * t.stride(1); }

Tensor tokens_first(const Tensor& like, int64_t tokens, int64_t width) {
  return at::empty({like.size(0), tokens, like.size(1), width}, like.options()).transpose(1, 2);
}
Tensor dense_rows(const Tensor& t) { return t.stride(3) == 1 ? t : t.contiguous(); }

// Pieces of work: a head of a number of images, whose share of the biases' gradient one piece adds up. The number does not depend
// on the threads, so neither does the sum.
struct Pieces {
  int64_t batch, heads, groups;
  Pieces(const Tensor& q, bool biased) : batch(q.size(0)), heads(q.size(1)), groups(biased ? std::min(batch, (kPieces + heads - 1) / heads) : batch) {}
  // body(group, head, first image, one past the last)
  template <class Body>
  void each(const Body& body) const {
    at::parallel_for(0, groups * heads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t g = i / heads;
        body(g, i % heads, g * batch / groups, (g + 1) * batch / groups);
      }
    });
  }

 private:
  static constexpr int64_t kPieces = 32;
};

struct AttentionFunction : torch::autograd::Function<AttentionFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& q_in, const Tensor& k_in, const Tensor& v_in, const std::optional<Tensor>& bias_in, double scale) {
    const Tensor q = dense_rows(q_in), k = dense_rows(k_in), v = dense_rows(v_in), bias = bias_in ? bias_in->contiguous() : Tensor();
    const int64_t nq = q.size(2), nk = k.size(2), d = q.size(3), dv = v.size(3);
    const Tensor y = tokens_first(q, nq, dv), lse = at::empty({q.size(0), q.size(1), nq}, q.options());
    Pieces(q, bias.defined()).each([&](int64_t, int64_t h, int64_t begin, int64_t end) {
      thread_local std::vector<float> scratch;
      scratch.resize(static_cast<size_t>(d * nk + nq * nk));
      float *kt = scratch.data(), *scores = kt + d * nk;
      for (int64_t b = begin; b < end; ++b) {
        const Head qh(q, b, h), kh(k, b, h), vh(v, b, h);
        simd::run<Transpose>(kh.data, kh.stride, nk, d, kt);
        product(nq, nk, d, qh.data, qh.stride, kt, nk, scores, nk);
        if (bias.defined()) simd::run<AddBias>(scores, bias.const_data_ptr<float>() + h * nq * nk, nq * nk, static_cast<float>(scale));
        simd::run<Softmax>(scores, nq, nk, bias.defined() ? 1.0f : static_cast<float>(scale), lse.mutable_data_ptr<float>() + (b * q.size(1) + h) * nq);
        product(nq, dv, nk, scores, nk, vh.data, vh.stride, mutable_head(y, b, h), y.stride(2));
      }
    });
    ctx->save_for_backward({q, k, v, y, lse, bias});
    ctx->saved_data["scale"] = scale;
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor &q = saved[0], &k = saved[1], &v = saved[2], &y = saved[3], &lse = saved[4], &bias = saved[5], dy = dense_rows(grads[0]);
    const float scale = static_cast<float>(ctx->saved_data["scale"].toDouble());
    const int64_t nq = q.size(2), nk = k.size(2), d = q.size(3), dv = v.size(3), heads = q.size(1);
    const Tensor dq = tokens_first(q, nq, d), dk = tokens_first(k, nk, d), dvalue = tokens_first(v, nk, dv);
    const Pieces pieces(q, bias.defined());
    const Tensor dbias = bias.defined() ? at::empty({pieces.groups, heads, nq, nk}, q.options()) : Tensor();
    pieces.each([&](int64_t group, int64_t h, int64_t begin, int64_t end) {
      thread_local std::vector<float> scratch;
      scratch.resize(static_cast<size_t>((d + dv + 1) * nq + (bias.defined() ? 5 : 3) * nq * nk));
      float *qt = scratch.data(), *dyt = qt + d * nq, *delta = dyt + dv * nq, *p = delta + nq, *ds = p + nq * nk, *ds_rows = ds + nq * nk, *bias_t = ds_rows + nq * nk, *dbias_t = bias_t + nq * nk;
      if (bias.defined()) {
        simd::run<Transpose>(bias.const_data_ptr<float>() + h * nq * nk, nk, nq, nk, bias_t);
        std::fill(dbias_t, dbias_t + nq * nk, 0.0f);
      }
      for (int64_t b = begin; b < end; ++b) {
        const Head qh(q, b, h), kh(k, b, h), vh(v, b, h), yh(y, b, h), dyh(dy, b, h);
        const float* sums = lse.const_data_ptr<float>() + (b * heads + h) * nq;
        simd::run<Transpose>(qh.data, qh.stride, nq, d, qt);
        simd::run<Transpose>(dyh.data, dyh.stride, nq, dv, dyt);
        simd::run<RowDots>(dyh.data, dyh.stride, yh.data, yh.stride, nq, dv, delta);
        // Everything transposed, [keys, queries]: probabilities and their gradients come out as dk and dv need them.
        product(nk, nq, d, kh.data, kh.stride, qt, nq, p, nq);
        product(nk, nq, dv, vh.data, vh.stride, dyt, nq, ds, nq);
        if (bias.defined()) simd::run<BiasedSoftmaxBackward>(p, ds, nk, nq, scale, sums, delta, bias_t, dbias_t);
        else simd::run<SoftmaxBackward>(p, ds, nk, nq, scale, sums, delta);
        product(nk, dv, nq, p, nq, dyh.data, dyh.stride, mutable_head(dvalue, b, h), dvalue.stride(2));
        product(nk, d, nq, ds, nq, qh.data, qh.stride, mutable_head(dk, b, h), dk.stride(2));
        simd::run<Transpose>(ds, nq, nk, nq, ds_rows);
        product(nq, d, nk, ds_rows, nk, kh.data, kh.stride, mutable_head(dq, b, h), dq.stride(2));
      }
      if (bias.defined()) simd::run<Transpose>(dbias_t, nq, nk, nq, dbias.mutable_data_ptr<float>() + (group * heads + h) * nq * nk);
    });
    return {dq, dk, dvalue, bias.defined() ? dbias.sum(0, true) : Tensor(), Tensor()};
  }
};

bool plain(const Tensor& t) { return t.dim() == 4 && t.device().is_cpu() && t.scalar_type() == at::kFloat && t.numel() > 0; }

}  // namespace

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& bias, double scale) {
  const bool shapes = plain(q) && plain(k) && plain(v) && q.size(0) == k.size(0) && q.size(0) == v.size(0) && q.size(1) == k.size(1) && q.size(1) == v.size(1) &&
                      q.size(3) == k.size(3) && k.size(2) == v.size(2);
  const bool biases = !bias.defined() || (plain(bias) && bias.sizes() == at::IntArrayRef({1, q.size(1), q.size(2), k.size(2)}));
  if (!shapes || !biases || k.size(2) > kAttentionTokens || q.size(2) > kAttentionTokens || !have_products())
    return at::scaled_dot_product_attention(q, k, v, bias.defined() ? std::optional<Tensor>(bias.to(q.scalar_type())) : std::nullopt, 0, false, scale);
  return AttentionFunction::apply(q, k, v, bias.defined() ? std::optional<Tensor>(bias) : std::nullopt, scale);
}

}  // namespace hone::train
