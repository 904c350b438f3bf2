// Softmax attention over whole rows of scores: y = softmax(scale q k^T + bias) v, for the token counts of vision transformers.
//
// A head's scores are made, used and thrown away within one core's cache; the backward pass makes them again from q, k
// and the rows' log-sum-exps (Dao et al. 2022, FlashAttention, section 3.1, without tiles). Products are oneDNN's
// micro-kernels. ATen's own kernel for fp32 calls a BLAS on tiles too small for it, and has none for a bias that is learnt: it then
// keeps every head's scores in memory, four times (docs/training-speed.md).
#pragma once

#include <ATen/ATen.h>

namespace hone::train {

// q [B, H, Nq, D], k [B, H, Nk, D], v [B, H, Nk, Dv] of any strides, bias undefined or [1, H, Nq, Nk] -> [B, H, Nq, Dv], which lies
// in memory as [B, Nq, H, Dv] on the fast path. fp32 on a CPU with AVX-512 and up to kAttentionTokens keys; else at::scaled_dot_product_attention.
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& bias, double scale);

inline constexpr int64_t kAttentionTokens = 1024;  // scores of more rows would not stay in the cache

}  // namespace hone::train
