#include "train/optimiser.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "../support.h"
#include "ir/text.h"
#include "train/average.h"
#include "train/clip.h"
#include "train/schedule.h"

using namespace hone;
using namespace hone::train;

namespace {

Params two_parameters() {
  auto graph = parse_graph("hone graph 1\ninput x: f32[1]\nparameter w: f32[4,3]\nparameter b: f32[5]\nbuffer mean: f32[2]\noutput x\n", "test");
  auto params = Params::of(*graph, 0);
  at::NoGradGuard no_grad;
  for (const Params::Entry& e : params->entries())
    for (int64_t i = 0; i < e.tensor.numel(); ++i) e.tensor.mutable_data_ptr<float>()[i] = static_cast<float>(e.name == "w" ? std::sin(i) : std::cos(i));
  return std::move(*params);
}

void set_gradients(const Params& params, int t) {
  for (const Params::Entry& e : params.entries()) {
    if (e.buffer) continue;
    at::Tensor g = at::empty_like(e.tensor.detach());
    for (int64_t i = 0; i < g.numel(); ++i) g.mutable_data_ptr<float>()[i] = static_cast<float>(std::sin(0.7 * static_cast<double>(i) + 1.3 * t));
    e.tensor.mutable_grad() = g + 0.1 * e.tensor.detach();
  }
}

std::vector<double> values(const Params& params) {
  std::vector<double> out;
  for (const Params::Entry& e : params.entries())
    if (!e.buffer)
      for (int64_t i = 0; i < e.tensor.numel(); ++i) out.push_back(e.tensor.const_data_ptr<float>()[i]);
  return out;
}

using Kind = OptimiserOptions::Kind;
std::map<std::string, OptimiserOptions> cases() {
  return {{"sgd", {.kind = Kind::sgd, .lr = 0.1, .momentum = 0, .decay_all = true}},
          {"sgd_momentum", {.kind = Kind::sgd, .lr = 0.1, .weight_decay = 0.01, .decay_all = true}},
          {"sgd_nesterov", {.kind = Kind::sgd, .lr = 0.1, .weight_decay = 0.01, .nesterov = true, .decay_all = true}},
          {"adam", {.kind = Kind::adam, .lr = 0.01, .weight_decay = 0.1, .decay_all = true}},
          {"adamw", {.kind = Kind::adamw, .lr = 0.01, .weight_decay = 0.1, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .decay_all = true}},
          {"lamb", {.kind = Kind::lamb, .lr = 0.01, .weight_decay = 0.1, .eps = 1e-6, .decay_all = true}}};
}

// tests/train/data/make_optimisers.py
TEST(Optimiser, EqualsPyTorch) {
  const auto text = test::read_file(HONE_SOURCE_DIR "/tests/train/data/optimisers.txt");
  ASSERT_TRUE(text);
  size_t seen = 0;
  for (const std::string& line : test::split(*text, '\n')) {
    const auto words = test::split(line, ' ');
    if (words.empty()) continue;
    const auto options = cases();
    ASSERT_TRUE(options.count(words[0])) << words[0];
    Params params = two_parameters();
    Optimiser optimiser(options.at(words[0]), params);
    for (int t = 0; t < 5; ++t) {
      set_gradients(params, t);
      optimiser.step(1);
    }
    const auto got = values(params);
    ASSERT_EQ(got.size() + 1, words.size());
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], std::stod(words[i + 1]), 2e-6) << words[0] << " element " << i;
    ++seen;
  }
  EXPECT_EQ(seen, cases().size());
}

TEST(Optimiser, SavedAndRestoredGoesOnBitForBit) {
  for (const auto& [name, options] : cases()) {
    Params whole = two_parameters(), halves = two_parameters();
    Optimiser a(options, whole), b(options, halves);
    for (int t = 0; t < 3; ++t) {
      set_gradients(whole, t);
      a.step(1);
      set_gradients(halves, t);
      b.step(1);
    }
    Optimiser c(options, halves);
    ASSERT_TRUE(c.load(b.save())) << name;
    for (int t = 3; t < 6; ++t) {
      set_gradients(whole, t);
      a.step(0.5);
      set_gradients(halves, t);
      c.step(0.5);
    }
    EXPECT_EQ(values(whole), values(halves)) << name;
  }
  Params params = two_parameters();
  Optimiser sgd(cases()["sgd_momentum"], params), adam(cases()["adam"], params);
  EXPECT_FALSE(adam.load(sgd.save()));
}

TEST(Optimiser, RulesAndExemptions) {
  // Zero gradients: only weight decay moves a parameter.
  const auto after = [](OptimiserOptions o) {
    o.kind = Kind::adamw;
    o.lr = 0.1;
    o.weight_decay = 0.5;
    Params params = two_parameters();
    Optimiser optimiser(o, params);
    for (const Params::Entry& e : params.entries())
      if (!e.buffer) e.tensor.mutable_grad() = at::zeros_like(e.tensor.detach());
    optimiser.step(1);
    return std::pair{values(params)[1] / std::sin(1.0), values(params)[12]};
  };
  EXPECT_NEAR(after({}).first, 0.95, 1e-6);
  EXPECT_NEAR(after({}).second, 1, 1e-6);  // a vector
  EXPECT_NEAR(after({.decay_all = true}).second, 0.95, 1e-6);
  EXPECT_NEAR(after({.rules = {{"w", 2, 0.5}, {"*", 1, 1}}}).first, 0.95, 1e-6);
  EXPECT_NEAR(after({.rules = {{"w", 0, 1}}}).first, 1, 1e-6);
  EXPECT_NEAR(after({.rules = {{"b", 1, 1}}}).second, 0.95, 1e-6);
}

