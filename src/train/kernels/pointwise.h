// Convolutions of one element: at every position a product with the same matrix. Products go to oneDNN's micro-kernels directly.
// Its convolutions compute them as well, but libtorch describes each call to them anew and copies the weights into another order
// and their gradient back, which costs as much as the work itself where a network is small, and the weight's gradient runs at half
// the speed of the others (docs/training-speed.md).
#pragma once

#include <ATen/ATen.h>

namespace hone::train {

// Whether pointwise takes x [N, K, H, W], weight [M, K, 1, 1] and bias [M] (or undefined): fp32 on a CPU with AVX-512, x channels-last.
bool has_pointwise(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);
// -> [N, M, H, W], channels-last. Results do not depend on the number of threads.
at::Tensor pointwise(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace hone::train
