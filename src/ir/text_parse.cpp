// Recursive descent over one line at a time. Every loop consumes a token, nothing nests, and nothing is allocated
// beyond the size of the text, so hostile input can only fail.
#include <fmt/format.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "ir/op.h"
#include "ir/text.h"
#include "ir/text_grammar.h"
#include "ir/verify.h"

namespace hone {

namespace {
constexpr std::array<std::string_view, 9> kInits{"zeros", "ones", "constant", "normal", "truncated_normal", "uniform", "kaiming_normal", "kaiming_uniform", "xavier_uniform"};
static_assert(kInits.size() == static_cast<size_t>(Init::Kind::xavier_uniform) + 1);
}  // namespace

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '/'; }
bool is_name_part(char c) { return is_name_start(c) || (c >= '0' && c <= '9') || c == '.' || c == ':' || c == '-'; }

bool is_bare_name(std::string_view s) {
  if (s.empty() || !is_name_start(s[0]) || s.back() == ':' || s == "_") return false;
  for (char c : s)
    if (!is_name_part(c)) return false;
  // A result that starts a line must not look like a statement.
  for (std::string_view keyword : {"input", "output", "parameter", "buffer", "constant", "name", "meta", "hone"})
    if (s == keyword) return false;
  return true;
}

std::string_view init_name(Init::Kind k) { return kInits[static_cast<size_t>(k)]; }

std::optional<Init::Kind> parse_init(std::string_view s) {
  for (size_t i = 0; i < kInits.size(); ++i)
    if (kInits[i] == s) return static_cast<Init::Kind>(i);
  return std::nullopt;
}

namespace {

enum class Tok : uint8_t { end, name, number, text, punct };

struct Token {
  Tok kind = Tok::end;
  std::string text;  // unescaped for Tok::text
  size_t column = 0;
};

class Parser {
 public:
  Parser(std::string_view text, const std::string& source) : rest_(text), source_(source) {}

  Result<Graph> run() {
    bool header = false;
    while (next_line()) {
      HONE_TRY(advance());
      if (tok_.kind == Tok::end) continue;
      if (!header) {
        HONE_TRY(read_header());
        header = true;
      } else {
        HONE_TRY(statement());
      }
      if (tok_.kind != Tok::end) return error(fmt::format("unexpected '{}' at the end of the line", tok_.text));
    }
    if (!header) return fail(Code::invalid, "is empty; expected 'hone graph 1' on the first line", source_);
    if (Status s = verify(g_); !s) return fail(Code::invalid, s.error().text(), source_);
    return std::move(g_);
  }

 private:
  // --- lexing -------------------------------------------------------------------------------------------------------
  bool next_line() {
    if (rest_.empty()) return false;
    const size_t end = rest_.find('\n');
    line_ = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    ++line_number_;
    pos_ = 0;
    return true;
  }

  tl::unexpected<Error> error(std::string message, std::string hint = {}) const {
    return fail(Code::invalid, std::move(message), fmt::format("{}:{}:{}", source_, line_number_, tok_.column + 1), std::move(hint));
  }

  Status advance() {
    while (pos_ < line_.size() && (line_[pos_] == ' ' || line_[pos_] == '\t' || line_[pos_] == '\r')) ++pos_;
    tok_ = Token{Tok::end, {}, pos_};
    if (pos_ >= line_.size() || line_[pos_] == '#') return {};
    const char c = line_[pos_];
    if (c == '"') return read_text();
    size_t end = pos_ + 1;
    if (is_name_start(c)) {
      while (end < line_.size() && is_name_part(line_[end])) ++end;
      while (line_[end - 1] == ':') --end;  // "x: f32": the colon stands alone
      tok_.kind = Tok::name;
    } else if ((c >= '0' && c <= '9') || c == '-' || c == '+') {
      while (end < line_.size() && (is_name_part(line_[end]) || line_[end] == '+')) ++end;
      tok_.kind = Tok::number;
    } else {
      tok_.kind = Tok::punct;
    }
    tok_.text = line_.substr(pos_, end - pos_);
    pos_ = end;
    return {};
  }

