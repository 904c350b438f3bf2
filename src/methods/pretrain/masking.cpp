#include "methods/pretrain/masking.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace hone::methods {

int64_t mask_words(int64_t* ids, int64_t* labels, int64_t length, const Tokenizer& tokenizer, double share, Rng& rng) {
  const SpecialTokens& special = tokenizer.special();
  const auto is_special = [&](int64_t id) { return id == special.begin || id == special.end || id == special.pad || id == special.mask; };
  std::vector<int64_t> words;
  for (int64_t i = 0; i < length; ++i) {
    labels[i] = kNotMasked;
    if (!is_special(ids[i])) words.push_back(i);
  }
  if (words.empty()) return 0;
  const auto n = static_cast<int64_t>(words.size());
  const int64_t hidden = std::clamp<int64_t>(std::llround(share * static_cast<double>(n)), 1, n);
  for (int64_t i = 0; i < hidden; ++i) {
    std::swap(words[static_cast<size_t>(i)], words[static_cast<size_t>(i + static_cast<int64_t>(rng.below(static_cast<uint64_t>(n - i))))]);
    const int64_t at = words[static_cast<size_t>(i)];
    labels[at] = ids[at];
    const double chance = rng.uniform();
    if (chance < 0.8) ids[at] = special.mask;
    else if (chance < 0.9)
      do ids[at] = static_cast<int64_t>(rng.below(static_cast<uint64_t>(tokenizer.size())));
      while (is_special(ids[at]) || ids[at] == special.unknown);
  }
  return hidden;
}

}  // namespace hone::methods