TEST(Optimiser, FrozenParametersAndMissingGradientsStay) {
  Params params = two_parameters();
  const auto before = values(params);
  EXPECT_EQ(params.set_trainable("b", false), 1);
  EXPECT_EQ(params.set_trainable("mean", true), 0);  // a buffer
  Optimiser optimiser(cases()["adamw"], params);
  EXPECT_EQ(optimiser.names(), std::vector<std::string>{"w"});
  optimiser.step(1);
  EXPECT_EQ(values(params), before);
}

// Values of torch.optim.lr_scheduler over 10 steps with base rate 1 (2.13).
TEST(Schedule, EqualsPyTorch) {
  const auto expect = [](const Schedule& s, const std::vector<double>& values) {
    for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(s.factor(static_cast<int64_t>(i)), values[i], 1e-12) << i;
  };
  using K = Schedule::Kind;
  expect({.kind = K::cosine, .total = 10, .final_factor = 0.1},
         {1.0, 0.9779754323328191, 0.9140576474687263, 0.8145033635316129, 0.6890576474687263, 0.55, 0.41094235253127376, 0.2854966364683872, 0.18594235253127372, 0.12202456766718092});
  expect({.kind = K::step, .total = 10, .gamma = 0.5, .every = 3}, {1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125});
  expect({.kind = K::multi_step, .total = 10, .milestones = {2, 7}}, {1, 1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01});
  expect({.kind = K::polynomial, .total = 10, .power = 2}, {1, 0.81, 0.64, 0.49, 0.36, 0.25, 0.16, 0.09, 0.04, 0.01});
  expect({.kind = K::linear, .total = 10, .final_factor = 0.2}, {1, 0.92, 0.84, 0.76, 0.68, 0.6, 0.52, 0.44, 0.36, 0.28});
  expect({.kind = K::cosine, .total = 10, .warmup = 3, .warmup_start = 0.2}, {0.4, 0.6, 0.8, 1});
  EXPECT_EQ((Schedule{.kind = K::cosine, .total = 10, .final_factor = 0.1}.factor(99)), 0.1);
  const Schedule cycle{.kind = K::one_cycle, .total = 100, .final_factor = 0.01, .rise = 0.3, .start_factor = 0.04};
  EXPECT_NEAR(cycle.factor(0), 0.04, 1e-12);
  EXPECT_NEAR(cycle.factor(30), 1, 1e-12);
  EXPECT_NEAR(cycle.factor(15), 0.52, 1e-12);
  EXPECT_NEAR(cycle.factor(65), 0.505, 1e-12);
  EXPECT_NEAR(cycle.factor(100), 0.01, 1e-12);
}

TEST(Clip, NormValueAdaptive) {
  const auto fresh = [] {
    at::Tensor w = at::tensor({3.0f, 4.0f, 0.0f, 0.0f}).reshape({2, 2}).set_requires_grad(true);
    w.mutable_grad() = at::tensor({6.0f, 8.0f, 0.3f, 0.4f}).reshape({2, 2});
    return w;
  };
  at::Tensor w = fresh();
  const double norm = std::sqrt(100.25);
  EXPECT_NEAR(gradient_norm({w}), norm, 1e-5);
  EXPECT_NEAR(clip_norm({w}, 2), norm, 1e-5);
  EXPECT_NEAR(gradient_norm({w}), 2, 1e-5);
  EXPECT_NEAR(clip_norm({w}, 5), 2, 1e-5);
  EXPECT_NEAR(gradient_norm({w}), 2, 1e-5);
  w = fresh();
  clip_value({w}, 7);
  EXPECT_TRUE(w.grad().equal(at::tensor({6.0f, 7.0f, 0.3f, 0.4f}).reshape({2, 2})));
  // Row 0: |w| = 5, |g| = 10, limit 0.5: scaled by 0.05. Row 1: |w| = 0 counts as eps = 0.1, limit 0.01, |g| = 0.5: by 0.02.
  w = fresh();
  clip_adaptive({w, at::zeros({2})}, 0.1, 0.1);
  EXPECT_TRUE(w.grad().allclose(at::tensor({0.3f, 0.4f, 0.006f, 0.008f}).reshape({2, 2}))) << w.grad();
}

TEST(Average, DecayWarmsUpAndBuffersFollow) {
  Params params = two_parameters();
  Average average(params, 0.9, true), steady(params, 0.9, false);
  {
    at::NoGradGuard no_grad;
    for (const Params::Entry& e : params.entries()) e.tensor.zero_();
  }
  average.update(params);  // d = 2 / 11
  steady.update(params);
  EXPECT_NEAR(average.params().find("b")->tensor[0].item<double>(), 2.0 / 11, 1e-6);
  EXPECT_NEAR(average.params().find("mean")->tensor[0].item<double>(), 2.0 / 11, 1e-6);
  EXPECT_NEAR(steady.params().find("b")->tensor[0].item<double>(), 0.9, 1e-6);
  Average other(two_parameters(), 0.9, true);
  ASSERT_TRUE(other.load(average.save()));
  other.update(params);
  average.update(params);
  EXPECT_EQ(values(other.params()), values(average.params()));
}

}  // namespace
