// Fused kernels against ATen's operators in double precision.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <functional>

#include "train/kernels/adam.h"
#include "train/kernels/attention.h"
#include "train/kernels/columns.h"
#include "train/kernels/dense.h"
#include "train/kernels/depthwise.h"
#include "train/kernels/gate.h"
#include "train/kernels/norm_act.h"
#include "train/kernels/pointwise.h"
#include "train/kernels/sample_norm.h"
#include "train/kernels/strided.h"

namespace {

using at::Tensor;
using hone::train::Activation;
using hone::train::Gate;
using hone::train::NormAct;

constexpr Activation kActivations[] = {Activation::none, Activation::relu, Activation::relu6, Activation::silu, Activation::hard_swish};

// Largest difference relative to the largest expected value.
double error(const Tensor& got, const Tensor& expected) {
  const Tensor want = expected.to(at::kDouble);
  return ((got.to(at::kDouble) - want).abs().max() / (want.abs().max() + 1e-6)).item<double>();
}

Tensor leaf(const Tensor& t) { return t.detach().clone().set_requires_grad(true); }

// Gradients of sum(y * weight of the sum) for every leaf.
std::vector<Tensor> gradients(const Tensor& y, const Tensor& dy, const std::vector<Tensor>& leaves) {
  return torch::autograd::grad({y}, leaves, {dy}, std::nullopt, false, true);
}

struct NormCase {
  std::vector<int64_t> shape;
  bool residual, train;
  Activation activation;
};

void check_norm_act(const NormCase& c) {
  SCOPED_TRACE(testing::Message() << at::IntArrayRef(c.shape) << " residual " << c.residual << " train " << c.train << " activation " << static_cast<int>(c.activation));
  at::manual_seed(7);
  const int64_t channels = c.shape[1];
  Tensor base = at::randn(c.shape) * 3 + 5;  // a mean far from zero
  if (c.shape.size() == 4) base = base.contiguous(at::MemoryFormat::ChannelsLast);
  const Tensor x = leaf(base), w = leaf(at::rand({channels}) + 0.5), b = leaf(at::randn({channels})), add = leaf(at::randn_like(base));
  Tensor mean = at::randn({channels}) + 5, var = at::rand({channels}) + 8;
  const auto wide = [](const Tensor& t) { return leaf(t.to(at::kDouble)); };
  const Tensor x2 = wide(x), w2 = wide(w), b2 = wide(b), add2 = wide(add);
  Tensor mean2 = mean.to(at::kDouble), var2 = var.to(at::kDouble);
  const NormAct how{c.train, 0.1, 1e-3, c.activation};
  const Tensor y = hone::train::norm_act(x, w, b, mean, var, c.residual ? add : Tensor(), how);
  Tensor y2 = at::batch_norm(x2, w2, b2, mean2, var2, c.train, 0.1, 1e-3, false);
  if (c.residual) y2 = y2 + add2;
  y2 = hone::train::activate(y2, c.activation);
  EXPECT_LT(error(y, y2), 3e-6);
  EXPECT_LT(error(mean, mean2), 1e-6);
  EXPECT_LT(error(var, var2), 1e-5);
  const Tensor dy = at::randn(c.shape);  // not channels-last
  std::vector<Tensor> leaves{x, w, b}, leaves2{x2, w2, b2};
  if (c.residual) leaves.push_back(add), leaves2.push_back(add2);
  const auto g = gradients(y, dy, leaves), g2 = gradients(y2, dy.to(at::kDouble), leaves2);
  for (size_t i = 0; i < g.size(); ++i) EXPECT_LT(error(g[i], g2[i]), 2e-5) << "gradient " << i;
}

TEST(NormAct, EqualsSeparateOperators) {
  for (const auto& shape : std::vector<std::vector<int64_t>>{{2, 3, 5, 7}, {4, 16, 8, 8}, {2, 24, 9, 9}, {3, 131, 4, 4}, {4, 32, 28, 28}, {64, 17}, {5, 1, 3, 3}})
    for (const bool residual : {false, true})
      for (const bool train : {false, true})
        for (const Activation a : kActivations) check_norm_act({shape, residual, train, a});
}

TEST(NormAct, OtherLayoutsAndTypesGoToAten) {
  at::manual_seed(3);
  const Tensor w = at::rand({6}), b = at::randn({6}), mean = at::randn({6}), var = at::rand({6}) + 1;
  const NormAct how{false, 0.1, 1e-5, Activation::relu};
  const Tensor x = at::randn({2, 6, 5, 5});
  const Tensor nchw = hone::train::norm_act(x, w, b, mean, var, {}, how);
  const Tensor nhwc = hone::train::norm_act(x.contiguous(at::MemoryFormat::ChannelsLast), w, b, mean, var, {}, how);
  EXPECT_LT(error(nchw, nhwc), 1e-6);
  const Tensor volume = at::randn({2, 6, 3, 4, 5});
  EXPECT_EQ(hone::train::norm_act(volume, w, b, mean, var, {}, how).sizes(), volume.sizes());
}

TEST(NormAct, DoesNotDependOnThreads) {
  at::manual_seed(5);
  const Tensor base = at::randn({16, 24, 40, 40}).contiguous(at::MemoryFormat::ChannelsLast), dy = at::randn_like(base);
  const Tensor w = leaf(at::rand({24})), b = leaf(at::randn({24}));
  std::vector<std::vector<Tensor>> results;
  const int before = at::get_num_threads();
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    const Tensor x = leaf(base);
    Tensor mean = at::zeros({24}), var = at::ones({24});
    const Tensor y = hone::train::norm_act(x, w, b, mean, var, {}, {true, 0.1, 1e-5, Activation::silu});
    auto all = gradients(y, dy, {x, w, b});
    all.insert(all.end(), {y.detach(), mean, var});
    results.push_back(all);
  }
  at::set_num_threads(before);
  for (size_t t = 1; t < results.size(); ++t)
    for (size_t i = 0; i < results[0].size(); ++i) EXPECT_TRUE(at::equal(results[0][i], results[t][i])) << i;
}

