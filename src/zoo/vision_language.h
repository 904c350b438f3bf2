// What ViLT and METER share: BERT's embeddings and layers under Hugging Face's names, and their task heads.
#pragma once

#include <string>
#include <string_view>

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

// tanh(dense(token 0)) of module `name`.
ValueId pooler(Builder& b, ValueId tokens, std::string_view name);
// Linear, LayerNorm, GELU, Linear as `name`.0, .1, .3.
ValueId mlp_classifier(Builder& b, ValueId x, std::string_view name, int64_t hidden, int64_t classes);

}  // namespace hone
