// Batch normalisation, an optional residual sum and an activation as one differentiable function:
//   y = act(weight * (x - mean) / sqrt(var + eps) + bias + residual).
// Nothing between x and y is stored: the backward pass recomputes the activation's argument from x. Two passes over the
// memory forward, two backward, against five and seven of the separate operators.
//
// The fast path takes fp32 CPU tensors that lie channels-last (4-D) or are matrices [N, C]; others go to ATen's operators
// with the same meaning. Results do not depend on the number of threads.
#pragma once

#include <ATen/ATen.h>

namespace hone::train {

enum class Activation : uint8_t { none, relu, relu6, silu, hard_swish };

struct NormAct {
  bool train = true;      // the batch's statistics, and running ones updated as PyTorch does; else the running ones
  double momentum = 0.1;  // share of the new statistics
  double eps = 1e-5;
  Activation activation = Activation::none;
};

// x [N, C, H, W] or [N, C]; weight, bias, running_mean, running_var [C]; residual undefined or of x's shape.
at::Tensor norm_act(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& running_mean, const at::Tensor& running_var,
                    const at::Tensor& residual, const NormAct& how);

// act(x) in ATen's operators.
at::Tensor activate(const at::Tensor& x, Activation activation);

}  // namespace hone::train
