#include "zoo/vision_language.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "zoo/tokens.h"

namespace hone {

TextInput text_input(Builder& b, const Arch& a) {
  const int64_t length = option_size(b, a.options, "text_length", 40);
  TextInput in;
  in.ids = b.input("input_ids", DType::i64, {1, length});
  if (!option_flag(a.options, "text_mask", false)) return in;
  const ValueId given = b.input("attention_mask", DType::i64, {1, length});
  in.mask = key_mask(b, given);
  return in;
}

ValueId text_embedding(Builder& b, ValueId ids, const TextEmbedding& spec) {
  if (b.failed()) return 0;
  const int64_t length = b.shape(ids)[1];
  if (spec.first_position + length > spec.positions) {
    b.fail(fmt::format("a text of {} tokens, the position table ends at {}", length, spec.positions - spec.first_position));
    return 0;
  }
  std::vector<int64_t> places(static_cast<size_t>(length));
  std::iota(places.begin(), places.end(), spec.first_position);
  const ValueId words = lookup(b, "word_embeddings", spec.vocabulary, spec.width, ids);
  const ValueId types = lookup_row(b, "token_type_embeddings", spec.types, spec.width, 0);
  const ValueId positions = lookup(b, "position_embeddings", spec.positions, spec.width, b.constant(Tensor::ints(std::move(places))));
  return b.layer_norm(b.add(b.add(words, types), positions), "LayerNorm", spec.eps);
}

ValueId bert_attention(Builder& b, ValueId x, ValueId context, std::string_view name, int64_t heads, ValueId mask, float eps) {
  if (b.failed()) return 0;
  Builder::Scope scope(b, name);
  const int64_t width = b.shape(x).back();
  ValueId y;
  {
    Builder::Scope self(b, "self");
    y = multi_head_attention(b, b.linear(x, "query", width), b.linear(context, "key", width), b.linear(context, "value", width), heads, mask);
  }
  Builder::Scope output(b, "output");
  return b.layer_norm(b.add(b.linear(y, "dense", width), x), "LayerNorm", eps);
}

ValueId bert_feed_forward(Builder& b, ValueId x, int64_t hidden, float eps) {
  if (b.failed()) return 0;
  const int64_t width = b.shape(x).back();
  const ValueId y = b.gelu(b.linear(x, "intermediate.dense", hidden));
  Builder::Scope output(b, "output");
  return b.layer_norm(b.add(b.linear(y, "dense", width), x), "LayerNorm", eps);
}

std::vector<Arch> small_networks(const Arch& base, std::string_view name) {
  struct Row {
    const char *suffix, *head;
    int64_t hidden, classes;
  };
  std::vector<Arch> out;
  for (const Row& r : {Row{"", "pooler", 0, 0}, Row{"-vqa", "vqa", 256, 13}, Row{"-nlvr2", "nlvr2", 256, 2}, Row{"-retrieval", "retrieval_itm", 0, 1}, Row{"-mlm-itm", "mlm_itm", 0, 0}}) {
    Arch a = base;
    a.name = fmt::format("{}{}", name, r.suffix);
    a.resolution = 64;
    a.stem = {"patchify", 128, {{"patch", int64_t{8}}}};
    for (Stage& s : a.stages) {
      s.width = 128;
      s.heads = 4;
    }
    a.head.kind = r.head;
    a.head.width = r.hidden;
    a.head.classes = r.classes;
    a.options = {{"text_length", int64_t{24}}, {"vocabulary", int64_t{1024}}, {"text_mask", true}};
    out.push_back(std::move(a));
  }
  return out;
}

ValueId pooler(Builder& b, ValueId tokens, std::string_view name) {
  if (b.failed()) return 0;
  Builder::Scope scope(b, name);
  const int64_t width = b.shape(tokens).back();
  return b.tanh(b.linear(take_token(b, tokens, 0), "dense", width));
}

ValueId mlp_classifier(Builder& b, ValueId x, std::string_view name, int64_t hidden, int64_t classes) {
  Builder::Scope scope(b, name);
  return b.linear(b.gelu(b.layer_norm(b.linear(x, "0", hidden), "1")), "3", classes);
}

ValueId key_mask(Builder& b, ValueId mask) {
  if (b.failed()) return 0;
  const int64_t length = b.shape(mask).back();
  const ValueId ones = b.op("Cast", {mask}, {{"to", static_cast<int64_t>(DType::f32)}});
  return b.reshape(b.mul(b.add(ones, b.scalar(-1.f)), b.scalar(10000.f)), {0, 1, 1, length});
}

ValueId masked_language_head(Builder& b, ValueId tokens, int64_t vocabulary, float eps) {
  if (b.failed()) return 0;
  Builder::Scope scope(b, "mlm_score");
  const ValueId x = b.layer_norm(b.gelu(b.linear(tokens, "transform.dense", b.shape(tokens).back())), "transform.LayerNorm", eps);
  const ValueId weight = b.parameter("decoder.weight", {vocabulary, b.shape(x).back()}, {Init::Kind::truncated_normal, 0.02f});
  return b.op("hone::Linear", {x, weight, b.parameter("bias", {vocabulary})}, {}, "decoder");  // the bias bears the head's name
}

std::vector<float> grid_weights(int64_t valid, int64_t field, int64_t side) {
  std::vector<float> out(static_cast<size_t>(field * side));
  for (int64_t i = 0; i < valid; ++i) {
    const double at = valid > 1 ? static_cast<double>(i) * static_cast<double>(side - 1) / static_cast<double>(valid - 1) : 0;
    const int64_t low = std::min(static_cast<int64_t>(at), side - 1), high = std::min(low + 1, side - 1);
    const double share = at - static_cast<double>(low);
    out[static_cast<size_t>(i * side + low)] += static_cast<float>(1 - share);
    out[static_cast<size_t>(i * side + high)] += static_cast<float>(share);
  }
  return out;
}

}  // namespace hone
