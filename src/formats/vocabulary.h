// What both kinds of tokenizer check of a vocabulary.
#pragma once

#include <string>
#include <vector>

#include "formats/tokenizer.h"

namespace hone {

// An error for a token that is empty, not UTF-8 or there twice; ids are positions.
Status check_tokens(const std::vector<std::string>& vocabulary, const std::string& source);

// Positions of the tokens with a role; all but the mask must be there.
Result<SpecialTokens> find_special(const std::vector<std::string>& vocabulary, const std::string& begin, const std::string& end, const std::string& pad, const std::string& unknown,
                                   const std::string& mask, const std::string& source);

inline bool is_special(const SpecialTokens& s, int32_t id) { return id == s.begin || id == s.end || id == s.pad || id == s.unknown || id == s.mask; }

}  // namespace hone
