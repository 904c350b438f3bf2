#include "methods/skip/classifier_token.h"

#include <ATen/core/grad_mode.h>

namespace hone::methods {

Status start_classifier_token(train::Params& params, int64_t begin) {
  constexpr int64_t kFirstPlace = 2;  // RoBERTa counts from padding index + 1
  const auto* token = params.find("token4classifier");
  if (!token) return {};
  const auto table = [&](const char* name) -> const at::Tensor* {
    const auto* e = params.find(std::string("text_transformer.embeddings.") + name);
    return e ? &e->tensor : nullptr;
  };
  const at::Tensor *words = table("word_embeddings.weight"), *places = table("position_embeddings.weight"), *types = table("token_type_embeddings.weight"), *gain = table("LayerNorm.weight"),
                   *shift = table("LayerNorm.bias");
  if (!words || !places || !types || !gain || !shift) return fail(Code::invalid, "the network has no embeddings of RoBERTa to start token4classifier from");
  if (begin < 0 || begin >= words->size(0) || places->size(0) <= kFirstPlace) return fail(Code::invalid, "the token that begins a text is not in the table of words", "text_transformer.embeddings");
  at::NoGradGuard no_grad;
  const at::Tensor sum = words->select(0, begin) + places->select(0, kFirstPlace) + types->select(0, 0);
  token->tensor.copy_(at::layer_norm(sum, gain->sizes(), *gain, *shift, 1e-5).view(token->tensor.sizes()));
  return {};
}

}  // namespace hone::methods
