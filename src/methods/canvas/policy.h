// Rewards and gradients of the canvas policy (spec of the sketch method, section 3.3 and 3.5).
//
//   R_acc  = rank_weight / rank + triplet_weight * (-L_Tri)
//   R_comp = -q_c / (q_max - q_min)
//   R      = cost_weight * R_comp + (1 - cost_weight) * R_acc
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "core/rng.h"

namespace hone::methods {

struct RewardOptions {
  double rank_weight = 1, triplet_weight = 1, cost_weight = 0.3;
};
// ranks and triplet losses N x K (one row a sketch, one column a canvas), cost of each canvas in any unit -> N x K.
at::Tensor rewards(const at::Tensor& ranks, const at::Tensor& triplets, const std::vector<int64_t>& cost, const RewardOptions& options);

// One canvas per row, drawn from softmax(logits).
std::vector<int64_t> sample_canvases(const at::Tensor& logits, Rng& rng);

// REINFORCE (Williams 1992): -mean_i log p(c_i) (R_i - baseline). Gradient in the logits: (p_k - [k = c]) (R - baseline) / B.
at::Tensor sampled_policy_loss(const at::Tensor& logits, const std::vector<int64_t>& chosen, const at::Tensor& reward, double baseline);

// What the sampled loss estimates: -mean_i sum_c p_c R_c. Gradient in the logits: -p_k (R_k - sum_c p_c R_c) / B.
at::Tensor exact_policy_loss(const at::Tensor& logits, const at::Tensor& reward);

// Mean entropy of softmax(logits), in nats.
at::Tensor policy_entropy(const at::Tensor& logits);

}  // namespace hone::methods
