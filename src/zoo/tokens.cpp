#include "zoo/tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace hone {

namespace {

const Init kTruncated{Init::Kind::truncated_normal, 0.02f};

// For every query (each `step`-th place of a side x side grid) and key of the grid: entry(dy, dx), query minus key.
template <class Entry>
ValueId offsets(Builder& b, int64_t side, int64_t step, Entry entry) {
  if (side < 1 || side > kMaxBiasSide) {
    b.fail(fmt::format("a bias table for {0} x {0} tokens (1 to {1} a side)", side, kMaxBiasSide));
    return 0;
  }
  std::vector<int64_t> index;
  for (int64_t qy = 0; qy < side; qy += step)
    for (int64_t qx = 0; qx < side; qx += step)
      for (int64_t ky = 0; ky < side; ++ky)
        for (int64_t kx = 0; kx < side; ++kx) index.push_back(entry(qy - ky, qx - kx));
  const int64_t q = (side + step - 1) / step;
  Tensor t = Tensor::ints(std::move(index));
  t.shape = {q * q, side * side};
  return b.constant(std::move(t), "offsets");
}

}  // namespace

int64_t option_size(Builder& b, const Options& options, const std::string& key, int64_t fallback) {
  const int64_t v = option_int(options, key, fallback);
  if (v < 1) b.fail(fmt::format("option {} is {}, expected at least 1", key, v));
  return std::max<int64_t>(1, v);
}

int64_t hidden_width(Builder& b, int64_t width, double ratio) {
  const auto hidden = static_cast<int64_t>(static_cast<double>(width) * ratio);
  if (hidden < 1) b.fail(fmt::format("an MLP of width {} x {}", width, ratio));
  return std::max<int64_t>(1, hidden);
}

ValueId to_tokens(Builder& b, ValueId map) {
  const int64_t c = b.channels(map);
  return b.transpose(b.reshape(map, {0, c, -1}), {0, 2, 1});
}

ValueId to_map(Builder& b, ValueId tokens, int64_t height, int64_t width) {
  if (b.failed()) return 0;
  const int64_t c = b.shape(tokens).back();
  return b.reshape(b.transpose(tokens, {0, 2, 1}), {0, c, height, width});
}

ValueId split_heads(Builder& b, ValueId tokens, int64_t heads) {
  if (b.failed()) return 0;
  const Shape s = b.shape(tokens);
  if (heads < 1 || s.back() % heads) {
    b.fail(fmt::format("{} channels do not split into {} heads", s.back(), heads));
    return 0;
  }
  return b.transpose(b.reshape(tokens, {0, -1, heads, s.back() / heads}), {0, 2, 1, 3});
}

ValueId merge_heads(Builder& b, ValueId x) {
  if (b.failed()) return 0;
  const Shape s = b.shape(x);
  return b.reshape(b.transpose(x, {0, 2, 1, 3}), {0, -1, s[1] * s[3]});
}

ValueId repeat_for_batch(Builder& b, ValueId rows, ValueId like) {
  if (b.failed()) return 0;
  const Shape s = b.shape(rows);
  const ValueId batch = b.op("Shape", {like}, {{"start", int64_t{0}}, {"end", int64_t{1}}});
  return b.op("Expand", {rows, b.concat({batch, b.constant(Tensor::ints({s[1], s[2]}))}, 0)});
}

ValueId prepend(Builder& b, const std::vector<ValueId>& rows, ValueId tokens) {
  std::vector<ValueId> all;
  for (ValueId row : rows) all.push_back(repeat_for_batch(b, row, tokens));
  all.push_back(tokens);
  return b.concat(std::move(all), 1);
}

ValueId take_token(Builder& b, ValueId tokens, int64_t index) {
  return b.op("Gather", {tokens, b.constant(Tensor::scalar(index))}, {{"axis", int64_t{1}}});
}

ValueId lookup(Builder& b, std::string_view name, int64_t entries, int64_t width, ValueId ids) {
  const ValueId table = b.parameter(fmt::format("{}.weight", name), {entries, width}, kTruncated);
  return b.op("Gather", {table, ids}, {{"axis", int64_t{0}}}, name);
}

ValueId lookup_row(Builder& b, std::string_view name, int64_t entries, int64_t width, int64_t row) {
  return lookup(b, name, entries, width, b.constant(Tensor::scalar(row)));
}

ValueId linear_as(Builder& b, ValueId x, std::string_view module, const std::string& weight, const std::string& bias, int64_t out) {
  if (b.failed()) return 0;
  const int64_t in = b.shape(x).back();
  return b.op("hone::Linear", {x, b.parameter(weight, {out, in}, kTruncated), b.parameter(bias, {out})}, {}, module);
}

ValueId multi_head_attention(Builder& b, ValueId q, ValueId k, ValueId v, int64_t heads, ValueId mask) {
  const ValueId qh = split_heads(b, q, heads), kh = split_heads(b, k, heads), vh = split_heads(b, v, heads);
  if (b.failed()) return 0;
  const float scale = static_cast<float>(1 / std::sqrt(static_cast<double>(b.shape(qh).back())));
  return merge_heads(b, b.attention(qh, kh, vh, scale, mask));
}

ValueId quick_gelu(Builder& b, ValueId x) { return b.op("Swish", {x}, {{"alpha", 1.702f}}); }

ValueId absolute_offsets(Builder& b, int64_t side, int64_t step) {
  return offsets(b, side, step, [side](int64_t dy, int64_t dx) { return std::abs(dy) * side + std::abs(dx); });
}

ValueId signed_offsets(Builder& b, int64_t side) {
  return offsets(b, side, 1, [side](int64_t dy, int64_t dx) { return (dy + side - 1) * (2 * side - 1) + dx + side - 1; });
}

ValueId bias_mask(Builder& b, ValueId table, ValueId indices) {
  if (b.failed()) return 0;
  const int64_t heads = b.shape(table)[0];
  const Shape i = b.shape(indices);
  return b.reshape(b.op("Gather", {table, indices}, {{"axis", int64_t{1}}}), {1, heads, i[0], i[1]});
}

}  // namespace hone