// Sums of squares about zero would leave no digit of this variance.
TEST(NormAct, SmallVarianceFarFromZero) {
  at::manual_seed(9);
  const Tensor x = (at::randn({8, 5, 16, 16}) * 0.01 + 100).contiguous(at::MemoryFormat::ChannelsLast);
  Tensor mean = at::zeros({5}), var = at::ones({5});
  hone::train::norm_act(x, at::ones({5}), at::zeros({5}), mean, var, {}, {true, 1.0, 1e-5, Activation::none});
  EXPECT_LT(error(var, x.to(at::kDouble).var(std::vector<int64_t>{0, 2, 3}, true)), 1e-4);
}

TEST(Dense, EqualsLinear) {
  at::manual_seed(4);
  struct Case {
    std::vector<int64_t> x;
    int64_t outputs;
    bool bias;
  };
  for (const Case& c : {Case{{5, 7}, 3, true}, Case{{2, 9, 33}, 17, true}, Case{{1, 64}, 10, false}, Case{{8, 197, 96}, 384, true}, Case{{3, 1}, 1, true}}) {
    SCOPED_TRACE(testing::Message() << at::IntArrayRef(c.x) << " -> " << c.outputs);
    const Tensor x = leaf(at::randn(c.x)), w = leaf(at::randn({c.outputs, c.x.back()})), b = leaf(at::randn({c.outputs}));
    const auto wide = [](const Tensor& t) { return leaf(t.to(at::kDouble)); };
    const Tensor x2 = wide(x), w2 = wide(w), b2 = wide(b);
    const Tensor y = hone::train::dense(x, w, c.bias ? b : Tensor()), y2 = at::linear(x2, w2, c.bias ? b2 : Tensor());
    ASSERT_EQ(y.sizes(), y2.sizes());
    EXPECT_LT(error(y, y2), 2e-6);
    const Tensor dy = at::randn_like(y);
    std::vector<Tensor> leaves{x, w}, leaves2{x2, w2};
    if (c.bias) leaves.push_back(b), leaves2.push_back(b2);
    const auto g = gradients(y, dy, leaves), g2 = gradients(y2, dy.to(at::kDouble), leaves2);
    for (size_t i = 0; i < g.size(); ++i) {
      ASSERT_EQ(g[i].sizes(), g2[i].sizes());
      EXPECT_LT(error(g[i], g2[i]), 5e-6) << "gradient " << i;
    }
  }
}