  Status read_text() {
    std::string out;
    size_t i = pos_ + 1;
    for (; i < line_.size() && line_[i] != '"'; ++i) {
      if (line_[i] != '\\') {
        out += line_[i];
        continue;
      }
      if (++i >= line_.size()) break;
      if (line_[i] == 'n') out += '\n';
      else if (line_[i] == 'x') {
        int value = 0;
        const char* first = line_.data() + i + 1;
        if (i + 2 >= line_.size() || std::from_chars(first, first + 2, value, 16).ptr != first + 2) return error("\\x needs two hexadecimal digits");
        out += static_cast<char>(value);
        i += 2;
      } else out += line_[i];
    }
    if (i >= line_.size()) return error("the closing quote is missing");
    tok_ = Token{Tok::text, std::move(out), pos_};
    pos_ = i + 1;
    return {};
  }

  bool at(char c) const { return tok_.kind == Tok::punct && tok_.text[0] == c; }
  bool at_word(std::string_view w) const { return tok_.kind == Tok::name && tok_.text == w; }

  Status expect(char c) {
    if (!at(c)) return error(fmt::format("expected '{}', found '{}'", c, tok_.text));
    return advance();
  }

  Result<std::string> take_name() {
    if (tok_.kind != Tok::name && tok_.kind != Tok::text) return error(fmt::format("expected a name, found '{}'", tok_.text));
    std::string out = std::move(tok_.text);
    HONE_TRY(advance());
    return out;
  }

  Result<std::string> take_text() {
    if (tok_.kind != Tok::text) return error(fmt::format("expected a quoted text, found '{}'", tok_.text));
    return take_name();
  }

  Result<int64_t> take_int() {
    int64_t v = 0;
    const char *first = tok_.text.data(), *last = first + tok_.text.size();
    const auto [end, ec] = std::from_chars(first, last, v);
    if (tok_.kind != Tok::number || ec != std::errc() || end != last) return error(fmt::format("expected an integer, found '{}'", tok_.text));
    HONE_TRY(advance());
    return v;
  }

  // A float, or nan(bits).
  Result<float> take_real() {
    float v = 0;
    if (at_word("nan")) {
      HONE_TRY(advance());
      HONE_TRY(expect('('));
      uint32_t bits = 0;
      const char *first = tok_.text.data(), *last = first + tok_.text.size();
      if (std::from_chars(first, last, bits, 16).ptr != last || tok_.text.empty() || !std::isnan(std::bit_cast<float>(bits))) return error("expected the bits of a NaN");
      HONE_TRY(advance());
      HONE_TRY(expect(')'));
      return std::bit_cast<float>(bits);
    }
    const bool infinite = at_word("inf") || (tok_.kind == Tok::number && tok_.text == "-inf");
    if (infinite) v = tok_.text[0] == '-' ? -std::numeric_limits<float>::infinity() : std::numeric_limits<float>::infinity();
    else {
      const char *first = tok_.text.data(), *last = first + tok_.text.size();
      const auto [end, ec] = std::from_chars(first, last, v);
      if (tok_.kind != Tok::number || ec == std::errc::invalid_argument || end != last) return error(fmt::format("expected a number, found '{}'", tok_.text));
      if (ec == std::errc::result_out_of_range) return error(fmt::format("'{}' does not fit a float", tok_.text));
    }
    HONE_TRY(advance());
    return v;
  }

  // "[" item, item ... "]" for any item reader.
  template <class F>
  Status bracketed(F item) {
    HONE_TRY(expect('['));
    while (!at(']')) {
      HONE_TRY(item());
      if (!at(',')) break;
      HONE_TRY(advance());
    }
    return expect(']');
  }

