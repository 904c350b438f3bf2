// LeViT (Graham et al. 2021) as timm defines and names it: attention on tokens, or (option conv) on maps with 1x1
// convolutions under the same names.
//
// Arch: stem "s16" (four 3x3 stride-2 convolutions, widths E/8, E/4, E/2, E) or "s8" (three: E/4, E/2, E). Stages of block
// "attention": depth, width, heads, expand = MLP ratio; stride 2 begins with an attention that shrinks the grid.
// Options: key_dim (queries and keys of a head), conv, distilled (two heads, averaged).
#include <fmt/format.h>

#include <cmath>

#include "ir/builder.h"
#include "zoo/families.h"
#include "zoo/tokens.h"

namespace hone {

namespace {

constexpr int64_t kValueRatio = 2, kShrinkValueRatio = 4, kShrinkMlpRatio = 2;  // value width of a head over key_dim
const Init kOne{Init::Kind::ones}, kZero{Init::Kind::zeros};

struct Net {
  Builder& b;
  const Arch& arch;
  bool conv;
  int64_t key_dim;

  ValueId act(ValueId x) { return arch.activation == "silu" ? b.silu(x) : b.hard_swish(x); }

  // Convolution, or linear layer, without bias and then BatchNorm. `gamma`: how the norm's weight starts.
  ValueId norm_layer(ValueId x, std::string_view name, int64_t out, const Init& gamma = kOne, int64_t kernel = 1, int64_t stride = 1) {
    Builder::Scope scope(b, name);
    const auto eps = static_cast<float>(arch.bn_eps);
    if (b.shape(x).size() == 4) return b.batch_norm(b.conv(x, "linear", conv_spec(out, kernel, stride)), "bn", eps, gamma);
    x = b.linear(x, "linear", out, false);
    if (b.failed()) return 0;
    const int64_t tokens = b.shape(x)[1];  // BatchNorm1d over all tokens of the batch
    return b.reshape(b.batch_norm(b.reshape(x, {-1, out}), "bn", eps, gamma), {-1, tokens, out});
  }

  // Splits (B, N, heads * sum) or (B, heads * sum, H, W) into (B, heads, N, width) each.
  std::vector<ValueId> heads_of(ValueId x, int64_t heads, const std::vector<int64_t>& widths) {
    if (b.failed()) return std::vector<ValueId>(widths.size(), 0);
    const Shape s = b.shape(x);
    int64_t sum = 0;
    for (int64_t w : widths) sum += w;
    const bool map = s.size() == 4;
    x = map ? b.reshape(x, {0, heads, sum, s[2] * s[3]}) : b.reshape(x, {0, s[1], heads, sum});
    std::vector<ValueId> parts = widths.size() > 1 ? b.split(x, map ? 2 : 3, widths) : std::vector{x};
    for (ValueId& p : parts) p = b.transpose(p, map ? std::vector<int64_t>{0, 1, 3, 2} : std::vector<int64_t>{0, 2, 1, 3});
    return parts;
  }

  ValueId attend(ValueId q, ValueId k, ValueId v, ValueId offsets, int64_t entries, int64_t heads, int64_t side) {
    const ValueId mask = bias_mask(b, b.parameter("attention_biases", {heads, entries}), offsets);
    const ValueId x = b.attention(q, k, v, static_cast<float>(1 / std::sqrt(static_cast<double>(key_dim))), mask);
    if (!conv || b.failed()) return merge_heads(b, x);
    const Shape s = b.shape(x);
    return b.reshape(b.transpose(x, {0, 1, 3, 2}), {0, s[1] * s[3], side, side});
  }

  ValueId attention(ValueId x, const Stage& s, int64_t side, ValueId offsets) {
    Builder::Scope scope(b, "attn");
    const int64_t value = kValueRatio * key_dim;
    const auto qkv = heads_of(norm_layer(x, "qkv", s.heads * (2 * key_dim + value)), s.heads, {key_dim, key_dim, value});
    x = attend(qkv[0], qkv[1], qkv[2], offsets, side * side, s.heads, side);
    return norm_layer(act(x), "proj.ln", s.width, kZero);
  }

  // Queries from every second row and column; no shortcut around it.
  ValueId shrink(ValueId x, const Stage& s, int64_t in_width, int64_t side) {
    Builder::Scope scope(b, "attn_downsample");
    const int64_t value = kShrinkValueRatio * key_dim, heads = in_width / key_dim, out_side = (side + 1) / 2;
    const auto kv = heads_of(norm_layer(x, "kv", heads * (key_dim + value)), heads, {key_dim, value});
    ValueId q;
    if (conv) {
      q = b.avg_pool(x, 1, 2, {0, 0, 0, 0}, false);
    } else {
      q = b.reshape(x, {0, side, side, in_width});
      q = b.slice(b.slice(q, 1, 0, side, 2), 2, 0, side, 2);
      q = b.reshape(q, {0, out_side * out_side, in_width});
    }
    q = heads_of(norm_layer(q, "q.ln", heads * key_dim), heads, {key_dim})[0];
    x = attend(q, kv[0], kv[1], absolute_offsets(b, side, 2), side * side, heads, out_side);
    return norm_layer(act(x), "proj.ln", s.width);
  }

  ValueId mlp(ValueId x, int64_t width, int64_t hidden) {
    Builder::Scope scope(b, "mlp");
    return b.add(x, norm_layer(act(norm_layer(x, "ln1", hidden)), "ln2", width, kZero));
  }