TEST(Dense, ViewsAreAccepted) {
  at::manual_seed(6);
  const Tensor w = at::randn({4, 6}), x = at::randn({6, 5, 3}).permute({2, 1, 0});
  EXPECT_LT(error(hone::train::dense(x, w, {}), at::linear(x, w)), 2e-6);
  EXPECT_LT(error(hone::train::dense(at::randn({0, 6}), w, {}).sum(), at::zeros({})), 1e-6);
}

// y = softmax(scale q k^T + bias) v written out.
Tensor plain_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& bias, double scale) {
  const Tensor scores = at::matmul(q, k.transpose(2, 3)) * scale;
  return at::matmul(at::softmax(bias.defined() ? scores + bias : scores, -1), v);
}

TEST(Attention, EqualsItsDefinition) {
  at::manual_seed(8);
  struct Case {
    int64_t batch, heads, queries, keys, d, dv;
    bool bias = false;
  };
  for (const Case& c : {Case{1, 1, 3, 3, 4, 4}, Case{2, 3, 197, 197, 64, 64}, Case{2, 2, 17, 50, 8, 24}, Case{1, 4, 49, 49, 33, 33}, Case{1, 1, 1, 1, 1, 1}, Case{3, 3, 196, 196, 16, 48, true},
                        Case{40, 5, 4, 4, 16, 32, true}, Case{2, 33, 9, 16, 16, 64, true}, Case{1, 1, 1, 1, 1, 1, true}}) {
    SCOPED_TRACE(testing::Message() << c.batch << " " << c.heads << " " << c.queries << " " << c.keys << " " << c.d << " " << c.dv << " bias " << c.bias);
    // Heads interleaved in memory, as a projection leaves them.
    const auto make = [&](int64_t tokens, int64_t width) { return at::randn({c.batch, tokens, c.heads, width}).transpose(1, 2); };
    const Tensor q = make(c.queries, c.d).detach().set_requires_grad(true), k = make(c.keys, c.d).detach().set_requires_grad(true), v = make(c.keys, c.dv).detach().set_requires_grad(true);
    const auto wide = [](const Tensor& t) { return leaf(t.to(at::kDouble)); };
    const Tensor q2 = wide(q), k2 = wide(k), v2 = wide(v), bias = c.bias ? leaf(at::randn({1, c.heads, c.queries, c.keys})) : Tensor(), bias2 = c.bias ? wide(bias) : Tensor();
    const Tensor y = hone::train::attention(q, k, v, bias, 0.3), y2 = plain_attention(q2, k2, v2, bias2, 0.3);
    EXPECT_LT(error(y, y2), 3e-6);
    const Tensor dy = at::randn(y.sizes());
    std::vector<Tensor> leaves{q, k, v}, leaves2{q2, k2, v2};
    if (c.bias) leaves.push_back(bias), leaves2.push_back(bias2);
    const auto g = gradients(y, dy, leaves), g2 = gradients(y2, dy.to(at::kDouble), leaves2);
    for (size_t i = 0; i < g.size(); ++i) EXPECT_LT((g[i].to(at::kDouble) - g2[i]).abs().max().item<double>(), 3e-5) << "gradient " << i;
  }
}

TEST(Attention, DoesNotDependOnThreads) {
  at::manual_seed(12);
  const Tensor q = leaf(at::randn({7, 3, 25, 16})), v = leaf(at::randn({7, 3, 25, 32})), bias = leaf(at::randn({1, 3, 25, 25})), dy = at::randn({7, 3, 25, 32});
  std::vector<std::vector<Tensor>> results;
  const int before = at::get_num_threads();
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    results.push_back(gradients(hone::train::attention(q, q, v, bias, 0.25), dy, {q, v, bias}));
  }
  at::set_num_threads(before);
  for (size_t t = 1; t < results.size(); ++t)
    for (size_t i = 0; i < results[0].size(); ++i) EXPECT_TRUE(at::equal(results[0][i], results[t][i])) << i;
}