  // --- types and contents -------------------------------------------------------------------------------------------
  Result<TensorType> take_type(std::vector<std::string>* dim_names = nullptr) {
    TensorType type;
    if (tok_.kind != Tok::name) return error(fmt::format("expected a type such as f32[1,3], found '{}'", tok_.text));
    if (auto t = parse_dtype(tok_.text)) type.dtype = *t;
    else if (tok_.text != "undefined") return error(fmt::format("'{}' is no element type", tok_.text), "for example f32, i64, bool");
    HONE_TRY(advance());
    if (!at('[')) return type;
    type.ranked = true;
    std::vector<std::string> names;
    HONE_TRY(bracketed([&]() -> Status {
      names.emplace_back();
      if (at('?')) {
        type.shape.push_back(kUnknown);
        return advance();
      }
      if (dim_names && tok_.kind != Tok::number) {
        type.shape.push_back(kUnknown);
        HONE_TRY_ASSIGN(names.back(), take_name());
        return {};
      }
      HONE_TRY_ASSIGN(const int64_t d, take_int());
      if (d < 0) return error("a dimension cannot be negative");
      type.shape.push_back(d);
      return {};
    }));
    if (dim_names)
      for (const std::string& n : names)
        if (!n.empty()) *dim_names = names;
    return type;
  }

  Result<Tensor> take_contents(const TensorType& type) {
    Tensor t;
    t.dtype = type.dtype;
    t.shape = type.shape;
    const auto n = element_count(type.shape);
    if (!type.ranked || !n) return error("contents need a type with a known shape");
    const auto need = byte_size(type.dtype, *n);
    if (!need && type.dtype != DType::string) return error(fmt::format("{} has no contents", to_string(type)));
    if (at_word("missing")) {
      HONE_TRY(advance());
      HONE_TRY(expect('('));
      HONE_TRY_ASSIGN(const int64_t size, take_int());
      if (size != need || size == 0) return error(fmt::format("missing({}) does not match {}", size, to_string(type)));
      t.bytes.size = static_cast<size_t>(size);
      HONE_TRY(expect(')'));
      return t;
    }
    if (at_word("hex")) return take_hex(std::move(t), *need);
    std::vector<std::byte> bytes;
    int64_t count = 0;
    HONE_TRY(bracketed([&]() -> Status {
      ++count;
      if (type.dtype == DType::string) {
        HONE_TRY_ASSIGN(std::string s, take_text());
        t.strings.push_back(std::move(s));
        return {};
      }
      if (type.dtype == DType::f32) {
        HONE_TRY_ASSIGN(const float v, take_real());
        append(bytes, &v, 4);
        return {};
      }
      const bool listed = (is_integer(type.dtype) || type.dtype == DType::boolean) && bits(type.dtype) >= 8;
      if (!listed) return error(fmt::format("contents of {} are written as hex", name(type.dtype)));
      HONE_TRY_ASSIGN(const int64_t v, take_int());
      const int width = bits(type.dtype);
      const bool is_signed = name(type.dtype)[0] == 'i';
      if (width < 64 && (is_signed ? v < -(int64_t{1} << (width - 1)) || v >= int64_t{1} << (width - 1) : v < 0 || v >= int64_t{1} << width))
        return error(fmt::format("{} does not fit {}", v, name(type.dtype)));
      append(bytes, &v, static_cast<size_t>(width / 8));  // little-endian: the low bytes come first
      return {};
    }));
    if (count != *n) return error(fmt::format("{} elements given, {} expected by {}", count, *n, to_string(type)));
    t.bytes = Bytes::copy(bytes.data(), bytes.size());
    return t;
  }

  Result<Tensor> take_hex(Tensor t, int64_t need) {
    HONE_TRY(advance());
    if (tok_.kind != Tok::text || tok_.text.size() % 2 || static_cast<int64_t>(tok_.text.size() / 2) != need)
      return error(fmt::format("expected {} bytes as quoted hexadecimal digits", need));
    std::vector<std::byte> bytes(tok_.text.size() / 2);
    for (size_t i = 0; i < bytes.size(); ++i) {
      uint8_t v = 0;
      const char* first = tok_.text.data() + 2 * i;
      if (std::from_chars(first, first + 2, v, 16).ptr != first + 2) return error("not a hexadecimal digit");
      bytes[i] = std::byte{v};
    }
    t.bytes = Bytes::copy(bytes.data(), bytes.size());
    HONE_TRY(advance());
    return t;
  }

  static void append(std::vector<std::byte>& to, const void* data, size_t n) {
    const auto* p = static_cast<const std::byte*>(data);
    to.insert(to.end(), p, p + n);
  }

