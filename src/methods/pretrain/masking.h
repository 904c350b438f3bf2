// Masked words (Devlin et al. 2019, section 3.1, "Masked LM"): which tokens of a text are hidden, and as what.
#pragma once

#include <ATen/ATen.h>

#include "core/rng.h"
#include "formats/tokenizer.h"

namespace hone::methods {

inline constexpr int64_t kNotMasked = -100;  // label of a token that is not asked for (ignored by cross_entropy_loss)

// Hides max(1, round(share n)) of the n tokens between begin and end: 80 % become the mask token, 10 % any other token, 10 % stay
// as they are. `ids` and `labels` are one row of `length`; labels get the hidden tokens, kNotMasked elsewhere. Returns how many.
int64_t mask_words(int64_t* ids, int64_t* labels, int64_t length, const Tokenizer& tokenizer, double share, Rng& rng);

}  // namespace hone::methods
