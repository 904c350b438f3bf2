// ViLT-B/32 (Kim et al. 2021): text tokens and image patches in one stream of pre-norm blocks, under Hugging Face's names.
//
// Arch: stem "patchify" (width, option patch), resolution = side of the image that the position table was made for. One
// stage of block "attention": depth, width, heads, expand = MLP ratio. Options: image_height, image_width (default input),
// image_tokens (patches kept), text_length, vocabulary, text_mask. Head: kind "pooler", "vqa", "nlvr2" or "retrieval",
// width of its hidden layer, classes.
//
// The position table is resized to the image's grid (bilinear, corners aligned); the first image_tokens patches are kept.
// NLVR2 runs the blocks twice with the same parameters, once for each image.
#include <fmt/format.h>

#include "ir/builder.h"
#include "zoo/families.h"
#include "zoo/tokens.h"
#include "zoo/vision_language.h"

namespace hone {

namespace {

constexpr float kEps = 1e-12f;  // Hugging Face's port; the original has 1e-6 inside the blocks

struct Vilt {
  Builder& b;
  const Arch& a;
  const Stage& stage;
  int64_t width = stage.width;
  int64_t modalities = a.head.kind == "nlvr2" ? 3 : 2;

  ValueId modality(int64_t row) { return lookup_row(b, "token_type_embeddings", modalities, width, row); }

  // Rows of the position table for a grid of height x width patches.
  ValueId grid_positions(ValueId table, int64_t side, int64_t height, int64_t columns) {
    ValueId grid = b.slice(table, 1, 1, 1 + side * side);
    if (height == side && columns == side) return grid;
    const ValueId sizes = b.constant(Tensor::ints({1, width, height, columns}));
    return to_tokens(b, b.op("Resize", {to_map(b, grid, side, side), kNoValue, kNoValue, sizes},
                             {{"mode", std::string("linear")}, {"coordinate_transformation_mode", std::string("align_corners")}}));
  }

  ValueId image_embedding(ValueId image, int64_t modality_row) {
    const int64_t patch = option_size(b, a.stem.options, "patch", 32), side = a.resolution / patch;
    ConvSpec spec = conv_spec(width, patch, patch, 1, true);
    spec.pad = {0, 0, 0, 0};
    const ValueId map = b.conv(image, "patch_embeddings.projection", spec);
    if (b.failed()) return 0;
    const Shape grid = b.shape(map);
    const ValueId table = b.parameter("position_embeddings", {1, side * side + 1, width}, {Init::Kind::truncated_normal, 0.02f});
    ValueId x = b.add(to_tokens(b, map), grid_positions(table, side, grid[2], grid[3]));
    const int64_t patches = grid[2] * grid[3], kept = option_size(b, a.options, "image_tokens", patches);
    if (kept < patches) x = b.slice(x, 1, 0, kept);
    const ValueId cls = b.add(b.parameter("cls_token", {1, 1, width}, {Init::Kind::truncated_normal, 0.02f}), b.slice(table, 1, 0, 1));
    return b.add(prepend(b, {cls}, x), modality(modality_row));
  }

  ValueId block(ValueId x, ValueId mask) {
    ValueId y = b.layer_norm(x, "layernorm_before", kEps);
    {
      Builder::Scope attention(b, "attention.attention");
      y = multi_head_attention(b, b.linear(y, "query", width), b.linear(y, "key", width), b.linear(y, "value", width), stage.heads, mask);
    }
    x = b.add(x, b.linear(y, "attention.output.dense", width));
    y = b.gelu(b.linear(b.layer_norm(x, "layernorm_after", kEps), "intermediate.dense", hidden_width(b, width, stage.expand)));
    return b.add(x, b.linear(y, "output.dense", width));
  }