  Result<Attr> take_attr() {
    if (tok_.kind == Tok::text) {
      HONE_TRY_ASSIGN(std::string s, take_text());
      return Attr(std::move(s));
    }
    if (at_word("tensor")) {
      HONE_TRY(advance());
      if (at_word("none")) {
        HONE_TRY(advance());
        return Attr(TensorPtr());
      }
      HONE_TRY_ASSIGN(const TensorType type, take_type());
      HONE_TRY(expect('='));
      HONE_TRY_ASSIGN(Tensor t, take_contents(type));
      return Attr(std::make_shared<const Tensor>(std::move(t)));
    }
    for (int which = 0; which < 3; ++which) {
      static constexpr std::string_view kEmpty[] = {"ints", "reals", "texts"};
      if (!at_word(kEmpty[which])) continue;
      HONE_TRY(advance());
      HONE_TRY(expect('['));
      HONE_TRY(expect(']'));
      if (which == 0) return Attr(std::vector<int64_t>());
      if (which == 1) return Attr(std::vector<float>());
      return Attr(std::vector<std::string>());
    }
    if (!at('[')) return take_scalar();
    std::vector<int64_t> ints;
    std::vector<float> reals;
    std::vector<std::string> texts;
    HONE_TRY(bracketed([&]() -> Status {
      if (tok_.kind == Tok::text) {
        HONE_TRY_ASSIGN(std::string s, take_text());
        texts.push_back(std::move(s));
        return {};
      }
      HONE_TRY_ASSIGN(const Attr a, take_scalar());
      if (const auto* i = std::get_if<int64_t>(&a)) ints.push_back(*i);
      else reals.push_back(std::get<float>(a));
      return {};
    }));
    if (int(!ints.empty()) + int(!reals.empty()) + int(!texts.empty()) != 1) return error("a list holds one kind of value; write ints[], reals[] or texts[] when it is empty");
    if (!ints.empty()) return Attr(std::move(ints));
    if (!reals.empty()) return Attr(std::move(reals));
    return Attr(std::move(texts));
  }

  Result<Attr> take_scalar() {
    const bool whole = tok_.kind == Tok::number && tok_.text.find_first_of(".einf", 1) == std::string::npos;
    if (whole) {
      HONE_TRY_ASSIGN(const int64_t v, take_int());
      return Attr(v);
    }
    HONE_TRY_ASSIGN(const float v, take_real());
    return Attr(v);
  }

  // --- statements ---------------------------------------------------------------------------------------------------
  Status read_header() {
    const bool magic = at_word("hone");
    if (magic) HONE_TRY(advance());
    const bool graph = magic && at_word("graph");
    if (graph) HONE_TRY(advance());
    if (!graph || tok_.kind != Tok::number || tok_.text != "1") return error("not a graph text of version 1", "the first line is 'hone graph 1'");
    return advance();
  }

  Status statement() {
    if (tok_.kind == Tok::name) {
      if (tok_.text == "name") {
        HONE_TRY(advance());
        HONE_TRY_ASSIGN(g_.name, take_text());
        return {};
      }
      if (tok_.text == "meta") {
        HONE_TRY(advance());
        HONE_TRY_ASSIGN(std::string key, take_text());
        HONE_TRY_ASSIGN(g_.metadata[key], take_text());
        return {};
      }
      if (tok_.text == "output") {
        HONE_TRY(advance());
        HONE_TRY_ASSIGN(const ValueId v, take_value());
        g_.outputs.push_back(v);
        return {};
      }
      for (ValueKind k : {ValueKind::input, ValueKind::parameter, ValueKind::buffer, ValueKind::constant})
        if (tok_.text == hone::name(k)) return declaration(k);
    }
    return node();
  }

  Result<ValueId> take_value() {
    HONE_TRY_ASSIGN(const std::string name, take_name());
    const ValueId v = g_.find(name);
    if (v == kNoValue) return error(fmt::format("'{}' is not defined above", name));
    return v;
  }

  Result<ValueId> define(Value v) {
    if (v.name.empty()) return error("a name cannot be empty");
    if (g_.find(v.name) != kNoValue) return error(fmt::format("'{}' is defined twice", v.name));
    return g_.add_value(std::move(v));
  }

