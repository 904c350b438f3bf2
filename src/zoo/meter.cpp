// METER (Dou et al. 2022) with CLIP-ViT-B/16 and RoBERTa-base: two encoders, then pairs of co-attention layers, under the
// names of the published checkpoints.
//
// Arch: stem "patchify" (width, option patch), resolution. Three stages, in this order: block "clip" (image encoder; one
// block less than CLIP's twelve), "roberta" (text encoder) and "co_attention" (pairs of layers), each with depth, width,
// heads, expand = MLP ratio. Options: text_length, vocabulary, text_mask, classifier_token (below). Head: kind "pooler", "vqa", "nlvr2",
// "retrieval", "retrieval_itm" (two outputs: rank, and image-text matching), "mlm_itm" (two outputs: words, matching) or "mlm";
// width of its hidden layer, classes.
//
// Layers that can be skipped: cross_modal_text_layers.N, cross_modal_image_layers.N, text_transformer.encoder.layer.N.
// NLVR2 runs CLIP and the co-attention twice with the same parameters; RoBERTa sees the same text and runs once.
// With classifier_token a learnt vector, token4classifier, stands in place of the first encoded token, as in the code of DAS and its
// baselines (DoubtedSteam/DAS); METER as published has none.
#include <fmt/format.h>

#include "ir/builder.h"
#include "zoo/families.h"
#include "zoo/tokens.h"
#include "zoo/vision_language.h"

namespace hone {

namespace {

constexpr float kEncoderEps = 1e-5f, kCrossEps = 1e-12f;
constexpr int64_t kPositions = 514, kFirstPosition = 2;  // RoBERTa: padding index + 1

int64_t hidden(Builder& b, const Stage& s) { return hidden_width(b, s.width, s.expand); }

struct Meter {
  Builder& b;
  const Arch& a;
  const Stage &clip, &roberta, &cross;
  int64_t modalities = a.head.kind == "nlvr2" ? 3 : 2;

  ValueId image_encoder(ValueId image) {
    Builder::Scope scope(b, "vit_model.visual");
    const Init normal{Init::Kind::normal, 0.02f};
    const int64_t patch = option_size(b, a.stem.options, "patch", 16), d = clip.width;
    ConvSpec spec = conv_spec(d, patch, patch);
    spec.pad = {0, 0, 0, 0};
    const ValueId cls = b.reshape(b.parameter("class_embedding", {d}, normal), {1, 1, d});
    ValueId x = prepend(b, {cls}, to_tokens(b, b.conv(image, "conv1", spec)));
    if (b.failed()) return 0;
    x = b.layer_norm(b.add(x, b.parameter("positional_embedding", {b.shape(x)[1], d}, normal)), "ln_pre", kEncoderEps);
    for (int64_t i = 0; i < clip.depth; ++i) {
      Builder::Scope block(b, fmt::format("transformer.resblocks.{}", i));
      ValueId y = b.layer_norm(x, "ln_1", kEncoderEps);
      const auto qkv = b.split(linear_as(b, y, "attn", "attn.in_proj_weight", "attn.in_proj_bias", 3 * d), 2, {d, d, d});
      {
        Builder::Scope attention(b, "attn");
        y = b.linear(multi_head_attention(b, qkv[0], qkv[1], qkv[2], clip.heads), "out_proj", d);
      }
      x = b.add(x, y);
      y = quick_gelu(b, b.linear(b.layer_norm(x, "ln_2", kEncoderEps), "mlp.c_fc", hidden(b, clip)));
      x = b.add(x, b.linear(y, "mlp.c_proj", d));
    }
    return b.layer_norm(x, "ln_post", kEncoderEps);  // of every token
  }

  ValueId text_encoder(const TextInput& text) {
    Builder::Scope scope(b, "text_transformer");
    ValueId x;
    {
      Builder::Scope embeddings(b, "embeddings");
      x = text_embedding(b, text.ids, {option_size(b, a.options, "vocabulary", 50265), kPositions, 1, roberta.width, kFirstPosition, kEncoderEps});
    }
    for (int64_t i = 0; i < roberta.depth; ++i) {
      Builder::Scope layer(b, fmt::format("encoder.layer.{}", i));
      x = bert_attention(b, x, x, "attention", roberta.heads, text.mask, kEncoderEps);
      x = bert_feed_forward(b, x, hidden(b, roberta), kEncoderEps);
    }
    return x;
  }

  // In the checkpoints, but no part of the computation: RoBERTa's pooler, what is left of CLIP's text tower, an index buffer.
  void unused_parameters() {
    const int64_t d = roberta.width;
    b.parameter("text_transformer.pooler.dense.weight", {d, d}, {Init::Kind::normal, 0.02f});
    b.parameter("text_transformer.pooler.dense.bias", {d});
    b.buffer("text_transformer.embeddings.position_ids", {1, kPositions}, {}, DType::i64);
    b.parameter("vit_model.positional_embedding", {77, 512}, {Init::Kind::normal, 0.01f});
    b.parameter("vit_model.ln_final.weight", {512}, {Init::Kind::ones});
    b.parameter("vit_model.ln_final.bias", {512});
  }

