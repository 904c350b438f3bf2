#include "zoo/space_graph.h"

#include <fmt/format.h>

#include <cmath>

#include "zoo/tokens.h"

namespace hone::space {

namespace {

ConvSpec pointwise(int64_t out, bool bias = false) { return conv_spec(out, 1, 1, 1, bias); }

ValueId activate(Builder& b, ValueId x, std::string_view kind) {
  if (kind == "hard_swish") return b.hard_swish(x);
  if (kind == "relu") return b.relu(x);
  if (kind == "relu6") return b.relu6(x);
  if (kind == "silu") return b.silu(x);
  if (kind == "gelu") return b.gelu(x);
  b.fail(fmt::format("unknown activation '{}'; known: hard_swish, relu, relu6, silu, gelu", kind));
  return x;
}

ValueId squeeze_excite(Builder& b, ValueId x) {
  Builder::Scope scope(b, "se");
  const int64_t width = b.channels(x);
  const ValueId squeezed = b.relu(b.conv(b.global_avg_pool(x), "reduce", pointwise(width / 4, true)));
  return b.mul(x, b.hard_sigmoid(b.conv(squeezed, "expand", pointwise(width, true))));
}

// (B, h * d, H, W) -> (B, h, H * W, d)
ValueId heads_of(Builder& b, ValueId map, int64_t heads) {
  const int64_t c = b.channels(map);
  return b.transpose(b.reshape(map, {0, heads, c / heads, -1}), {0, 1, 3, 2});
}

ValueId norm_of(Builder& b, ValueId map, Norm norm) {
  if (norm == Norm::sample || b.failed()) return b.group_norm(map, "norm", 1);
  const Shape s = b.shape(map);
  return to_map(b, b.layer_norm(to_tokens(b, map), "norm"), s[2], s[3]);
}

}  // namespace

ValueId first_conv(Builder& b, ValueId x, int64_t width, int64_t stride, std::string_view activation) {
  Builder::Scope scope(b, "first_conv");
  return activate(b, b.batch_norm(b.conv(x, "conv", conv_spec(width, 3, stride)), "bn"), activation);
}

ValueId mobile_block(Builder& b, ValueId x, const MobileBlock& block) {
  if (b.failed()) return 0;
  const Shape in = b.shape(x);
  const int64_t inner = in[1] * block.expand;
  const bool same = block.stride == 1 && in[1] == block.width, shortcut = same || block.shortcut == Shortcut::always;
  ValueId y = x;
  if (block.expand > 1) {
    Builder::Scope scope(b, "expand");
    y = activate(b, b.batch_norm(b.conv(y, "conv", pointwise(inner)), "bn"), block.activation);
  }
  {
    Builder::Scope scope(b, "depthwise");
    y = activate(b, b.batch_norm(b.conv(y, "conv", conv_spec(inner, block.kernel, block.stride, inner)), "bn"), block.activation);
  }
  if (block.se) y = squeeze_excite(b, y);
  {
    Builder::Scope scope(b, "project");
    // A block that starts as its shortcut alone; without a shortcut it would be nothing.
    const Init gamma{block.stride == 1 && shortcut ? Init::Kind::zeros : Init::Kind::ones};
    y = b.batch_norm(b.conv(y, "conv", pointwise(block.width)), "bn", 1e-5f, gamma);
  }
  if (!shortcut) return y;
  Builder::Scope scope(b, "shortcut");
  if (block.stride > 1) {
    const int64_t pad = in[2] % 2;  // padded zeros count in the mean
    x = b.avg_pool(x, block.stride, block.stride, {pad, pad, pad, pad});
  }
  if (in[1] != block.width) x = b.conv(x, "conv", pointwise(block.width));
  return b.add(y, x);
}

ValueId attention(Builder& b, ValueId x, const Attention& block, ValueId offsets) {
  if (b.failed()) return 0;
  Builder::Scope scope(b, "attn");
  const Shape s = b.shape(x);
  const int64_t width = s[1], side = s[2], dim = block.head_dim, heads = dim > 0 ? width / dim : 0, values = block.value_scale * width;
  if (heads < 1 || width % dim || s[2] != s[3]) {
    b.fail(fmt::format("attention needs a square map and a width that is a multiple of {}, got {}", dim, to_string(s)));
    return 0;
  }
  const ValueId y = norm_of(b, x, block.norm);
  const ValueId q = b.conv(y, "q", pointwise(width)), k = b.conv(y, "k", pointwise(width));
  ValueId v = b.conv(y, "v", pointwise(values));
  v = b.conv(v, "v_local", conv_spec(values, 3, 1, values));
  // One table per block; a smaller map reads the middle of a larger one's, so it is kept as (heads, rows, columns).
  const int64_t span = 2 * side - 1;
  const ValueId table = b.parameter("relative_position_bias", {heads, span, span}, {Init::Kind::truncated_normal, 0.02f});
  const ValueId mask = bias_mask(b, b.reshape(table, {heads, span * span}), offsets);
  const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(dim)));
  ValueId o = b.attention(heads_of(b, q, heads), heads_of(b, k, heads), heads_of(b, v, heads), scale, mask);
  o = b.reshape(b.transpose(o, {0, 1, 3, 2}), {0, values, side, side});
  return b.add(x, b.conv(activate(b, o, block.activation), "proj", pointwise(width, true)));
}

