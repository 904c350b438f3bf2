#include "train/params.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "ir/infer.h"
#include "ir/text.h"
#include "toy_task.h"
#include "train/pattern.h"
#include "train/state_file.h"

using namespace hone;
using namespace hone::train;

namespace {

Graph conv_net(const std::string& out, const std::string& in, const std::string& k, const std::string& fc) {
  auto graph = parse_graph("hone graph 1\ninput x: f32[1," + in + ",9,9]\nparameter conv.weight: f32[" + out + "," + in + "," + k + "," + k +
                               "] init=kaiming_normal(0.0)\nparameter fc.weight: f32[" + fc + "," + out + "] init=normal(1.0)\nc = Conv(x, conv.weight)\np = GlobalAveragePool(c)\nf = Flatten(p)\nz = hone::Linear(f, fc.weight)\noutput z\n",
                           "net");
  EXPECT_TRUE(graph) << graph.error().text();
  auto typed = infer(*graph);
  EXPECT_TRUE(typed);
  return std::move(typed->graph);
}

TEST(Pattern, Matches) {
  EXPECT_TRUE(matches("features.*", "features.0.conv.weight"));
  EXPECT_TRUE(matches("*.bn.*", "a.b.bn.weight"));
  EXPECT_TRUE(matches("*.bias", "fc.bias"));
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("a?c", "abc"));
  EXPECT_TRUE(matches("a*b*c", "aXbYbZc"));
  EXPECT_FALSE(matches("a?c", "ac"));
  EXPECT_FALSE(matches("features", "features.0"));
  EXPECT_FALSE(matches("", "x"));
  EXPECT_FALSE(matches("*.bn.*", "bn.weight"));
}

TEST(Params, SlicesAreViewsThatTrainTheStore) {
  auto store = Params::of(conv_net("6", "4", "5", "7"), 1);
  ASSERT_TRUE(store);
  auto small = Program::compile(conv_net("3", "2", "3", "5"));
  ASSERT_TRUE(small) << small.error().text();
  auto bound = store->bind(*small);
  ASSERT_TRUE(bound) << bound.error().text();
  const at::Tensor &conv = store->find("conv.weight")->tensor, &fc = store->find("fc.weight")->tensor;
  EXPECT_TRUE((*bound)[0].equal(conv.narrow(0, 0, 3).narrow(1, 0, 2).narrow(2, 1, 3).narrow(3, 1, 3)));  // centre crop of the kernel
  EXPECT_TRUE((*bound)[1].equal(fc.narrow(0, 0, 5).narrow(1, 0, 3)));
  EXPECT_TRUE((*bound)[1].is_alias_of(fc));
  auto out = small->run({at::ones({1, 2, 9, 9})}, *bound, {.training = true});
  ASSERT_TRUE(out) << out.error().text();
  torch::autograd::backward({(*out)[0].sum()}, {});
  const at::Tensor grad = conv.grad();
  ASSERT_TRUE(grad.defined());
  EXPECT_EQ(grad.sizes(), conv.sizes());
  EXPECT_TRUE(grad.narrow(0, 3, 3).eq(0).all().item<bool>());
  EXPECT_TRUE(grad.select(2, 0).eq(0).all().item<bool>());
  EXPECT_FALSE(grad.narrow(0, 0, 3).narrow(1, 0, 2).narrow(2, 1, 3).narrow(3, 1, 3).eq(0).any().item<bool>());

  auto same = Program::compile(conv_net("6", "4", "5", "7"));
  EXPECT_TRUE((*store->bind(*same))[0].is_same(conv));
  EXPECT_TRUE(conv.is_contiguous(at::MemoryFormat::ChannelsLast));
  auto large = Program::compile(conv_net("8", "4", "5", "7"));
  const auto refused = store->bind(*large);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().where, "conv.weight");
  EXPECT_NE(refused.error().message.find("8x4x5x5"), std::string::npos);
  EXPECT_NE(refused.error().message.find("6x4x5x5"), std::string::npos);
}

TEST(Params, PartsAreSlicedOneByOne) {
  auto graph = parse_graph("hone graph 1\ninput x: f32[1]\nparameter qkv: f32[12,2] init=normal(1.0)\noutput x\n", "net");
  auto store = Params::of(*graph, 1);
  EXPECT_EQ(store->set_parts("qkv", 3), 1);
  const Params::Entry& e = *store->find("qkv");
  auto part = store->slice(e, {6, 2});
  ASSERT_TRUE(part);
  EXPECT_TRUE(part->equal(at::cat({e.tensor.narrow(0, 0, 2), e.tensor.narrow(0, 4, 2), e.tensor.narrow(0, 8, 2)})));
  EXPECT_FALSE(store->slice(e, {7, 2}));
  EXPECT_FALSE(store->offset(e, {6, 2}));   // not a view
  EXPECT_EQ(*store->offset(e, {12, 1}), 0);
}

