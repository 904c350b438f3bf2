// Skip sets: candidates, and the counts of the DAS specification (fvcore convention, adapters included).
#include "rewrite/adapters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <tuple>

#include "ir/infer.h"
#include "ir/recognise.h"
#include "ir/text.h"
#include "skip_case.h"

namespace hone {

using test::added, test::giga, test::network, test::totals, test::with;

TEST(Skip, MeterAt384) {
  const Graph g = network("meter/base-384");
  const double base = giga(g);
  EXPECT_NEAR(base, 93.225, 0.0005);
  auto change = [&](std::string_view variant, const std::vector<int64_t>& set) { return giga(with(g, {}, set, variant)) - base; };
  EXPECT_NEAR(change("fusion", {}), 1.680, 0.005);
  EXPECT_NEAR(change("fusion", {2, 4, 8, 9}), -11.16, 0.005);
  EXPECT_NEAR(100 * change("fusion", {2, 4, 8, 9}) / base, -11.97, 0.01);  // the paper's headline
  EXPECT_NEAR(change("fusion", {0}), 0.63, 0.005);
  EXPECT_NEAR(change("fusion", {7}), -3.69, 0.005);
  EXPECT_NEAR(change("fusion", {0, 6}), -4.74, 0.005);
  EXPECT_NEAR(change("fusion", {0, 1, 2, 3}), -2.52, 0.005);
  EXPECT_NEAR(change("fusion", {0, 1, 2, 9}), -6.84, 0.005);
  EXPECT_NEAR(change("fusion", {0, 6, 7, 8}), -15.48, 0.005);
  EXPECT_NEAR(change("fusion", {6, 7, 8, 9}), -19.80, 0.005);
  EXPECT_NEAR(change("fusion", {0, 1, 2, 6, 7, 8}), -17.58, 0.005);
  EXPECT_NEAR(change("fusion", {0, 1, 2, 3, 6, 7, 8, 9}), -24.00, 0.005);
  EXPECT_NEAR(change("global", {6, 18, 22, 23}), -4.51, 0.005);
  EXPECT_NEAR(100 * change("global", {6, 18, 22, 23}) / base, -4.84, 0.005);
}

TEST(Skip, MeterAt288) {
  const Graph g = network("meter/base-288");
  const double base = giga(g);
  const auto change = [&](const std::vector<int64_t>& set) { return giga(with(g, {}, set)) - base; };
  EXPECT_NEAR(change({0, 1, 2, 9}), -4.14, 0.005);
  EXPECT_NEAR(100 * change({0, 1, 2, 9}) / base, -7.82, 0.005);
  EXPECT_NEAR(change({2, 4, 8, 9}), -6.32, 0.005);
  EXPECT_NEAR(100 * change({2, 4, 8, 9}) / base, -11.95, 0.005);
  EXPECT_NEAR(change({0, 6, 7, 8}), -8.50, 0.005);
}

// A search holds the adapters of every kept module and those in place of every skipped one.
TEST(Skip, AdaptersOfASearch) {
  for (const auto& [name, n, expected] : {std::tuple{"vilt/base", 12, 7165440}, {"meter/base-288", 12, 10734336}}) {
    const Graph g = network(name);
    std::vector<int64_t> all(static_cast<size_t>(n));
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(added(with(g, {}, {})) + added(with(g, {}, all)), expected) << name;
  }
}

TEST(Skip, MeterAdapterParameters) {
  const Graph g = network("meter/base-288");
  EXPECT_EQ(added(with(g, {}, {}, "fusion")), 5394816);
  EXPECT_EQ(added(with(g, {}, {}, "fusion"), false), 5339520);
  const Graph four = with(g, {}, {2, 4, 8, 9}, "fusion");
  EXPECT_EQ(added(four), 5376384);
  EXPECT_EQ(added(four, false), 5333376);
  EXPECT_EQ(added(with(g, {}, {6, 18, 22, 23}, "global"), false), 6225600);
  EXPECT_EQ(totals(four).params, totals(g).params - 4 * 9451776 + 5376384);  // the skipped layers' weights are gone
  for (const char* name : {"adapter_list_l.2.0.down_proj.weight", "adapter_list_v.3.0.up_proj.bias", "cross_modal_text_layers.0.attention.output.adapter.down_proj.weight",
                           "cross_modal_image_layers.0.crossattention.output.adapter.adapter_layer_norm_before.weight", "cross_modal_image_layers.5.adapter.up_proj.weight"})
    EXPECT_NE(four.find(name), kNoValue) << name;
}

TEST(Skip, Vilt) {
  const Graph g = network("vilt/base");
  const double base = giga(g);
  EXPECT_NEAR(base, 22.243, 0.0005);
  EXPECT_NEAR(giga(with(g, {}, {})) - base, 0.875, 0.0005);
  EXPECT_NEAR(giga(with(g, {}, {5})) - base, -0.923, 0.0005);
  EXPECT_NEAR(giga(with(g, {}, {5, 6})) - base, -2.720, 0.001);
  EXPECT_NEAR(giga(with(g, {}, {1, 3, 5})) - base, -4.518, 0.001);
  EXPECT_NEAR(giga(with(g, {}, {1, 3, 5, 7})) - base, -6.316, 0.001);
  EXPECT_EQ(added(with(g, {}, {})), 3596544);
  EXPECT_EQ(added(with(g, {}, {5})), 3594240);
  EXPECT_EQ(added(with(g, {}, {5}), false), 3558912);
}

TEST(Skip, TheEmptySetWithoutAdaptersIsTheNetwork) {
  const Graph g = network("vilt/base");
  EXPECT_TRUE(equal(with(g, kIdentity), g));
}

// Any network: skipping costs exactly the candidates' own counts.
TEST(Skip, IdentityRemovesExactlyTheModules) {
  for (const char* name : {"timm/resnet50", "torchvision/mobilenet_v2", "timm/vit_small_patch16_224", "elasticvit/S1", "meter/base-288"}) {
    const Graph g = network(name);
    auto c = skip_candidates(g);
    ASSERT_TRUE(c) << c.error().text();
    ASSERT_GE(c->size(), 2u) << name;
    const Totals base = totals(g);
    const auto last = static_cast<int64_t>(c->size()) - 1;
    const Totals after = totals(with(g, kIdentity, {0, last}));
    EXPECT_EQ(after.macs, base.macs - c->front().macs - c->back().macs) << name;
    EXPECT_EQ(after.params, base.params - c->front().params - c->back().params) << name;
  }
}

TEST(Skip, CandidatesOfAResNetAreItsBlocksThatKeepTheShape) {
  auto c = skip_candidates(network("timm/resnet50"));
  ASSERT_TRUE(c);
  EXPECT_EQ(c->size(), 12u);  // 16 blocks, of which the first of each stage changes the shape
  EXPECT_EQ(c->front().module, "layer1.1");
}

// ElasticViT's shortcuts around blocks that change the shape hold an addition, but nothing made of what they add to.
TEST(Skip, AShortcutAroundABlockIsNoCandidate) {
  const auto c = skip_candidates(network("elasticvit/S1"));
  ASSERT_TRUE(c) << c.error().text();
  EXPECT_GT(c->size(), 10u);
  for (const SkipCandidate& candidate : *c) EXPECT_FALSE(candidate.module.ends_with("shortcut")) << candidate.module;
}

// NLVR2 shows two pictures: every layer runs once a picture, and both runs are left out together.
TEST(Skip, LayersThatRunTwiceHaveTwoPasses) {
  for (const char* net : {"meter/tiny-nlvr2", "vilt/tiny-nlvr2"}) {
    const auto arch = find_arch(net);
    ASSERT_TRUE(arch);
    const auto candidates = skip_candidates(*build(*arch));
    ASSERT_TRUE(candidates) << candidates.error().text();
    for (const SkipCandidate& c : *candidates) EXPECT_EQ(c.passes.size(), 2u) << net << " " << c.module;
  }
}

// What is left of ViLT or METER is listed whole, under the names that its layers have.
TEST(Skip, LayersThatWereTakenOutLeaveNoHole) {
  for (const auto& [name, set] : {std::pair{"vilt/tiny", std::vector<int64_t>{0, 3}}, {"meter/tiny", {0, 5}}}) {
    const Graph g = network(name);
    const auto whole = *skip_candidates(g);
    const auto rest = skip_candidates(with(g, kIdentity, set));
    ASSERT_TRUE(rest) << rest.error().text();
    std::vector<std::string> expected, names;
    for (size_t i = 0; i < whole.size(); ++i)
      if (std::ranges::find(set, static_cast<int64_t>(i)) == set.end()) expected.push_back(whole[i].module);
    for (const SkipCandidate& c : *rest) names.push_back(c.module);
    EXPECT_EQ(names, expected) << name;
    const auto adapted = skip_candidates(with(g, {}));
    ASSERT_FALSE(adapted) << name;
    EXPECT_NE(adapted.error().text().find("holds adapters already"), std::string::npos) << adapted.error().text();
  }
}

Graph exported(const std::string& file) {
  auto opened = open_network(std::string(HONE_SOURCE_DIR) + "/tests/data/exports/" + file);
  EXPECT_TRUE(opened) << (opened ? "" : opened.error().text());
  if (!opened) return {};
  auto typed = infer(opened->graph, {});
  EXPECT_TRUE(typed) << (typed ? "" : typed.error().text());
  return typed ? recognise(typed->graph) : Graph{};
}

// PyTorch's newer exporter: here only layers with parameters have names, attention's products and the additions have none.
TEST(Skip, NodesWithoutAModuleBelongToWhatIsAroundThem) {
  const Graph named = exported("timm-deit_tiny_patch16_224-224-op17.onnx"), bare = exported("timm-deit_tiny_patch16_224-224-dynamo_op23.onnx");
  const auto a = skip_candidates(named), b = skip_candidates(bare);
  ASSERT_TRUE(a && b) << (b ? "" : b.error().text());
  ASSERT_EQ(a->size(), 12u);
  ASSERT_EQ(b->size(), 12u);
  for (size_t i = 0; i < 12; ++i) {
    EXPECT_EQ((*a)[i].module, (*b)[i].module);
    EXPECT_EQ((*a)[i].macs, (*b)[i].macs);
    EXPECT_EQ((*a)[i].params, (*b)[i].params);
    EXPECT_EQ((*b)[i].passes[0].sums.size(), 2u);
  }
  EXPECT_EQ(totals(with(named, {}, {3, 7})).macs, totals(with(bare, {}, {3, 7})).macs);
  EXPECT_EQ(totals(with(bare, kIdentity, {0, 11})).macs, totals(bare).macs - 2 * b->front().macs);
}

// Swin's mask of shifted windows is made of shapes, partly outside of the block that reads it.
TEST(Skip, EveryBlockOfAnExportedSwinThatKeepsTheShape) {
  const Graph g = exported("torchvision-swin_t-224-op17.onnx");
  const auto c = skip_candidates(g);
  ASSERT_TRUE(c) << c.error().text();
  ASSERT_EQ(c->size(), 12u);
  EXPECT_EQ((*c)[1].module, "features.1.1");
  const Graph rest = with(g, kIdentity, {1, 3});
  EXPECT_EQ(totals(rest).macs, totals(g).macs - (*c)[1].macs - (*c)[3].macs);
  EXPECT_EQ(totals(rest).params, totals(g).params - (*c)[1].params - (*c)[3].params);
}

TEST(Skip, ErrorsHelp) {
  const Graph g = network("timm/resnet50");
  EXPECT_EQ(skip_candidates(g, "both").error().code, Code::usage);
  for (const char* name : {"timm/resnet18", "vilt/base"}) EXPECT_EQ(skip_candidates(network(name), "global").error().code, Code::usage) << name;
  Graph nameless = g;
  for (std::string& module : nameless.modules) module.clear();
  EXPECT_NE(skip_candidates(nameless).error().text().find("no node says which module"), std::string::npos);
  const auto c = *skip_candidates(g);
  EXPECT_EQ(apply_skips(g, c, {99}, kIdentity).error().code, Code::usage);
  EXPECT_EQ(apply_skips(g, c, {1, 1}, kIdentity).error().code, Code::usage);
  EXPECT_EQ(apply_skips(g, c, {}, {.keep = Keep::lora}).error().code, Code::usage);  // no attention
  EXPECT_EQ(apply_skips(g, c, {}, {.keep = Keep::prompt}).error().code, Code::usage);  // no tokens
  const Graph whole = network("vilt/tiny"), maps = network("elasticvit/S1");
  EXPECT_EQ(apply_skips(whole, *skip_candidates(whole), {1}, {.replace = Replace::propagate}).error().code, Code::usage);  // more than an attention
  EXPECT_EQ(apply_skips(maps, *skip_candidates(maps, "attention"), {1}, {.keep = Keep::none, .replace = Replace::propagate}).error().code, Code::usage);
  EXPECT_FALSE(skip_candidates(network("torchvision/vgg11")));
  EXPECT_EQ(*parse_skip_set("2,4,8,9"), (std::vector<int64_t>{2, 4, 8, 9}));
  EXPECT_TRUE(parse_skip_set("")->empty());
  EXPECT_FALSE(parse_skip_set("2,x"));
  EXPECT_FALSE(parse_skip_set("2,"));
}

}  // namespace hone
