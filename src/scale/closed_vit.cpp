#include <algorithm>

#include "scale/families.h"
#include "zoo/tokens.h"

namespace hone::closed {

namespace {

// softmax(Q K^T) V of `heads` heads.
void attend(Meter& m, int64_t heads, Int queries, Int keys, Int key_dim, Int value_dim) {
  m.matmul(heads, queries, key_dim, keys);
  m.matmul(heads, queries, keys, value_dim);
}

// Linear layer (or 1x1 convolution) on n tokens, then a norm over its outputs.
void dense_norm(Meter& m, Int n, int64_t out) {
  m.rows(n, out, false);
  m.c = out;
  m.norm();
}

}  // namespace

std::optional<Meter> vit(const Arch& arch) {
  if (arch.stages.size() != 1) return std::nullopt;
  const Stage& s = arch.stages[0];
  const int64_t d = arch.stem.width;
  Meter m(arch.channels, arch.resolution);
  if (s.heads < 1 || s.width != d || d % s.heads != 0) m.valid = false;
  if (!m.valid) return m;
  if (arch.stem.kind == "patchify") {
    const int64_t patch = option_int(arch.stem.options, "patch", 16);
    m.conv_valid(d, patch, patch, true);
  } else if (arch.stem.kind == "conv") {
    const auto widths = option_ints(arch.stem.options, "widths"), strides = option_ints(arch.stem.options, "strides");
    if (widths.size() != strides.size()) return std::nullopt;
    for (size_t i = 0; i < widths.size(); ++i) {
      m.conv(widths[i], 3, strides[i]);
      m.norm();
    }
    m.conv(d, 1, 1, 1, true);
  } else {
    return std::nullopt;
  }
  const bool distilled = option_flag(arch.options, "distilled", false);
  const int64_t extra = distilled ? 2 : 1, patches = m.h * m.h, tokens = patches + extra;
  m.parameters(Int(extra) * d);
  m.parameters(Int(option_flag(arch.options, "class_position", true) ? tokens : patches) * d);

  const auto hidden = static_cast<int64_t>(static_cast<double>(d) * s.expand);
  m.repeat(s.depth, [&] {
    m.norm();
    m.rows(tokens, 3 * d, true);
    attend(m, s.heads, tokens, tokens, d / s.heads, d / s.heads);
    m.rows(tokens, d, true);
    m.norm();
    m.rows(tokens, hidden, true);
    m.c = hidden;
    m.rows(tokens, d, true);
    m.c = d;
    if (option_flag(s.options, "layer_scale", false)) m.parameters(Int(d) * 2);
  });
  m.norm();
  if (arch.head.classes > 0) {
    m.rows(1, arch.head.classes, true);
    if (distilled) m.rows(1, arch.head.classes, true);
  }
  return m;
}

std::optional<Meter> levit(const Arch& arch) {
  constexpr int64_t kValue = 2, kShrinkValue = 4, kShrinkMlp = 2;  // widths of zoo/levit.cpp
  const int64_t key = option_int(arch.options, "key_dim", 0);
  Meter m(arch.channels, arch.resolution);
  const bool s16 = arch.stem.kind == "s16";
  if (key < 1 || key > arch.stem.width || (!s16 && arch.stem.kind != "s8")) return std::nullopt;
  const int64_t convs = s16 ? 4 : 3;
  for (int64_t i = 0; i < convs; ++i) {
    m.conv(arch.stem.width >> (convs - 1 - i), 3, 2);
    m.norm();
  }
  int64_t side = m.h;
  if (side > kMaxBiasSide) m.valid = false;
  auto mlp = [&](Int n, int64_t width, int64_t hidden) {
    dense_norm(m, n, hidden);
    dense_norm(m, n, width);
  };
  for (const Stage& s : arch.stages) {
    if (s.stride == 2) {
      if (m.c < key) m.valid = false;
      const int64_t heads = m.c / key, in = m.c, out_side = (side + 1) / 2;
      const Int n = Int(side) * side, q = Int(out_side) * out_side;
      dense_norm(m, n, heads * (key + kShrinkValue * key));
      m.c = in;
      dense_norm(m, q, heads * key);
      attend(m, heads, q, n, key, kShrinkValue * key);
      m.parameters(Int(heads) * n);
      m.c = heads * kShrinkValue * key;
      dense_norm(m, q, s.width);
      mlp(q, s.width, kShrinkMlp * s.width);
      side = out_side;
    } else if (s.stride != 1 || s.width != m.c) {
      m.valid = false;
    }
    const Int n = Int(side) * side;
    m.repeat(s.depth, [&] {
      dense_norm(m, n, s.heads * (2 + kValue) * key);
      attend(m, s.heads, n, n, key, kValue * key);
      m.parameters(Int(s.heads) * n);
      m.c = s.heads * kValue * key;
      dense_norm(m, n, s.width);
      mlp(n, s.width, static_cast<int64_t>(static_cast<double>(s.width) * s.expand));
    });
  }
  for (int heads = option_flag(arch.options, "distilled", false) ? 2 : 1; heads > 0; --heads) {
    m.norm();
    m.rows(1, arch.head.classes, true);
  }
  return m;
}

namespace {

// zoo/space_graph.cpp: mobile_block. The shortcut is counted at the pooled size.
void mobile_block(Meter& m, int64_t width, int64_t expand, int64_t kernel, int64_t stride, bool se) {
  const int64_t in = m.c, inner = in * expand;
  auto conv_norm = [&](int64_t out, int64_t k, int64_t s, int64_t groups) {
    m.conv(out, k, s, groups);
    m.norm();
  };
  if (expand > 1) conv_norm(inner, 1, 1, 1);
  conv_norm(inner, kernel, stride, inner);
  if (se) m.squeeze_excite(inner / 4);
  conv_norm(width, 1, 1, 1);
  if (in != width) {
    m.c = in;
    m.conv(width, 1);
  }
}

}  // namespace

std::optional<Meter> elasticvit(const Arch& arch) {
  constexpr int64_t kHead = 16, kDownsampleExpand = 6, kHeadExpand = 6;
  // Search spaces have options that ElasticViT's own networks do not need; those are counted on the graph.
  if (!arch.options.empty() || !arch.stem.options.empty() || !arch.head.options.empty() || arch.head.kind != "mb_pool" || arch.head.width < 1) return std::nullopt;
  for (const Stage& s : arch.stages)
    for (const auto& [key, value] : s.options)
      if (key != "value_scale") return std::nullopt;
  Meter m(arch.channels, arch.resolution);
  m.conv(arch.stem.width, 3, 2);
  m.norm();
  for (const Stage& s : arch.stages) {
    const auto ratio = static_cast<int64_t>(s.expand);
    if (static_cast<double>(ratio) != s.expand || ratio < 1) return std::nullopt;
    if (s.block == "mobile") {
      mobile_block(m, s.width, ratio, s.kernel, s.stride, s.se > 0);
      m.repeat(s.depth - 1, [&] { mobile_block(m, s.width, ratio, s.kernel, 1, s.se > 0); });
      continue;
    }
    if (s.block != "transformer" || s.width < kHead || s.width % kHead != 0) return std::nullopt;
    mobile_block(m, s.width, kDownsampleExpand, 3, s.stride, s.se > 0);
    if (m.h > kMaxBiasSide) m.valid = false;
    const int64_t value = option_int(s.options, "value_scale", 2) * s.width, heads = s.width / kHead, span = 2 * m.h - 1;
    const Int n = Int(m.h) * m.h;
    m.repeat(s.depth, [&] {
      m.norm();
      m.rows(n, s.width, false);  // q, k, v
      m.rows(n, s.width, false);
      m.rows(n, value, false);
      m.c = value;
      m.conv(value, 3, 1, value);
      attend(m, heads, n, n, kHead, value / heads);
      m.parameters(Int(heads) * span * span);
      m.rows(n, s.width, true);
      m.c = s.width;
      m.norm();
      m.rows(n, ratio * s.width, true);
      m.c = ratio * s.width;
      m.rows(n, s.width, true);
      m.c = s.width;
    });
  }
  m.rows(Int(m.h) * m.h, kHeadExpand * m.c, true);
  m.c *= kHeadExpand;
  m.norm();
  m.linear(arch.head.width);
  m.linear(arch.head.classes);
  return m;
}

}  // namespace hone::closed
