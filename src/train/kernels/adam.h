// Adaptive gradient clipping, Adam or AdamW, and the exponential moving average in one pass over memory. As three passes of
// multi-tensor operators they read and write a parameter's five tensors fourteen times, and clipping calls a dozen operators a
// tensor, which for a supernet's small members costs as much as a tenth of the step.
#pragma once

#include <ATen/ATen.h>

#include <vector>

namespace hone::train {

// One parameter. All tensors lie in memory as `param` does.
struct AdamItem {
  at::Tensor param, grad, first, second;  // first and second moments
  at::Tensor average;                     // undefined: none
  double lr = 0, weight_decay = 0;
  int64_t steps = 1;                      // updates with this one
  bool clip = false;
};

struct AdamUpdate {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  bool decoupled = true;                  // AdamW; false: weight decay is added to the gradient
  double clip_factor = 0, clip_eps = 0;   // of clip_adaptive (train/clip.h), for items that ask for it
  double average_share = 0;               // average += share * (param - average)
};

// Whether adam_update takes the item: dense fp32 on the CPU, alike in memory, units of dimension 0 in one piece.
bool has_adam_update(const AdamItem& item);
// Gradients are read only. Results do not depend on the number of threads.
void adam_update(const std::vector<AdamItem>& items, const AdamUpdate& how);

}  // namespace hone::train
