// BERT's splitting of text into words: cleaned, folded, cut at white space, punctuation and ideographs.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "formats/unicode.h"

namespace hone {

class WordSplitter {
 public:
  WordSplitter(bool clean, bool ideographs, bool strip_accents, bool lower_case)
      : clean_(clean), ideographs_(ideographs), fold_(strip_accents, lower_case), flags_(unicode::flags()) {
    for (unsigned c = 0; c < 128; ++c) {
      const uint8_t f = flags_[c];
      const uint32_t folded = fold_(c);
      action_[c] = clean && f & unicode::control ? uint16_t{kDrop}
                   : f & unicode::space          ? uint16_t{kSpace}
                   : f & unicode::punctuation    ? uint16_t{kAlone}
                                                 : static_cast<uint16_t>(folded ? folded : c);
    }
  }

  // word(std::string_view) for each word in order; the view is valid during the call.
  template <class Word>
  void split(std::string_view text, Word&& word) const {
    std::string buffer;
    std::vector<unicode::Fold::Part> marks;
    const auto end_word = [&] {
      if (!marks.empty()) put_marks(marks, buffer, word);
      if (buffer.empty()) return;
      word(std::string_view(buffer));
      buffer.clear();
    };
    const char *p = text.data(), *const end = p + text.size();
    while (p < end) {
      if (const auto byte = static_cast<unsigned char>(*p); byte < 128) {
        ++p;
        const uint16_t action = action_[byte];
        if (action < kSpace) {
          if (!marks.empty()) put_marks(marks, buffer, word);
          buffer.push_back(static_cast<char>(action));
        } else if (action != kDrop) {
          end_word();
          if (action == kAlone) word(std::string_view(p - 1, 1));
        }
        continue;
      }
      const char32_t c = unicode::next_point(p, end);
      const uint8_t f = flags_[c];
      if (clean_ && f & unicode::control) continue;
      if (f & unicode::space) {
        end_word();
        continue;
      }
      const bool alone = ideographs_ && f & unicode::ideograph;
      if (alone) end_word();
      const uint32_t folded = fold_(c);
      if (folded < unicode::Fold::kSequence) {
        if (!marks.empty()) put_marks(marks, buffer, word);
        put(folded ? folded : c, buffer, word);
      } else {
        for (const auto& part : fold_.parts(folded)) {
          if (part.order > 0) {
            marks.push_back(part);
            continue;
          }
          if (!marks.empty()) put_marks(marks, buffer, word);
          if (part.point != 0) put(part.point, buffer, word);
        }
      }
      if (alone) end_word();
    }
    end_word();
  }

 private:
  enum Action : uint16_t { kSpace = 256, kAlone, kDrop };  // else the byte to write

  template <class Word>
  void put(char32_t c, std::string& buffer, Word&& word) const {
    const bool alone = flags_[c] & unicode::punctuation;
    if (alone && !buffer.empty()) {
      word(std::string_view(buffer));
      buffer.clear();
    }
    unicode::append_utf8(c, buffer);
    if (alone) {
      word(std::string_view(buffer));
      buffer.clear();
    }
  }
  // Canonical order: marks in a row by class, those of one class as they came.
  template <class Word>
  void put_marks(std::vector<unicode::Fold::Part>& marks, std::string& buffer, Word&& word) const {
    std::ranges::stable_sort(marks, {}, &unicode::Fold::Part::order);
    for (const auto& part : marks) put(part.point, buffer, word);
    marks.clear();
  }

  bool clean_, ideographs_;
  unicode::Fold fold_;
  const unicode::PointTable<uint8_t>& flags_;
  std::array<uint16_t, 128> action_{};
};

}  // namespace hone
