// ViLT-B/32 (Kim et al. 2021): text tokens and image patches in one stream of pre-norm blocks, under Hugging Face's names.
//
// Arch: stem "patchify" (width, option patch), resolution = side of the image that the position table was made for. One
// stage of block "attention": depth, width, heads, expand = MLP ratio. Options: image_height, image_width (default input),
// image_tokens (patches kept), text_length, vocabulary, text_mask, dynamic_images. Head: kind "pooler", "vqa", "nlvr2", "retrieval",
// "retrieval_itm" (two outputs: rank, and image-text matching), "mlm_itm" (two outputs: words, matching) or "mlm"; width of its
// hidden layer, classes.
//
// The position table is resized to the image's grid (bilinear, corners aligned); the first image_tokens patches are kept.
// With dynamic_images pictures of several sizes share a batch: each lies at the upper left of the field, and three more inputs
// say where, patch_mask (1, patches) and row_weights, column_weights (1, rows or columns, table side; zoo/vision_language.h,
// grid_weights). What a picture gives then depends on no other of the batch, and nothing is drawn at random.
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

  // Of one picture of a batch: its place in the field, as inputs.
  struct Place {
    ValueId mask = kNoValue, rows = kNoValue, columns = kNoValue;
  };
  Place place_input(const std::string& suffix, int64_t height, int64_t columns) {
    if (!option_flag(a.options, "dynamic_images", false)) return {};
    const int64_t patch = option_size(b, a.stem.options, "patch", 32), side = a.resolution / patch, h = height / patch, w = columns / patch;
    if (a.options.count("image_tokens") && option_size(b, a.options, "image_tokens", h * w) < h * w) b.fail("dynamic_images keeps every patch: leave image_tokens out");
    return {b.input("patch_mask" + suffix, DType::i64, {1, h * w}), b.input("row_weights" + suffix, DType::f32, {1, h, side}), b.input("column_weights" + suffix, DType::f32, {1, w, side})};
  }

  // The same of every picture's own grid: rows (B, h, side) x table (side, side, C) x columns (B, w, side)^T.
  ValueId dynamic_positions(ValueId table, int64_t side, int64_t height, int64_t columns, const Place& place) {
    const ValueId grid = b.reshape(b.slice(table, 1, 1, 1 + side * side), {side, side * width});
    const ValueId rows = b.reshape(b.matmul(place.rows, grid), {0, height, side, width});
    return b.reshape(b.matmul(b.reshape(place.columns, {0, 1, columns, side}), rows), {0, height * columns, width});
  }

  ValueId image_embedding(ValueId image, int64_t modality_row, const Place& place) {
    const int64_t patch = option_size(b, a.stem.options, "patch", 32), side = a.resolution / patch;
    ConvSpec spec = conv_spec(width, patch, patch, 1, true);
    spec.pad = {0, 0, 0, 0};
    const ValueId map = b.conv(image, "patch_embeddings.projection", spec);
    if (b.failed()) return 0;
    const Shape grid = b.shape(map);
    const ValueId table = b.parameter("position_embeddings", {1, side * side + 1, width}, {Init::Kind::truncated_normal, 0.02f});
    ValueId x = b.add(to_tokens(b, map), place.mask == kNoValue ? grid_positions(table, side, grid[2], grid[3]) : dynamic_positions(table, side, grid[2], grid[3], place));
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

  // From embedded text and an image to the encoded sequence, text first.
  ValueId encode(ValueId text, ValueId mask, ValueId image, int64_t modality_row, const Place& place) {
    ValueId x;
    {
      Builder::Scope scope(b, "embeddings");
      x = b.concat({text, image_embedding(image, modality_row, place)}, 1);
    }
    if (b.failed()) return 0;
    const int64_t words = b.shape(text)[1];
    if (place.mask != kNoValue) {  // the image's class token, and the text where it has no mask, are always seen
      const ValueId patches = b.op("Pad", {key_mask(b, place.mask), b.constant(Tensor::ints({0, 0, 0, mask == kNoValue ? words + 1 : 1, 0, 0, 0, 0}))});
      mask = mask == kNoValue ? patches : b.concat({mask, patches}, 3);
    } else if (mask != kNoValue) {
      mask = b.op("Pad", {mask, b.constant(Tensor::ints({0, 0, 0, 0, 0, 0, 0, b.shape(x)[1] - words}))});
    }
    for (int64_t i = 0; i < stage.depth; ++i) {
      Builder::Scope scope(b, fmt::format("encoder.layer.{}", i));
      x = block(x, mask);
    }
    return b.layer_norm(x, "layernorm", kEps);
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
  std::vector<Vilt::Place> places;
  for (int64_t i = 0; i < (pair ? 2 : 1); ++i) {
    const std::string suffix = pair ? fmt::format("_{}", i) : "";
    images.push_back(b.input("pixel_values" + suffix, DType::f32, image_shape));
    places.push_back(net.place_input(suffix, image_shape[2], image_shape[3]));
  }

  std::vector<ValueId> encoded, pooled;
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
    for (size_t i = 0; i < images.size(); ++i) {
      encoded.push_back(net.encode(words, text.mask, images[i], static_cast<int64_t>(i) + 1, places[i]));
      pooled.push_back(pooler(b, encoded.back(), "pooler"));
    }
  }
  const std::string& head = a.head.kind;
  if (head == "mlm" || head == "mlm_itm") {
    b.output(masked_language_head(b, b.slice(encoded[0], 1, 0, option_size(b, a.options, "text_length", 40)), option_size(b, a.options, "vocabulary", 30522), kEps));
    if (head == "mlm_itm") b.output(b.linear(pooled[0], "itm_score.fc", 2));
    return b.finish();
  }
  ValueId y = pooled[0];
  if (pair) y = b.concat({pooled[0], pooled[1]}, 1);
  if (head == "retrieval" || head == "retrieval_itm") y = b.linear(y, "rank_output", a.head.classes);
  else if (!bare) y = mlp_classifier(b, y, "classifier", a.head.width, a.head.classes);
  b.output(y);
  if (head == "retrieval_itm") b.output(b.linear(pooled[0], "itm_score.fc", 2));
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
  Arch small = out[0];
  small.stages[0].depth = 6;
  for (Arch& a : small_networks(small, "vilt/tiny")) out.push_back(std::move(a));
  return out;
}

}  // namespace

Family vilt_family() { return {"vilt", build_vilt, published_vilt, nullptr, "dynamic_images:flag image_height:integer image_tokens:integer image_width:integer patch:integer text_length:integer text_mask:flag vocabulary:integer"}; }

}  // namespace hone