TEST(Columns, EqualsIndexSelect) {
  at::manual_seed(13);
  const Tensor x = leaf(at::randn({3, 25})), x2 = leaf(x.to(at::kDouble)), index = at::randint(25, {81}, at::kLong), dy = at::randn({3, 81});
  const Tensor y = hone::train::columns(x, index), y2 = x2.index_select(1, index);
  EXPECT_TRUE(at::equal(y.to(at::kDouble), y2));
  EXPECT_LT(error(gradients(y, dy, {x})[0], gradients(y2, dy.to(at::kDouble), {x2})[0]), 1e-6);
  EXPECT_EQ(hone::train::columns(x.to(at::kDouble), index).scalar_type(), at::kDouble);
}

TEST(SampleNorm, EqualsItsDefinition) {
  at::manual_seed(14);
  for (const auto& shape : std::vector<std::vector<int64_t>>{{2, 3, 5, 7}, {3, 48, 14, 14}, {1, 160, 2, 2}, {5, 17, 1, 1}}) {
    SCOPED_TRACE(testing::Message() << at::IntArrayRef(shape));
    const int64_t channels = shape[1];
    const Tensor x = leaf((at::randn(shape) * 3 + 50).contiguous(at::MemoryFormat::ChannelsLast)), w = leaf(at::rand({channels}) + 0.5), b = leaf(at::randn({channels}));
    const auto wide = [](const Tensor& t) { return leaf(t.to(at::kDouble)); };
    const Tensor x2 = wide(x), w2 = wide(w), b2 = wide(b);
    ASSERT_TRUE(hone::train::has_sample_norm(x, w, b));
    const Tensor y = hone::train::sample_norm(x, w, b, 1e-5);
    const std::vector<int64_t> over{1, 2, 3};
    const Tensor centred = x2 - x2.mean(over, true), y2 = centred / (centred.square().mean(over, true) + 1e-5).sqrt() * w2.view({1, -1, 1, 1}) + b2.view({1, -1, 1, 1});
    EXPECT_LT(error(y, y2), 1e-5);
    const Tensor dy = at::randn(shape);
    const auto g = gradients(y, dy, {x, w, b}), g2 = gradients(y2, dy.to(at::kDouble), {x2, w2, b2});
    for (size_t i = 0; i < g.size(); ++i) EXPECT_LT(error(g[i], g2[i]), 3e-5) << "gradient " << i;
  }
  EXPECT_FALSE(hone::train::has_sample_norm(at::randn({2, 3, 4, 4}), at::ones({3}), at::ones({3})));
}

TEST(Depthwise, EqualsConvolution) {
  at::manual_seed(17);
  struct Case {
    int64_t batch, channels, height, width, kernel, stride, padding;
  };
  for (const Case& c : {Case{2, 16, 7, 7, 3, 1, 1}, Case{3, 57, 9, 12, 5, 1, 2}, Case{2, 96, 14, 14, 5, 2, 2}, Case{1, 48, 8, 5, 3, 2, 1}, Case{20, 33, 2, 1, 5, 1, 2}, Case{2, 40, 9, 9, 7, 2, 3}, Case{1, 32, 6, 6, 3, 1, 0}, Case{1, 16, 3, 3, 3, 3, 2}}) {
    SCOPED_TRACE(testing::Message() << c.batch << " " << c.channels << " " << c.height << " " << c.width << " " << c.kernel << " " << c.stride << " " << c.padding);
    const Tensor x = leaf(at::randn({c.batch, c.channels, c.height, c.width}).contiguous(at::MemoryFormat::ChannelsLast)), w = leaf(at::randn({c.channels, 1, c.kernel, c.kernel}).contiguous(at::MemoryFormat::ChannelsLast));
    const Tensor x2 = leaf(x.to(at::kDouble)), w2 = leaf(w.to(at::kDouble));
    ASSERT_TRUE(hone::train::has_depthwise(x, w));
    const Tensor y = hone::train::depthwise(x, w, c.stride, c.padding), y2 = at::conv2d(x2, w2, {}, c.stride, c.padding, 1, c.channels);
    ASSERT_EQ(y.sizes(), y2.sizes());
    EXPECT_LT(error(y, y2), 2e-6);
    const Tensor dy = at::randn(y.sizes());
    const auto g = gradients(y, dy, {x, w}), g2 = gradients(y2, dy.to(at::kDouble), {x2, w2});
    EXPECT_LT(error(g[0], g2[0]), 2e-6);
    EXPECT_LT(error(g[1], g2[1]), 5e-6);
  }
  EXPECT_FALSE(hone::train::has_depthwise(at::randn({1, 8, 4, 4}), at::randn({8, 1, 3, 3})));
}

