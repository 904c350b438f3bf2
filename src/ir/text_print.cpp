#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "ir/op.h"
#include "ir/text.h"
#include "ir/text_grammar.h"

namespace hone {

namespace {

// Longer contents are written as hexadecimal bytes: nobody reads them, and they parse faster.
constexpr int64_t kMaxListed = 256;

std::string quoted(std::string_view s) {
  std::string out = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\') (out += '\\') += c;
    else if (c == '\n') out += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else out += c;
  }
  return out + '"';
}

std::string word(std::string_view s) { return is_bare_name(s) ? std::string(s) : quoted(s); }

template <class F, class Bits>
std::string real(F v) {
  if (std::isnan(v)) return fmt::format("nan({:x})", std::bit_cast<Bits>(v));
  if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
  std::string s = fmt::format("{}", v);
  if (s.find_first_of(".e") == std::string::npos) s += ".0";
  return s;
}

template <class T, class F>
std::string list(const T& items, F each) {
  std::string out = "[";
  for (const auto& item : items) (out += out.size() > 1 ? "," : "") += each(item);
  return out + ']';
}

std::string type_text(const TensorType& t, const std::vector<std::string>& dim_names = {}) {
  std::string out(name(t.dtype));
  if (!t.ranked) return out;
  out += '[';
  for (size_t i = 0; i < t.shape.size(); ++i) {
    if (i) out += ',';
    if (t.shape[i] >= 0) out += std::to_string(t.shape[i]);
    else out += i < dim_names.size() && !dim_names[i].empty() ? word(dim_names[i]) : "?";
  }
  return out + ']';
}

std::string contents(const Tensor& t) {
  if (t.dtype == DType::string) return list(t.strings, quoted);
  if (!t.bytes.data && t.bytes.size) return fmt::format("missing({})", t.bytes.size);
  const auto n = element_count(t.shape);
  const bool whole = n && byte_size(t.dtype, *n) == static_cast<int64_t>(t.bytes.size);
  if (whole && *n <= kMaxListed && bits(t.dtype) >= 8) {
    if (t.dtype == DType::f32) {
      std::vector<float> v(static_cast<size_t>(*n));
      for (size_t i = 0; i < v.size(); ++i) std::memcpy(&v[i], t.bytes.data + 4 * i, 4);
      return list(v, real<float, uint32_t>);
    }
    if (auto v = is_integer(t.dtype) || t.dtype == DType::boolean ? to_ints(t) : std::nullopt)
      return list(*v, [](int64_t x) { return std::to_string(x); });
  }
  std::string hex;
  hex.reserve(2 * t.bytes.size);
  for (size_t i = 0; i < t.bytes.size; ++i) {
    static constexpr char kDigits[] = "0123456789abcdef";
    const auto b = static_cast<uint8_t>(t.bytes.data[i]);
    (hex += kDigits[b >> 4]) += kDigits[b & 15];
  }
  return fmt::format("hex \"{}\"", hex);
}

std::string attr_text(const Attr& a) {
  struct Visitor {
    std::string operator()(int64_t v) const { return std::to_string(v); }
    std::string operator()(float v) const { return real<float, uint32_t>(v); }
    std::string operator()(const std::string& v) const { return quoted(v); }
    std::string operator()(const std::vector<int64_t>& v) const { return v.empty() ? "ints[]" : list(v, [](int64_t x) { return std::to_string(x); }); }
    std::string operator()(const std::vector<float>& v) const { return v.empty() ? "reals[]" : list(v, real<float, uint32_t>); }
    std::string operator()(const std::vector<std::string>& v) const { return v.empty() ? "texts[]" : list(v, quoted); }
    std::string operator()(const TensorPtr& v) const { return v ? fmt::format("tensor {} = {}", type_text({v->dtype, v->shape}), contents(*v)) : "tensor none"; }
  };
  return std::visit(Visitor{}, a);
}

std::string declaration(const Value& v) {
  std::string out = fmt::format("{} {}: {}", name(v.kind), word(v.name), type_text(v.type, v.dim_names));
  if (v.init != Init{}) out += fmt::format(" init={}({})", init_name(v.init.kind), real<float, uint32_t>(v.init.a));
  if (v.kind == ValueKind::constant && v.data) out += " = " + contents(*v.data);
  return out + '\n';
}

}  // namespace

std::string print(const Graph& g) {
  std::string out = "hone graph 1\nname " + quoted(g.name) + '\n';
  for (const auto& [key, value] : g.metadata) out += fmt::format("meta {} {}\n", quoted(key), quoted(value));
  for (ValueId v : g.inputs) out += declaration(g.values[v]);
  for (const Value& v : g.values)
    if (v.kind != ValueKind::input && v.kind != ValueKind::node) out += declaration(v);
  for (const Node& node : g.nodes) {
    std::string results, operands;
    for (ValueId v : node.outputs) {
      if (!results.empty()) results += ", ";
      if (v == kNoValue) {
        results += '_';
        continue;
      }
      results += word(g.values[v].name);
      if (g.values[v].type != TensorType{}) results += ": " + type_text(g.values[v].type);
    }
    for (ValueId v : node.inputs) (operands += operands.empty() ? "" : ", ") += v == kNoValue ? "_" : word(g.values[v].name);
    out += fmt::format("{} = {}({})", node.outputs.empty() ? "()" : results, word(node.type), operands);
    if (!node.attrs.empty()) {
      std::string attrs;
      for (const auto& [key, value] : node.attrs) attrs += fmt::format("{}{}={}", attrs.empty() ? "" : ", ", word(key), attr_text(value));
      out += " {" + attrs + '}';
    }
    if (node.module) out += " module=" + quoted(g.modules[node.module]);
    if (!node.name.empty()) out += " name=" + quoted(node.name);
    out += '\n';
  }
  for (ValueId v : g.outputs) out += "output " + word(g.values[v].name) + '\n';
  return out;
}

}  // namespace hone