  Status declaration(ValueKind kind) {
    HONE_TRY(advance());
    Value v;
    v.kind = kind;
    HONE_TRY_ASSIGN(v.name, take_name());
    HONE_TRY(expect(':'));
    HONE_TRY_ASSIGN(v.type, take_type(kind == ValueKind::input ? &v.dim_names : nullptr));
    if (at_word("init")) {
      HONE_TRY(advance());
      HONE_TRY(expect('='));
      const auto k = parse_init(tok_.text);
      if (!k) return error(fmt::format("'{}' is no initialisation", tok_.text));
      v.init.kind = *k;
      HONE_TRY(advance());
      HONE_TRY(expect('('));
      HONE_TRY_ASSIGN(v.init.a, take_real());
      HONE_TRY(expect(')'));
    }
    if (kind == ValueKind::constant) {
      HONE_TRY(expect('='));
      HONE_TRY_ASSIGN(Tensor t, take_contents(v.type));
      v.data = std::make_shared<const Tensor>(std::move(t));
    }
    HONE_TRY_ASSIGN(const ValueId id, define(std::move(v)));
    if (kind == ValueKind::input) g_.inputs.push_back(id);
    return {};
  }

  Status node() {
    Node node;
    std::vector<Value> results;
    const bool none = at('(');  // "() = Op(x)": a node of a file that gives nothing
    if (none) {
      HONE_TRY(advance());
      HONE_TRY(expect(')'));
    }
    while (!none) {
      Value v;
      const bool left_out = at_word("_");
      HONE_TRY_ASSIGN(v.name, take_name());
      if (left_out) v.name.clear();
      else if (v.name.empty()) return error("a name cannot be empty");
      if (at(':')) {
        HONE_TRY(advance());
        HONE_TRY_ASSIGN(v.type, take_type());
      }
      results.push_back(std::move(v));
      if (!at(',')) break;
      HONE_TRY(advance());
    }
    HONE_TRY(expect('='));
    HONE_TRY_ASSIGN(node.type, take_name());
    node.def = find_op(node.type);
    HONE_TRY(expect('('));
    while (!at(')')) {
      if (at_word("_")) {
        node.inputs.push_back(kNoValue);
        HONE_TRY(advance());
      } else {
        HONE_TRY_ASSIGN(const ValueId v, take_value());
        node.inputs.push_back(v);
      }
      if (!at(',')) break;
      HONE_TRY(advance());
    }
    HONE_TRY(expect(')'));
    if (at('{')) HONE_TRY(attributes(node));
    if (at_word("module")) {
      HONE_TRY(advance());
      HONE_TRY(expect('='));
      HONE_TRY_ASSIGN(const std::string path, take_text());
      node.module = g_.module_id(path);
    }
    if (at_word("name")) {
      HONE_TRY(advance());
      HONE_TRY(expect('='));
      HONE_TRY_ASSIGN(node.name, take_text());
    }
    // Defined last, so that a node cannot read its own result.
    for (Value& v : results) {
      if (v.name.empty()) {
        node.outputs.push_back(kNoValue);
        continue;
      }
      HONE_TRY_ASSIGN(const ValueId id, define(std::move(v)));
      node.outputs.push_back(id);
    }
    g_.add_node(std::move(node));
    return {};
  }

  Status attributes(Node& node) {
    HONE_TRY(advance());
    while (!at('}')) {
      HONE_TRY_ASSIGN(std::string key, take_name());
      HONE_TRY(expect('='));
      HONE_TRY_ASSIGN(Attr value, take_attr());
      if (node.attrs.has(key)) return error(fmt::format("attribute '{}' is given twice", key));
      node.attrs.set(std::move(key), std::move(value));
      if (!at(',')) break;
      HONE_TRY(advance());
    }
    return expect('}');
  }

  std::string_view rest_, line_;
  std::string source_;
  size_t line_number_ = 0, pos_ = 0;
  Token tok_;
  Graph g_;
};

}  // namespace

Result<Graph> parse_graph(std::string_view text, const std::string& source) { return Parser(text, source).run(); }

}  // namespace hone
