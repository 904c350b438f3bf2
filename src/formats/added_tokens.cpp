#include "formats/added_tokens.h"

#include <algorithm>

#include "formats/unicode.h"

namespace hone {

void AddedTokens::add(AddedToken token) {
  if (token.text.empty()) return;
  if (first_.find(token.text[0]) == std::string::npos) first_ += token.text[0];
  const auto at = std::ranges::upper_bound(tokens_, token.text.size(), std::ranges::greater(), [](const AddedToken& t) { return t.text.size(); });
  tokens_.insert(at, std::move(token));
}

namespace {

size_t skip_space(std::string_view text, size_t at) {
  const char *p = text.data() + at, *const end = text.data() + text.size();
  while (p < end) {
    const char* next = p;
    if (!(unicode::flags()[unicode::next_point(next, end)] & unicode::space)) break;
    p = next;
  }
  return static_cast<size_t>(p - text.data());
}

// Where the white space that ends at `end` begins, not before `from`.
size_t space_before(std::string_view text, size_t from, size_t end) {
  while (end > from) {
    size_t start = end - 1;
    while (start > from && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
    const char* p = text.data() + start;
    if (!(unicode::flags()[unicode::next_point(p, text.data() + end)] & unicode::space) || p != text.data() + end) break;
    end = start;
  }
  return end;
}

}  // namespace

AddedTokens::Match AddedTokens::find(std::string_view text, size_t from) const {
  if (tokens_.empty()) return {};
  for (size_t at = from;; ++at) {
    at = first_.size() == 1 ? text.find(first_[0], at) : text.find_first_of(first_, at);
    if (at == std::string_view::npos) return {};
    for (const AddedToken& t : tokens_) {
      if (text.compare(at, t.text.size(), t.text) != 0) continue;
      const size_t end = at + t.text.size();
      return {t.eats_left ? space_before(text, from, at) : at, t.eats_right ? skip_space(text, end) : end, t.id};
    }
  }
}

}  // namespace hone