TEST(Pointwise, EqualsConvolution) {
  at::manual_seed(18);
  struct Case {
    int64_t batch, in, side, out;
    bool bias;
  };
  for (const Case& c : {Case{2, 3, 5, 7, true}, Case{3, 16, 20, 48, false}, Case{2, 48, 9, 16, true}, Case{8, 33, 1, 130, true}, Case{1, 1, 3, 1, false}, Case{2, 40, 70, 17, true}, Case{1, 160, 8, 600, true}}) {
    SCOPED_TRACE(testing::Message() << c.batch << " " << c.in << " " << c.side << " " << c.out);
    const Tensor x = leaf(at::randn({c.batch, c.in, c.side, c.side}).contiguous(at::MemoryFormat::ChannelsLast)), w = leaf(at::randn({c.out, c.in, 1, 1})), b = leaf(at::randn({c.out}));
    const Tensor x2 = leaf(x.to(at::kDouble)), w2 = leaf(w.to(at::kDouble)), b2 = leaf(b.to(at::kDouble));
    if (!hone::train::has_pointwise(x, w, b)) GTEST_SKIP() << "this processor or build has no micro-kernels";
    const Tensor y = hone::train::pointwise(x, w, c.bias ? b : Tensor()), y2 = at::conv2d(x2, w2, c.bias ? b2 : Tensor());
    ASSERT_EQ(y.sizes(), y2.sizes());
    EXPECT_LT(error(y, y2), 2e-6);
    const Tensor dy = at::randn(y.sizes());
    std::vector<Tensor> leaves{x, w}, leaves2{x2, w2};
    if (c.bias) leaves.push_back(b), leaves2.push_back(b2);
    const auto g = gradients(y, dy, leaves), g2 = gradients(y2, dy.to(at::kDouble), leaves2);
    for (size_t i = 0; i < g.size(); ++i) {
      ASSERT_EQ(g[i].sizes(), g2[i].sizes());
      EXPECT_LT(error(g[i], g2[i]), 5e-6) << "gradient " << i;
    }
  }
  EXPECT_FALSE(hone::train::has_pointwise(at::randn({2, 8, 4, 4}), at::randn({8, 8, 1, 1}), Tensor()));   // not channels-last
}

TEST(Pointwise, DoesNotDependOnThreads) {
  at::manual_seed(19);
  const Tensor base = at::randn({8, 24, 40, 40}).contiguous(at::MemoryFormat::ChannelsLast), weight = at::randn({72, 24, 1, 1}), dy = at::randn({8, 72, 40, 40});
  std::vector<std::vector<Tensor>> results;
  const int before = at::get_num_threads();
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    const Tensor x = leaf(base), w = leaf(weight);
    if (!hone::train::has_pointwise(x, w, {})) GTEST_SKIP() << "this processor or build has no micro-kernels";
    results.push_back(gradients(hone::train::pointwise(x, w, {}), dy, {x, w}));
  }
  at::set_num_threads(before);
  for (size_t t = 1; t < results.size(); ++t)
    for (size_t i = 0; i < results[0].size(); ++i) EXPECT_TRUE(at::equal(results[0][i], results[t][i])) << i;
}

