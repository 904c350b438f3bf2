// What must hold for the cost of any network: additive over nodes, blind to names, to the text form and to pattern
// recognition; linear in the batch; quadratic in the tokens of an attention; the same on every call.
#include <gtest/gtest.h>

#include "cost/memory.h"
#include "cost/profile.h"
#include "ir/builder.h"
#include "ir/infer.h"
#include "ir/recognise.h"
#include "ir/text.h"
#include "zoo/catalog.h"

namespace hone {

namespace {

constexpr const char* kNetworks[] = {"timm/resnet50",          "torchvision/efficientnet_b0", "timm/mobilenetv3_large_100", "torchvision/inception_v3",
                                     "torchvision/vgg16",      "timm/vit_small_patch16_224",  "timm/levit_128s",            "elasticvit/S1",
                                     "torchvision/vit_b_16",   "vilt/base",                   "meter/base-288"};

Graph network(const std::string& name) {
  auto arch = find_arch(name);
  EXPECT_TRUE(arch) << (arch ? "" : arch.error().text());
  auto graph = build(arch ? *arch : Arch{});
  EXPECT_TRUE(graph) << (graph ? "" : graph.error().text());
  return graph ? *graph : Graph{};
}

Profile profiled(const Graph& graph) {
  auto p = profile(graph);
  EXPECT_TRUE(p) << (p ? "" : p.error().text());
  return p ? *p : Profile{};
}

// Every count, as text: a difference shows which.
std::string counts(const Totals& t) {
  std::string out;
  for (auto [name, n] : {std::pair{"macs", t.macs}, {"flops", t.flops}, {"params", t.params}, {"buffers", t.buffers}, {"acts", t.acts},
                         {"conv", t.macs_conv}, {"linear", t.macs_linear}, {"matmul", t.macs_matmul}, {"conv bias", t.conv_bias_adds},
                         {"linear bias", t.linear_bias_adds}, {"acts conv", t.acts_conv}, {"acts linear", t.acts_linear}, {"acts matmul", t.acts_matmul},
                         {"maxpool", t.maxpool_out}, {"bn", t.bn_elements}, {"ln", t.ln_elements}, {"gn", t.gn_elements}, {"softmax", t.softmax_elements},
                         {"activation", t.activation_elements}, {"pools", t.pool_inputs}, {"adaptive", t.adaptive_pool_inputs}, {"bytes", t.weight_bytes},
                         {"peak", t.peak_activation_bytes}})
    out += std::string(name) + " " + std::to_string(n) + "\n";
  return out;
}

class Cost : public testing::TestWithParam<const char*> {};

}  // namespace

TEST_P(Cost, IsAdditiveOverNodes) {
  const Graph g = network(GetParam());
  const Profile p = profiled(g);
  Counts sum;
  int64_t params = 0;
  for (const NodeCost& n : p.nodes) {
    sum += n.counts;
    params += n.params;
  }
  EXPECT_EQ(sum.macs().value(), p.totals.macs);
  EXPECT_EQ(sum.acts().value(), p.totals.acts);
  EXPECT_EQ(sum.bn_elements.value(), p.totals.bn_elements);
  EXPECT_LE(params, p.totals.params);  // less only by parameters that no node reads
  for (GroupBy by : {GroupBy::op, GroupBy::module, GroupBy::stage, GroupBy::node}) {
    int64_t macs = 0, acts = 0, row_params = 0;
    for (const Row& row : roll_up(g, p, by)) {
      macs += row.macs;
      acts += row.acts;
      row_params += row.params;
    }
    EXPECT_EQ(macs, p.totals.macs);
    EXPECT_EQ(acts, p.totals.acts);
    EXPECT_EQ(row_params, params);
  }
  EXPECT_TRUE(p.unknown.empty());
}

TEST_P(Cost, IsTheSameOnEveryCall) {
  const Graph g = network(GetParam());
  EXPECT_EQ(counts(profiled(g).totals), counts(profiled(g).totals));
}

TEST_P(Cost, DoesNotKnowNames) {
  const Graph g = network(GetParam());
  Graph renamed = g;
  for (size_t i = 0; i < renamed.values.size(); ++i) renamed.values[i].name = "v" + std::to_string(i);
  for (size_t i = 0; i < renamed.nodes.size(); ++i) renamed.nodes[i].name = "n" + std::to_string(i);
  for (std::string& m : renamed.modules) m.clear();
  renamed.reindex();
  EXPECT_EQ(counts(profiled(renamed).totals), counts(profiled(g).totals));
}

TEST_P(Cost, SurvivesTheTextForm) {
  const Graph g = network(GetParam());
  auto parsed = parse_graph(print(g), "round trip");
  ASSERT_TRUE(parsed) << parsed.error().text();
  auto typed = infer(*parsed);
  ASSERT_TRUE(typed) << typed.error().text();
  EXPECT_EQ(counts(profiled(typed->graph).totals), counts(profiled(g).totals));
}

TEST_P(Cost, SurvivesPatternRecognition) {
  const Graph g = network(GetParam());
  auto typed = infer(recognise(g));
  ASSERT_TRUE(typed) << typed.error().text();
  const Totals before = profiled(g).totals, after = profiled(typed->graph).totals;
  EXPECT_EQ(before.macs, after.macs);
  EXPECT_EQ(before.acts, after.acts);
  EXPECT_EQ(before.params, after.params);
  EXPECT_EQ(before.softmax_elements, after.softmax_elements);
}

TEST_P(Cost, IsLinearInTheBatch) {
  const Graph g = network(GetParam());
  auto three = infer(g, {.batch = 3});
  ASSERT_TRUE(three) << three.error().text();
  const Totals one = profiled(g).totals, all = profiled(three->graph).totals;
  EXPECT_EQ(all.macs, 3 * one.macs);
  EXPECT_EQ(all.acts, 3 * one.acts);
  EXPECT_EQ(all.bn_elements, 3 * one.bn_elements);
  EXPECT_EQ(all.activation_elements, 3 * one.activation_elements);
  EXPECT_EQ(all.params, one.params);
  EXPECT_EQ(all.weight_bytes, one.weight_bytes);
}

INSTANTIATE_TEST_SUITE_P(Networks, Cost, testing::ValuesIn(kNetworks), [](const auto& info) {
  std::string name = info.param;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
});

TEST(Attention, DoublingTheTokensQuadruplesTheProducts) {
  auto attention = [](int64_t tokens) {
    Builder b("attention");
    const ValueId x = b.input("x", DType::f32, {1, 4, tokens, 16});
    b.output(b.attention(b.linear(x, "q", 16), x, x, 0.25f));
    auto g = b.finish();
    EXPECT_TRUE(g);
    return profiled(*g).totals;
  };
  const Totals one = attention(50), two = attention(100);
  EXPECT_EQ(one.macs_matmul, 2 * 4 * 50 * 50 * 16);
  EXPECT_EQ(two.macs_matmul, 4 * one.macs_matmul);
  EXPECT_EQ(two.macs_linear, 2 * one.macs_linear);
}

// A 1x1 convolution and ReLU by hand: input, convolution's output and nothing else can be alive together.
TEST(Memory, OfAConvolutionAndAReLU) {
  Builder b("net");
  const ValueId x = b.input("x", DType::f32, {1, 3, 8, 8});
  b.output(b.relu(b.conv(x, "conv", conv_spec(16, 1))));
  auto g = b.finish();
  ASSERT_TRUE(g);
  auto plan = plan_memory(*g);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->peak_bytes, 4 * 64 * (3 + 16));  // the ReLU works in place
  EXPECT_EQ(g->nodes[plan->peak_node].type, "Conv");
}

}  // namespace hone
