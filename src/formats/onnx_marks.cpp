#include "formats/onnx_marks.h"

#include <fmt/format.h>

#include <bit>
#include <charconv>

#include "ir/text_grammar.h"

namespace hone::onnx {

namespace {

// "kaiming_normal 3f800000": the number by its bits, so that it comes back exactly.
std::string print_init(const Init& init) { return fmt::format("{} {:x}", init_name(init.kind), std::bit_cast<uint32_t>(init.a)); }

void parse_init_mark(std::string_view text, Init& out) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return;
  const auto kind = parse_init(text.substr(0, space));
  uint32_t bits = 0;
  const auto [end, error] = std::from_chars(text.data() + space + 1, text.data() + text.size(), bits, 16);
  if (kind && error == std::errc() && end == text.data() + text.size()) out = {*kind, std::bit_cast<float>(bits)};
}

}  // namespace

bool read_marks(const std::vector<std::pair<std::string_view, std::string_view>>& properties, Value& value) {
  bool marked = false;
  for (const auto& [key, text] : properties) {
    if (key == kKindKey && (text == name(ValueKind::parameter) || text == name(ValueKind::buffer))) {
      value.kind = text == name(ValueKind::buffer) ? ValueKind::buffer : ValueKind::parameter;
      marked = true;
    } else if (key == kInitKey) {
      parse_init_mark(text, value.init);
    }
  }
  return marked;
}

std::vector<std::pair<std::string, std::string>> marks_of(const Value& value) {
  std::vector<std::pair<std::string, std::string>> out{{std::string(kKindKey), std::string(name(value.kind))}};
  if (value.init != Init{}) out.emplace_back(kInitKey, print_init(value.init));
  return out;
}

}  // namespace hone::onnx