// Clipping, update and average by their definitions, in double precision.
void check_adam(const std::vector<int64_t>& shape, bool decoupled, bool clip, bool averaged) {
  SCOPED_TRACE(testing::Message() << at::IntArrayRef(shape) << " decoupled " << decoupled << " clip " << clip << " average " << averaged);
  at::manual_seed(15);
  const auto make = [&](double size) {
    const Tensor t = at::randn(shape) * size;
    return shape.size() == 4 ? t.contiguous(at::MemoryFormat::ChannelsLast) : t;
  };
  hone::train::AdamItem item{make(1), make(0.3), make(0.1), make(0.1).square(), averaged ? make(1) : Tensor(), 0.01, 0.2, 3, clip};
  const hone::train::AdamUpdate how{0.9, 0.99, 1e-6, decoupled, 0.1, 1e-3, 0.05};
  ASSERT_TRUE(hone::train::has_adam_update(item));
  const auto wide = [](const Tensor& t) { return t.to(at::kDouble); };
  const Tensor untouched = item.grad.clone();
  Tensor p = wide(item.param), g = wide(item.grad), m = wide(item.first), v = wide(item.second), a = averaged ? wide(item.average) : Tensor();
  if (clip) {
    std::vector<int64_t> rest;
    for (int64_t d = 1; d < p.dim(); ++d) rest.push_back(d);
    const auto norm = [&](const Tensor& t) { return p.dim() < 2 ? t.norm() : t.square().sum(rest, true).sqrt(); };
    const Tensor limit = norm(p).clamp_min(1e-3) * 0.1, size = norm(g);
    g = g * at::where(size > limit, limit / size, at::ones_like(size));
    EXPECT_LT(g.abs().max().item<double>(), untouched.abs().max().item<double>());  // it did clip
  }
  if (decoupled) p = p * (1 - 0.01 * 0.2);
  else g = g + 0.2 * p;
  m = 0.9 * m + 0.1 * g;
  v = 0.99 * v + 0.01 * g * g;
  p = p - 0.01 * (m / (1 - std::pow(0.9, 3))) / ((v / (1 - std::pow(0.99, 3))).sqrt() + 1e-6);
  hone::train::adam_update({item}, how);
  EXPECT_LT(error(item.param, p), 1e-6);
  EXPECT_LT(error(item.first, m), 1e-6);
  EXPECT_LT(error(item.second, v), 1e-6);
  if (averaged) {
    EXPECT_LT(error(item.average, a + 0.05 * (p - a)), 1e-6);
  }
  EXPECT_TRUE(at::equal(item.grad, untouched));
}

TEST(AdamUpdate, EqualsItsDefinition) {
  for (const auto& shape : std::vector<std::vector<int64_t>>{{5}, {}, {7, 33}, {6, 4, 3, 3}, {9, 1, 5, 5}, {300, 1, 5, 5}, {3, 20000}, {40000}})
    for (const bool decoupled : {false, true})
      for (const bool clip : {false, true})
        for (const bool averaged : {false, true}) check_adam(shape, decoupled, clip, averaged);
}

TEST(AdamUpdate, DoesNotDependOnThreads) {
  std::vector<Tensor> results;
  const int before = at::get_num_threads();
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    at::manual_seed(16);
    const auto make = [] { return at::randn({400, 37, 3, 3}).contiguous(at::MemoryFormat::ChannelsLast); };
    hone::train::AdamItem item{make(), make(), make(), make().square(), make(), 0.01, 0.2, 3, true};
    hone::train::adam_update({item}, {0.9, 0.99, 1e-6, true, 0.1, 1e-3, 0.05});
    results.push_back(at::stack({item.param, item.first, item.second, item.average}));
  }
  at::set_num_threads(before);
  EXPECT_TRUE(at::equal(results[0], results[1]));
  EXPECT_TRUE(at::equal(results[0], results[2]));
}