ValueId feed_forward(Builder& b, ValueId x, const FeedForward& block) {
  Builder::Scope scope(b, "ffn");
  const int64_t width = b.channels(x);
  const ValueId y = b.conv(norm_of(b, x, block.norm), "fc1", pointwise(block.mlp_ratio * width, true));
  return b.add(x, b.conv(activate(b, y, block.activation), "fc2", pointwise(width, true)));
}

ValueId head(Builder& b, ValueId x, const HeadSpec& h) {
  Builder::Scope scope(b, "head");
  x = b.conv(x, "expand", pointwise(h.expand * b.channels(x), h.kind == HeadKind::mb_pool));
  x = b.mean(activate(b, b.batch_norm(x, "bn"), h.activation), {2, 3});
  if (h.width > 0) x = activate(b, b.linear(x, "hidden", h.width), h.activation);
  return b.linear(x, "classifier", h.classes);
}

namespace {

// A gene of every block: the option's list, or `value` throughout.
std::vector<int64_t> per_block(Builder& b, const Stage& s, const char* key, int64_t value, int64_t least = 1) {
  std::vector<int64_t> out = option_ints(s.options, key);
  const auto depth = static_cast<size_t>(s.depth);
  if (out.empty()) out.assign(depth, value);
  if (out.size() != depth) b.fail(fmt::format("{}: {} values, expected {} (one per block)", key, out.size(), depth));
  for (int64_t v : out)
    if (v < least) b.fail(fmt::format("{} holds {}, expected {} or more", key, v, least));
  out.resize(depth, least);
  return out;
}

std::optional<Shortcut> shortcut_of(const Stage& s) {
  const std::string text = option_text(s.options, "shortcut", "always");
  if (text == "always") return Shortcut::always;
  if (text == "same") return Shortcut::same;
  return std::nullopt;
}

struct Shared {  // of the stages of one network
  Norm norm;
  int64_t head_dim;
  std::string_view activation;
};

ValueId stage(Builder& b, ValueId x, const Stage& s, const Shared& all) {
  const auto expand = static_cast<int64_t>(s.expand);
  if (static_cast<double>(expand) != s.expand || expand < 1) b.fail(fmt::format("expand {}: the ratio is a whole number", s.expand));
  if (s.block != "mobile" && s.block != "transformer") b.fail(fmt::format("unknown block '{}'; known: mobile, transformer", s.block));
  const auto shortcut = shortcut_of(s);
  if (!shortcut) b.fail("option shortcut: expected always or same");
  if (b.failed()) return 0;
  const std::string_view activation = s.activation.empty() ? all.activation : std::string_view(s.activation);
  if (s.block == "mobile") {
    const std::vector<int64_t> expands = per_block(b, s, "expands", expand), kernels = per_block(b, s, "kernels", s.kernel), ses = per_block(b, s, "ses", s.se > 0, 0);
    for (int64_t i = 0; i < s.depth; ++i) {
      Builder::Scope block(b, fmt::format("blocks.{}", i));
      const auto j = static_cast<size_t>(i);
      x = mobile_block(b, x, {s.width, expands[j], kernels[j], i == 0 ? s.stride : 1, ses[j] > 0, *shortcut, activation});
    }
    return x;
  }
  const std::vector<int64_t> mlps = per_block(b, s, "mlps", expand), values = per_block(b, s, "values", option_size(b, s.options, "value_scale", 2));
  {
    Builder::Scope downsample(b, "downsample");
    x = mobile_block(b, x, {s.width, kDownsampleExpand, 3, s.stride, s.se > 0, *shortcut, activation});
  }
  if (b.failed()) return 0;
  const ValueId offsets = signed_offsets(b, b.shape(x)[2]);
  for (int64_t i = 0; i < s.depth; ++i) {
    Builder::Scope block(b, fmt::format("blocks.{}", i));
    const auto j = static_cast<size_t>(i);
    x = attention(b, x, {values[j], all.head_dim, all.norm, activation}, offsets);
    x = feed_forward(b, x, {mlps[j], all.norm, activation});
  }
  return x;
}

}  // namespace

Result<Graph> build_member(const Arch& a) {
  Builder b(a.name);
  const std::string norm = option_text(a.options, "norm", "sample");
  if (norm != "sample" && norm != "token") b.fail(fmt::format("option norm is '{}'; expected sample or token", norm));
  if (a.stem.kind != "conv3x3") b.fail(fmt::format("unknown stem kind '{}'; known: conv3x3", a.stem.kind));
  if (a.head.kind != "mb_pool" && a.head.kind != "mobile") b.fail(fmt::format("unknown head kind '{}'; known: mb_pool, mobile", a.head.kind));
  const Shared all{norm == "token" ? Norm::token : Norm::sample, option_size(b, a.options, "head_dim", kHeadDim), a.activation};
  ValueId x = first_conv(b, b.input("x", DType::f32, {1, a.channels, a.resolution, a.resolution}), a.stem.width, option_size(b, a.stem.options, "stride", 2), a.activation);
  for (size_t i = 0; i < a.stages.size() && !b.failed(); ++i) {
    Builder::Scope scope(b, fmt::format("stages.{}", i));
    x = stage(b, x, a.stages[i], all);
  }
  const HeadKind kind = a.head.kind == "mobile" ? HeadKind::mobile : HeadKind::mb_pool;
  b.output(head(b, x, {kind, option_size(b, a.head.options, "expand", kHeadExpand), a.head.width, a.head.classes, a.activation}));
  return b.finish();
}

}  // namespace hone::space
