// What tokenizers need to know of characters: kinds, and folding of accents and case.
//
// Kinds are those that Hugging Face's tokenizers see (scripts/unicode_tables.py says why that is no version of Unicode).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hone::unicode {

enum Flag : uint8_t {
  letter = 1,        // \p{L}
  number = 2,        // \p{N}
  space = 4,         // \s
  punctuation = 8,   // what BERT splits off
  control = 16,      // what BERT drops: controls, formats, private use, U+0000, U+FFFD; neither \t, \n nor \r
  mark = 32,         // nonspacing mark: stripped with accents
  starter = 64,      // of combining class 0, although a mark
  ideograph = 128,   // what BERT writes with spaces around it
};

// A table over all points that keeps equal blocks of 256 once.
template <class T>
class PointTable {
 public:
  T operator[](char32_t c) const { return blocks_[size_t{stage_[c >> 8]} << 8 | (c & 255)]; }
  void set(char32_t c, T value) {
    uint16_t& block = stage_[c >> 8];
    if (block == 0) {  // block 0 is all zeros
      block = static_cast<uint16_t>(blocks_.size() >> 8);
      blocks_.resize(blocks_.size() + 256);
    }
    blocks_[size_t{block} << 8 | (c & 255)] = value;
  }

 private:
  std::array<uint16_t, 0x1100> stage_{};
  std::vector<T> blocks_ = std::vector<T>(256);
};

// Flags of every point; made at the first call.
const PointTable<uint8_t>& flags();

// The point at `p` < `end`, and `p` moved behind it. Bytes that are not UTF-8 give U+FFFD for each longest beginning of a
// sequence, as Python's errors="replace" does. Never above U+10FFFF.
char32_t next_point(const char*& p, const char* end);
void append_utf8(char32_t c, std::string& out);
// Whether all of it is UTF-8.
bool valid_utf8(std::string_view text);

// Accents stripped (canonical decomposition without nonspacing marks) and lower case, point by point.
class Fold {
 public:
  struct Part {
    uint32_t point;  // 0: nothing, but it ends a run of marks
    uint32_t order;  // combining class; parts in a row whose class is not 0 are sorted by it, equal ones as they come
  };
  static constexpr uint32_t kSequence = 0x80000000;

  Fold(bool strip_accents, bool lower_case);
  // 0: c stays as it is. Below kSequence: what takes its place. Else parts() has it.
  uint32_t operator()(char32_t c) const { return table_[c]; }
  std::span<const Part> parts(uint32_t value) const;

 private:
  void set(char32_t c, std::span<const uint32_t> points, bool lower_case, bool ordered);
  PointTable<uint32_t> table_;
  std::vector<Part> parts_;  // sequences, each behind an entry whose `point` is its length
};

}  // namespace hone::unicode
