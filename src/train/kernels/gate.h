// The gate of a squeeze-and-excitation block (Hu et al. 2018, section 3): y = x * sigmoid(s), s one number a channel, or with
// the hard sigmoid min(max(s + 3, 0), 6) / 6 of mobile networks (Howard et al. 2019, section 5.2).
// Backward is one pass over x and dy that makes dx and the gate's sums; neither dy * x nor a broadcast gate is stored.
#pragma once

#include <ATen/ATen.h>

namespace hone::train {

enum class Gate : uint8_t { sigmoid, hard_sigmoid };

// x [N, C, H, W], s [N, C, 1, 1]. fp32 on the CPU, x channels-last; else ATen's operators. Results do not depend on the
// number of threads.
at::Tensor channel_gate(const at::Tensor& x, const at::Tensor& s, Gate gate);

}  // namespace hone::train
