#include "methods/canvas/policy.h"

#include <gtest/gtest.h>

namespace hone::methods {
namespace {

TEST(Rewards, CostTermOfThePapersCanvases) {
  // FLOPs of the MobileNetV2 trunk at 32, 64, 128, 256, spec section 3.3.
  const std::vector<int64_t> cost = {13'019'000, 52'074'000, 208'298'000, 833'192'000};
  const at::Tensor r = rewards(at::ones({1, 4}), at::zeros({1, 4}), cost, {0, 0, 1});
  const double expected[] = {-0.0159, -0.0635, -0.2540, -1.0159};
  for (int k = 0; k < 4; ++k) EXPECT_NEAR(r[0][k].item<double>(), expected[k], 5e-5);
  const at::Tensor both = rewards(at::full({1, 2}, 4), at::full({1, 2}, 0.1), {0, 10}, {1, 2, 0.5});
  EXPECT_NEAR(both[0][0].item<double>(), 0.5 * (0.25 - 0.2), 1e-6);
  EXPECT_NEAR(both[0][1].item<double>(), -0.5 + 0.5 * (0.25 - 0.2), 1e-6);
}

TEST(Policy, GradientsAreTheClosedForms) {
  at::Tensor logits = at::tensor(std::vector<float>{0.2f, -1, 0.5f, 1.5f, 0, 0.3f}).view({2, 3}).requires_grad_(true);
  const at::Tensor reward = at::tensor(std::vector<float>{1, 0.5f, -0.3f, 0.2f, 0.9f, 0.1f}).view({2, 3});
  const at::Tensor p = at::softmax(logits.detach(), 1);
  exact_policy_loss(logits, reward).backward();
  EXPECT_TRUE(at::allclose(logits.grad(), -p * (reward - (p * reward).sum(1, true)) / 2, 1e-5, 1e-7));
  logits.mutable_grad() = at::Tensor();
  sampled_policy_loss(logits, {2, 0}, reward, 0.1).backward();
  const at::Tensor chosen = at::tensor(std::vector<float>{0, 0, 1, 1, 0, 0}).view({2, 3});
  const at::Tensor gain = (at::tensor(std::vector<float>{-0.3f, 0.2f}) - 0.1f).unsqueeze(1);
  EXPECT_TRUE(at::allclose(logits.grad(), (p - chosen) * gain / 2, 1e-5, 1e-7));
}

TEST(Policy, SampledGradientConvergesToTheExactOne) {
  at::Tensor logits = at::tensor(std::vector<float>{0.3f, -0.4f, 0.1f, 0}).view({1, 4}).requires_grad_(true);
  const at::Tensor reward = at::tensor(std::vector<float>{0.9f, 0.4f, 0.1f, -0.6f}).view({1, 4});
  exact_policy_loss(logits, reward).backward();
  const at::Tensor exact = logits.grad().clone();
  for (double baseline : {0.0, 0.4}) {
    logits.mutable_grad() = at::Tensor();
    Rng rng(11);
    const int64_t n = 200000;  // one batch of so many draws is their mean
    const at::Tensor many = logits.expand({n, 4});
    sampled_policy_loss(many, sample_canvases(many, rng), reward.expand({n, 4}), baseline).backward();
    EXPECT_TRUE(at::allclose(logits.grad(), exact, 0, 4e-3)) << logits.grad() << exact;
  }
}

TEST(Policy, SamplesFollowTheProbabilities) {
  Rng rng(5);
  const at::Tensor logits = at::tensor(std::vector<float>{0.7f, 0.2f, 0.1f}).log().expand({30000, 3});
  std::vector<int> count(3);
  for (int64_t k : sample_canvases(logits, rng)) ++count[static_cast<size_t>(k)];
  EXPECT_NEAR(count[0], 21000, 400);
  EXPECT_NEAR(count[1], 6000, 300);
}

TEST(Policy, EntropyOfAFairChoice) { EXPECT_NEAR(policy_entropy(at::zeros({5, 4})).item<double>(), std::log(4.0), 1e-6); }

}  // namespace
}  // namespace hone::methods
