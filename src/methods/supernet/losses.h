// Losses of supernet training. Logits and targets are (batch, classes); results are scalars, means over the batch.
#pragma once

#include <ATen/ATen.h>

namespace hone::methods {

// - sum_c p(c) log softmax(z)(c).
at::Tensor soft_cross_entropy(const at::Tensor& logits, const at::Tensor& targets);

// What a label says of each class: `smoothing` of the target is spread over all classes.
at::Tensor smoothed(const at::Tensor& targets, double smoothing);

// The adaptive alpha-divergence of Wang et al. (AlphaNet, ICML 2021): of two divergences between student q and target p, each
// sample follows the larger one. With w = p / q, q without gradient, and u = w^alpha clipped at `clip`:
//   value     sum q (f - f0),          f  = u / (alpha (alpha - 1)),  f0 = 1 / (alpha (alpha - 1))
//   gradient  - sum q rho log q,       rho = u / alpha + f0
// alpha = 1 is the Kullback-Leibler divergence from p (f = w ln w, rho = w), alpha = 0 its reverse (f = - ln w, rho = ln w - 1);
// the first has no clip. The scalar's value is the chosen surrogate, whose gradient is the divergence's.
struct AlphaDivergence {
  double lower = -1, upper = 1, clip = 5;
};
at::Tensor alpha_divergence(const at::Tensor& logits, const at::Tensor& targets, const AlphaDivergence& how);

}  // namespace hone::methods
