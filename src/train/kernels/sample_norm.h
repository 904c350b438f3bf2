// Group normalisation with one group, over all channels and positions of a sample together, as one differentiable function:
//   y = weight * (x - mean) / sqrt(var + eps) + bias.
// A sample of a vision transformer fits a core's L2 cache, so statistics and result cost one pass over memory, and so does the
// backward pass; as a layer norm over flattened samples, a product and a sum they are four and nine.
#pragma once

#include <ATen/ATen.h>

namespace hone::train {

// Whether sample_norm takes x [N, C, H, W] and the vectors [C]: fp32 on the CPU, x channels-last.
bool has_sample_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);
// Results do not depend on the number of threads.
at::Tensor sample_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double eps);

}  // namespace hone::train