  ValueId cross_layer(ValueId x, ValueId context, ValueId mask, ValueId context_mask, const std::string& name) {
    Builder::Scope scope(b, name);
    x = bert_attention(b, x, x, "attention", cross.heads, mask, kCrossEps);
    x = bert_attention(b, x, context, "crossattention", cross.heads, context_mask, kCrossEps);
    return bert_feed_forward(b, x, hidden(b, cross), kCrossEps);
  }

  ValueId modality(int64_t row) { return lookup_row(b, "token_type_embeddings", modalities, cross.width, row); }

  ValueId fused_text = kNoValue;  // the text stream behind the last layer of the last fuse()

  // From encoded text and an image to both pooled streams side by side.
  ValueId fuse(ValueId text, ValueId mask, ValueId image, int64_t modality_row) {
    ValueId y = b.add(b.linear(image_encoder(image), "cross_modal_image_transform", cross.width), modality(modality_row));
    ValueId x = text;
    for (int64_t i = 0; i < cross.depth; ++i) {  // both streams read the pair of the depth before
      const ValueId next = cross_layer(x, y, mask, kNoValue, fmt::format("cross_modal_text_layers.{}", i));
      y = cross_layer(y, x, kNoValue, mask, fmt::format("cross_modal_image_layers.{}", i));
      x = next;
    }
    fused_text = x;
    return b.concat({pooler(b, x, "cross_modal_text_pooler"), pooler(b, y, "cross_modal_image_pooler")}, 1);
  }
};

Result<Graph> build_meter(const Arch& a) {
  Builder b(a.name);
  if (a.stages.size() != 3 || a.stages[0].block != "clip" || a.stages[1].block != "roberta" || a.stages[2].block != "co_attention") {
    b.fail("a METER has the stages clip, roberta and co_attention");
    return b.finish();
  }
  Meter net{b, a, a.stages[0], a.stages[1], a.stages[2]};
  const bool pair = a.head.kind == "nlvr2";
  const TextInput text = text_input(b, a);
  std::vector<ValueId> images;
  for (int64_t i = 0; i < (pair ? 2 : 1); ++i)
    images.push_back(b.input(pair ? fmt::format("pixel_values_{}", i) : "pixel_values", DType::f32, {1, a.channels, a.resolution, a.resolution}));

  ValueId words = b.linear(net.text_encoder(text), "cross_modal_text_transform", net.cross.width);
  if (option_flag(a.options, "classifier_token", false)) {
    const ValueId token = b.parameter("token4classifier", {1, 1, net.cross.width}, {Init::Kind::normal, 0.02f});
    words = prepend(b, {token}, b.slice(words, 1, 1, option_size(b, a.options, "text_length", 40)));
  }
  words = b.add(words, net.modality(0));
  std::vector<ValueId> fused;
  for (size_t i = 0; i < images.size(); ++i) fused.push_back(net.fuse(words, text.mask, images[i], static_cast<int64_t>(i) + 1));
  net.unused_parameters();

  const std::string& head = a.head.kind;
  if (head == "mlm" || head == "mlm_itm") {
    b.output(masked_language_head(b, net.fused_text, option_size(b, a.options, "vocabulary", 50265), kCrossEps));
    if (head == "mlm_itm") b.output(b.linear(fused[0], "itm_score.fc", 2));
    return b.finish();
  }
  ValueId y = pair ? b.concat({fused[0], fused[1]}, 1) : fused[0];
  if (head == "retrieval" || head == "retrieval_itm") y = b.linear(y, "rank_output", a.head.classes);
  else if (head != "pooler") y = mlp_classifier(b, y, head + "_classifier", a.head.width, a.head.classes);
  b.output(y);
  if (head == "retrieval_itm") b.output(b.linear(fused[0], "itm_score.fc", 2));
  return b.finish();
}

std::vector<Arch> published_meter() {
  struct Row {
    const char *suffix, *head;
    int64_t hidden, classes;
  };
  auto stage = [](const char* block, int64_t depth) {
    Stage s;
    s.block = block;
    s.depth = depth;
    s.width = 768;
    s.heads = 12;
    s.expand = 4;
    return s;
  };
  std::vector<Arch> out;
  for (int64_t resolution : {288, 384})
    for (const Row& r : {Row{"", "pooler", 0, 0}, Row{"-vqa", "vqa", 1536, 3129}, Row{"-nlvr2", "nlvr2", 1536, 2}, Row{"-retrieval", "retrieval", 0, 1}}) {
      Arch a;
      a.name = fmt::format("meter/base-{}{}", resolution, r.suffix);
      a.family = "meter";
      a.names = "meter";
      a.resolution = resolution;
      a.activation = "gelu";
      a.stem = {"patchify", 768, {{"patch", int64_t{16}}}};
      a.stages = {stage("clip", 11), stage("roberta", 12), stage("co_attention", 6)};
      a.head.kind = r.head;
      a.head.width = r.hidden;
      a.head.classes = r.classes;
      a.options = {{"text_length", int64_t{40}}, {"vocabulary", int64_t{50265}}};
      out.push_back(std::move(a));
    }
  Arch small = out[0];
  small.stages = {stage("clip", 3), stage("roberta", 3), stage("co_attention", 4)};
  for (Arch& a : small_networks(small, "meter/tiny")) out.push_back(std::move(a));
  return out;
}

}  // namespace

Family meter_family() { return {"meter", build_meter, published_meter, nullptr, "classifier_token:flag patch:integer text_length:integer text_mask:flag vocabulary:integer"}; }

}  // namespace hone
