#include "data/question_sheet.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "data/resize.h"

namespace hone {

namespace {

constexpr int kGap = 6, kLine = 10, kAdvance = 6;

// A dot-matrix alphabet: seven rows of five dots, the leftmost the highest bit.
struct Glyph {
  char letter;
  std::array<uint8_t, 7> rows;
};
constexpr Glyph kGlyphs[] = {
    {'a', {0x00, 0x00, 0x0E, 0x01, 0x0F, 0x11, 0x0F}},  {'b', {0x10, 0x10, 0x16, 0x19, 0x11, 0x11, 0x1E}}, {'c', {0x00, 0x00, 0x0E, 0x10, 0x10, 0x11, 0x0E}},
    {'d', {0x01, 0x01, 0x0D, 0x13, 0x11, 0x11, 0x0F}},  {'e', {0x00, 0x00, 0x0E, 0x11, 0x1F, 0x10, 0x0E}}, {'f', {0x06, 0x09, 0x08, 0x1C, 0x08, 0x08, 0x08}},
    {'g', {0x00, 0x0F, 0x11, 0x11, 0x0F, 0x01, 0x0E}},  {'h', {0x10, 0x10, 0x16, 0x19, 0x11, 0x11, 0x11}}, {'i', {0x04, 0x00, 0x0C, 0x04, 0x04, 0x04, 0x0E}},
    {'j', {0x02, 0x00, 0x06, 0x02, 0x02, 0x12, 0x0C}},  {'k', {0x10, 0x10, 0x12, 0x14, 0x18, 0x14, 0x12}}, {'l', {0x0C, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0E}},
    {'m', {0x00, 0x00, 0x1A, 0x15, 0x15, 0x11, 0x11}},  {'n', {0x00, 0x00, 0x16, 0x19, 0x11, 0x11, 0x11}}, {'o', {0x00, 0x00, 0x0E, 0x11, 0x11, 0x11, 0x0E}},
    {'p', {0x00, 0x00, 0x1E, 0x11, 0x1E, 0x10, 0x10}},  {'q', {0x00, 0x00, 0x0D, 0x13, 0x0F, 0x01, 0x01}}, {'r', {0x00, 0x00, 0x16, 0x19, 0x10, 0x10, 0x10}},
    {'s', {0x00, 0x00, 0x0E, 0x10, 0x0E, 0x01, 0x1E}},  {'t', {0x08, 0x08, 0x1C, 0x08, 0x08, 0x09, 0x06}}, {'u', {0x00, 0x00, 0x11, 0x11, 0x11, 0x13, 0x0D}},
    {'v', {0x00, 0x00, 0x11, 0x11, 0x11, 0x0A, 0x04}},  {'w', {0x00, 0x00, 0x11, 0x11, 0x15, 0x15, 0x0A}}, {'x', {0x00, 0x00, 0x11, 0x0A, 0x04, 0x0A, 0x11}},
    {'y', {0x00, 0x00, 0x11, 0x11, 0x0F, 0x01, 0x0E}},  {'z', {0x00, 0x00, 0x1F, 0x02, 0x04, 0x08, 0x1F}}, {'0', {0x0E, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0E}},
    {'1', {0x04, 0x0C, 0x04, 0x04, 0x04, 0x04, 0x0E}},  {'2', {0x0E, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1F}}, {'3', {0x1F, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0E}},
    {'4', {0x02, 0x06, 0x0A, 0x12, 0x1F, 0x02, 0x02}},  {'5', {0x1F, 0x10, 0x1E, 0x01, 0x01, 0x11, 0x0E}}, {'6', {0x06, 0x08, 0x10, 0x1E, 0x11, 0x11, 0x0E}},
    {'7', {0x1F, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08}},  {'8', {0x0E, 0x11, 0x11, 0x0E, 0x11, 0x11, 0x0E}}, {'9', {0x0E, 0x11, 0x11, 0x0F, 0x01, 0x02, 0x0C}},
    {'?', {0x0E, 0x11, 0x01, 0x02, 0x04, 0x00, 0x04}},  {'.', {0x00, 0x00, 0x00, 0x00, 0x00, 0x0C, 0x0C}}, {',', {0x00, 0x00, 0x00, 0x00, 0x0C, 0x04, 0x08}},
    {'\'', {0x0C, 0x04, 0x08, 0x00, 0x00, 0x00, 0x00}}, {'-', {0x00, 0x00, 0x00, 0x1F, 0x00, 0x00, 0x00}}, {'!', {0x04, 0x04, 0x04, 0x04, 0x00, 0x00, 0x04}},
    {':', {0x00, 0x0C, 0x0C, 0x00, 0x0C, 0x0C, 0x00}},  {'/', {0x00, 0x01, 0x02, 0x04, 0x08, 0x10, 0x00}}, {'(', {0x02, 0x04, 0x08, 0x08, 0x08, 0x04, 0x02}},
    {')', {0x08, 0x04, 0x02, 0x02, 0x02, 0x04, 0x08}},  {'&', {0x0C, 0x12, 0x14, 0x08, 0x15, 0x12, 0x0D}}, {'"', {0x0A, 0x0A, 0x0A, 0x00, 0x00, 0x00, 0x00}},
    {' ', {}}};
constexpr std::array<uint8_t, 7> kBox = {0x1F, 0x11, 0x11, 0x11, 0x11, 0x11, 0x1F};

using Ink = std::array<uint8_t, 3>;

void write_text(std::string_view text, int left, int top, const Ink& ink, Image& sheet) {
  for (const char upper : text) {
    const char c = upper >= 'A' && upper <= 'Z' ? static_cast<char>(upper + 32) : upper;
    if ((static_cast<unsigned char>(c) & 0xC0) == 0x80) continue;  // inside a character
    const auto glyph = std::ranges::find(kGlyphs, c, &Glyph::letter);
    const auto& rows = glyph == std::end(kGlyphs) ? kBox : glyph->rows;
    for (int y = 0; y < 7; ++y)
      for (int x = 0; x < 5; ++x)
        if (rows[static_cast<size_t>(y)] >> (4 - x) & 1) std::memcpy(sheet.pixels.data() + 3 * (static_cast<size_t>(top + y) * static_cast<size_t>(sheet.width) + static_cast<size_t>(left + x)), ink.data(), 3);
    left += kAdvance;
  }
}

// Lines of at most `letters` bytes, cut at spaces where there are any.
std::vector<std::string> lines_of(std::string_view text, size_t letters) {
  std::vector<std::string> out;
  while (!text.empty()) {
    size_t end = std::min(letters, text.size());
    if (end < text.size())
      if (const size_t space = text.rfind(' ', end); space != std::string_view::npos && space > 0) end = space;
    out.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + (end < text.size() && text[end] == ' ')));
  }
  return out;
}