TEST(Params, LoadReportsEverything) {
  auto a = Params::of(conv_net("6", "4", "5", "7"), 1), b = Params::of(conv_net("6", "4", "5", "7"), 2);
  const Graph graph = conv_net("6", "4", "5", "7");
  NamedTensors tensors = a->save();
  tensors[1].second = *from_torch(at::zeros({2, 6}));
  tensors.emplace_back("extra", *from_torch(at::zeros({1})));
  const at::Tensor before = b->find("conv.weight")->tensor.detach().clone();
  EXPECT_FALSE(b->load(graph, tensors, /*strict=*/true, false));
  EXPECT_TRUE(b->find("conv.weight")->tensor.equal(before));
  auto report = b->load(graph, tensors, false, false);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->loaded, std::vector<std::string>{"conv.weight"});
  EXPECT_EQ(report->unused, std::vector<std::string>{"extra"});
  ASSERT_EQ(report->mismatched.size(), 1);
  EXPECT_NE(report->mismatched[0].find("2x6"), std::string::npos);
  EXPECT_TRUE(b->find("conv.weight")->tensor.equal(a->find("conv.weight")->tensor));
  tensors.erase(tensors.begin());
  EXPECT_EQ(b->load(graph, tensors, false, false)->missing, std::vector<std::string>{"conv.weight"});
}

// torch.nn.functional.interpolate(mode="bicubic", antialias=True) of sin(0..19) as 1 class token and a 3x3 grid, to 5x5.
TEST(Params, PositionTablesAreResizedAsTimmDoes) {
  const at::Tensor table = at::arange(20, at::kFloat).reshape({1, 10, 2}).sin();
  const at::Tensor out = resize_positions("pos_embed", table, {1, 26, 2});
  ASSERT_TRUE(out.defined());
  EXPECT_TRUE(out.narrow(1, 0, 1).equal(table.narrow(1, 0, 1)));
  const std::vector<float> first = {1.0297542810440063f, 0.20191195607185364f, 0.2923998236656189f, -0.3299241065979004f, -0.7728614211082458f, -0.9558249711990356f},
                           last = {-0.6486742496490479f, -0.3249601423740387f, -0.8047992587089539f, 0.21158833801746368f};
  const at::Tensor flat = out.narrow(1, 1, 25).reshape({-1});
  for (size_t i = 0; i < first.size(); ++i) EXPECT_NEAR(flat[static_cast<int64_t>(i)].item<float>(), first[i], 1e-5);
  for (size_t i = 0; i < last.size(); ++i) EXPECT_NEAR(flat[46 + static_cast<int64_t>(i)].item<float>(), last[i], 1e-5);
  EXPECT_FALSE(resize_positions("fc.weight", table, {1, 26, 2}).defined());
  EXPECT_FALSE(resize_positions("pos_embed", table, {1, 28, 2}).defined());
  EXPECT_EQ(resize_positions("layers.0.relative_position_bias_table", at::randn({169, 4}), {729, 4}).size(0), 729);
}

TEST(StateFile, ComesBackBitForBit) {
  State state;
  state.tensors["a"] = at::randn({3, 4, 5, 6}).contiguous(at::MemoryFormat::ChannelsLast);
  state.tensors["b"] = at::randint(100, {7}, at::kLong);
  state.tensors["c"] = at::randn({5}).to(at::kBFloat16);
  state.tensors["empty"] = at::empty({0}, at::kDouble);
  state.set("n", int64_t{-5});
  state.set("x", 0.1);
  state.set("nan", NAN);
  state.texts["json"] = "{\"a\": \"\\n\"}";
  const std::string path = testing::TempDir() + "hone_state_test";
  ASSERT_TRUE(write_state(state, path));
  auto back = read_state(path);
  ASSERT_TRUE(back) << back.error().text();
  for (const auto& [name, tensor] : state.tensors) EXPECT_TRUE(back->tensors[name].equal(tensor)) << name;
  EXPECT_EQ(back->texts, state.texts);
  EXPECT_EQ(*back->integer("n"), -5);
  EXPECT_EQ(*back->real("x"), 0.1);
  EXPECT_TRUE(std::isnan(*back->real("nan")));
  EXPECT_FALSE(back->integer("json"));
  EXPECT_FALSE(back->real("absent"));
  State whole;
  whole.put("part", state);
  EXPECT_EQ(whole.part("part").texts, state.texts);
  EXPECT_TRUE(whole.part("par").texts.empty());
}

}  // namespace
