// What ViLT and METER share: BERT's embeddings and layers under Hugging Face's names, and their task heads.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/builder.h"
#include "zoo/arch.h"

namespace hone {

// "input_ids" (1, length) and, with the Arch's option text_mask, "attention_mask" (1, length) of ones and zeros.
struct TextInput {
  ValueId ids = kNoValue;
  ValueId mask = kNoValue;  // (B, 1, 1, length): 0 where a token counts, -10000 on padding; kNoValue without the option
};
TextInput text_input(Builder& b, const Arch& arch);

struct TextEmbedding {
  int64_t vocabulary, positions, types, width;
  int64_t first_position = 0;  // RoBERTa counts from padding index + 1
  float eps = 1e-12f;
};
// Word + position + type row 0, then LayerNorm: (B, length) -> (B, length, width). Looking up costs nothing.
ValueId text_embedding(Builder& b, ValueId ids, const TextEmbedding& spec);

// BERT's attention module `name`: queries from x, keys and values from `context`, then dense, added to x, LayerNorm (post-norm).
ValueId bert_attention(Builder& b, ValueId x, ValueId context, std::string_view name, int64_t heads, ValueId mask, float eps);
// intermediate.dense, GELU, output.dense, added to x, output.LayerNorm.
ValueId bert_feed_forward(Builder& b, ValueId x, int64_t hidden, float eps);

// `base` as a small network for experiments on small pictures, one for every head; no weights are published. `name` comes before the
// head's suffix. Depths are the caller's; every stage gets width 128 and four heads.
std::vector<Arch> small_networks(const Arch& base, std::string_view name);

// tanh(dense(token 0)) of module `name`.
ValueId pooler(Builder& b, ValueId tokens, std::string_view name);
// Linear, LayerNorm, GELU, Linear as `name`.0, .1, .3.
ValueId mlp_classifier(Builder& b, ValueId x, std::string_view name, int64_t hidden, int64_t classes);

// Masked-language head `mlm_score`: dense, GELU, LayerNorm, decoder without ties, bias. (B, T, width) -> (B, T, vocabulary)
ValueId masked_language_head(Builder& b, ValueId tokens, int64_t vocabulary, float eps);
// (mask - 1) * 10000 as (B, 1, 1, n), for a mask (B, n) of ones and zeros.
ValueId key_mask(Builder& b, ValueId mask);

// Linear interpolation along one side of a position table (corners aligned): field x side, row by row. Row i < valid weighs the
// table's `side` entries for the i-th of `valid` patches; rows beyond are zero. What a network with dynamic images is fed.
std::vector<float> grid_weights(int64_t valid, int64_t field, int64_t side);

}  // namespace hone