TEST(AdamUpdate, OtherLayoutsAreRefused) {
  const auto item = [](Tensor p, Tensor g) { return hone::train::AdamItem{p, g, at::zeros_like(p), at::zeros_like(p), Tensor(), 0.01, 0, 1, true}; };
  EXPECT_TRUE(hone::train::has_adam_update(item(at::zeros({4, 6}), at::zeros({4, 6}))));
  EXPECT_FALSE(hone::train::has_adam_update(item(at::zeros({4, 6}), at::zeros({6, 4}).t())));
  EXPECT_FALSE(hone::train::has_adam_update(item(at::zeros({6, 4}).t(), at::zeros({6, 4}).t())));  // units are not in one piece
  EXPECT_FALSE(hone::train::has_adam_update(item(at::zeros({4, 6}).to(at::kDouble), at::zeros({4, 6}).to(at::kDouble))));
}

void check_gate(const std::vector<int64_t>& shape, Gate gate) {
  SCOPED_TRACE(testing::Message() << at::IntArrayRef(shape) << " gate " << static_cast<int>(gate));
  const Tensor x = leaf(at::randn(shape).contiguous(at::MemoryFormat::ChannelsLast)), s = leaf(at::randn({shape[0], shape[1], 1, 1}) * 3);
  const Tensor x2 = leaf(x.to(at::kDouble)), s2 = leaf(s.to(at::kDouble));
  const Tensor y = hone::train::channel_gate(x, s, gate), y2 = x2 * (gate == Gate::sigmoid ? at::sigmoid(s2) : at::hardsigmoid(s2)), dy = at::randn(shape);
  EXPECT_LT(error(y, y2), 1e-6);
  const auto g = gradients(y, dy, {x, s}), g2 = gradients(y2, dy.to(at::kDouble), {x2, s2});
  EXPECT_LT(error(g[0], g2[0]), 1e-6);
  EXPECT_LT(error(g[1], g2[1]), 1e-5);
}

// Slices of other strides than their copies: leading, central, scattered, of one number, of none, larger than a piece of work.
TEST(Strided, EqualsCopiesAndSums) {
  at::manual_seed(3);
  const auto last = [](const Tensor& t) { return t.contiguous(at::MemoryFormat::ChannelsLast); };
  const Tensor kernels = last(at::randn({40, 33, 5, 5})), deep = at::randn({3, 4, 5, 6, 7, 8}), wide = at::randn({2, 100'000}), rows = at::randn({300, 200});
  const std::vector<Tensor> from = {kernels.narrow(0, 0, 24).narrow(1, 0, 16).narrow(2, 1, 3).narrow(3, 1, 3),
                                    deep.narrow(1, 1, 2).narrow(3, 0, 3).narrow(5, 2, 5).transpose(0, 4),
                                    wide.narrow(1, 7, 70'001),
                                    rows.narrow(0, 0, 299).narrow(1, 0, 133).t(),
                                    rows.narrow(0, 5, 1).narrow(1, 9, 1),
                                    rows.narrow(0, 0, 0),
                                    rows[3][4],
                                    rows.narrow(1, 3, 50)};
  for (const bool packed : {true, false}) {
    std::vector<Tensor> to, expected;
    for (const Tensor& f : from) {
      Tensor memory = f.dim() == 4 ? last(at::randn(f.sizes())) : at::randn(f.sizes());
      if (!packed && f.dim() == 2) memory = at::randn({f.size(0) + 3, f.size(1) + 9}).narrow(0, 2, f.size(0)).narrow(1, 4, f.size(1));
      to.push_back(memory);
      expected.push_back(memory + f);
    }
    std::vector<hone::train::StridedPair> pairs;
    for (size_t i = 0; i < from.size(); ++i) pairs.push_back({to[i], from[i]});
    hone::train::add_all(pairs);
    for (size_t i = 0; i < from.size(); ++i) EXPECT_TRUE(at::equal(to[i], expected[i])) << "sum " << i;
    hone::train::copy_all(pairs);
    for (size_t i = 0; i < from.size(); ++i) EXPECT_TRUE(at::equal(to[i], from[i])) << "copy " << i;
  }
}

TEST(ChannelGate, EqualsSeparateOperators) {
  at::manual_seed(10);
  for (const auto& shape : std::vector<std::vector<int64_t>>{{2, 3, 5, 7}, {3, 40, 1, 1}, {2, 96, 28, 28}})
    for (const Gate gate : {Gate::sigmoid, Gate::hard_sigmoid}) check_gate(shape, gate);
}

}  // namespace
