// The gate of a squeeze-and-excitation block (Hu et al. 2018, section 3): y = x * sigmoid(s), s one number a channel.
// Backward is one pass over x and dy that makes dx and the gate's sums; neither dy * x nor a broadcast gate is stored.
#pragma once

#include <ATen/ATen.h>

namespace hone::train {

// x [N, C, H, W], s [N, C, 1, 1]. fp32 on the CPU, x channels-last; else ATen's operators. Results do not depend on the
// number of threads.
at::Tensor channel_gate(const at::Tensor& x, const at::Tensor& s);

}  // namespace hone::train
