// Dense layers through oneDNN: y = x w^T + b and both products of its backward pass.
//
// at::linear goes to the BLAS that libtorch was linked with. On AMD processors MKL reaches less than half of what oneDNN
// does on the same product (docs/training-speed.md), elsewhere the two are close; so fp32 on the CPU always goes to oneDNN:
//   y  = x w^T + b   as oneDNN's inner product,
//   dx = dy w        as the same with the transposed view of w, which costs no copy,
//   dw = dy^T x      as the weight gradient of a 1 x 1 convolution over the rows, which accumulates over them in registers.
// The choice depends on types and the build alone, never on a timing, so that runs repeat bit for bit.
#pragma once

#include <ATen/ATen.h>

namespace hone::train {

// x [..., K], weight [N, K], bias [N] or undefined -> [..., N].
at::Tensor dense(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace hone::train
