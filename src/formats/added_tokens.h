// Tokens that are recognised in the raw text, before anything is split: "[MASK]", "<s>".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hone {

struct AddedToken {
  std::string text;
  int32_t id = 0;
  bool eats_left = false, eats_right = false;  // takes the white space on that side with it
};

class AddedTokens {
 public:
  void add(AddedToken token);

  struct Match {
    size_t begin = 0, end = 0;  // with the white space that it takes
    int32_t id = -1;            // -1: none
  };
  // The first token in `text` at or behind `from`; of several that begin there, the longest. White space before `from` is not taken.
  Match find(std::string_view text, size_t from) const;

  // segment(stretch) for each stretch between tokens that is not empty, token(id) for each token, in order.
  template <class Segment, class Token>
  void split(std::string_view text, Segment&& segment, Token&& token) const {
    for (size_t from = 0; from < text.size();) {
      const Match m = find(text, from);
      const size_t end = m.id < 0 ? text.size() : m.begin;
      if (end > from) segment(text.substr(from, end - from));
      if (m.id < 0) return;
      token(m.id);
      from = m.end;
    }
  }

 private:
  std::vector<AddedToken> tokens_;  // longest first
  std::string first_;               // bytes that they begin with, each once
};

}  // namespace hone
