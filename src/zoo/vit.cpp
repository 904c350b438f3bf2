// Vision Transformers (Dosovitskiy et al. 2021; DeiT, Touvron et al. 2021; convolutional stems, Xiao et al. 2021) as timm,
// torchvision and pycls define and name them.
//
// Arch: stem "patchify" (option patch: side of a patch) or "conv" (3x3 convolutions: options widths, strides; then 1x1 with
// bias to stem.width). One stage of block "attention": depth, width, heads, expand = MLP ratio, option layer_scale.
// Options: distilled (second token and head), class_position (true: the position table has rows for the added tokens).
// Head: classes 0 leaves out the classifier, so that the output is the class token.
#include <fmt/format.h>

#include "ir/builder.h"
#include "zoo/families.h"
#include "zoo/tokens.h"

namespace hone {

namespace {

// Where each library keeps what. Paths of a block are relative to `block` + index.
struct Names {
  const char *class_token, *position, *patch, *block;
  const char *norm1, *attention, *qkv_module, *qkv_weight, *qkv_bias, *projection, *norm2, *fc1, *fc2;
  const char *norm, *head;
  bool tokens_first = false;  // position table (N, 1, D) instead of (1, N, D)
};
constexpr Names kTimm{"cls_token", "pos_embed", "patch_embed.proj", "blocks.",
                      "norm1", "attn", "attn.qkv", "attn.qkv.weight", "attn.qkv.bias", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2",
                      "norm", "head"};
constexpr Names kTorchvision{"class_token", "encoder.pos_embedding", "conv_proj", "encoder.layers.encoder_layer_",
                             "ln_1", "self_attention", "self_attention", "self_attention.in_proj_weight", "self_attention.in_proj_bias",
                             "self_attention.out_proj", "ln_2", "mlp.0", "mlp.3", "encoder.ln", "heads.head"};
constexpr Names kPycls{"class_token", "pos_embedding", "stem.patchify", "encoder.block_",
                       "ln_1", "self_attention.block", "self_attention.block", "self_attention.block.in_proj_weight",
                       "self_attention.block.in_proj_bias", "self_attention.block.out_proj", "ln_2", "mlp_block.linear_1",
                       "mlp_block.linear_2", "encoder.ln", "head.head_fc", true};

constexpr float kEps = 1e-6f;

const Names& names_of(const Arch& a) { return a.names == "torchvision" ? kTorchvision : a.names == "pycls" ? kPycls : kTimm; }

ValueId stem(Builder& b, ValueId x, const Arch& a, const Names& n) {
  if (a.stem.kind == "patchify") {
    const int64_t p = option_size(b, a.stem.options, "patch", 16);
    ConvSpec spec = conv_spec(a.stem.width, p, p, 1, true);
    spec.pad = {0, 0, 0, 0};
    return b.conv(x, n.patch, spec);
  }
  if (a.stem.kind != "conv") b.fail(fmt::format("stem '{}': a ViT has 'patchify' or 'conv'", a.stem.kind));
  const auto widths = option_ints(a.stem.options, "widths"), strides = option_ints(a.stem.options, "strides");
  if (widths.size() != strides.size()) b.fail("stem: widths and strides differ in length");
  for (size_t i = 0; i < widths.size() && !b.failed(); ++i) {
    x = b.conv(x, fmt::format("stem.cstem{}_conv", i), conv_spec(widths[i], 3, strides[i]));
    x = b.relu(b.batch_norm(x, fmt::format("stem.cstem{}_bn", i), static_cast<float>(a.bn_eps)));
  }
  return b.conv(x, "stem.cstem_last_conv", conv_spec(a.stem.width, 1, 1, 1, true));
}

ValueId scaled(Builder& b, ValueId x, const char* name, bool layer_scale) {
  if (!layer_scale || b.failed()) return x;
  const int64_t width = b.shape(x).back();
  return b.op("Mul", {x, b.parameter(fmt::format("{}.gamma", name), {width}, {Init::Kind::constant, 1e-5f})}, {}, name);
}

ValueId block(Builder& b, ValueId x, const Stage& s, const Names& n) {
  const bool layer_scale = option_flag(s.options, "layer_scale", false);
  ValueId y = b.layer_norm(x, n.norm1, kEps);
  const auto qkv = b.split(linear_as(b, y, n.qkv_module, n.qkv_weight, n.qkv_bias, 3 * s.width), 2, {s.width, s.width, s.width});
  {
    Builder::Scope attention(b, n.attention);
    y = multi_head_attention(b, qkv[0], qkv[1], qkv[2], s.heads);
  }
  x = b.add(x, scaled(b, b.linear(y, n.projection, s.width), "ls1", layer_scale));
  y = b.linear(b.layer_norm(x, n.norm2, kEps), n.fc1, hidden_width(b, s.width, s.expand));
  y = b.linear(b.gelu(y), n.fc2, s.width);
  return b.add(x, scaled(b, y, "ls2", layer_scale));
}

Result<Graph> build_vit(const Arch& a) {
  Builder b(a.name);
  const Names& n = names_of(a);
  const int64_t d = a.stem.width;
  if (a.stages.size() != 1 || a.stages[0].width != d) b.fail("a ViT has one stage, as wide as its stem");
  const ValueId image = b.input("x", DType::f32, {1, a.channels, a.resolution, a.resolution});
  ValueId x = to_tokens(b, stem(b, image, a, n));
  if (b.failed()) return b.finish();

  const Init normal{Init::Kind::truncated_normal, 0.02f};
  const bool distilled = option_flag(a.options, "distilled", false), class_position = option_flag(a.options, "class_position", true);
  std::vector<ValueId> tokens{b.parameter(n.class_token, {1, 1, d}, normal)};
  if (distilled) tokens.push_back(b.parameter("dist_token", {1, 1, d}, normal));
  const int64_t rows = b.shape(x)[1] + (class_position ? static_cast<int64_t>(tokens.size()) : 0);
  ValueId position = b.parameter(n.position, n.tokens_first ? Shape{rows, 1, d} : Shape{1, rows, d}, normal);
  if (n.tokens_first) position = b.transpose(position, {1, 0, 2});
  x = class_position ? b.add(prepend(b, tokens, x), position) : prepend(b, tokens, b.add(x, position));

  const Stage& s = a.stages[0];
  for (int64_t i = 0; i < s.depth; ++i) {
    Builder::Scope scope(b, fmt::format("{}{}", n.block, i));
    x = block(b, x, s, n);
  }
  x = b.layer_norm(x, n.norm, kEps);
  ValueId y = take_token(b, x, 0);
  if (a.head.classes > 0) y = b.linear(y, n.head, a.head.classes);
  if (a.head.classes > 0 && distilled)  // at inference the two heads are averaged
    y = b.mul(b.add(y, b.linear(take_token(b, x, 1), "head_dist", a.head.classes)), b.scalar(0.5f));
  b.output(y);
  return b.finish();
}

struct Size {
  const char* name;
  int64_t width, depth, heads;
  double mlp = 4;
};
constexpr Size kTiny{"tiny", 192, 12, 3}, kSmall{"small", 384, 12, 6}, kMedium{"medium", 512, 12, 8}, kBase{"base", 768, 12, 12},
    kLarge{"large", 1024, 24, 16}, kHuge{"huge", 1280, 32, 16};

Arch vit(const std::string& lib, const std::string& name, const Size& size, int64_t patch, int64_t resolution, int64_t classes = 1000) {
  Arch a;
  a.name = lib + "/" + name;
  a.family = "vit";
  a.names = lib;
  a.resolution = resolution;
  a.activation = "gelu";
  a.stem = {"patchify", size.width, {{"patch", patch}}};
  Stage s;
  s.block = "attention";
  s.depth = size.depth;
  s.width = size.width;
  s.heads = size.heads;
  s.expand = size.mlp;
  a.stages = {s};
  a.head.kind = "class_token";
  a.head.classes = classes;
  return a;
}

Arch with_layer_scale(Arch a) {
  a.stages[0].options["layer_scale"] = true;
  return a;
}

void add_timm(std::vector<Arch>& out) {
  struct Row {
    Size size;
    int64_t patch;
    std::vector<int64_t> resolutions;
    int64_t classes = 1000;
  };
  // Three were published without a classifier.
  const std::vector<Row> rows{{kTiny, 16, {224, 384}},  {kSmall, 32, {224, 384}}, {kSmall, 16, {224, 384}}, {kSmall, 8, {224}, 0},
                              {kBase, 32, {224, 384}},  {kBase, 16, {224, 384}},  {kBase, 8, {224}},        {kLarge, 32, {224}, 0},
                              {kLarge, 32, {384}},      {kLarge, 16, {224, 384}}, {kLarge, 14, {224}},      {kHuge, 14, {224}, 0}};
  for (const Row& r : rows)
    for (int64_t res : r.resolutions) out.push_back(vit("timm", fmt::format("vit_{}_patch{}_{}", r.size.name, r.patch, res), r.size, r.patch, res, r.classes));
  out.push_back(with_layer_scale(vit("timm", "vit_small_patch16_36x1_224", {"small", 384, 36, 6}, 16, 224)));

  for (const Size& size : {kTiny, kSmall, kBase})
    for (bool distilled : {false, true})
      for (int64_t res : {224, 384}) {
        if (res == 384 && size.width != kBase.width) continue;
        out.push_back(vit("timm", fmt::format("deit_{}{}_patch16_{}", size.name, distilled ? "_distilled" : "", res), size, 16, res));
        if (distilled) out.back().options["distilled"] = true;
      }
  // DeiT III: layer scale, and positions for the patches alone.
  const std::vector<Row> deit3{{kSmall, 16, {224, 384}}, {kMedium, 16, {224}}, {kBase, 16, {224, 384}}, {kLarge, 16, {224, 384}}, {kHuge, 14, {224}}};
  for (const Row& r : deit3)
    for (int64_t res : r.resolutions) {
      out.push_back(with_layer_scale(vit("timm", fmt::format("deit3_{}_patch{}_{}", r.size.name, r.patch, res), r.size, r.patch, res)));
      out.back().options["class_position"] = false;
    }
}

void add_torchvision(std::vector<Arch>& out) {
  out.push_back(vit("torchvision", "vit_b_16", kBase, 16, 224));
  out.push_back(vit("torchvision", "vit_b_32", kBase, 32, 224));
  out.push_back(vit("torchvision", "vit_l_16", kLarge, 16, 224));
  out.push_back(vit("torchvision", "vit_l_32", kLarge, 32, 224));
  out.push_back(vit("torchvision", "vit_h_14", kHuge, 14, 224));
}

// Xiao et al. 2021, table 4: "P" cuts patches, "C" has a convolutional stem and one block less.
void add_pycls(std::vector<Arch>& out) {
  out.push_back(vit("pycls", "ViT-Ti-16", kTiny, 16, 224));
  out.push_back(vit("pycls", "ViT-S-16", kSmall, 16, 224));
  out.push_back(vit("pycls", "ViT-B-16", kBase, 16, 224));
  out.push_back(vit("pycls", "ViT-L-16", kLarge, 16, 224));
  out.push_back(vit("pycls", "ViT-H-14", kHuge, 14, 224));
  struct Row {
    Size size;  // of the patchify variant
    std::vector<int64_t> widths, strides;
  };
  const std::vector<int64_t> wide{64, 128, 128, 256, 256, 512}, wide_strides{2, 2, 1, 2, 1, 2}, narrow_strides{2, 2, 2, 2};
  const std::vector<Row> rows{{{"1GF", 192, 12, 3, 3}, {24, 48, 96, 192}, narrow_strides},
                              {{"4GF", 384, 12, 6, 3}, {48, 96, 192, 384}, narrow_strides},
                              {{"18GF", 768, 12, 12, 4}, wide, wide_strides},
                              {{"36GF", 1024, 14, 16, 4}, wide, wide_strides}};
  for (const Row& r : rows) {
    out.push_back(vit("pycls", fmt::format("ViT_P-{}", r.size.name), r.size, 16, 224));
    Arch c = vit("pycls", fmt::format("ViT_C-{}", r.size.name), r.size, 16, 224);
    c.stem = {"conv", r.size.width, {{"widths", r.widths}, {"strides", r.strides}}};
    c.stages[0].depth -= 1;
    out.push_back(c);
  }
}

std::vector<Arch> published_vit() {
  std::vector<Arch> out;
  add_timm(out);
  add_torchvision(out);
  add_pycls(out);
  return out;
}

std::vector<std::pair<std::string, std::string>> vit_aliases() {
  return {{"pycls/ViT-Ti/16", "pycls/ViT-Ti-16"}, {"pycls/ViT-S/16", "pycls/ViT-S-16"}, {"pycls/ViT-B/16", "pycls/ViT-B-16"},
          {"pycls/ViT-L/16", "pycls/ViT-L-16"},   {"pycls/ViT-H/14", "pycls/ViT-H-14"}};
}

}  // namespace

Family vit_family() { return {"vit", build_vit, published_vit, vit_aliases, "class_position:flag distilled:flag layer_scale:flag patch:integer strides:integers widths:integers"}; }

}  // namespace hone
