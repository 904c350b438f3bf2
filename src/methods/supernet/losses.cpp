#include "methods/supernet/losses.h"

#include <ATen/core/grad_mode.h>

#include <cmath>

namespace hone::methods {

at::Tensor soft_cross_entropy(const at::Tensor& logits, const at::Tensor& targets) { return -(targets * logits.log_softmax(1)).sum(1).mean(); }

at::Tensor smoothed(const at::Tensor& targets, double smoothing) {
  return smoothing == 0 ? targets : targets * (1 - smoothing) + smoothing / static_cast<double>(targets.size(1));
}

namespace {

// Value of the divergence by sample, and the weights q rho of log q.
std::pair<at::Tensor, at::Tensor> divergence(const at::Tensor& q, const at::Tensor& p, const at::Tensor& w, double alpha, double clip) {
  if (std::abs(alpha - 1) < 1e-3) return {at::xlogy(p, w).sum(1), p};   // q w = p; 0 ln 0 = 0
  if (std::abs(alpha) < 1e-3) {
    const at::Tensor u = w.clamp(1e-30, clip).log();
    return {-(q * u).sum(1), q * (u - 1)};
  }
  const at::Tensor u = w.pow(alpha).clamp(0, clip);
  const double base = 1 / (alpha * (alpha - 1));
  return {(q * (u - 1) * base).sum(1), q * (u / alpha + base)};
}

}  // namespace

at::Tensor alpha_divergence(const at::Tensor& logits, const at::Tensor& targets, const AlphaDivergence& how) {
  const at::Tensor log_q = logits.log_softmax(1);
  at::Tensor weights;
  {
    at::NoGradGuard no_grad;
    const at::Tensor q = log_q.exp(), w = targets / q.clamp_min(1e-30);
    const auto [left, left_weights] = divergence(q, targets, w, how.lower, how.clip);
    const auto [right, right_weights] = divergence(q, targets, w, how.upper, how.clip);
    weights = at::where((left > right).unsqueeze(1), left_weights, right_weights);
  }
  return -(weights * log_q).sum(1).mean();
}

}  // namespace hone::methods
