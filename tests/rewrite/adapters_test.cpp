// Adapters of every kind: the parameter and FLOP tables of the DAS specification (2.5, 2.6, 5.3; fvcore convention), modules
// that run twice, attentions as candidates, and merging.
#include "rewrite/adapters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "ir/builder.h"
#include "ir/infer.h"
#include "ir/op.h"
#include "ir/recognise.h"
#include "rewrite/weights.h"
#include "skip_case.h"

namespace hone {

using test::added, test::giga, test::network, test::with;

TEST(Adapters, BaselinesOnVilt) {
  const Graph g = network("vilt/base");
  const double base = giga(g);
  EXPECT_NEAR(giga(with(g, {.keep = Keep::houlsby})) - base, 0.853, 0.001);
  EXPECT_EQ(added(with(g, {.keep = Keep::houlsby})), 3559680);
  EXPECT_NEAR(giga(with(g, {.keep = Keep::scaled})) - base, 0.44, 0.005);
  EXPECT_EQ(added(with(g, {.keep = Keep::scaled})), 12 * 149856);  // 1.80 M
  EXPECT_EQ(added(with(g, {.keep = Keep::lora})), 147456);
  EXPECT_EQ(added(with(g, {.keep = Keep::prompt})), 200 * 768);
  const Graph deep = with(g, {.keep = Keep::deep_prompt});
  EXPECT_EQ(added(deep), 12 * 200 * 768);
  // Keys and values of 200 more tokens, and what attends to them; the official code computes their queries too (+5.14).
  EXPECT_NEAR(giga(deep) - base, 12e-9 * (2. * 200 * 768 * 768 + 2. * 241 * 200 * 768), 1e-6);
  EXPECT_EQ(added(with(g, {.keep = Keep::none})), 0);
}

TEST(Adapters, BaselinesOnMeter) {
  const Graph g = network("meter/base-384");
  const double base = giga(g);
  EXPECT_EQ(added(with(g, {.keep = Keep::houlsby})), 5339520);
  EXPECT_NEAR(giga(with(g, {.keep = Keep::houlsby})) - base, 1.638, 0.001);
  EXPECT_EQ(added(with(g, {.keep = Keep::scaled})), 24 * 149856);  // 3.60 M
  EXPECT_NEAR(giga(with(g, {.keep = Keep::scaled})) - base, 1.120, 0.001);
  EXPECT_EQ(added(with(g, {.keep = Keep::lora})), 294912);
  EXPECT_EQ(added(with(g, {.keep = Keep::prompt})), 2 * 200 * 768);
  EXPECT_NEAR(giga(with(g, {.keep = Keep::prompt})) - base, 28.70, 0.01);
  EXPECT_EQ(added(with(g, {.keep = Keep::deep_prompt})), 2 * 6 * 200 * 768);
  EXPECT_NEAR(giga(with(g, {.keep = Keep::deep_prompt})) - base, 3.97, 0.01);
}

// 5.3: v image and t text layers skipped, in giga FLOPs and percent of the network without adapters.
TEST(Adapters, DasTableOfMeter) {
  const auto set = [](int64_t v, int64_t t) {
    std::vector<int64_t> out;
    for (int64_t i = 0; i < t; ++i) out.push_back(i);
    for (int64_t i = 0; i < v; ++i) out.push_back(6 + i);
    return out;
  };
  struct Case {
    const char* net;
    int64_t v, t;
    double giga, percent;  // percent 0: not stated
  };
  for (const Case& c : {Case{"meter/base-384", 0, 1, 0.63, 0}, {"meter/base-384", 1, 0, -3.69, 0}, {"meter/base-384", 1, 1, -4.74, 0}, {"meter/base-384", 0, 4, -2.52, 0},
                        {"meter/base-384", 1, 3, -6.84, 0}, {"meter/base-384", 2, 2, -11.16, -11.97}, {"meter/base-384", 3, 1, -15.48, 0}, {"meter/base-384", 4, 0, -19.80, 0},
                        {"meter/base-384", 3, 3, -17.58, 0}, {"meter/base-384", 4, 4, -24.00, 0}, {"meter/base-288", 1, 3, -4.14, -7.82}, {"meter/base-288", 2, 2, -6.32, -11.95},
                        {"meter/base-288", 3, 1, -8.50, 0}}) {
    const Graph g = network(c.net);
    const double base = giga(g), change = giga(with(g, {}, set(c.v, c.t))) - base;
    EXPECT_NEAR(change, c.giga, 0.0051) << c.net << " " << c.v << "," << c.t;
    if (c.percent != 0) {
      EXPECT_NEAR(100 * change / base, c.percent, 0.01) << c.net << " " << c.v << "," << c.t;
    }
  }
  EXPECT_NEAR(giga(network("meter/base-288")), 52.877, 0.0005);
}

TEST(Adapters, DasTableOfVilt) {
  const Graph g = network("vilt/base");
  const double base = giga(g);
  const std::vector<std::pair<double, int64_t>> rows{{-0.923, 3594240}, {-2.720, 3591936}, {-4.518, 3589632}, {-6.316, 3587328}};
  const std::vector<int64_t> without{3558912, 3558144, 3557376, 3556608};
  std::vector<int64_t> set;
  for (size_t k = 0; k < rows.size(); ++k) {
    set.push_back(static_cast<int64_t>(k) * 2);
    const Graph s = with(g, {}, set);
    EXPECT_NEAR(giga(s) - base, rows[k].first, 0.001);
    EXPECT_EQ(added(s), rows[k].second);
    EXPECT_EQ(added(s, false), without[k]);
  }
  const Graph square = network("vilt/base", {{"image_height", int64_t{384}}, {"image_width", int64_t{384}}});
  EXPECT_NEAR(giga(square), 16.702, 0.001);
  EXPECT_NEAR(giga(with(square, {}, {5})) - giga(square), -0.692, 0.001);
  const Graph wide = network("vilt/base", {{"image_height", int64_t{384}}, {"image_width", int64_t{640}}, {"image_tokens", int64_t{240}}});
  EXPECT_NEAR(giga(wide), 25.916, 0.001);
  EXPECT_NEAR(giga(with(wide, {}, {5})) - giga(wide), -1.093, 0.001);
}

// What a search holds: adapters of kept candidates and one of every skipped one.
TEST(Adapters, ParametersDuringSearch) {
  for (const auto& [net, n, expected] : {std::tuple{"vilt/base", 12, 7165440}, {"meter/base-288", 12, 10734336}}) {
    const Graph g = network(net);
    std::vector<int64_t> all;
    for (int64_t i = 0; i < n; ++i) all.push_back(i);
    EXPECT_EQ(added(with(g, {})) + added(with(g, {}, all)), expected) << net;
  }
}

// NLVR2 runs every module twice with the same parameters.
TEST(Adapters, AModuleThatRunsTwiceIsSkippedTwice) {
  for (const auto& [twice, once, set] : {std::tuple{"vilt/base-nlvr2", "vilt/base", std::vector<int64_t>{5}}, {"meter/base-288-nlvr2", "meter/base-288", {2, 4, 8, 9}}}) {
    const Graph g = network(twice), one = network(once);
    const auto c = skip_candidates(g);
    ASSERT_TRUE(c) << c.error().text();
    for (const SkipCandidate& x : *c) EXPECT_EQ(x.passes.size(), 2u) << x.module;
    EXPECT_NEAR(giga(with(g, {}, set)) - giga(g), 2 * (giga(with(one, {}, set)) - giga(one)), 1e-6) << twice;
    EXPECT_EQ(added(with(g, {}, set)), added(with(one, {}, set))) << twice;
    for (Keep k : {Keep::houlsby, Keep::scaled, Keep::lora, Keep::linear, Keep::prompt, Keep::deep_prompt}) EXPECT_EQ(added(with(g, {.keep = k})), added(with(one, {.keep = k}))) << twice << name(k);
  }
}

TEST(Adapters, AnyNetworkTakesThem) {
  for (const char* net : {"timm/resnet50", "torchvision/mobilenet_v2", "timm/vit_small_patch16_224", "elasticvit/S1"}) {
    const Graph g = network(net);
    const auto c = skip_candidates(g);
    ASSERT_TRUE(c) << c.error().text();
    const Graph s = with(g, {}, {0, 2});
    EXPECT_EQ(s.find((*c)[0].adapters[0] + ".down_proj.weight"), kNoValue) << net;
    EXPECT_NE(s.find((*c)[0].skip_adapter + ".down_proj.weight"), kNoValue) << net;
    EXPECT_NE(s.find((*c)[1].adapters[0] + ".down_proj.weight"), kNoValue) << net;
    EXPECT_LT(giga(s), giga(with(g, {}))) << net;
  }
  const Graph mobile = network("torchvision/mobilenet_v2");
  const auto c = *skip_candidates(mobile);
  EXPECT_EQ(c.size(), 10u);  // of 17 blocks those with a shortcut
  const Graph s = with(mobile, {}, {0});
  EXPECT_EQ(s.value(s.find(c[0].skip_adapter + ".down_proj.weight")).type.shape, (Shape{c[0].width / 8, c[0].width, 1, 1}));
}

// LaVIN's settings: hidden 8 and 32, up-projections in two groups that start at zero, Xavier's start, dropout, nothing between.
TEST(Adapters, SettingsOfTheLanguageModelPorts) {
  const Graph g = network("vilt/tiny");
  const int64_t d = 128;
  const Adapters lavin{.keep = Keep::linear, .zero_up = true, .hidden = 8, .replace_hidden = 32, .xavier = true, .relu = false, .groups = 2, .dropout = 0.1};
  const Graph s = with(g, lavin, {5});
  const auto c = *skip_candidates(g);
  const auto dense = [&](int64_t hidden) { return d * hidden + hidden + d * hidden / 2 + d; };  // grouped: half the weights
  EXPECT_EQ(added(s, false), 5 * 2 * dense(8) + dense(32));
  const std::string skip = c[5].skip_adapter, kept = c[0].adapters[0];
  EXPECT_EQ(s.value(s.find(skip + ".up_proj.1.weight")).type.shape, (Shape{d / 2, 16}));
  EXPECT_EQ(s.value(s.find(kept + ".up_proj.0.weight")).type.shape, (Shape{d / 2, 4}));
  int64_t dropouts = 0, relus = 0;
  for (const Node& n : s.nodes) {
    dropouts += n.type == "Dropout";
    relus += n.type == "Relu";
  }
  EXPECT_EQ(dropouts, 11);
  EXPECT_EQ(relus, 0);
  // Uniform within sqrt(6 / (fan in + fan out)), whose standard deviation is that bound / sqrt(3).
  const Graph filled = *with_fresh_weights(s, 3);
  for (const auto& [name, fans] : {std::pair{skip + ".down_proj.weight", d + 32.}, {kept + ".down_proj.weight", d + 8.}}) {
    const auto w = *to_doubles(*filled.value(filled.find(name)).data);
    const double bound = std::sqrt(6 / fans);
    double square = 0, largest = 0;
    for (double v : w) square += v * v, largest = std::max(largest, std::fabs(v));
    EXPECT_LE(largest, bound * 1.0000001) << name;
    EXPECT_GT(largest, bound * 0.97) << name;
    EXPECT_NEAR(std::sqrt(square / static_cast<double>(w.size())), bound / std::sqrt(3), 0.05 * bound) << name;
  }
  const auto zeros = *to_doubles(*filled.value(filled.find(skip + ".up_proj.0.weight")).data);
  EXPECT_EQ(zeros, std::vector<double>(zeros.size()));

  // At attentions alone: half of the kept adapters, and without a bottleneck of its own a skip adapter half as wide.
  Adapters attention = lavin;
  attention.attention_only = attention.module_norm = true;
  EXPECT_EQ(added(with(g, attention, {5})), 5 * dense(8) + dense(32));
  EXPECT_EQ(added(with(g, {.attention_only = true}, {5}), false), 6 * (2 * d * 16 + 16 + d));
  EXPECT_EQ(added(with(g, {.keep = Keep::houlsby, .replace = Replace::identity, .attention_only = true}, {5})), 5 * (2 * d * 16 + 16 + d));
  EXPECT_EQ(added(with(network("timm/resnet18"), {.attention_only = true})), added(with(network("timm/resnet18"), {})));  // there are none

  // LLaVA's: both projections start so, ReLU between them, in front of the branches.
  const Graph llava = *with_fresh_weights(with(g, {.keep = Keep::before, .hidden = 64, .replace_hidden = 256, .xavier = true}, {5}), 3);
  EXPECT_EQ(added(llava, false), 5 * 2 * (2 * d * 64 + 64 + d) + 2 * d * 256 + 256 + d);
  const auto up = *to_doubles(*llava.value(llava.find(kept + ".up_proj.weight")).data);
  EXPECT_GT(*std::ranges::max_element(up), 0.97 * std::sqrt(6. / (d + 64)));
  EXPECT_EQ(std::ranges::count_if(llava.nodes, [](const Node& n) { return n.type == "Relu"; }), 11);

  // Maps: grouped 1x1 convolutions, part by part.
  const Graph mobile = network("torchvision/mobilenet_v2");
  EXPECT_GT(added(with(mobile, {.hidden = 4, .groups = 2, .dropout = 0.5}, {0})), 0);
  EXPECT_EQ(apply_skips(mobile, *skip_candidates(mobile), {0}, {.hidden = 5, .groups = 2}).error().code, Code::usage);
  EXPECT_EQ(apply_skips(mobile, *skip_candidates(mobile), {0}, {.dropout = 1}).error().code, Code::usage);
}

// A file whose norms are many nodes (Llama, as PyTorch exports it) has a place for both ports' adapters.
TEST(Adapters, PortsFitADecoder) {
  auto opened = open_network(std::string(HONE_SOURCE_DIR) + "/tests/data/decoders/llama.onnx");
  ASSERT_TRUE(opened) << opened.error().text();
  auto typed = infer(opened->graph, {.inputs = {{"", {1, 16}}}});
  ASSERT_TRUE(typed) << typed.error().text();
  typed->graph = recognise(typed->graph);
  const int64_t d = 8, h = 4, r = 6;
  const Adapters lavin{.keep = Keep::linear, .zero_up = true, .hidden = h, .replace_hidden = r, .relu = false, .attention_only = true, .module_norm = true, .groups = 2};
  const Graph a = with(typed->graph, lavin, {1}), b = with(typed->graph, {.keep = Keep::before, .hidden = h, .replace_hidden = r, .module_norm = true}, {1});
  EXPECT_EQ(added(a), 2 * (d * h + h + d * h / 2 + d) + d * r + r + d * r / 2 + d);
  EXPECT_EQ(added(b), 4 * (2 * d * h + h + d) + 2 * d * r + r + d);
  // EAS's adapter reads the stream where keys are made of it, through a norm whose scale comes first.
  const auto attentions = *skip_candidates(typed->graph, "attention");
  const Graph eas = with(typed->graph, {.keep = Keep::none, .replace = Replace::propagate}, {1}, "attention");
  int read = 0;
  for (const Node& n : eas.nodes)
    for (const ValueId v : n.inputs)
      if (v != kNoValue && n.type == "hone::Linear" && eas.modules[n.module].starts_with(attentions[1].skip_adapter) && eas.value(v).name == typed->graph.value(attentions[1].passes[0].input).name) ++read;
  EXPECT_EQ(read, 2);  // own_proj and context_proj
  for (const Graph* g : {&a, &b}) {
    EXPECT_NE(g->find("model.model.layers.1.input_layernorm.weight"), kNoValue);
    EXPECT_EQ(g->find("model.model.layers.1.post_attention_layernorm.weight"), kNoValue);
  }
}

TEST(Adapters, PackedQueriesKeysAndValues) {
  const Graph g = network("timm/vit_small_patch16_224");  // qkv in one dense layer
  const int64_t d = 384, r = 4;
  EXPECT_EQ(added(with(g, {.keep = Keep::lora})), 12 * 2 * (r * d + r * d));
}

TEST(Attentions, AreCandidatesOfTheirOwn) {
  const Graph meter = network("meter/base-288");
  const auto c = skip_candidates(meter, "attention");
  ASSERT_TRUE(c) << c.error().text();
  ASSERT_EQ(c->size(), 24u);
  const char* starts[] = {"cross_modal_text_layers.0.attention", "cross_modal_text_layers.0.crossattention", "cross_modal_image_layers.0.attention", "cross_modal_image_layers.0.crossattention"};
  for (size_t i = 0; i < 4; ++i) EXPECT_TRUE((*c)[6 * i].module.starts_with(starts[i])) << (*c)[6 * i].module;
  const double before = giga(meter);
  const Graph without = with(meter, kIdentity, {18}, "attention");
  const auto d = [](double n, double m) { return 1e-9 * (2 * n * 768 * 768 + 2 * m * 768 * 768 + 2 * n * m * 768); };
  EXPECT_NEAR(giga(without) - before, -d(325, 40), 1e-6);  // image cross-attention 0: really gone
  const Graph eas = with(meter, {.keep = Keep::linear, .replace = Replace::propagate}, {0, 7, 12, 18}, "attention");
  EXPECT_NE(eas.find((*c)[18].skip_adapter + ".context_proj.weight"), kNoValue);
  EXPECT_EQ(eas.value(eas.find((*c)[18].skip_adapter + ".own_proj.weight")).type.shape, (Shape{144, 768}));
  EXPECT_EQ(skip_candidates(network("vilt/base"), "attention")->size(), 12u);
  EXPECT_FALSE(skip_candidates(network("timm/resnet50"), "attention"));
}

// W (x + U (D x + d) + u) + b and (W + B A) x by hand, in numbers that floats hold exactly.
TEST(MergeAdapters, ByHand) {
  Builder b("net");
  ValueId x = b.input("x", DType::f32, {1, 2, 4});
  ValueId y = b.linear(x, "fc", 3, true);
  b.output(y);
  Graph g = *b.finish();
  const auto put = [](Graph& into, const std::string& name, Shape shape, std::vector<float> values) {
    ValueId id = into.find(name);
    if (id == kNoValue) {
      Value v;
      v.name = name;
      v.kind = ValueKind::parameter;
      v.type = {DType::f32, shape};
      id = into.add_value(std::move(v));
    }
    into.values[id].data = std::make_shared<const Tensor>(Tensor{DType::f32, shape, Bytes::copy(values.data(), values.size() * 4), {}});
    return id;
  };
  put(g, "fc.weight", {3, 4}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  put(g, "fc.bias", {3}, {1, 2, 3});
  const ValueId A = put(g, "fc.lora_A", {1, 4}, {1, 0, 2, 0}), B = put(g, "fc.lora_B", {3, 1}, {1, 10, 100});
  const auto node = [&](const char* type, std::vector<ValueId> in, const char* out) {
    Value v;
    v.name = out;
    v.type = g.value(g.outputs[0]).type;
    const ValueId id = g.add_value(std::move(v));
    Node n;
    n.type = type;
    n.def = find_op(type);
    n.inputs = std::move(in);
    n.outputs = {id};
    g.add_node(std::move(n));
    return id;
  };
  const ValueId low = node("hone::Linear", {g.find("x"), A}, "low"), up = node("hone::Linear", {low, B}, "up"), sum = node("Add", {g.outputs[0], up}, "sum");
  g.outputs = {sum};
  const auto merged = merge_adapters(infer(g)->graph);
  ASSERT_TRUE(merged) << merged.error().text();
  EXPECT_EQ(merged->weights, 1);
  EXPECT_EQ(merged->graph.nodes.size(), 1u);
  EXPECT_EQ(merged->graph.find("fc.lora_A"), kNoValue);
  EXPECT_EQ(*to_doubles(*merged->graph.value(merged->graph.find("fc.weight")).data), (std::vector<double>{2, 2, 5, 4, 15, 6, 27, 8, 109, 10, 211, 12}));
}

TEST(MergeAdapters, LeavesTheNetworkAsItWasBeforeThem) {
  for (const char* net : {"timm/vit_tiny_patch16_224", "vilt/base-nlvr2"})
    for (Keep k : {Keep::lora, Keep::linear}) {
      const Graph g = network(net);
      auto filled = with_fresh_weights(with(g, {.keep = k}), 1);
      ASSERT_TRUE(filled);
      const auto merged = merge_adapters(*filled);
      ASSERT_TRUE(merged) << merged.error().text();
      EXPECT_GT(merged->weights, 0) << net << name(k);
      EXPECT_EQ(added(merged->graph), 0) << net << name(k);
      EXPECT_EQ(profile(merged->graph)->totals.macs, profile(g)->totals.macs) << net << name(k);
      // B and the up-projections start at zero, so the merged weights are those of the backbone.
      const Graph plain = *with_fresh_weights(g, 1);
      for (ValueId v : plain.state()) {
        const ValueId same = merged->graph.find(plain.value(v).name);
        ASSERT_NE(same, kNoValue) << plain.value(v).name;
        EXPECT_TRUE(same_contents(*plain.value(v).data, *merged->graph.value(same).data)) << plain.value(v).name;
      }
    }
}

}  // namespace hone
