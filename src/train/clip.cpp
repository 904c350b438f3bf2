#include "train/clip.h"

#include <ATen/core/grad_mode.h>

namespace hone::train {

namespace {

std::vector<at::Tensor> gradients(const std::vector<at::Tensor>& params) {
  std::vector<at::Tensor> out;
  out.reserve(params.size());
  for (const at::Tensor& p : params)
    if (p.grad().defined()) out.push_back(p.grad());
  return out;
}

// Norm over everything but dimension 0; of vectors and scalars over everything.
at::Tensor unit_norm(const at::Tensor& t) {
  if (t.dim() < 2) return at::linalg_vector_norm(t);
  std::vector<int64_t> rest;
  for (int64_t d = 1; d < t.dim(); ++d) rest.push_back(d);
  return at::linalg_vector_norm(t, 2, rest, /*keepdim=*/true);
}

at::Tensor norm_of(const std::vector<at::Tensor>& grads) { return at::linalg_vector_norm(at::stack(at::_foreach_norm(grads, 2))); }

}  // namespace

double gradient_norm(const std::vector<at::Tensor>& params) {
  at::NoGradGuard no_grad;
  const auto grads = gradients(params);
  return grads.empty() ? 0 : norm_of(grads).item<double>();
}

double clip_norm(const std::vector<at::Tensor>& params, double max_norm) {
  at::NoGradGuard no_grad;
  auto grads = gradients(params);
  if (grads.empty()) return 0;
  const double norm = norm_of(grads).item<double>();
  if (const double factor = max_norm / (norm + 1e-6); factor < 1) at::_foreach_mul_(grads, factor);
  return norm;
}

void clip_value(const std::vector<at::Tensor>& params, double limit) {
  at::NoGradGuard no_grad;
  auto grads = gradients(params);
  if (grads.empty()) return;
  at::_foreach_clamp_max_(grads, limit);
  at::_foreach_clamp_min_(grads, -limit);
}

void clip_adaptive(const std::vector<at::Tensor>& params, double factor, double eps) {
  at::NoGradGuard no_grad;
  for (const at::Tensor& p : params) {
    const at::Tensor grad = p.grad();
    if (!grad.defined()) continue;
    const at::Tensor limit = unit_norm(p).clamp_min(eps).mul_(factor), norm = unit_norm(grad);
    grad.mul_(at::where(norm > limit, limit / norm.clamp_min(1e-6), at::ones_like(norm)));
  }
}

}  // namespace hone::train
