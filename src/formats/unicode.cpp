#include "formats/unicode.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "formats/unicode_tables.h"

namespace hone::unicode {

namespace {

constexpr uint32_t kPoints = 0x110000;

PointTable<uint8_t> expand_runs() {
  PointTable<uint8_t> table;
  for (size_t i = 0; i < kRuns.size(); ++i) {
    const uint32_t end = i + 1 < kRuns.size() ? kRuns[i + 1] >> 8 : kPoints;
    const auto f = static_cast<uint8_t>(kRuns[i] & 255);
    if (f != 0)
      for (uint32_t c = kRuns[i] >> 8; c < end; ++c) table.set(c, f);
  }
  return table;
}

const std::map<uint32_t, uint32_t>& lower_map() {
  static const auto map = [] {
    std::map<uint32_t, uint32_t> m;
    for (const Range& r : kLower)
      for (uint32_t c = r.first; c <= r.last; c += r.step) m[c] = static_cast<uint32_t>(static_cast<int32_t>(c) + r.delta);
    return m;
  }();
  return map;
}

uint32_t order_of(uint32_t c) {
  const auto it = std::ranges::lower_bound(kOrder, c, {}, &Pair::point);
  return it != kOrder.end() && it->point == c ? it->value : 0;
}

// Hangul syllables are decomposed by arithmetic (Unicode, section 3.12).
constexpr uint32_t kHangul = 0xAC00, kHangulCount = 11172, kLead = 0x1100, kVowel = 0x1161, kTrail = 0x11A7;

}  // namespace

const PointTable<uint8_t>& flags() {
  static const PointTable<uint8_t> table = expand_runs();
  return table;
}

char32_t next_point(const char*& p, const char* end) {
  const auto lead = static_cast<unsigned char>(*p++);
  if (lead < 0x80) return lead;
  // The second byte's range excludes overlong forms, surrogates and points beyond the last (Unicode, table 3-7).
  unsigned more = 0, low = 0x80, high = 0xBF;
  char32_t c = 0;
  if (lead >= 0xC2 && lead <= 0xDF) more = 1, c = lead & 0x1Fu;
  else if (lead >= 0xE0 && lead <= 0xEF) more = 2, c = lead & 0x0Fu, low = lead == 0xE0 ? 0xA0 : 0x80, high = lead == 0xED ? 0x9F : 0xBF;
  else if (lead >= 0xF0 && lead <= 0xF4) more = 3, c = lead & 0x07u, low = lead == 0xF0 ? 0x90 : 0x80, high = lead == 0xF4 ? 0x8F : 0xBF;
  else return 0xFFFD;
  for (; more > 0; --more, low = 0x80, high = 0xBF) {
    if (p == end) return 0xFFFD;
    const auto byte = static_cast<unsigned char>(*p);
    if (byte < low || byte > high) return 0xFFFD;
    c = c << 6 | (byte & 0x3Fu);
    ++p;
  }
  return c;
}

void append_utf8(char32_t c, std::string& out) {
  const auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) return put(c);
  if (c < 0x800) return put(0xC0 | c >> 6), put(0x80 | (c & 0x3F));
  if (c < 0x10000) return put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 0x3F)), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
}

bool valid_utf8(std::string_view text) {
  const char *p = text.data(), *end = p + text.size();
  while (p < end) {
    if (uint64_t eight; end - p >= 8 && (std::memcpy(&eight, p, 8), (eight & 0x8080808080808080u) == 0)) {
      p += 8;
      continue;
    }
    const char* start = p;
    if (next_point(p, end) == 0xFFFD && std::string_view(start, static_cast<size_t>(p - start)) != "\xEF\xBF\xBD") return false;
  }
  return true;
}

void Fold::set(char32_t c, std::span<const uint32_t> points, bool lower_case, bool ordered) {
  std::vector<Part> out;
  for (uint32_t point : points) {
    const uint32_t order = ordered ? order_of(point) : 0;
    if (lower_case) {
      if (point == 0x130) {  // the one point with two in lower case
        out.insert(out.end(), {{'i', 0}, {0x307, order_of(0x307)}});
        continue;
      }
      if (const auto it = lower_map().find(point); it != lower_map().end()) point = it->second;
    }
    out.push_back({point, order});
  }
  if (out.size() == 1 && out[0].order == 0 && out[0].point != 0) {
    table_.set(c, out[0].point == c ? 0 : out[0].point);
    return;
  }
  table_.set(c, kSequence | static_cast<uint32_t>(parts_.size()));
  parts_.push_back({static_cast<uint32_t>(out.size()), 0});
  parts_.insert(parts_.end(), out.begin(), out.end());
}

Fold::Fold(bool strip_accents, bool lower_case) {
  if (lower_case) {
    set(0x130, std::array{0x130u}, true, false);
    for (const auto& [c, small] : lower_map()) set(c, std::array{c}, true, false);
  }
  if (!strip_accents) return;
  for (const Pair& p : kOrder) set(p.point, std::array{p.point}, lower_case, true);
  for (const Pair& p : kBare) set(p.point, std::array{p.value}, lower_case, true);
  for (const Triple& t : kBareSequence) set(t.point, std::span(t.values, t.values[2] ? 3 : 2), lower_case, true);
  for (uint32_t i = 0; i < kHangulCount; ++i) {
    const uint32_t jamo[3] = {kLead + i / 588, kVowel + i % 588 / 28, kTrail + i % 28};
    set(kHangul + i, std::span(jamo, i % 28 ? 3 : 2), false, false);
  }
  constexpr uint32_t kNothing[] = {0};
  for (size_t i = 0; i + 1 < kRuns.size(); ++i)
    if (kRuns[i] & mark)
      for (uint32_t c = kRuns[i] >> 8; c < kRuns[i + 1] >> 8; ++c) set(c, std::span(kNothing).first(kRuns[i] & starter ? 1 : 0), false, false);
}

std::span<const Fold::Part> Fold::parts(uint32_t value) const {
  const size_t at = value & ~kSequence;
  return std::span(parts_).subspan(at + 1, parts_[at].point);
}

}  // namespace hone::unicode
