// Transformers against the figures of their specifications: pycls ViTs, ElasticViT graphs, ViLT, METER, the selector.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "cost/profile.h"
#include "ir/infer.h"
#include "ir/verify.h"
#include "zoo/catalog.h"
#include "zoo/space.h"
#include "zoo/space_cost.h"

namespace hone {
namespace {

Graph built(const std::string& name) {
  auto arch = find_arch(name);
  EXPECT_TRUE(arch) << (arch ? "" : arch.error().text());
  if (!arch) return {};
  auto graph = build(*arch);
  EXPECT_TRUE(graph) << (graph ? "" : graph.error().text());
  return graph ? std::move(*graph) : Graph{};
}

Profile profiled(const Graph& graph) {
  auto p = profile(graph);
  EXPECT_TRUE(p) << (p ? "" : p.error().text());
  return p ? std::move(*p) : Profile{};
}

int64_t params_under(const Graph& g, std::initializer_list<std::string> prefixes) {
  int64_t sum = 0;
  for (ValueId id : g.state()) {
    const Value& v = g.value(id);
    for (const std::string& p : prefixes)
      if (v.kind == ValueKind::parameter && v.name.rfind(p, 0) == 0) sum += element_count(v.type.shape).value();
  }
  return sum;
}

const Value* tensor(const Graph& g, const std::string& name) {
  for (ValueId id : g.state())
    if (g.value(id).name == name) return &g.value(id);
  return nullptr;
}

TEST(Transformers, VerifyAndAnyBatch) {
  for (const Arch& a : catalog()) {
    if (a.family != "vit" && a.family != "levit" && a.family != "elasticvit" && a.family != "vilt" && a.family != "meter" && a.family != "sketch_selector") continue;
    auto graph = build(a);
    ASSERT_TRUE(graph) << graph.error().text();
    const Status ok = verify(*graph);
    ASSERT_TRUE(ok) << a.name << ": " << ok.error().text();
    const int64_t one = profiled(*graph).totals.macs;
    auto three = infer(*graph, {.inputs = {}, .batch = 3, .contents = {}});
    ASSERT_TRUE(three) << a.name << ": " << three.error().text();
    EXPECT_EQ(profiled(three->graph).totals.macs, 3 * one) << a.name;
  }
}

TEST(Vit, PyclsFigures) {
  struct Row {
    const char* name;
    int64_t flops, params, acts;
  };
  const Row rows[] = {{"ViT-Ti-16", 1257806824, 5717416, 5974636},         {"ViT-S-16", 4607128552, 22050664, 11948272},
                      {"ViT-B-16", 17580319720, 86567656, 23895544},       {"ViT-L-16", 61598487528, 304326632, 63519080},
                      {"ViT-H-14", 167390178280, 632045800, 139412968},    {"ViT_P-1GF", 1083059944, 4830376, 5520748},
                      {"ViT_P-4GF", 3909048808, 18507112, 11040496},       {"ViT_P-18GF", 17580319720, 86567656, 23895544},
                      {"ViT_P-36GF", 35997187048, 178364392, 37136840},    {"ViT_C-1GF", 1079227240, 4567936, 5628385},
                      {"ViT_C-4GF", 3965674216, 17754136, 11255770},       {"ViT_C-18GF", 17726621416, 81573160, 24024268},
                      {"ViT_C-36GF", 35025829864, 167796008, 36606008}};
  for (const Row& r : rows) {
    const auto c = convention(profiled(built(std::string("pycls/") + r.name)), "pycls");
    ASSERT_TRUE(c);
    EXPECT_EQ(c->flops, r.flops) << r.name;
    EXPECT_EQ(c->params, r.params) << r.name;
    EXPECT_EQ(c->acts, r.acts) << r.name;
  }
  const Graph g = built("pycls/ViT-B-16");
  EXPECT_EQ(tensor(g, "pos_embedding")->type.shape, (Shape{197, 1, 768}));
  EXPECT_NE(tensor(g, "encoder.block_11.self_attention.block.in_proj_weight"), nullptr);
  EXPECT_NE(tensor(g, "encoder.block_0.mlp_block.linear_2.bias"), nullptr);
  EXPECT_NE(tensor(g, "head.head_fc.weight"), nullptr);
}

TEST(Vit, PositionTableFollowsTheResolution) {
  EXPECT_EQ(profiled(built("torchvision/vit_b_16@384")).totals.params, 86859496);
  EXPECT_EQ(profiled(built("torchvision/vit_h_14@518")).totals.params, 633470440);
}

TEST(Vit, AttentionIsOneOperator) {
  const Graph g = built("timm/vit_tiny_patch16_224");
  EXPECT_EQ(std::count_if(g.nodes.begin(), g.nodes.end(), [](const Node& n) { return n.type == "Attention"; }), 12);
  EXPECT_EQ(std::count_if(g.nodes.begin(), g.nodes.end(), [](const Node& n) { return n.type == "MatMul"; }), 0);
}

TEST(Vit, RefusesWhatDoesNotFit) {
  Arch a = find_arch("timm/vit_tiny_patch16_224").value();
  a.stages[0].heads = 5;
  const auto g = build(a);
  ASSERT_FALSE(g);
  EXPECT_NE(g.error().message.find("192 channels do not split into 5 heads"), std::string::npos) << g.error().text();
  a = find_arch("timm/levit_128s").value();
  a.resolution = 8192;
  EXPECT_FALSE(build(a));
}

TEST(ElasticVit, ParametersByPart) {
  const std::map<std::string, std::vector<int64_t>> published{
      {"min1", {928, 4384, 6808, 37947, 153645, 452913, 931826, 4048104, 5636555}},
      {"min2", {928, 11856, 32850, 89382, 323508, 979350, 2050756, 4958568, 8447198}},
      {"min3", {928, 11856, 32850, 132856, 345036, 1110120, 2571328, 5432232, 9637206}},
      {"T1", {928, 7416, 32850, 85300, 242982, 725019, 2137665, 5673672, 8905832}},
      {"T2", {928, 7416, 46446, 85383, 225726, 1102726, 2399208, 5432232, 9300065}},
      {"S1", {928, 11856, 46446, 149348, 342636, 1256808, 3354898, 5673672, 10836592}},
      {"S2", {928, 11856, 62730, 172112, 345036, 1110120, 3096640, 5432232, 10231654}},
      {"M", {1184, 18416, 120648, 172112, 419148, 1405800, 3961476, 5918184, 12016968}},
      {"L1", {1184, 14928, 135660, 185828, 384876, 1407144, 4218952, 6416424, 12764996}},
      {"L1.5", {1392, 16296, 143976, 206992, 458988, 1995824, 5466152, 6416424, 14706044}},
      {"L2", {928, 23184, 177176, 231910, 582088, 2227936, 5492070, 6165768, 14901060}},
      {"L3", {1184, 30224, 209660, 279730, 713672, 2227936, 5466152, 6416424, 15344982}},
      {"max", {3240, 84752, 430872, 1064838, 3512012, 11010012, 15045160, 6416424, 37567310}}};
  for (const auto& [name, parts] : published) {
    const Graph g = built("elasticvit/" + name);
    EXPECT_EQ(params_under(g, {"first_conv.", "stages.0."}), parts[0]) << name;
    for (size_t i = 1; i < 7; ++i) EXPECT_EQ(params_under(g, {"stages." + std::to_string(i) + "."}), parts[i]) << name << " stage " << i;
    EXPECT_EQ(params_under(g, {"head."}), parts[7]) << name;
    EXPECT_EQ(profiled(g).totals.params, parts[8]) << name;
  }
}

TEST(ElasticVit, TrueMacs) {
  const std::map<std::string, double> published{{"T1", 64.90},  {"T2", 120.55},   {"S1", 221.55}, {"S2", 320.25},  {"M", 417.42},   {"L1", 522.88},  {"L1.5", 626.03},
                                                {"L2", 713.13}, {"L3", 824.59},   {"min1", 38.29}, {"min2", 161.67}, {"min3", 290.31}, {"max", 3213.10}};
  for (const auto& [name, macs] : published) EXPECT_NEAR(static_cast<double>(profiled(built("elasticvit/" + name)).totals.macs) / 1e6, macs, 0.00501) << name;
}

// Early search results of the authors, as encodings only.
TEST(ElasticVit, FurtherMembers) {
  using namespace space;
  struct Row {
    int32_t resolution;
    std::array<int32_t, 7> width, depth;
    std::array<uint8_t, 2> expand;
    std::array<uint8_t, 3> kernel;
    std::array<uint8_t, 4> mlp, value;
    double authors, macs, params;
  };
  const Row rows[] = {
      {192, {16, 24, 32, 48, 128, 192, 304}, {1, 3, 3, 2, 2, 2, 3}, {3, 5}, {3, 3, 3}, {4, 3, 4, 4}, {3, 2, 2, 2}, 281.48, 285.79, 13.717},
      {224, {16, 24, 32, 48, 112, 192, 272}, {1, 3, 4, 2, 3, 2, 3}, {3, 5}, {3, 3, 3}, {3, 3, 4, 4}, {3, 2, 2, 3}, 429.52, 431.41, 12.823},
      {256, {16, 24, 32, 48, 96, 192, 272}, {1, 3, 5, 2, 3, 2, 3}, {3, 5}, {3, 3, 5}, {3, 4, 4, 4}, {3, 3, 2, 2}, 573.07, 578.82, 12.298},
      {256, {16, 24, 32, 80, 128, 192, 320}, {1, 3, 4, 2, 2, 2, 3}, {3, 6}, {3, 5, 3}, {3, 4, 4, 3}, {3, 4, 2, 3}, 718.38, 727.33, 14.939},
      {256, {16, 24, 32, 80, 144, 256, 288}, {1, 3, 4, 2, 3, 2, 3}, {5, 6}, {3, 3, 5}, {3, 3, 4, 4}, {3, 3, 2, 2}, 917.84, 928.48, 15.713},
      {256, {16, 24, 40, 96, 160, 224, 304}, {1, 3, 4, 2, 3, 3, 3}, {6, 6}, {3, 3, 5}, {2, 2, 4, 4}, {3, 3, 2, 2}, 1050.51, 1062.48, 16.619},
      {256, {16, 24, 40, 96, 160, 240, 304}, {1, 3, 5, 2, 5, 3, 3}, {6, 5}, {3, 3, 5}, {2, 3, 4, 4}, {3, 2, 2, 4}, 1288.36, 1299.99, 18.925},
  };
  const auto table = CostTable::make();
  ASSERT_TRUE(table);
  for (const Row& r : rows) {
    Member m{r.resolution, 7, {}};
    for (size_t i = 0; i < 7; ++i)
      m.stage[i] = shared(r.width[i], r.depth[i], i < 3 ? BlockGenes{i == 0 ? uint8_t{1} : r.expand[i - 1], r.kernel[i], 0, 0} : BlockGenes{0, 0, r.mlp[i - 3], r.value[i - 3]});
    const auto cost = (*table)(m);
    ASSERT_TRUE(cost) << check(published_space(), m).error().text();
    EXPECT_NEAR(static_cast<double>(cost->authors_macs) / 1e6, r.authors, 0.00501);
    EXPECT_NEAR(static_cast<double>(cost->macs) / 1e6, r.macs, 0.00501);
    EXPECT_NEAR(static_cast<double>(cost->params) / 1e6, r.params, 0.000501);
  }
}

TEST(ElasticVit, TablesEqualGraphs) {
  using namespace space;
  const Space& space = published_space();
  const auto table = CostTable::make(space);
  ASSERT_TRUE(table) << table.error().text();
  Rng rng(11);
  std::vector<Member> members;
  for (const Named& n : named_members()) members.push_back(n.member);
  for (int i = 0; i < 3000; ++i) members.push_back(sample(space, rng));
  for (const Member& m : members) {
    const auto fast = (*table)(m);
    ASSERT_TRUE(fast);
    const auto graph = build(to_arch(space, m, "random"));
    ASSERT_TRUE(graph) << graph.error().text();
    const Totals slow = profiled(*graph).totals;
    ASSERT_EQ(*fast, (Cost{authors_macs(space, m), slow.macs, slow.params, slow.acts})) << print_member(space, m);
  }
}

TEST(ElasticVit, TablesKnowMembersOnly) {
  using namespace space;
  const Space& space = published_space();
  const auto table = CostTable::make(space);
  ASSERT_TRUE(table);
  Rng rng(12);
  int outside = 0;
  for (int i = 0; i < 20000; ++i) {  // a random member with one gene moved a little
    Member m = sample(space, rng);
    Genes& g = m.stage[rng.below(8)];
    BlockGenes& b = g.block[rng.below(kMaxDepth)];
    int32_t* large[] = {&g.width, &g.depth, &m.resolution};
    uint8_t* small[] = {&b.expand, &b.kernel, &b.mlp, &b.value};
    if (const uint64_t which = rng.below(7); which < 3)
      *large[which] += static_cast<int32_t>(rng.below(33)) - 16;
    else
      *small[which - 3] = static_cast<uint8_t>(rng.below(8));
    const bool valid = check(space, m).has_value();
    outside += !valid;
    ASSERT_EQ((*table)(m).has_value(), valid) << print_member(space, m);
  }
  EXPECT_GT(outside, 5000);
}

TEST(ElasticVit, Layout) {
  const Graph g = built("elasticvit/max");
  EXPECT_EQ(tensor(g, "stages.3.blocks.1.attn.q.weight")->type.shape, (Shape{96, 96, 1, 1}));
  EXPECT_EQ(tensor(g, "stages.3.blocks.1.attn.relative_position_bias")->type.shape, (Shape{6, 31, 31}));
  EXPECT_EQ(tensor(g, "stages.6.downsample.depthwise.conv.weight")->type.shape, (Shape{6 * 288, 1, 3, 3}));
  // Every tensor of any member is in the largest one and nowhere larger.
  Rng rng(4);
  for (int i = 0; i < 50; ++i) {
    const auto member = build(space::to_arch(space::published_space(), space::sample(space::published_space(), rng), "random"));
    ASSERT_TRUE(member);
    for (ValueId id : member->state()) {
      const Value& v = member->value(id);
      const Value* whole = tensor(g, v.name);
      ASSERT_NE(whole, nullptr) << v.name;
      ASSERT_EQ(whole->type.shape.size(), v.type.shape.size());
      for (size_t k = 0; k < v.type.shape.size(); ++k) ASSERT_LE(v.type.shape[k], whole->type.shape[k]) << v.name;
    }
  }
}

TEST(Vilt, Sizes) {
  const Graph base = built("vilt/base");
  const Totals t = profiled(base).totals;
  EXPECT_EQ(t.params, 111595008);
  EXPECT_EQ(params_under(base, {"encoder.layer.7."}), 7087872);
  EXPECT_EQ(params_under(base, {"embeddings.text_embeddings."}), 23474688);
  EXPECT_EQ(profiled(built("vilt/base-vqa")).totals.params, 117588537);
  EXPECT_EQ(params_under(built("vilt/base-nlvr2"), {"classifier."}), 2366978);
  EXPECT_EQ(params_under(built("vilt/base-retrieval"), {"rank_output."}), 769);
}

TEST(Vilt, Figures) {
  const Graph g = built("vilt/base");
  const Profile p = profiled(g);
  EXPECT_NEAR(static_cast<double>(convention(p, "fvcore")->flops) / 1e9, 22.243, 0.0005);
  const int64_t n = 241, d = 768;  // one block: 12 n d^2 + 2 n^2 d, and 10 n d for the two norms
  int64_t block = 0;
  for (NodeId id = 0; id < g.nodes.size(); ++id)
    if (g.modules[g.nodes[id].module].rfind("encoder.layer.3", 0) == 0) block += p.nodes[id].counts.macs().value() + 5 * p.nodes[id].counts.ln_elements.value();
  EXPECT_EQ(block, 12 * n * d * d + 2 * n * n * d + 10 * n * d);
  // Square 384: 144 patches and CLS; 12 x 20 patches kept whole.
  Arch a = find_arch("vilt/base").value();
  a.options["image_height"] = a.options["image_width"] = int64_t{384};
  EXPECT_NEAR(static_cast<double>(convention(profiled(build(a).value()), "fvcore")->flops) / 1e9, 16.702, 0.0005);
  a.options["image_width"] = int64_t{640};
  a.options["image_tokens"] = int64_t{240};
  EXPECT_NEAR(static_cast<double>(convention(profiled(build(a).value()), "fvcore")->flops) / 1e9, 25.916, 0.0005);
}

TEST(Vilt, HuggingFaceNames) {
  const Graph g = built("vilt/base-vqa");
  const std::map<std::string, Shape> expected{
      {"vilt.embeddings.text_embeddings.word_embeddings.weight", {30522, 768}},
      {"vilt.embeddings.text_embeddings.position_embeddings.weight", {40, 768}},
      {"vilt.embeddings.text_embeddings.token_type_embeddings.weight", {2, 768}},
      {"vilt.embeddings.text_embeddings.LayerNorm.bias", {768}},
      {"vilt.embeddings.cls_token", {1, 1, 768}},
      {"vilt.embeddings.patch_embeddings.projection.weight", {768, 3, 32, 32}},
      {"vilt.embeddings.position_embeddings", {1, 145, 768}},
      {"vilt.embeddings.token_type_embeddings.weight", {2, 768}},
      {"vilt.encoder.layer.11.layernorm_after.weight", {768}},
      {"vilt.encoder.layer.0.attention.attention.query.weight", {768, 768}},
      {"vilt.encoder.layer.0.attention.output.dense.bias", {768}},
      {"vilt.encoder.layer.0.intermediate.dense.weight", {3072, 768}},
      {"vilt.encoder.layer.0.output.dense.weight", {768, 3072}},
      {"vilt.layernorm.weight", {768}},
      {"vilt.pooler.dense.weight", {768, 768}},
      {"classifier.0.weight", {1536, 768}},
      {"classifier.1.weight", {1536}},
      {"classifier.3.weight", {3129, 1536}}};
  for (const auto& [name, shape] : expected) {
    ASSERT_NE(tensor(g, name), nullptr) << name;
    EXPECT_EQ(tensor(g, name)->type.shape, shape) << name;
  }
  EXPECT_EQ(g.state().size(), 12 * 16 + 14 + 6u);  // 16 a block, 14 around them, 6 in the head
  EXPECT_EQ(tensor(built("vilt/base-nlvr2"), "vilt.embeddings.token_type_embeddings.weight")->type.shape, (Shape{3, 768}));
}

TEST(Meter, Sizes) {
  const Graph g = built("meter/base-384");
  EXPECT_EQ(profiled(g).totals.params, 319474688);
  EXPECT_EQ(params_under(g, {"text_transformer."}), 124645632);
  EXPECT_EQ(params_under(g, {"vit_model.visual."}), 79003392);
  EXPECT_EQ(params_under(g, {"vit_model.positional_embedding", "vit_model.ln_final."}), 40448);
  EXPECT_EQ(params_under(g, {"cross_modal_text_layers.0."}), 9451776);
  EXPECT_EQ(params_under(built("meter/base-384-vqa"), {"vqa_classifier."}), 7173177);
  EXPECT_EQ(params_under(built("meter/base-288-nlvr2"), {"nlvr2_classifier."}), 4726274);
  EXPECT_EQ(params_under(built("meter/base-384-retrieval"), {"rank_output."}), 1537);
}

TEST(Meter, Figures) {
  struct Row {
    const char* name;
    double fvcore, macs;  // G; with and without the LayerNorm term
  };
  for (const Row& r : {Row{"meter/base-384", 93.225, 93.125}, Row{"meter/base-288", 52.877, 52.818}}) {
    const Profile p = profiled(built(r.name));
    EXPECT_NEAR(static_cast<double>(convention(p, "fvcore")->flops) / 1e9, r.fvcore, 0.0005) << r.name;
    EXPECT_NEAR(static_cast<double>(p.totals.macs) / 1e9, r.macs, 0.0005) << r.name;
  }
  Arch large = find_arch("meter/base-384").value();
  large.resolution = 576;
  EXPECT_NEAR(static_cast<double>(convention(profiled(build(large).value()), "fvcore")->flops) / 1e9, 226.78, 0.005);
  Arch longer = find_arch("meter/base-384").value();
  longer.options["text_length"] = int64_t{50};
  EXPECT_NEAR(static_cast<double>(convention(profiled(build(longer).value()), "fvcore")->flops) / 1e9, 94.779, 0.0005);
}

TEST(Meter, LayersToSkip) {
  const Graph g = built("meter/base-384");
  const Profile p = profiled(g);
  const int64_t d = 768;
  auto layer = [&](const std::string& prefix) {
    int64_t sum = 0;
    for (NodeId id = 0; id < g.nodes.size(); ++id) {
      const std::string& module = g.modules[g.nodes[id].module];
      if (module == prefix || module.rfind(prefix + ".", 0) == 0) sum += p.nodes[id].counts.macs().value() + 5 * p.nodes[id].counts.ln_elements.value();
    }
    return sum;
  };
  auto cross = [d](int64_t n, int64_t m) { return 14 * n * d * d + 2 * m * d * d + 2 * n * n * d + 2 * n * m * d + 15 * n * d; };
  EXPECT_EQ(layer("cross_modal_image_layers.2"), cross(577, 40));
  EXPECT_EQ(layer("cross_modal_text_layers.5"), cross(40, 577));
  EXPECT_EQ(layer("text_transformer.encoder.layer.11"), 12 * 40 * d * d + 2 * 40 * 40 * d + 10 * 40 * d);
  // Both streams read the pair of the depth before: layer 1 of the image stream depends on text layer 0, not on text layer 1.
  for (const Node& n : g.nodes) {
    if (g.modules[n.module].rfind("cross_modal_image_layers.1.", 0) != 0) continue;
    for (ValueId in : n.inputs) {
      if (in == kNoValue || g.values[in].producer == kNoNode) continue;
      EXPECT_NE(g.modules[g.nodes[g.values[in].producer].module].rfind("cross_modal_text_layers.1.", 0), 0u);
    }
  }
}

TEST(Meter, CheckpointNames) {
  const Graph g = built("meter/base-288-vqa");
  const std::map<std::string, Shape> expected{
      {"vit_model.visual.conv1.weight", {768, 3, 16, 16}},
      {"vit_model.visual.class_embedding", {768}},
      {"vit_model.visual.positional_embedding", {325, 768}},
      {"vit_model.visual.ln_pre.weight", {768}},
      {"vit_model.visual.transformer.resblocks.10.attn.in_proj_weight", {2304, 768}},
      {"vit_model.visual.transformer.resblocks.10.attn.in_proj_bias", {2304}},
      {"vit_model.visual.transformer.resblocks.0.attn.out_proj.weight", {768, 768}},
      {"vit_model.visual.transformer.resblocks.0.mlp.c_fc.weight", {3072, 768}},
      {"vit_model.visual.transformer.resblocks.0.mlp.c_proj.weight", {768, 3072}},
      {"text_transformer.embeddings.word_embeddings.weight", {50265, 768}},
      {"text_transformer.embeddings.position_embeddings.weight", {514, 768}},
      {"text_transformer.embeddings.token_type_embeddings.weight", {1, 768}},
      {"text_transformer.encoder.layer.11.attention.self.query.weight", {768, 768}},
      {"text_transformer.encoder.layer.0.attention.output.LayerNorm.bias", {768}},
      {"text_transformer.pooler.dense.weight", {768, 768}},
      {"cross_modal_text_transform.weight", {768, 768}},
      {"token_type_embeddings.weight", {2, 768}},
      {"cross_modal_image_layers.5.crossattention.self.value.weight", {768, 768}},
      {"cross_modal_text_layers.0.output.LayerNorm.weight", {768}},
      {"cross_modal_image_pooler.dense.bias", {768}},
      {"vqa_classifier.3.weight", {3129, 1536}}};
  for (const auto& [name, shape] : expected) {
    ASSERT_NE(tensor(g, name), nullptr) << name;
    EXPECT_EQ(tensor(g, name)->type.shape, shape) << name;
  }
  EXPECT_EQ(tensor(g, "vit_model.visual.transformer.resblocks.11.ln_1.weight"), nullptr);
}

TEST(VisionLanguage, PaddingMask) {
  for (const char* name : {"vilt/base", "meter/base-288"}) {
    Arch a = find_arch(name).value();
    const int64_t macs = profiled(build(a).value()).totals.macs;
    a.options["text_mask"] = true;
    const auto masked = build(a);
    ASSERT_TRUE(masked) << masked.error().text();
    EXPECT_EQ(masked->inputs.size(), 3u);
    EXPECT_EQ(profiled(*masked).totals.macs, macs) << name;
  }
}

TEST(Sketch, Selector) {
  const Graph g = built("sketch/selector");
  const Totals t = profiled(g).totals;
  EXPECT_EQ(t.params, 52356);
  EXPECT_EQ(t.macs, 100 * 51072 + 128 * 4);
  EXPECT_EQ(tensor(g, "gru.weight_hh_l0")->type.shape, (Shape{384, 128}));
}

TEST(Sketch, Trunks) {
  struct Row {
    const char* name;
    int64_t params, macs, convolution_outputs, activations, pool_inputs;
    Shape output;
    double ptflops;  // G at 256, twice the counter's number
  };
  const Row rows[] = {{"sketch/vgg16", 14714688, 20044578816, 17694720, 17694720, 7995392, {1, 512, 8, 8}, 40.1759},
                      {"sketch/mobilenetv2", 2223872, 391176192, 8722432, 7974912, 0, {1, 1280, 8, 8}, 0.83319}};
  for (const Row& r : rows) {
    const Graph g = built(r.name);
    const Profile p = profiled(g);
    EXPECT_EQ(p.totals.params, r.params) << r.name;
    EXPECT_EQ(p.totals.macs, r.macs) << r.name;
    EXPECT_EQ(p.totals.acts, r.convolution_outputs) << r.name;
    EXPECT_EQ(p.totals.activation_elements, r.activations) << r.name;
    EXPECT_EQ(p.totals.pool_inputs, r.pool_inputs) << r.name;
    EXPECT_EQ(g.value(g.outputs[0]).type.shape, r.output) << r.name;
    EXPECT_NEAR(2 * static_cast<double>(convention(p, "ptflops")->flops) / 1e9, r.ptflops, 0.00005) << r.name;
  }
  const double fvcore_vgg = static_cast<double>(convention(profiled(built("sketch/vgg16")), "fvcore")->flops);
  const double fvcore_mobile = static_cast<double>(convention(profiled(built("sketch/mobilenetv2")), "fvcore")->flops);
  EXPECT_NEAR(100 * (1 - fvcore_mobile / fvcore_vgg), 97.961, 0.0005);
}

TEST(Sketch, EveryCanvas) {
  const std::map<int, double> mobilenet{{32, 0.0130},  {48, 0.0350},  {64, 0.0521},  {96, 0.1172}, {128, 0.2083},
                                        {160, 0.3255}, {192, 0.4687}, {224, 0.6379}, {256, 0.8332}};
  for (const auto& [side, flops] : mobilenet)
    EXPECT_NEAR(2e-9 * static_cast<double>(convention(profiled(built("sketch/mobilenetv2@" + std::to_string(side))), "ptflops")->flops), flops, 0.000051) << side;
  for (const auto& [side, flops] : std::map<int, double>{{224, 30.76}, {256, 40.18}, {299, 53.72}})
    EXPECT_NEAR(2e-9 * static_cast<double>(convention(profiled(built("sketch/vgg16@" + std::to_string(side))), "ptflops")->flops), flops, 0.0051) << side;
}

}  // namespace
}  // namespace hone