  // From embedded text and an image to the pooled class token of the text.
  ValueId encode(ValueId text, ValueId mask, ValueId image, int64_t modality_row) {
    ValueId x;
    {
      Builder::Scope scope(b, "embeddings");
      x = b.concat({text, image_embedding(image, modality_row)}, 1);
    }
    if (b.failed()) return 0;
    if (mask != kNoValue) {
      const int64_t image_tokens = b.shape(x)[1] - b.shape(text)[1];
      mask = b.op("Pad", {mask, b.constant(Tensor::ints({0, 0, 0, 0, 0, 0, 0, image_tokens}))});
    }
    for (int64_t i = 0; i < stage.depth; ++i) {
      Builder::Scope scope(b, fmt::format("encoder.layer.{}", i));
      x = block(x, mask);
    }
    return pooler(b, b.layer_norm(x, "layernorm", kEps), "pooler");
  }
};

Result<Graph> build_vilt(const Arch& a) {
  Builder b(a.name);
  if (a.stages.size() != 1) b.fail("a ViLT has one stage");
  if (b.failed()) return b.finish();
  Vilt net{b, a, a.stages[0]};
  const bool bare = a.head.kind == "pooler", pair = a.head.kind == "nlvr2";
  const TextInput text = text_input(b, a);
  const Shape image_shape{1, a.channels, option_size(b, a.options, "image_height", a.resolution), option_size(b, a.options, "image_width", a.resolution)};
  std::vector<ValueId> images;
  for (int64_t i = 0; i < (pair ? 2 : 1); ++i) images.push_back(b.input(pair ? fmt::format("pixel_values_{}", i) : "pixel_values", DType::f32, image_shape));

  std::vector<ValueId> pooled;
  {
    Builder::Scope backbone(b, bare ? "" : "vilt");
    ValueId words;
    {
      Builder::Scope embeddings(b, "embeddings");
      {
        Builder::Scope scope(b, "text_embeddings");
        words = text_embedding(b, text.ids, {option_size(b, a.options, "vocabulary", 30522), option_size(b, a.options, "text_length", 40), 2, net.width, 0, kEps});
      }
      words = b.add(words, net.modality(0));
    }
    for (size_t i = 0; i < images.size(); ++i) pooled.push_back(net.encode(words, text.mask, images[i], static_cast<int64_t>(i) + 1));
  }
  ValueId y = pooled[0];
  if (pair) y = b.concat({pooled[0], pooled[1]}, 1);
  if (a.head.kind == "retrieval") y = b.linear(y, "rank_output", a.head.classes);
  else if (!bare) y = mlp_classifier(b, y, "classifier", a.head.width, a.head.classes);
  b.output(y);
  return b.finish();
}

std::vector<Arch> published_vilt() {
  struct Row {
    const char *name, *head;
    int64_t hidden, classes;
  };
  std::vector<Arch> out;
  for (const Row& r : {Row{"base", "pooler", 0, 0}, Row{"base-vqa", "vqa", 1536, 3129}, Row{"base-nlvr2", "nlvr2", 1536, 2}, Row{"base-retrieval", "retrieval", 0, 1}}) {
    Arch a;
    a.name = fmt::format("vilt/{}", r.name);
    a.family = "vilt";
    a.names = "vilt";
    a.resolution = 384;
    a.activation = "gelu";
    a.stem = {"patchify", 768, {{"patch", int64_t{32}}}};
    Stage s;
    s.block = "attention";
    s.depth = 12;
    s.width = 768;
    s.heads = 12;
    s.expand = 4;
    a.stages = {s};
    a.head.kind = r.head;
    a.head.width = r.hidden;
    a.head.classes = r.classes;
    a.options = {{"image_height", int64_t{512}}, {"image_width", int64_t{576}}, {"image_tokens", int64_t{200}},
                 {"text_length", int64_t{40}},   {"vocabulary", int64_t{30522}}};
    out.push_back(std::move(a));
  }
  return out;
}

}  // namespace

Family vilt_family() { return {"vilt", build_vilt, published_vilt, nullptr, "image_height:integer image_tokens:integer image_width:integer patch:integer text_length:integer text_mask:flag vocabulary:integer"}; }

}  // namespace hone
