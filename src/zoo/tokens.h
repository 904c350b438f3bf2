// What the transformer families share. Tokens are (batch, tokens, channels); maps are (batch, channels, height, width).
// Every helper keeps the batch open: the graph of batch 1 works for any batch once its inputs are bound anew.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/builder.h"
#include "zoo/arch.h"

namespace hone {

// An option that is a size: one below 1 is an error of the builder, and 1 is returned.
int64_t option_size(Builder& b, const Options& options, const std::string& key, int64_t fallback);
// width * ratio of an MLP, at least 1 or an error.
int64_t hidden_width(Builder& b, int64_t width, double ratio);

ValueId to_tokens(Builder& b, ValueId map);                                    // (B, C, H, W) -> (B, H*W, C)
ValueId to_map(Builder& b, ValueId tokens, int64_t height, int64_t width);     // (B, H*W, C) -> (B, C, H, W)
ValueId split_heads(Builder& b, ValueId tokens, int64_t heads);                // (B, N, h*d) -> (B, h, N, d)
ValueId merge_heads(Builder& b, ValueId x);                                    // (B, h, N, d) -> (B, N, h*d)

// `rows` is (1, n, C): repeats it for the batch of `like` (B, ...).
ValueId repeat_for_batch(Builder& b, ValueId rows, ValueId like);
// Puts tokens (each a parameter of shape (1, 1, C)) before `tokens`.
ValueId prepend(Builder& b, const std::vector<ValueId>& rows, ValueId tokens);
// One token of a sequence: (B, N, C) -> (B, C).
ValueId take_token(Builder& b, ValueId tokens, int64_t index);

// Rows of the table `name`.weight (entries x width). `ids` holds integers of any shape; `lookup_row` takes one fixed row.
ValueId lookup(Builder& b, std::string_view name, int64_t entries, int64_t width, ValueId ids);
ValueId lookup_row(Builder& b, std::string_view name, int64_t entries, int64_t width, int64_t row);

// A linear layer whose parameters do not follow `<module>.weight` (PyTorch's packed in_proj_weight).
ValueId linear_as(Builder& b, ValueId x, std::string_view module, const std::string& weight, const std::string& bias, int64_t out);

// Softmax(q k^T / sqrt(d) + mask) v on token tensors, heads split and merged: (B, N, C) x (B, M, C) -> (B, N, C).
ValueId multi_head_attention(Builder& b, ValueId q, ValueId k, ValueId v, int64_t heads, ValueId mask = kNoValue);

// x * sigmoid(1.702 x), the GELU of CLIP.
ValueId quick_gelu(Builder& b, ValueId x);

// Largest grid with a bias table: 2304 x 2304 indices take 40 MiB.
inline constexpr int64_t kMaxBiasSide = 48;
// Relative offsets of a grid of queries (every `step`-th row and column of side x side) to the whole grid of keys, as
// indices into a bias table; shape (queries, keys). LeViT: |dy| * side + |dx|.
ValueId absolute_offsets(Builder& b, int64_t side, int64_t step);
// Swin-like signed offsets: (dy + side - 1) * (2 side - 1) + (dx + side - 1), query minus key.
ValueId signed_offsets(Builder& b, int64_t side);
// table (heads, entries), indices (q, k) -> mask (1, heads, q, k).
ValueId bias_mask(Builder& b, ValueId table, ValueId indices);

}  // namespace hone
