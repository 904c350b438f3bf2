// Depthwise convolution (a filter of its own for every channel) with a weight gradient of hone's own. oneDNN's reaches a tenth of
// what its forward pass does: for kernels above 3 x 3 it runs the code of ordinary convolutions, and those it does run keep no
// channels in registers that lie beside each other in NHWC (docs/training-speed.md). Forward and the input's gradient are oneDNN's.
#pragma once

#include <ATen/ATen.h>

namespace hone::train {

// Whether depthwise takes x [N, C, H, W] and weight [C, 1, K, K]: fp32 on the CPU, x channels-last, 16 channels or more, K of 3, 5 or 7.
bool has_depthwise(const at::Tensor& x, const at::Tensor& weight);
// The same stride and padding along both dimensions. Results do not depend on the number of threads.
at::Tensor depthwise(const at::Tensor& x, const at::Tensor& weight, int64_t stride, int64_t padding);

}  // namespace hone::train
