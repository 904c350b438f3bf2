// Programs with fused groups against the same programs node by node: outputs, every gradient, running statistics.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "train/fuse.h"
#include "train/params.h"
#include "train/program.h"
#include "zoo/catalog.h"

namespace {

using at::Tensor;

// The network `name` with one block a stage, at a resolution at which it runs in a blink.
hone::Graph shallow(const char* name, int64_t resolution) {
  auto arch = hone::find_arch(name);
  EXPECT_TRUE(arch.has_value());
  arch->resolution = resolution;
  for (auto& stage : arch->stages) stage.depth = std::min<int64_t>(stage.depth, 2);
  auto graph = hone::build(*arch);
  EXPECT_TRUE(graph.has_value()) << (graph ? "" : graph.error().message);
  return *graph;
}

struct Ran {
  Tensor y;
  std::vector<Tensor> gradients, buffers;  // undefined gradients as zeros
};

Ran run(const hone::Graph& graph, const Tensor& x, bool fused, hone::train::BatchNorm norm, at::ScalarType type) {
  auto program = hone::train::Program::compile(graph, {.channels_last = true, .fuse = fused});
  EXPECT_TRUE(program.has_value()) << (program ? "" : program.error().message);
  auto params = hone::train::Params::of(graph, 3);
  auto state = *params->bind(*program);
  std::vector<Tensor> leaves;
  Ran out;
  for (size_t i = 0; i < state.size(); ++i) {
    if (at::isFloatingType(state[i].scalar_type())) state[i] = state[i].detach().to(type).clone();
    if (program->state()[i].buffer) out.buffers.push_back(state[i]);
    else leaves.push_back(state[i].set_requires_grad(true));
  }
  hone::train::RunOptions options;
  options.batch_norm = norm;
  auto y = program->run({x.to(type)}, state, options);
  EXPECT_TRUE(y.has_value()) << (y ? "" : y.error().message);
  out.y = (*y)[0];
  out.gradients = torch::autograd::grad({at::cross_entropy_loss(out.y, at::arange(x.size(0)))}, leaves, {}, std::nullopt, false, true);
  for (size_t i = 0; i < leaves.size(); ++i)
    if (!out.gradients[i].defined()) out.gradients[i] = at::zeros_like(leaves[i]);
  return out;
}

// |a - b| / |b| over all tensors together: single ones may hold rounding alone (the mean of normalised values).
double difference(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  double apart = 0, size = 1e-12;
  for (size_t i = 0; i < a.size(); ++i) {
    apart += (a[i].to(at::kDouble) - b[i].to(at::kDouble)).square().sum().item<double>();
    size += b[i].to(at::kDouble).square().sum().item<double>();
  }
  return std::sqrt(apart / size);
}

class Fuse : public testing::TestWithParam<const char*> {};

TEST_P(Fuse, EqualsNodeByNode) {
  const hone::Graph graph = shallow(GetParam(), 64);
  const std::vector<Tensor> constants(graph.values.size());
  EXPECT_FALSE(hone::train::fuse(graph, {}, constants).empty());
  at::manual_seed(2);
  const Tensor x = at::randn({6, 3, 64, 64});
  for (const auto norm : {hone::train::BatchNorm::train, hone::train::BatchNorm::eval}) {
    const Ran exact = run(graph, x, false, norm, at::kDouble), fused = run(graph, x, true, norm, at::kFloat), plain = run(graph, x, false, norm, at::kFloat);
    ASSERT_EQ(fused.gradients.size(), exact.gradients.size());
    ASSERT_EQ(fused.buffers.size(), exact.buffers.size());
    EXPECT_LT(difference({fused.y}, {exact.y}), 1e-4);
    EXPECT_LT(difference(fused.buffers, exact.buffers), 1e-4);
    // A sign that rounding turns at a ReLU changes gradients visibly, in either program.
    EXPECT_LT(difference(fused.gradients, exact.gradients), 1e-3 + 5 * difference(plain.gradients, exact.gradients));
    EXPECT_LT(difference(fused.gradients, exact.gradients), 0.05);
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, Fuse,
                         testing::Values("timm/resnet18", "timm/mobilenetv2_100", "timm/mobilenetv3_small_100", "timm/efficientnet_b0", "timm/vit_tiny_patch16_224", "pycls/RegNetY-200MF", "elasticvit/min"));

}  // namespace
