// Ten thousand lines to try tokenizers on: many scripts, accents composed and not, emoji, controls, odd white space, very
// long words, special tokens in the text, and points drawn from all of Unicode. A function of the seed alone.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "core/rng.h"
#include "formats/unicode.h"

namespace hone::test {

class LineMaker {
 public:
  explicit LineMaker(uint64_t seed) : rng_(seed) {}

  std::string line() {
    std::string out;
    const uint64_t pieces = 1 + rng_.below(12);
    for (uint64_t i = 0; i < pieces; ++i) {
      piece(out);
      if (rng_.below(8)) out += rng_.below(10) ? " " : white();
    }
    return out;
  }

 private:
  struct Block {
    char32_t first, last;
  };
  static constexpr std::array<std::string_view, 64> kWords = {
      "what",  "color", "is",   "the",  "left",   "of",     "how",   "many",  "people",  "are",    "there",   "in",      "this",    "picture", "Is",        "What",
      "a",     "dog",   "cat",  "on",   "table",  "red",    "small", "large", "circle",  "right",  "bicycle", "giraffe", "holding", "umbrella", "refrigerator", "snowboarding",
      "don't", "it's",  "we've", "I'll", "they're", "I'd",  "I'M",   "'s",    "yes",     "no",     "two",     "10",      "3.14",    "1,000",   "2023-11-23", "http://a.b/c?d=e&f",
      "x_y",   "C++",   "e-mail", "U.S.A.", "HELLO", "WORLD", "naive", "na\xC3\xAFve", "cafe\xCC\x81", "\xC5\xBC\xC3\xB3\xC5\x82w", "Stra\xC3\x9F" "e", "\xC4\xB0stanbul", "\xCE\xA3\xCE\xAF\xCF\x83\xCF\x85\xCF\x86\xCE\xBF\xCF\x82", "(ok)", "...", "!?"};
  // Latin with accents, Greek, Cyrillic, Armenian, Hebrew, Arabic, Devanagari, Bengali, Tamil, Thai, Tibetan, Georgian, Ethiopic, Cherokee,
  // Khmer, Vietnamese and Greek extended, kana, ideographs and their extensions, Hangul, compatibility and half-width forms, Gothic, Deseret.
  static constexpr std::array<Block, 26> kScripts = {{{0xC0, 0x24F},    {0x370, 0x3FF},  {0x400, 0x52F},    {0x531, 0x587},    {0x591, 0x5F4},    {0x600, 0x6FF},  {0x900, 0x97F},
                                                      {0x980, 0x9FE},   {0xB82, 0xBFA},  {0xE01, 0xE5B},    {0xF00, 0xFDA},    {0x10A0, 0x10FF},  {0x1200, 0x139F}, {0x13A0, 0x13FD},
                                                      {0x1780, 0x17F9}, {0x1E00, 0x1FFE}, {0x3041, 0x30FF}, {0x3400, 0x4DBF},  {0x4E00, 0x9FFF},  {0x20000, 0x2A6DF}, {0xAC00, 0xD7A3},
                                                      {0xF900, 0xFAFF}, {0xFB00, 0xFDFF}, {0xFF00, 0xFFEF}, {0x10330, 0x1034A}, {0x10400, 0x1044F}}};

  void put(char32_t c, std::string& out) { unicode::append_utf8(c, out); }
  void from(Block b, uint64_t count, std::string& out) {
    for (uint64_t i = 0; i < count; ++i) put(b.first + static_cast<char32_t>(rng_.below(b.last - b.first + 1)), out);
  }
  std::string white() {
    static constexpr std::array<std::string_view, 14> kWhite = {"  ", "   ", "\t", "\n", "\r\n", " \t ", "\xC2\xA0", "\xE2\x80\x83", "\xE3\x80\x80", "\xE2\x80\x8B", "\xC2\x85", "\xE2\x80\xA8", "\v\f", "\x1c\x1d"};
    return std::string(kWhite[rng_.below(kWhite.size())]);
  }

  void piece(std::string& out) {
    switch (rng_.below(24)) {
      default: out += kWords[rng_.below(kWords.size())]; return;
      case 10:
      case 11:
      case 12:
      case 13: return from(kScripts[rng_.below(kScripts.size())], 1 + rng_.below(9), out);
      case 14: return from({0x21, 0x7E}, 1 + rng_.below(12), out);
      case 15:  // emoji: skin tones, joined ones, flags, keycaps
        for (uint64_t i = rng_.below(4) + 1; i > 0; --i) {
          from({0x1F300, 0x1FAFF}, 1, out);
          if (rng_.below(3) == 0) from({0x1F3FB, 0x1F3FF}, 1, out);
          if (rng_.below(3) == 0) out += "\xE2\x80\x8D";
          if (rng_.below(4) == 0) out += "\xEF\xB8\x8F";
          if (rng_.below(6) == 0) from({0x1F1E6, 0x1F1FF}, 2, out);
          if (rng_.below(6) == 0) out += "3\xEF\xB8\x8F\xE2\x83\xA3";
        }
        return;
      case 16:  // letters under marks of all classes, in any order
        from({'a', 'z'}, 1 + rng_.below(3), out);
        from({0x300, 0x36F}, 1 + rng_.below(4), out);
        if (rng_.below(2)) from({0x1D15E, 0x1D1C0}, 1 + rng_.below(4), out);
        if (rng_.below(2)) from({0x302A, 0x302F}, 1 + rng_.below(3), out);
        return;
      case 17: return from({0, 0x1F}, 1 + rng_.below(3), out);
      case 18: return from({0x7F, 0xBF}, 1 + rng_.below(4), out);
      case 19: {  // a very long word
        const uint64_t length = rng_.below(20) ? 80 + rng_.below(60) : 500 + rng_.below(3000);
        if (rng_.below(3) == 0) out.append(length, static_cast<char>('a' + rng_.below(26)));
        else from(rng_.below(2) ? Block{'a', 'z'} : kScripts[rng_.below(kScripts.size())], length, out);
        return;
      }
      case 20: {
        static constexpr std::array<std::string_view, 14> kSpecial = {"[MASK]", " [MASK] ", "[CLS]", "[SEP]", "[PAD]", "[UNK]", "[mask]", "[[SEP]]", "<s>", "</s>", "<pad>", " \t<mask>", "<mask>", "<unk>"};
        out += kSpecial[rng_.below(kSpecial.size())];
        return;
      }
      case 21: return from({0x2000, 0x2BFF}, 1 + rng_.below(6), out);
      case 22: {
        for (uint64_t i = rng_.below(6) + 1; i > 0; --i) {
          const auto c = static_cast<char32_t>(rng_.below(0x110000 - 0x800));
          put(c < 0xD800 ? c : c + 0x800, out);
        }
        return;
      }
      case 23: return from({'0', '9'}, 1 + rng_.below(20), out);
    }
  }

  Rng rng_;
};

inline std::vector<std::string> varied_lines(uint64_t seed = 7, int count = 10000) {
  LineMaker maker(seed);
  std::vector<std::string> lines;
  for (int i = 0; i < count; ++i) lines.push_back(maker.line());
  return lines;
}

}  // namespace hone::test
