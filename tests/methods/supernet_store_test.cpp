// Members run on slices of the store exactly as they would alone.
#include "methods/supernet/store.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "supernet_space.h"

using namespace hone;
using namespace hone::methods;

namespace {

// The member by itself: a Params of its own graph, filled with contiguous copies of the slices.
at::Tensor alone(const Store& store, const space::Member& member, const at::Tensor& x) {
  const auto graph = store.graph(member);
  EXPECT_TRUE(graph);
  auto params = train::Params::of(*graph, 99);
  EXPECT_TRUE(params);
  at::NoGradGuard no_grad;
  for (const auto& entry : params->entries()) {
    const auto* whole = store.params().find(entry.name);
    EXPECT_TRUE(whole) << entry.name;
    auto part = store.params().slice(*whole, entry.tensor.sizes());
    EXPECT_TRUE(part) << entry.name;
    entry.tensor.copy_(*part);
  }
  auto program = train::Program::compile(*graph);
  EXPECT_TRUE(program);
  auto out = program->run({x}, *params->bind(*program), {});
  EXPECT_TRUE(out);
  return (*out)[0];
}

at::Tensor shared(Store& store, const space::Member& member, const at::Tensor& x) {
  at::NoGradGuard no_grad;
  auto program = store.program(member);
  EXPECT_TRUE(program);
  auto out = (*program)->program.run({x}, (*program)->tensors(store.params()), {});
  EXPECT_TRUE(out);
  return (*out)[0];
}

// Statistics and zero-initialised gains as after some training: nothing is 0 or 1.
void shake(Store& store) {
  at::NoGradGuard no_grad;
  at::Generator g = at::globalContext().defaultGenerator(at::kCPU).clone();
  g.set_current_seed(5);
  for (const auto& e : store.params().entries()) {
    if (!at::isFloatingType(e.tensor.scalar_type())) continue;
    if (e.name.ends_with("running_var") || e.name.ends_with("bn.weight")) e.tensor.copy_(at::rand(e.tensor.sizes(), g) + 0.5);
    else if (e.tensor.dim() == 1) e.tensor.copy_(at::randn(e.tensor.sizes(), g) * 0.1);
  }
}

void expect_equal(const space::Space& space, int members, uint64_t seed) {
  auto store = Store::make(space, 1);
  ASSERT_TRUE(store) << store.error().text();
  shake(*store);
  Rng rng(seed);
  std::vector<space::Member> all = {space::largest(space), space::smallest(space)};
  while (static_cast<int>(all.size()) < members) all.push_back(space::sample(space, rng));
  for (const space::Member& m : all) {
    const at::Tensor x = at::randn({2, 3, m.resolution, m.resolution});
    const at::Tensor a = shared(*store, m, x), b = alone(*store, m, x);
    ASSERT_TRUE(at::equal(a, b)) << space::print_member(space, m) << (a - b).abs().max();
    ASSERT_GT(a.abs().max().item<double>(), 0);
  }
}

TEST(SupernetStore, MembersEqualStandAloneNetworksBitForBit) { expect_equal(test::tiny_space(), 200, 7); }

// A member without squeeze-and-excitation leaves those weights where they are.
TEST(SupernetStore, AlsoWhereBlocksChooseSqueezeAndExcitation) {
  for (const space::Sharing sharing : {space::Sharing::stage, space::Sharing::block}) {
    space::Space s = test::tiny_space();
    s.sharing = sharing;
    for (space::StageChoices& c : s.stages)
      if (c.block == space::Block::mobile) c.se = false, c.ses = {0, 1};
    expect_equal(s, 60, 9);
  }
}

TEST(SupernetStore, AlsoInThePublishedSpace) { expect_equal(space::published_space(), 4, 8); }

// Kernels are chosen by strides: a member's tensors have those of a stand-alone network's, whatever the store's are.
TEST(SupernetStore, TensorsLieInMemoryAsAlone) {
  const space::Space space = space::published_space();
  auto store = Store::make(space, 1);
  ASSERT_TRUE(store);
  Rng rng(4);
  int packed = 0;
  for (int i = 0; i < 3; ++i) {
    const space::Member m = i == 0 ? space::largest(space) : space::sample(space, rng);
    const auto graph = store->graph(m);
    ASSERT_TRUE(graph);
    const auto params = train::Params::of(*graph, 1);
    const auto program = store->program(m);
    ASSERT_TRUE(params && program);
    const auto tensors = (*program)->tensors(store->params());
    const auto own = *params->bind((*program)->program);
    for (size_t k = 0; k < own.size(); ++k) {
      const auto& slice = (*program)->slices[k];
      const auto view = store->params().slice(store->params().entries()[slice.entry], slice.sizes);
      ASSERT_TRUE(view && at::equal(tensors[k], *view)) << (*program)->program.state()[k].name;
      if (slice.packed_at < 0) { EXPECT_EQ(tensors[k].data_ptr(), view->data_ptr()) << (*program)->program.state()[k].name; }
      if (slice.buffer) continue;
      EXPECT_EQ(tensors[k].strides(), own[k].strides()) << (*program)->program.state()[k].name;
      packed += slice.packed_at >= 0;
    }
  }
  EXPECT_GT(packed, 100);
}

// A shortcut whose projection only narrower members have.
TEST(SupernetStore, HoldsWhatTheLargestMemberDoesNot) {
  space::Space s = test::tiny_space();
  s.stages[1].widths = {16, 24};   // as wide as the stem can be
  expect_equal(s, 60, 9);
}

TEST(SupernetStore, TheLargestMemberIsTheSupernet) {
  auto store = Store::make(test::tiny_space(), 1);
  ASSERT_TRUE(store);
  const auto program = store->program(space::largest(store->space()));
  ASSERT_TRUE(program);
  for (const auto& slice : (*program)->slices) EXPECT_TRUE(slice.whole) << store->params().entries()[slice.entry].name;
}

// Gradients of a member, added through its slices, are those that autograd carries through the store's own views.
TEST(SupernetStore, GradientsReachTheStore) {
  const space::Space s = test::tiny_space();
  auto store = Store::make(s, 1);
  ASSERT_TRUE(store);
  shake(*store);
  Rng rng(3);
  std::vector<at::Tensor> grads;
  for (int i = 0; i < 3; ++i) {
    const space::Member m = space::sample(s, rng);
    const at::Tensor x = at::randn({2, 3, m.resolution, m.resolution});
    const auto program = *store->program(m);
    const auto leaves = program->tensors(store->params(), true);
    torch::autograd::backward({(*program->program.run({x}, leaves, {}))[0].square().sum()}, {});
    add_gradients(*program, store->params(), leaves, grads);
    torch::autograd::backward({(*program->program.run({x}, *store->params().bind(program->program), {}))[0].square().sum()}, {});
  }
  int compared = 0;
  for (size_t i = 0; i < grads.size(); ++i) {
    const auto& e = store->params().entries()[i];
    ASSERT_EQ(grads[i].defined(), e.tensor.grad().defined()) << e.name;
    if (!grads[i].defined()) continue;
    EXPECT_TRUE(at::allclose(grads[i], e.tensor.grad(), 1e-4, 1e-5)) << e.name;
    ++compared;
  }
  EXPECT_GT(compared, 40);
}

TEST(SupernetStore, NamesTheGeneOfAForeignMember) {
  auto store = Store::make(test::tiny_space(), 1);
  ASSERT_TRUE(store);
  space::Member m = space::smallest(store->space());
  m.stage[1].width = 20;
  const auto program = store->program(m);
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().code, Code::usage);
  EXPECT_NE(program.error().text().find("width 20"), std::string::npos) << program.error().text();
  EXPECT_NE(program.error().text().find("16, 24, 32"), std::string::npos) << program.error().text();
}

}  // namespace