// In the middle of its square.
void put_picture(const Image& picture, int left, int top, int side, Image& sheet) {
  const double scale = static_cast<double>(side) / std::max(picture.width, picture.height);
  const Image small = resize(picture, std::clamp(static_cast<int>(picture.width * scale), 1, side), std::clamp(static_cast<int>(picture.height * scale), 1, side));
  for (int y = 0; y < small.height; ++y) {
    const size_t at = static_cast<size_t>(top + (side - small.height) / 2 + y) * static_cast<size_t>(sheet.width) + static_cast<size_t>(left + (side - small.width) / 2);
    std::memcpy(sheet.pixels.data() + 3 * at, small.pixels.data() + 3 * static_cast<size_t>(small.width) * static_cast<size_t>(y), 3 * static_cast<size_t>(small.width));
  }
}

}  // namespace

Result<Image> question_sheet(const QuestionSet& set, const QuestionSet::Split* split, const QuestionSheetOptions& o) {
  if (o.rows < 1 || o.columns < 1 || o.rows > 1000 || o.columns > 100 || o.side < 16 || o.side > 1024 || o.letters < 8 || o.letters > 1000)
    return fail(Code::usage, "a sheet has 1 to 1000 rows, 1 to 100 columns and pictures of 16 to 1024 pixels");
  std::vector<uint32_t> all;
  if (split) all = split->questions;
  else
    for (uint32_t q = 0; q < set.questions.size(); ++q) all.push_back(q);
  // Questions of each picture (or pair), in order of first appearance.
  std::vector<std::vector<uint32_t>> groups;
  std::map<std::array<uint32_t, 2>, size_t> place;
  for (const uint32_t q : all) {
    const auto [at, fresh] = place.emplace(set.questions[q].images, groups.size());
    if (fresh) groups.emplace_back();
    groups[at->second].push_back(q);
  }
  const size_t n = std::min(groups.size(), static_cast<size_t>(o.rows) * static_cast<size_t>(o.columns));
  const int pictures = set.images_per_question, across = static_cast<int>(std::clamp<size_t>(n, 1, static_cast<size_t>(o.columns))), down = std::max(1, (static_cast<int>(n) + across - 1) / across);
  const int64_t cell = pictures * (o.side + kGap) + int64_t{o.letters} * kAdvance + 2 * kGap, width = across * cell + kGap, height = int64_t{down} * (o.side + kGap) + kGap;
  if (width * height > int64_t{1} << 27) return fail(Code::usage, "the sheet would be larger than 128 million pixels");
  Image sheet{static_cast<int>(width), static_cast<int>(height), std::vector<uint8_t>(static_cast<size_t>(3 * width * height), 255)};
  for (size_t i = 0; i < n; ++i) {
    const auto& group = groups[i * groups.size() / n];
    int left = kGap + static_cast<int>(i % static_cast<size_t>(across)) * static_cast<int>(cell);
    const int top = kGap + static_cast<int>(i / static_cast<size_t>(across)) * (o.side + kGap);
    for (int k = 0; k < pictures; ++k, left += o.side + kGap) {
      HONE_TRY_ASSIGN(const Image picture, set.images[set.questions[group[0]].images[static_cast<size_t>(k)]].load());
      put_picture(picture, left, top, o.side, sheet);
    }
    int y = top;
    const auto put = [&](std::string_view text, const Ink& ink) {
      for (const std::string& line : lines_of(text, static_cast<size_t>(o.letters))) {
        if (y + 7 > top + o.side) return;
        write_text(line, left, y, ink, sheet);
        y += kLine;
      }
    };
    for (const uint32_t q : group) {
      const Question& question = set.questions[q];
      put(question.text, {20, 20, 20});
      if (const auto best = std::ranges::max_element(question.answers, {}, &AnswerScore::score); best != question.answers.end()) put("  " + set.answers[best->answer], {20, 110, 60});
      y += 4;
    }
  }
  return sheet;
}

}  // namespace hone
