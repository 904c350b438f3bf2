#include "run/toml_text.h"

#include <fmt/format.h>

#include <cstdint>

namespace hone {

namespace {

struct Point {
  uint32_t value = 0;
  size_t bytes = 0;  // 0: not well formed
};

Point decode(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  const size_t n = first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xc2 && first < 0xe0 ? 2 : 0;
  if (n == 0 || at + n > text.size()) return {};
  uint32_t value = first & (0x7fu >> n);
  for (size_t i = 1; i < n; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return {};
    value = value << 6 | (byte(at + i) & 0x3fu);
  }
  static constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kLeast[n] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return {};
  return {value, n};
}

}  // namespace

Result<std::string> toml_ascii(std::string_view toml, const std::string& source) {
  enum class In { plain, comment, basic, literal };
  In in = In::plain;
  bool many_lines = false;  // of the string we are in: """ or '''
  int64_t line = 1;
  if (toml.substr(0, 3) == "\xEF\xBB\xBF") toml.remove_prefix(3);
  std::string out;
  out.reserve(toml.size());
  for (size_t i = 0; i < toml.size();) {
    const char c = toml[i];
    if (static_cast<unsigned char>(c) > 127) {
      const Point point = decode(toml, i);
      if (in == In::comment) {
        out += '?';
      } else if (in == In::basic && point.bytes > 0) {
        out += fmt::format("\\U{:08X}", point.value);
      } else {
        return fail(Code::invalid, point.bytes == 0 ? "holds bytes that are no UTF-8" : "holds a character beyond ASCII", fmt::format("{}:{}", source, line),
                    "such characters go inside \"double quotes\"");
      }
      i += point.bytes > 0 ? point.bytes : 1;
      continue;
    }
    size_t take = 1;
    if (c == '\n') {
      ++line;
      if (in == In::comment || (in != In::plain && !many_lines)) in = In::plain;
    } else if (in == In::plain && c == '#') {
      in = In::comment;
    } else if (in == In::basic && c == '\\') {
      if (i + 1 < toml.size() && toml[i + 1] != '\n' && static_cast<unsigned char>(toml[i + 1]) < 128) take = 2;
      else if (i + 1 < toml.size() && toml[i + 1] != '\n') return fail(Code::invalid, "a backslash stands before a character beyond ASCII", fmt::format("{}:{}", source, line));
    } else if (c == '"' || c == '\'') {
      const In kind = c == '"' ? In::basic : In::literal;
      const bool triple = toml.substr(i, 3) == std::string(3, c);
      if (in == In::plain) {
        in = kind;
        many_lines = triple;
        take = triple ? 3 : 1;
      } else if (in == kind && (triple || !many_lines)) {
        in = In::plain;
        take = many_lines ? 3 : 1;
      }
    }
    out.append(toml.substr(i, take));
    i += take;
  }
  return out;
}

std::string toml_quoted(std::string_view text) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c > 127) {
      const Point point = decode(text, i);
      out += point.bytes == 0 ? "?" : point.value < 0x10000 ? fmt::format("\\u{:04X}", point.value) : fmt::format("\\U{:08X}", point.value);
      i += point.bytes == 0 ? 1 : point.bytes;
      continue;
    }
    if (c == '"' || c == '\\') out += '\\', out += text[i];
    else if (c < 0x20 || c == 0x7f) out += fmt::format("\\u{:04X}", c);
    else out += text[i];
    ++i;
  }
  return out + '"';
}

std::string toml_number(double value) {
  const std::string text = fmt::format("{}", value);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

}  // namespace hone
