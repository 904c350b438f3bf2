// Every tensor of ViLT, METER and what DAS adds to them, by name and shape as published (Hugging Face, dandelin/ViLT, zdou0830/METER,
// OpenAI's CLIP, Hugging Face's CLIP and RoBERTa, DoubtedSteam/DAS): the base networks have these and no others, and small ones
// take a checkpoint of each kind in and give it back, every number in its place.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "formats/checkpoint_names.h"
#include "rewrite/adapters.h"
#include "train/params.h"
#include "zoo/catalog.h"

namespace hone::train {
namespace {

// One tensor: `ours` and `theirs` are one name each, or one of them is three (query, key, value) that the other stacks.
struct Tensors {
  std::vector<std::string> ours, theirs;
  Shape shape;  // of the whole
};

struct List {
  std::vector<Tensors> all;
  std::string ours, theirs;  // prefixes of what is added

  void one(const std::string& our, const std::string& their, Shape shape) { all.push_back({{ours + our}, {theirs + their}, std::move(shape)}); }
  void same(const std::string& name, Shape shape) { one(name, name, std::move(shape)); }
  // NAME.weight and NAME.bias.
  void pair(const std::string& our, const std::string& their, const Shape& weight) {
    one(our + ".weight", their + ".weight", weight);
    one(our + ".bias", their + ".bias", {weight[0]});
  }
  void pair(const std::string& name, const Shape& weight) { pair(name, name, weight); }
  // Three of ours for one stacked of theirs, or the reverse.
  void packed(const std::vector<std::string>& our, const std::vector<std::string>& their, int64_t d) {
    for (const auto& [leaf, shape] : {std::pair<std::string, Shape>{"weight", {3 * d, d}}, {"bias", {3 * d}}}) {
      Tensors t{{}, {}, shape};
      const auto named = [&](const std::string& prefix, const std::string& n) { return prefix + n + (n.ends_with("_") ? "" : ".") + leaf; };
      for (const auto& n : our) t.ours.push_back(named(ours, n));
      for (const auto& n : their) t.theirs.push_back(named(theirs, n));
      all.push_back(std::move(t));
    }
  }
};

struct Sizes {
  int64_t d, text, vocabulary, patch, patches, classes, hidden;  // patches: of the position table
};
constexpr Sizes kBase{768, 40, 30522, 32, 144, 3129, 1536}, kTiny{128, 24, 1024, 8, 64, 13, 256};

// ViLT (specification 3.2 and 3.3). `authors`: theirs are dandelin/ViLT's names, else Hugging Face's.
List vilt(const Sizes& s, const std::string& head, int64_t layers, bool authors) {
  List l;
  const int64_t d = s.d;
  l.ours = head.empty() ? "" : "vilt.";
  l.theirs = authors ? "" : l.ours;
  const auto name = [&](const std::string& hf, const std::string& original) { return authors ? original : hf; };
  const std::string text = "embeddings.text_embeddings.", their_text = name(text, "text_embeddings.");
  l.one(text + "word_embeddings.weight", their_text + "word_embeddings.weight", {s.vocabulary, d});
  l.one(text + "position_embeddings.weight", their_text + "position_embeddings.weight", {s.text, d});
  l.one(text + "token_type_embeddings.weight", their_text + "token_type_embeddings.weight", {2, d});
  l.pair(text + "LayerNorm", their_text + "LayerNorm", {d});
  l.one("embeddings.cls_token", name("embeddings.cls_token", "transformer.cls_token"), {1, 1, d});
  l.pair("embeddings.patch_embeddings.projection", name("embeddings.patch_embeddings.projection", "transformer.patch_embed.proj"), {d, 3, s.patch, s.patch});
  l.one("embeddings.position_embeddings", name("embeddings.position_embeddings", "transformer.pos_embed"), {1, s.patches + 1, d});
  l.one("embeddings.token_type_embeddings.weight", name("embeddings.token_type_embeddings.weight", "token_type_embeddings.weight"), {head == "nlvr2" ? 3 : 2, d});
  for (int64_t i = 0; i < layers; ++i) {
    const std::string ours = fmt::format("encoder.layer.{}.", i), theirs = authors ? fmt::format("transformer.blocks.{}.", i) : ours;
    const auto in_block = [&](const std::string& hf, const std::string& original, const Shape& shape) { l.pair(ours + hf, theirs + name(hf, original), shape); };
    in_block("layernorm_before", "norm1", {d});
    in_block("layernorm_after", "norm2", {d});
    if (authors)
      l.packed({ours + "attention.attention.query", ours + "attention.attention.key", ours + "attention.attention.value"}, {theirs + "attn.qkv"}, d);
    else
      for (const std::string m : {"query", "key", "value"}) l.pair(ours + "attention.attention." + m, {d, d});
    in_block("attention.output.dense", "attn.proj", {d, d});
    in_block("intermediate.dense", "mlp.fc1", {4 * d, d});
    in_block("output.dense", "mlp.fc2", {d, 4 * d});
  }
  l.pair("layernorm", name("layernorm", "transformer.norm"), {d});
  l.pair("pooler.dense", {d, d});
  l.ours = l.theirs = "";
  if (head == "vqa" || head == "nlvr2") {
    const std::string theirs = name("classifier", head + "_classifier");
    const int64_t hidden = s.hidden, in = head == "vqa" ? d : 2 * d;
    l.pair("classifier.0", theirs + ".0", {hidden, in});
    l.pair("classifier.1", theirs + ".1", {hidden});
    l.pair("classifier.3", theirs + ".3", {head == "vqa" ? s.classes : 2, hidden});
  } else if (head == "retrieval" || head == "retrieval_itm") {
    l.pair("rank_output", {1, d});
  } else if (head.starts_with("mlm")) {
    l.pair("mlm_score.transform.dense", {d, d});
    l.pair("mlm_score.transform.LayerNorm", {d});
    l.same("mlm_score.decoder.weight", {s.vocabulary, d});
    l.same("mlm_score.bias", {s.vocabulary});
  }
  if (head.ends_with("_itm")) l.pair("itm_score.fc", {2, d});
  return l;
}

void bert_layer(List& l, const std::string& ours, const std::string& theirs, int64_t d, bool cross) {
  for (const std::string& attention : cross ? std::vector<std::string>{"attention", "crossattention"} : std::vector<std::string>{"attention"}) {
    for (const std::string m : {"query", "key", "value"}) l.pair(ours + attention + ".self." + m, theirs + attention + ".self." + m, {d, d});
    l.pair(ours + attention + ".output.dense", theirs + attention + ".output.dense", {d, d});
    l.pair(ours + attention + ".output.LayerNorm", theirs + attention + ".output.LayerNorm", {d});
  }
  l.pair(ours + "intermediate.dense", theirs + "intermediate.dense", {4 * d, d});
  l.pair(ours + "output.dense", theirs + "output.dense", {d, 4 * d});
  l.pair(ours + "output.LayerNorm", theirs + "output.LayerNorm", {d});
}

// RoBERTa as METER has it under "text_transformer.".
void roberta(List& l, const Sizes& s, int64_t layers, const std::string& prefix) {
  l.ours = "text_transformer.";
  l.theirs = prefix;
  l.same("embeddings.word_embeddings.weight", {s.vocabulary, s.d});
  l.same("embeddings.position_embeddings.weight", {514, s.d});
  l.same("embeddings.token_type_embeddings.weight", {1, s.d});
  l.pair("embeddings.LayerNorm", {s.d});
  for (int64_t i = 0; i < layers; ++i) bert_layer(l, fmt::format("encoder.layer.{}.", i), fmt::format("encoder.layer.{}.", i), s.d, false);
  l.pair("pooler.dense", {s.d, s.d});
}

// CLIP's image encoder as METER has it under "vit_model.", theirs with OpenAI's names.
void openai_clip(List& l, const Sizes& s, int64_t layers, const std::string& prefix) {
  const int64_t d = s.d;
  l.ours = "vit_model.visual.";
  l.theirs = prefix + "visual.";
  l.same("conv1.weight", {d, 3, s.patch, s.patch});
  l.same("class_embedding", {d});
  l.same("positional_embedding", {s.patches + 1, d});
  l.pair("ln_pre", {d});
  l.pair("ln_post", {d});
  for (int64_t i = 0; i < layers; ++i) {
    const std::string block = fmt::format("transformer.resblocks.{}.", i);
    l.same(block + "attn.in_proj_weight", {3 * d, d});
    l.same(block + "attn.in_proj_bias", {3 * d});
    l.pair(block + "attn.out_proj", {d, d});
    l.pair(block + "ln_1", {d});
    l.pair(block + "ln_2", {d});
    l.pair(block + "mlp.c_fc", {4 * d, d});
    l.pair(block + "mlp.c_proj", {d, 4 * d});
  }
  l.ours = "vit_model.";
  l.theirs = prefix;
  l.same("positional_embedding", {77, 512});  // left over from CLIP's text encoder
  l.pair("ln_final", {512});
}

void hugging_face_clip(List& l, const Sizes& s, int64_t layers, const std::string& prefix) {
  const int64_t d = s.d;
  l.ours = "vit_model.visual.";
  l.theirs = prefix;
  l.one("conv1.weight", "embeddings.patch_embedding.weight", {d, 3, s.patch, s.patch});
  l.one("class_embedding", "embeddings.class_embedding", {d});
  l.one("positional_embedding", "embeddings.position_embedding.weight", {s.patches + 1, d});
  l.pair("ln_pre", "pre_layrnorm", {d});
  l.pair("ln_post", "post_layernorm", {d});
  for (int64_t i = 0; i < layers; ++i) {
    const std::string ours = fmt::format("transformer.resblocks.{}.", i), theirs = fmt::format("encoder.layers.{}.", i);
    l.packed({ours + "attn.in_proj_"}, {theirs + "self_attn.q_proj", theirs + "self_attn.k_proj", theirs + "self_attn.v_proj"}, d);
    l.pair(ours + "attn.out_proj", theirs + "self_attn.out_proj", {d, d});
    l.pair(ours + "ln_1", theirs + "layer_norm1", {d});
    l.pair(ours + "ln_2", theirs + "layer_norm2", {d});
    l.pair(ours + "mlp.c_fc", theirs + "mlp.fc1", {4 * d, d});
    l.pair(ours + "mlp.c_proj", theirs + "mlp.fc2", {d, 4 * d});
  }
}

// METER (specification 3.5); its checkpoints have hone's names.
List meter(const Sizes& s, const std::string& head, int64_t clip, int64_t text, int64_t cross) {
  List l;
  const int64_t d = s.d;
  openai_clip(l, s, clip, "vit_model.");
  roberta(l, s, text, "text_transformer.");
  l.ours = l.theirs = "";
  l.pair("cross_modal_text_transform", {d, d});
  l.pair("cross_modal_image_transform", {d, d});
  l.same("token_type_embeddings.weight", {head == "nlvr2" ? 3 : 2, d});
  for (const std::string stream : {"text", "image"}) {
    for (int64_t i = 0; i < cross; ++i) {
      const std::string layer = fmt::format("cross_modal_{}_layers.{}.", stream, i);
      bert_layer(l, layer, layer, d, true);
    }
    l.pair("cross_modal_" + stream + "_pooler.dense", {d, d});
  }
  if (head == "vqa" || head == "nlvr2") {
    const std::string name = head + "_classifier";
    l.pair(name + ".0", {s.hidden, head == "vqa" ? 2 * d : 4 * d});
    l.pair(name + ".1", {s.hidden});
    l.pair(name + ".3", {head == "vqa" ? s.classes : 2, s.hidden});
  } else if (head.starts_with("retrieval")) {
    l.pair("rank_output", {1, 2 * d});
  } else if (head.starts_with("mlm")) {
    l.pair("mlm_score.transform.dense", {d, d});
    l.pair("mlm_score.transform.LayerNorm", {d});
    l.same("mlm_score.decoder.weight", {s.vocabulary, d});
    l.same("mlm_score.bias", {s.vocabulary});
  }
  if (head.ends_with("_itm")) l.pair("itm_score.fc", {2, 2 * d});
  return l;
}
Sizes meter_sizes(bool base, int64_t resolution) {
  Sizes s = base ? kBase : kTiny;
  s.vocabulary = base ? 50265 : 1024;
  s.patch = base ? 16 : 8;
  s.patches = resolution / s.patch * (resolution / s.patch);
  return s;
}

Graph network(const std::string& name, const hone::Options& options = {}) {
  Arch arch = *find_arch(name);
  for (const auto& [key, value] : options) arch.options[key] = value;
  auto graph = build(arch);
  EXPECT_TRUE(graph) << (graph ? "" : graph.error().text());
  return *graph;
}

using Shapes = std::map<std::string, Shape>;
Shapes parameters(const Graph& g) {
  Shapes out;
  for (ValueId v : g.state())
    if (g.value(v).kind == ValueKind::parameter) out.emplace(g.value(v).name, g.value(v).type.shape);
  return out;
}
Shapes ours(const List& l) {
  Shapes out;
  for (const Tensors& t : l.all) {
    Shape part = t.shape;
    part[0] /= static_cast<int64_t>(t.ours.size());
    for (const std::string& name : t.ours) EXPECT_TRUE(out.emplace(name, part).second) << name;
  }
  return out;
}

TEST(VisionLanguageNames, BaseNetworksHaveThePublishedTensorsAndNoOthers) {
  for (const std::string head : {"", "vqa", "nlvr2", "retrieval"}) {
    Sizes s = kBase;
    EXPECT_EQ(parameters(network("vilt/base" + (head.empty() ? "" : "-" + head))), ours(vilt(s, head, 12, false))) << head;
    EXPECT_EQ(ours(vilt(s, head, 12, false)), ours(vilt(s, head, 12, true))) << head;
    for (int64_t side : {288, 384}) {
      EXPECT_EQ(parameters(network(fmt::format("meter/base-{}{}", side, head.empty() ? "" : "-" + head))), ours(meter(meter_sizes(true, side), head, 11, 12, 6))) << head << side;
    }
  }
}

// A checkpoint of theirs with a number of its own everywhere, and the same under our names.
struct Filled {
  NamedTensors theirs, ours;
};
Tensor numbered(const Shape& shape, float from) {
  std::vector<float> v(static_cast<size_t>(*element_count(shape)));
  for (size_t i = 0; i < v.size(); ++i) v[i] = from + static_cast<float>(i % 4093);
  Tensor t = Tensor::floats(v);
  t.shape = shape;
  return t;
}
Filled fill(const List& l) {
  Filled out;
  float from = 0;
  for (const Tensors& t : l.all) {
    const Tensor whole = numbered(t.shape, from += 4096);
    const auto add = [&](NamedTensors& to, const std::vector<std::string>& names) {
      for (size_t k = 0; k < names.size(); ++k) {
        Tensor part = whole;
        part.shape[0] /= static_cast<int64_t>(names.size());
        part.bytes.size /= names.size();
        part.bytes.data += k * part.bytes.size;
        to.emplace_back(names[k], part);
      }
    };
    add(out.theirs, t.theirs);
    add(out.ours, t.ours);
  }
  return out;
}

Graph with_names_of(const NamedTensors& tensors) {
  Graph g;
  for (const auto& [name, t] : tensors) {
    Value v;
    v.name = name;
    v.kind = ValueKind::parameter;
    v.type = TensorType(DType::f32, t.shape);
    g.add_value(v);
  }
  return g;
}

// Theirs into the network and back. `missing`: parameters of the network that theirs do not have; `extra`: what they hold besides.
void expect_round_trip(const Graph& g, const List& l, size_t missing = 0, const NamedTensors& extra = {}) {
  const Filled filled = fill(l);
  NamedTensors checkpoint = filled.theirs;
  checkpoint.insert(checkpoint.end(), extra.begin(), extra.end());
  Params params = *Params::of(g, 1);
  const auto report = params.load(g, checkpoint, /*strict=*/false, /*resize=*/true);
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->loaded.size(), filled.ours.size()) << report->text();
  EXPECT_EQ(report->unused.size(), extra.size()) << report->text();
  EXPECT_TRUE(report->mismatched.empty()) << report->text();
  EXPECT_EQ(report->missing.size(), missing) << report->text();
  for (const auto& [name, tensor] : filled.ours) {
    const Params::Entry* e = params.find(name);
    ASSERT_NE(e, nullptr) << name;
    const at::Tensor expected = *to_torch(tensor);
    ASSERT_EQ(e->tensor.sizes(), expected.sizes()) << name;
    EXPECT_TRUE(at::equal(e->tensor, expected)) << name;
  }
  if (filled.theirs[0].first == filled.ours[0].first && filled.theirs.back().first == filled.ours.back().first) return;  // the same names
  const auto back = translated(with_names_of(filled.theirs), params.save(), 0);
  ASSERT_TRUE(back);
  std::map<std::string, const Tensor*> given;
  for (const auto& [name, t] : back->renamed.tensors) given.emplace(name, &t);
  for (const auto& [name, t] : filled.theirs) {
    ASSERT_TRUE(given.contains(name)) << name;
    EXPECT_EQ(given[name]->shape, t.shape) << name;
    EXPECT_EQ(*to_doubles(*given[name]), *to_doubles(t)) << name;
  }
}

TEST(VisionLanguageNames, ViltInAndOut) {
  for (const bool authors : {false, true})
    for (const std::string head : {"", "vqa", "nlvr2", "retrieval_itm", "mlm_itm"}) {
      SCOPED_TRACE(head + (authors ? " of the authors" : ""));
      const std::string name = head == "retrieval_itm" ? "retrieval" : head == "mlm_itm" ? "mlm-itm" : head;
      // The buffer of token positions that older files hold.
      const std::string positions = authors ? "text_embeddings.position_ids" : (head.empty() ? "" : "vilt.") + std::string("embeddings.text_embeddings.position_ids");
      expect_round_trip(network("vilt/tiny" + (name.empty() ? "" : "-" + name)), vilt(kTiny, head, 6, authors), 0, {{positions, Tensor::ints(std::vector<int64_t>(24))}});
    }
}

// transformers 5 puts the bias of the words where the decoder is.
TEST(VisionLanguageNames, MaskedWordsOfNewerFiles) {
  List l = vilt(kTiny, "mlm", 6, false);
  for (Tensors& t : l.all)
    if (t.theirs[0] == "mlm_score.bias") t.theirs[0] = "mlm_score.decoder.bias";
  expect_round_trip(network("vilt/tiny-mlm-itm"), l, 2);  // without itm_score.fc
}

TEST(VisionLanguageNames, MeterInWhole) {
  for (const std::string head : {"", "vqa", "nlvr2", "retrieval_itm", "mlm_itm"}) {
    const std::string name = head == "retrieval_itm" ? "retrieval" : head == "mlm_itm" ? "mlm-itm" : head;
    NamedTensors extra{{"vit_model.token_embedding.weight", numbered({6, 512}, 0)}, {"snli_classifier.3.bias", numbered({3}, 0)}};
    expect_round_trip(network("meter/tiny" + (name.empty() ? "" : "-" + name)), meter(meter_sizes(false, 64), head, 3, 3, 4), 1, extra);  // missing: the buffer position_ids
  }
}

TEST(VisionLanguageNames, EncodersOfMeterByThemselves) {
  const Graph g = network("meter/tiny-vqa");
  const Sizes s = meter_sizes(false, 64);
  const size_t whole = g.state().size();
  {
    List l;
    openai_clip(l, s, 3, "");
    // CLIP's own last block, projections and text encoder have no place in METER.
    NamedTensors extra{{"visual.proj", numbered({128, 64}, 0)}, {"text_projection", numbered({512, 64}, 0)}, {"logit_scale", numbered({}, 0)}, {"token_embedding.weight", numbered({9, 512}, 0)}};
    for (const std::string name : {"visual.transformer.resblocks.3.ln_1.weight", "transformer.resblocks.0.ln_1.weight"}) extra.emplace_back(name, numbered({128}, 0));
    expect_round_trip(g, l, whole - l.all.size(), extra);
  }
  for (const std::string prefix : {"", "vision_model.", "model.vision_model."}) {
    List l;
    hugging_face_clip(l, s, 3, prefix);
    expect_round_trip(g, l, whole - l.all.size(), {{prefix + "encoder.layers.3.layer_norm1.weight", numbered({128}, 0)}});
  }
  for (const std::string prefix : {"", "roberta."}) {
    List l;
    roberta(l, s, 3, prefix);
    expect_round_trip(g, l, whole - l.all.size(), {{"lm_head.bias", numbered({1024}, 0)}});
  }
}

// What DAS adds, under the names of its code, on networks with modules left out.
TEST(VisionLanguageNames, AdaptersOfDas) {
  const auto adapter = [](List& l, const std::string& our, const std::string& their, int64_t d, int64_t bottleneck) {
    l.pair(our + ".adapter_layer_norm_before", their + ".adapter_layer_norm_before", {d});
    l.pair(our + ".down_proj", their + ".down_proj", {bottleneck, d});
    l.pair(our + ".up_proj", their + ".up_proj", {d, bottleneck});
  };
  const auto skipped = [](const Graph& g, const std::vector<int64_t>& set, std::string_view variant = "") { return *apply_skips(g, *skip_candidates(g, variant), set, {}); };
  for (const bool base : {false, true}) {
    const Sizes s = base ? kBase : kTiny;
    const int64_t d = s.d, b = d / 8, layers = base ? 12 : 6;
    List l = vilt(s, "vqa", layers, true);
    std::erase_if(l.all, [](const Tensors& t) { return t.theirs[0].starts_with("transformer.blocks.2."); });
    for (int64_t i = 0; i < layers; ++i)
      if (i != 2)
        for (int64_t j : {0, 1}) adapter(l, fmt::format("vilt.encoder.layer.{}.adapter{}", i, j), fmt::format("transformer.blocks.{}.adapter{}", i, j), d, b);
    adapter(l, "vilt.adapter_list.2.0", "adapter_list.2.0", d, 2 * b);
    const Graph g = skipped(network(base ? "vilt/base-vqa" : "vilt/tiny-vqa"), {2});
    EXPECT_EQ(parameters(g), ours(l));
    if (!base) expect_round_trip(g, l, 0, {{"das_gate", numbered({12}, 0)}, {"skip_num", Tensor::ints({4})}});

    const Sizes m = meter_sizes(base, base ? 288 : 64);
    const int64_t cross = base ? 6 : 4;
    List ml = meter(m, "vqa", base ? 11 : 3, base ? 12 : 3, cross);
    std::erase_if(ml.all, [](const Tensors& t) { return t.ours[0].starts_with("cross_modal_text_layers.1.") || t.ours[0].starts_with("cross_modal_image_layers.3.") || t.ours[0].starts_with("text_transformer.encoder.layer.2."); });
    for (int64_t i = 0; i < cross; ++i)
      for (const std::string stream : {"text", "image"}) {
        if ((stream == "text" && i == 1) || (stream == "image" && i == 3)) continue;
        const std::string layer = fmt::format("cross_modal_{}_layers.{}", stream, i);
        for (const char* place : {".attention.output.adapter", ".crossattention.output.adapter", ".adapter"}) adapter(ml, layer + place, layer + place, d, b);
      }
    for (const auto& [name, bottleneck] : {std::pair{"adapter_list_l.1.0", 3 * b}, {"adapter_list_v.3.0", 3 * b}, {"adapter_list_t.2.0", 2 * b}}) adapter(ml, name, name, d, bottleneck);
    ml.same("token4classifier", {1, 1, d});
    const Graph mg = skipped(network(base ? "meter/base-288-vqa" : "meter/tiny-vqa", {{"classifier_token", true}}), {1, cross + 3, 2 * cross + 2}, "global");
    EXPECT_EQ(parameters(mg), ours(ml));
    if (!base) expect_round_trip(mg, ml, 1, {{"das_gate", numbered({12}, 0)}, {"skip_num", Tensor::ints({4})}});
  }
}

// Checkpoints of another resolution, text length or number of pictures: tables are fitted, and the report says so.
TEST(VisionLanguageNames, TablesAreFitted) {
  const Graph nlvr = network("vilt/tiny-nlvr2", {{"text_length", int64_t{16}}});
  Sizes s = kTiny;
  s.patches = 36;
  Params params = *Params::of(nlvr, 1);
  const Filled vqa = fill(vilt(s, "vqa", 6, true));
  auto report = params.load(nlvr, vqa.theirs, false, true);
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(std::set<std::string>(report->resized.begin(), report->resized.end()),
            (std::set<std::string>{"vilt.embeddings.position_embeddings", "vilt.embeddings.text_embeddings.position_embeddings.weight", "vilt.embeddings.token_type_embeddings.weight"}));
  const at::Tensor types = params.find("vilt.embeddings.token_type_embeddings.weight")->tensor;
  EXPECT_TRUE(at::equal(types[1], types[2]));
  EXPECT_FALSE(at::equal(types[0], types[1]));
  for (const auto& [name, t] : vqa.ours)
    if (name == "vilt.embeddings.text_embeddings.position_embeddings.weight") {
      EXPECT_TRUE(at::equal(params.find(name)->tensor, to_torch(t)->narrow(0, 0, 16)));
    }
  // The head is another one: kept as it was, and told of.
  EXPECT_EQ(report->mismatched.size(), 3u) << report->text();
  EXPECT_NE(report->text().find("classifier.0.weight (256x128 in the file, 256x256 in the network)"), std::string::npos) << report->text();

  // CLIP at another resolution: METER's rule, bicubic without antialiasing, the class row kept.
  const Graph meter_net = network("meter/tiny-vqa");
  List clip;
  Sizes small = meter_sizes(false, 64);
  small.patches = 16;
  openai_clip(clip, small, 3, "");
  Params from_clip = *Params::of(meter_net, 1);
  report = from_clip.load(meter_net, fill(clip).theirs, false, true);
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->resized, std::vector<std::string>{"vit_model.visual.positional_embedding"});
  at::Tensor table;
  for (const auto& [name, t] : fill(clip).ours)
    if (name == "vit_model.visual.positional_embedding") table = to_torch(t)->clone();
  const at::Tensor grid = at::upsample_bicubic2d(table.narrow(0, 1, 16).view({1, 4, 4, 128}).permute({0, 3, 1, 2}), {8, 8}, false, std::nullopt, std::nullopt).permute({0, 2, 3, 1}).reshape({64, 128});
  EXPECT_TRUE(at::equal(from_clip.find("vit_model.visual.positional_embedding")->tensor, at::cat({table.narrow(0, 0, 1), grid})));
}

}  // namespace
}  // namespace hone::train
