// Networks in engine form: what changes in the graph, and that results do not.
#include "rewrite/engine_form.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/check.h"
#include "ir/builder.h"
#include "ir/verify.h"
#include "parameter_name.h"
#include "rewrite/weights.h"
#include "support.h"
#include "zoo/catalog.h"

namespace hone {
namespace {

constexpr EngineForm kNothing{false, false, false, false, 0, 0};

int64_t count(const Graph& graph, std::string_view type) {
  return std::ranges::count_if(graph.nodes, [&](const Node& n) { return n.type == type; });
}

// Contents that make every parameter matter: norms too get scales and shifts away from 1 and 0.
Graph filled(Result<Graph> graph, uint64_t seed = 5) {
  EXPECT_TRUE(graph) << graph.error().text();
  for (Value& v : graph->values) {
    if (v.kind != ValueKind::parameter || v.type.shape.size() != 1) continue;
    Tensor t = std::move((*random_inputs([&] {
      Builder b("one");
      b.output(b.input("x", DType::f32, v.type.shape));
      return b.graph();
    }(), seed++))[0]);
    v.data = std::make_shared<const Tensor>(std::move(t));
  }
  auto out = with_fresh_weights(std::move(*graph), seed);
  EXPECT_TRUE(out);
  return *out;
}

// A map normalised over all of it, then q, k, v by convolutions, attention over positions, and back to a map.
Graph attention_on_a_map(bool pad_v = false) {
  constexpr int64_t kWidth = 32, kHeads = 2, kSide = 5;
  Builder b("map-attention");
  const ValueId x = b.input("x", DType::f32, {1, kWidth, kSide, kSide}), norm = b.group_norm(x, "norm", 1);
  const auto heads = [&](ValueId v) { return b.transpose(b.reshape(v, {0, kHeads, kWidth / kHeads, -1}), {0, 1, 3, 2}); };
  const ValueId q = heads(b.conv(norm, "q", conv_spec(kWidth, 1))), k = heads(b.conv(norm, "k", conv_spec(kWidth, 1, 1, 1, true)));
  const ValueId v = heads(b.conv(norm, "v", conv_spec(kWidth, pad_v ? 3 : 1)));
  const ValueId mixed = b.reshape(b.transpose(b.attention(q, k, v, 0.3f), {0, 1, 3, 2}), {1, kWidth, kSide, kSide});
  b.output(b.conv(b.hard_swish(mixed), "proj", conv_spec(kWidth, 1, 1, 1, true)));
  return filled(b.finish());
}

Graph wide_head() {
  Builder b("head");
  const ValueId x = b.input("x", DType::f32, {1, 300});
  b.output(b.linear(b.hard_swish(b.linear(x, "hidden", 401)), "classifier", 7));
  return filled(b.finish());
}

Graph formed(const Graph& graph, const EngineForm& form) {
  auto out = engine_form(graph, form);
  EXPECT_TRUE(out) << out.error().text();
  EXPECT_TRUE(verify(*out)) << verify(*out).error().text();
  return *out;
}

TEST(EngineForm, NothingAskedNothingDone) {
  const Graph graph = attention_on_a_map();
  EXPECT_TRUE(equal(formed(graph, kNothing), graph));
}

TEST(EngineForm, ScalesOfNormsGoIntoConvolutions) {
  EngineForm form = kNothing;
  form.fold_norm_scales = true;
  const Graph graph = attention_on_a_map(), out = formed(graph, form);
  const auto norm = std::ranges::find_if(out.nodes, [](const Node& n) { return n.type == "GroupNormalization"; });
  ASSERT_NE(norm, out.nodes.end());
  const auto scale = *to_doubles(*out.value(norm->inputs[1]).data), shift = *to_doubles(*out.value(norm->inputs[2]).data);
  EXPECT_TRUE(std::ranges::all_of(scale, [](double s) { return s == 1; }));
  EXPECT_TRUE(std::ranges::all_of(shift, [](double s) { return s == 0; }));
  // A convolution with padding sees zeros, not shifted zeros, at the border: nothing may be folded.
  const Graph padded = attention_on_a_map(true);
  EXPECT_TRUE(equal(formed(padded, form), padded));
}

TEST(EngineForm, NormsOverMapsAndHeadsFromNhwc) {
  EngineForm form = kNothing;
  form.norms_over_maps = form.heads_from_nhwc = true;
  const Graph out = formed(attention_on_a_map(), form);
  EXPECT_EQ(count(out, "GroupNormalization"), 0);
  EXPECT_EQ(count(out, "LayerNormalization"), 1);
  int64_t nhwc = 0, back = 0, turned = 0;
  for (const Node& n : out.nodes) {
    const auto perm = n.attrs.integers("perm");
    nhwc += perm == std::vector<int64_t>{0, 2, 3, 1}, back += perm == std::vector<int64_t>{0, 3, 1, 2}, turned += perm == std::vector<int64_t>{0, 1, 3, 2};
  }
  EXPECT_EQ(nhwc, 3);
  EXPECT_EQ(back, 1);
  EXPECT_EQ(turned, 0);
}

TEST(EngineForm, WideRowsAreSplitOnlyWhereTheyAreWide) {
  EngineForm form = kNothing;
  form.split_rows_above = 300 * 400;
  const Graph graph = wide_head();
  EXPECT_EQ(count(formed(graph, form), "hone::Linear"), 3);
  EXPECT_EQ(count(formed(graph, form), "Concat"), 1);
  form.split_rows_above = 300 * 401;
  EXPECT_TRUE(equal(formed(graph, form), graph));
}

TEST(EngineForm, Int8RowsStayWithinHalfAUnit) {
  EngineForm form = kNothing;
  form.int8_rows_above = 300 * 400;
  const Graph graph = wide_head(), out = formed(graph, form);
  ASSERT_EQ(count(out, "DequantizeLinear"), 1) << "the classifier is small";
  const auto node = std::ranges::find_if(out.nodes, [](const Node& n) { return n.type == "DequantizeLinear"; });
  const auto q = *to_ints(*out.value(node->inputs[0]).data);
  const auto scale = *to_doubles(*out.value(node->inputs[1]).data), weight = *to_doubles(*graph.value(graph.find("hidden.weight")).data);
  ASSERT_EQ(q.size(), weight.size());
  for (size_t i = 0; i < q.size(); ++i) ASSERT_LE(std::abs(static_cast<double>(q[i]) * scale[i / 300] - weight[i]), 0.5001 * scale[i / 300]) << i;
  EXPECT_EQ(*std::ranges::max_element(q, {}, [](int64_t v) { return std::abs(v); }) % 127, 0);
}

TEST(EngineForm, NodesKeepTheirNames) {
  auto network = open_network("elasticvit/min1");
  ASSERT_TRUE(network);
  const Graph graph = filled(std::move(network->graph)), out = formed(graph, engine_form_for("openvino"));
  std::vector<std::string> names;
  for (const Node& n : out.nodes) names.push_back(n.name);
  for (const Node& n : graph.nodes)
    if (n.type == "Conv" || n.type == "Attention" || n.type == "hone::Linear") {
      EXPECT_NE(std::ranges::find(names, n.name), names.end()) << n.name;
    }
}

class FormedNetwork : public testing::TestWithParam<const char*> {};

TEST_P(FormedNetwork, GivesTheSameResults) {
  const auto engine = open_engine();
  if (!engine && engine.error().message.find("hone was built without it") != std::string::npos) GTEST_SKIP() << "built without OpenVINO";
  ASSERT_TRUE(engine) << engine.error().text();
  const std::string name = GetParam();
  Graph graph;
  if (name == "map") graph = attention_on_a_map();
  else if (name == "padded") graph = attention_on_a_map(true);
  else if (name == "head") graph = wide_head();
  else graph = filled([&]() -> Result<Graph> { HONE_TRY_ASSIGN(Network n, open_network(name)); return std::move(n.graph); }());
  // Each choice alone, so that none hides behind another.
  for (int choice = 0; choice < 6; ++choice) {
    EngineForm form = kNothing;
    form.fold_batch_norms = choice == 0 || choice == 5, form.fold_norm_scales = choice == 1 || choice == 5, form.norms_over_maps = choice == 2 || choice == 5;
    form.heads_from_nhwc = choice == 3 || choice == 5, form.split_rows_above = choice == 4 || choice == 5 ? 1000 : 0;
    const Graph out = formed(graph, form);
    if (choice < 5 && equal(out, graph)) continue;
    EngineOptions plain;
    plain.as_is = true;
    const auto check = check_pair({&out, *engine, plain}, {&graph, *engine, plain}, "", {{1e-3, 1e-4}, 0, false});
    ASSERT_TRUE(check) << check.error().text();
    EXPECT_TRUE(check->ok()) << "choice " << choice << ": " << check->first_departure << ", " << check->outputs[0].difference.relative;
    EXPECT_LT(check->outputs[0].difference.relative, 1e-4) << "choice " << choice;
  }
}

INSTANTIATE_TEST_SUITE_P(Some, FormedNetwork, testing::Values("map", "padded", "head", "elasticvit/min1", "timm/levit_128s", "timm/mobilenetv3_small_050@64"), test::parameter_name);

}  // namespace
}  // namespace hone
