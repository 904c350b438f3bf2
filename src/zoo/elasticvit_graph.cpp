#include "zoo/elasticvit_graph.h"

#include <fmt/format.h>

#include <cmath>

#include "zoo/elasticvit.h"
#include "zoo/families.h"
#include "zoo/tokens.h"

namespace hone::elasticvit {

namespace {

ConvSpec pointwise(int64_t out, bool bias = false) { return conv_spec(out, 1, 1, 1, bias); }

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

}  // namespace

ValueId first_conv(Builder& b, ValueId x, int64_t width) {
  Builder::Scope scope(b, "first_conv");
  return b.hard_swish(b.batch_norm(b.conv(x, "conv", conv_spec(width, 3, 2)), "bn"));
}

ValueId mobile_block(Builder& b, ValueId x, const MobileBlock& block) {
  if (b.failed()) return 0;
  const Shape in = b.shape(x);
  const int64_t inner = in[1] * block.expand;
  ValueId y = x;
  if (block.expand > 1) {
    Builder::Scope scope(b, "expand");
    y = b.hard_swish(b.batch_norm(b.conv(y, "conv", pointwise(inner)), "bn"));
  }
  {
    Builder::Scope scope(b, "depthwise");
    y = b.hard_swish(b.batch_norm(b.conv(y, "conv", conv_spec(inner, block.kernel, block.stride, inner)), "bn"));
  }
  if (block.se) y = squeeze_excite(b, y);
  {
    Builder::Scope scope(b, "project");
    const Init gamma{block.stride == 1 ? Init::Kind::zeros : Init::Kind::ones};
    y = b.batch_norm(b.conv(y, "conv", pointwise(block.width)), "bn", 1e-5f, gamma);
  }
  Builder::Scope scope(b, "shortcut");
  if (block.stride > 1) {
    const int64_t pad = in[2] % 2;  // padded zeros count in the mean
    x = b.avg_pool(x, block.stride, block.stride, {pad, pad, pad, pad});
  }
  if (in[1] != block.width) x = b.conv(x, "conv", pointwise(block.width));
  return b.add(y, x);
}

ValueId attention(Builder& b, ValueId x, int64_t value_scale, ValueId offsets) {
  if (b.failed()) return 0;
  Builder::Scope scope(b, "attn");
  const Shape s = b.shape(x);
  const int64_t width = s[1], side = s[2], heads = width / kHeadDim;
  if (width % kHeadDim || heads < 1 || s[2] != s[3]) {
    b.fail(fmt::format("attention needs a square map and a width that is a multiple of {}, got {}", kHeadDim, to_string(s)));
    return 0;
  }
  const ValueId y = b.group_norm(x, "norm", 1);
  const ValueId q = b.conv(y, "q", pointwise(width)), k = b.conv(y, "k", pointwise(width));
  ValueId v = b.conv(y, "v", pointwise(value_scale * width));
  v = b.conv(v, "v_local", conv_spec(value_scale * width, 3, 1, value_scale * width));
  // One table per block; a smaller map reads the middle of a larger one's, so it is kept as (heads, rows, columns).
  const int64_t span = 2 * side - 1;
  const ValueId table = b.parameter("relative_position_bias", {heads, span, span}, {Init::Kind::truncated_normal, 0.02f});
  const ValueId mask = bias_mask(b, b.reshape(table, {heads, span * span}), offsets);
  const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(kHeadDim)));
  ValueId o = b.attention(heads_of(b, q, heads), heads_of(b, k, heads), heads_of(b, v, heads), scale, mask);
  o = b.reshape(b.transpose(o, {0, 1, 3, 2}), {0, value_scale * width, side, side});
  return b.add(x, b.conv(b.hard_swish(o), "proj", pointwise(width, true)));
}

ValueId feed_forward(Builder& b, ValueId x, int64_t mlp_ratio) {
  Builder::Scope scope(b, "ffn");
  const int64_t width = b.channels(x);
  const ValueId y = b.conv(b.group_norm(x, "norm", 1), "fc1", pointwise(mlp_ratio * width, true));
  return b.add(x, b.conv(b.hard_swish(y), "fc2", pointwise(width, true)));
}

ValueId head(Builder& b, ValueId x, int64_t width, int64_t classes) {
  Builder::Scope scope(b, "head");
  x = b.conv(x, "expand", pointwise(kHeadExpand * b.channels(x), true));
  x = b.mean(b.hard_swish(b.batch_norm(x, "bn")), {2, 3});
  return b.linear(b.hard_swish(b.linear(x, "hidden", width)), "classifier", classes);
}

namespace {

ValueId stage(Builder& b, ValueId x, const Stage& s) {
  const auto expand = static_cast<int64_t>(s.expand);
  if (static_cast<double>(expand) != s.expand || expand < 1) {
    b.fail(fmt::format("expand {}: the ratio is a whole number", s.expand));
    return 0;
  }
  if (s.block == "mobile") {
    for (int64_t i = 0; i < s.depth; ++i) {
      Builder::Scope block(b, fmt::format("blocks.{}", i));
      x = mobile_block(b, x, {s.width, expand, s.kernel, i == 0 ? s.stride : 1, s.se > 0});
    }
    return x;
  }
  if (s.block != "transformer") b.fail(fmt::format("block '{}': an ElasticViT has 'mobile' and 'transformer'", s.block));
  {
    Builder::Scope downsample(b, "downsample");
    x = mobile_block(b, x, {s.width, kDownsampleExpand, 3, s.stride, s.se > 0});
  }
  if (b.failed()) return 0;
  const ValueId offsets = signed_offsets(b, b.shape(x)[2]);
  for (int64_t i = 0; i < s.depth; ++i) {
    Builder::Scope block(b, fmt::format("blocks.{}", i));
    x = feed_forward(b, attention(b, x, option_size(b, s.options, "value_scale", 2), offsets), expand);
  }
  return x;
}

// Arch: stem "conv3x3"; stages of block "mobile" (depth, width, stride, kernel, expand, se) and "transformer" (depth, width,
// stride, expand = MLP ratio, se of the downsampling block, option value_scale); head "mb_pool" with its hidden width.
Result<Graph> build_elasticvit(const Arch& a) {
  Builder b(a.name);
  ValueId x = first_conv(b, b.input("x", DType::f32, {1, a.channels, a.resolution, a.resolution}), a.stem.width);
  for (size_t i = 0; i < a.stages.size() && !b.failed(); ++i) {
    Builder::Scope scope(b, fmt::format("stages.{}", i));
    x = stage(b, x, a.stages[i]);
  }
  b.output(head(b, x, a.head.width, a.head.classes));
  return b.finish();
}

std::vector<Arch> published_elasticvit() {
  std::vector<Arch> out;
  for (const Named& n : named_members()) out.push_back(to_arch(published_space(), n.member, fmt::format("elasticvit/{}", n.name)));
  return out;
}

}  // namespace

}  // namespace hone::elasticvit

namespace hone {
Family elasticvit_family() { return {"elasticvit", elasticvit::build_elasticvit, elasticvit::published_elasticvit, nullptr, "value_scale:integer"}; }
}  // namespace hone