  ValueId stem(ValueId x) {
    const bool s16 = arch.stem.kind == "s16";
    if (!s16 && arch.stem.kind != "s8") b.fail(fmt::format("stem '{}': a LeViT has 's16' or 's8'", arch.stem.kind));
    const int64_t convs = s16 ? 4 : 3;
    for (int64_t i = 0; i < convs; ++i) {
      x = norm_layer(x, fmt::format("stem.conv{}", i + 1), arch.stem.width >> (convs - 1 - i), kOne, 3, 2);
      if (i + 1 < convs) x = act(x);
    }
    return x;
  }

  ValueId head(ValueId x, std::string_view name) {
    Builder::Scope scope(b, name);
    return b.linear(b.batch_norm(x, "bn", static_cast<float>(arch.bn_eps)), "linear", arch.head.classes);
  }
};

Result<Graph> build_levit(const Arch& a) {
  Builder b(a.name);
  Net net{b, a, option_flag(a.options, "conv", false), option_int(a.options, "key_dim", 0)};
  if (net.key_dim < 1 || net.key_dim > a.stem.width) b.fail(fmt::format("key_dim is {}, expected 1 to {}", net.key_dim, a.stem.width));
  ValueId x = net.stem(b.input("x", DType::f32, {1, a.channels, a.resolution, a.resolution}));
  if (b.failed()) return b.finish();
  int64_t side = b.shape(x)[2], width = a.stem.width;
  if (!net.conv) x = to_tokens(b, x);

  for (size_t i = 0; i < a.stages.size() && !b.failed(); ++i) {
    const Stage& s = a.stages[i];
    Builder::Scope stage(b, fmt::format("stages.{}", i));
    if (s.heads < 1 || s.width < net.key_dim) b.fail(fmt::format("{} heads, width {}: expected a head, and the width of a key ({})", s.heads, s.width, net.key_dim));
    if (s.stride == 2) {
      Builder::Scope downsample(b, "downsample");
      x = net.mlp(net.shrink(x, s, width, side), s.width, kShrinkMlpRatio * s.width);
      side = (side + 1) / 2;
    } else if (s.width != width || s.stride != 1) {
      b.fail("only a stage of stride 2 changes the width, and no stage has a larger stride");
    }
    width = s.width;
    const ValueId offsets = absolute_offsets(b, side, 1);
    for (int64_t k = 0; k < s.depth; ++k) {
      Builder::Scope block(b, fmt::format("blocks.{}", k));
      x = b.add(x, net.attention(x, s, side, offsets));
      x = net.mlp(x, s.width, hidden_width(b, s.width, s.expand));
    }
  }

  x = net.conv ? b.mean(x, {2, 3}) : b.mean(x, {1});
  ValueId y = net.head(x, "head");
  if (option_flag(a.options, "distilled", false)) y = b.mul(b.add(y, net.head(x, "head_dist")), b.scalar(0.5f));
  b.output(y);
  return b.finish();
}

std::vector<Arch> published_levit() {
  struct Row {
    const char* name;
    std::vector<int64_t> widths;
    int64_t key_dim;
    std::vector<int64_t> heads, depths;
    const char* activation = "hard_swish";
    const char* stem = "s16";
    bool distilled = true;
  };
  const std::vector<int64_t> even{4, 4, 4}, deep{4, 8, 6};
  const std::vector<Row> rows{
      {"128s", {128, 256, 384}, 16, {4, 6, 8}, {2, 3, 4}},
      {"128", {128, 256, 384}, 16, {4, 8, 12}, even},
      {"192", {192, 288, 384}, 32, {3, 5, 6}, even},
      {"256", {256, 384, 512}, 32, {4, 6, 8}, even},
      {"384", {384, 512, 768}, 32, {6, 9, 12}, even},
      {"384_s8", {384, 512, 768}, 32, {6, 9, 12}, even, "silu", "s8"},
      {"512_s8", {512, 640, 896}, 64, {8, 10, 14}, even, "silu", "s8", false},
      {"512", {512, 768, 1024}, 64, {8, 12, 16}, even, "silu", "s16", false},
      {"256d", {256, 384, 512}, 32, {4, 6, 8}, deep, "silu", "s16", false},
      {"512d", {512, 640, 768}, 64, {8, 10, 12}, deep, "silu", "s16", false},
  };
  std::vector<Arch> out;
  for (bool conv : {false, true})
    for (const Row& r : rows) {
      Arch a;
      a.name = fmt::format("timm/levit_{}{}", conv ? "conv_" : "", r.name);
      a.family = "levit";
      a.activation = r.activation;
      a.stem = {r.stem, r.widths[0], {}};
      for (size_t i = 0; i < r.widths.size(); ++i) {
        Stage s;
        s.block = "attention";
        s.depth = r.depths[i];
        s.width = r.widths[i];
        s.heads = r.heads[i];
        s.stride = i == 0 ? 1 : 2;
        s.expand = 2;
        a.stages.push_back(s);
      }
      a.options["key_dim"] = r.key_dim;
      if (conv) a.options["conv"] = true;
      if (r.distilled) a.options["distilled"] = true;
      out.push_back(std::move(a));
    }
  return out;
}

}  // namespace

Family levit_family() { return {"levit", build_levit, published_levit, nullptr, "conv:flag distilled:flag key_dim:integer"}; }

}  // namespace hone
