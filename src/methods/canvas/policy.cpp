#include "methods/canvas/policy.h"

#include <algorithm>

namespace hone::methods {

at::Tensor rewards(const at::Tensor& ranks, const at::Tensor& triplets, const std::vector<int64_t>& cost, const RewardOptions& o) {
  const auto [low, high] = std::minmax_element(cost.begin(), cost.end());
  // A single canvas leaves no choice, and its cost no spread.
  const double spread = std::max<double>(1, static_cast<double>(*high - *low));
  std::vector<double> share(cost.begin(), cost.end());
  for (double& c : share) c /= spread;
  const at::Tensor compute = -at::tensor(share, at::kFloat).unsqueeze(0);
  const at::Tensor accuracy = o.rank_weight * ranks.to(at::kFloat).reciprocal() - o.triplet_weight * triplets;
  return o.cost_weight * compute + (1 - o.cost_weight) * accuracy;
}

std::vector<int64_t> sample_canvases(const at::Tensor& logits, Rng& rng) {
  const at::Tensor p = at::softmax(logits.detach(), 1).to(at::kDouble).contiguous();
  const double* row = p.data_ptr<double>();
  std::vector<int64_t> out;
  for (int64_t i = 0; i < p.size(0); ++i, row += p.size(1)) {
    double left = rng.uniform();
    int64_t k = 0;
    while (k + 1 < p.size(1) && left >= row[k]) left -= row[k++];
    out.push_back(k);
  }
  return out;
}

at::Tensor sampled_policy_loss(const at::Tensor& logits, const std::vector<int64_t>& chosen, const at::Tensor& reward, double baseline) {
  const at::Tensor index = at::tensor(chosen).unsqueeze(1);
  const at::Tensor log_p = at::log_softmax(logits, 1).gather(1, index).squeeze(1);
  return -(log_p * (reward.gather(1, index).squeeze(1) - baseline)).mean();
}

at::Tensor exact_policy_loss(const at::Tensor& logits, const at::Tensor& reward) { return -(at::softmax(logits, 1) * reward).sum(1).mean(); }

at::Tensor policy_entropy(const at::Tensor& logits) {
  const at::Tensor log_p = at::log_softmax(logits, 1);
  return -(log_p.exp() * log_p).sum(1).mean();
}

}  // namespace hone::methods
