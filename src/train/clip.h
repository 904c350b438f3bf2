// Gradient clipping. Parameters without a gradient are passed over.
#pragma once

#include <ATen/ATen.h>

#include <vector>

namespace hone::train {

// L2 norm over all gradients together; 0 when there are none.
double gradient_norm(const std::vector<at::Tensor>& params);
// Scales all gradients by max_norm / (norm + 1e-6) when that is below 1, as PyTorch does; returns the norm before.
double clip_norm(const std::vector<at::Tensor>& params, double max_norm);
// Clamps every element to [-limit, limit].
void clip_value(const std::vector<at::Tensor>& params, double limit);
// Adaptive gradient clipping (Brock et al. 2021, section 4.1): each unit's gradient (a row of a matrix, a filter of a
// convolution, the whole of a vector or scalar) is scaled so that |g| <= factor * max(|w|, eps).
void clip_adaptive(const std::vector<at::Tensor>& params, double factor, double eps);

}  // namespace hone::train
