// The text form of an Arch (docs/arch.md). One list of fields per struct serves printing, parsing and the check for
// unknown keys.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <toml++/toml.h>
#include <type_traits>

#include "core/nearest.h"
#include "zoo/arch.h"
#include "zoo/toml_reader.h"

namespace hone {
namespace {

template <class S, class T>
concept Is = std::is_same_v<std::remove_const_t<S>, T>;

template <Is<Stem> S, class F>
void fields(S& s, F&& f) {
  f("kind", s.kind), f("width", s.width), f("options", s.options);
}
template <Is<Stage> S, class F>
void fields(S& s, F&& f) {
  f("block", s.block), f("depth", s.depth), f("width", s.width), f("stride", s.stride), f("kernel", s.kernel);
  f("expand", s.expand), f("group_width", s.group_width), f("se", s.se), f("heads", s.heads);
  f("activation", s.activation), f("options", s.options);
}
template <Is<Head> S, class F>
void fields(S& s, F&& f) {
  f("kind", s.kind), f("width", s.width), f("classes", s.classes), f("dropout", s.dropout), f("options", s.options);
}
template <Is<Arch> S, class F>
void fields(S& s, F&& f) {
  f("name", s.name), f("family", s.family), f("names", s.names), f("resolution", s.resolution);
  f("test_resolution", s.test_resolution), f("channels", s.channels), f("activation", s.activation);
  f("padding", s.padding), f("bn_eps", s.bn_eps), f("bn_momentum", s.bn_momentum);
  f("stem", s.stem), f("stages", s.stages), f("head", s.head), f("options", s.options);
}

// ---- printing -------------------------------------------------------------------------------------------------------

std::string quoted(const std::string& s) {
  std::string out = "\"";
  for (size_t i = 0; i < s.size(); ++i) {
    const auto c = static_cast<unsigned char>(s[i]);
    if (c == '"' || c == '\\') {
      out += '\\', out += s[i];
    } else if (c < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04X}", c);
    } else if (c < 0x80) {
      out += s[i];
    } else {
      // The code point of a UTF-8 sequence as an escape, so that the file is plain ASCII.
      size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
      uint32_t point = c & (0x3fu >> more);
      for (; more > 0 && i + 1 < s.size(); --more) point = point << 6 | (static_cast<unsigned char>(s[++i]) & 0x3f);
      out += fmt::format("\\U{:08X}", point);
    }
  }
  return out + '"';
}

std::string key_text(const std::string& key) {
  const bool bare = !key.empty() && key.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos;
  return bare ? key : quoted(key);
}

std::string text(bool v) { return v ? "true" : "false"; }
std::string text(int64_t v) { return fmt::format("{}", v); }
std::string text(double v) {  // shortest form that reads back equal, and as a float
  std::string s = fmt::format("{}", v);
  return s.find_first_of(".en") == std::string::npos ? s + ".0" : s;
}
std::string text(const std::string& v) { return quoted(v); }
std::string text(const std::vector<int64_t>& v) { return fmt::format("[{}]", fmt::join(v, ", ")); }
std::string text(const Options& o) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : o)
    parts.push_back(key_text(key) + " = " + std::visit([](const auto& v) { return text(v); }, value));
  return parts.empty() ? "{}" : fmt::format("{{ {} }}", fmt::join(parts, ", "));
}
template <class S>
std::string inline_table(const S& s);
std::string text(const Stem& s) { return inline_table(s); }
std::string text(const Head& s) { return inline_table(s); }
std::string text(const std::vector<Stage>& stages) {
  std::string out = "[\n";
  for (const Stage& s : stages) out += "  " + inline_table(s) + ",\n";
  return out + "]";
}

// "key = value" of every field that differs from its default.
template <class S>
std::vector<std::string> assignments(const S& s) {
  std::vector<std::string> defaults, out;
  const S plain{};
  fields(plain, [&](const char*, const auto& v) { defaults.push_back(text(v)); });
  size_t i = 0;
  fields(s, [&](const char* key, const auto& v) {
    std::string t = text(v);
    if (t != defaults[i++]) out.push_back(fmt::format("{} = {}", key, t));
  });
  return out;
}
template <class S>
std::string inline_table(const S& s) {
  const auto parts = assignments(s);
  return parts.empty() ? "{}" : fmt::format("{{ {} }}", fmt::join(parts, ", "));
}

// ---- parsing --------------------------------------------------------------------------------------------------------

struct Parser : TomlReader {
  using TomlReader::read;

  Status read(const toml::node& n, const std::string& path, double& out) const {
    if (!n.is_number()) return wrong(n, path, "a number");
    out = n.is_integer() ? static_cast<double>(n.as_integer()->get()) : n.as_floating_point()->get();
    if (!std::isfinite(out)) return fail(Code::invalid, path + ": expected a finite number", at(n));
    return {};
  }
  Status read(const toml::node& n, const std::string& path, std::vector<int64_t>& out) const {
    out.clear();
    for (const toml::node& item : *n.as_array()) {
      int64_t v = 0;
      HONE_TRY(read(item, path, v));
      out.push_back(v);
    }
    return {};
  }
  Status read(const toml::node& n, const std::string& path, Option& out) const {
    if (n.is_boolean()) {
      out = n.as_boolean()->get();
      return {};
    }
    if (n.is_integer()) return read(n, path, out.emplace<int64_t>());
    if (n.is_floating_point()) return read(n, path, out.emplace<double>());
    if (n.is_string()) return read(n, path, out.emplace<std::string>());
    if (n.is_array()) return read(n, path, out.emplace<std::vector<int64_t>>());
    return wrong(n, path, "a boolean, number, string or array of integers");
  }
  Status read(const toml::node& n, const std::string& path, Options& out) const {
    if (!n.is_table()) return wrong(n, path, "a table");
    for (const auto& [key, value] : *n.as_table()) {
      const std::string name(key.str());
      HONE_TRY(read(value, path + "." + name, out[name]));
    }
    return {};
  }
  Status read(const toml::node& n, const std::string& path, std::vector<Stage>& out) const {
    if (!n.is_array()) return wrong(n, path, "an array of tables");
    for (const toml::node& item : *n.as_array()) {
      out.emplace_back();
      HONE_TRY(table(item, fmt::format("{}[{}]", path, out.size() - 1), out.back()));
    }
    return {};
  }
  Status read(const toml::node& n, const std::string& path, Stem& out) const { return table(n, path, out); }
  Status read(const toml::node& n, const std::string& path, Head& out) const { return table(n, path, out); }

  // Reads the keys of a table into the fields of `out`; every key must be one of them.
  template <class S>
  Status table(const toml::node& n, const std::string& path, S& out) const {
    if (!n.is_table()) return wrong(n, path, "a table");
    std::map<std::string, const toml::node*> todo;
    for (const auto& [key, value] : *n.as_table()) todo[std::string(key.str())] = &value;
    Status status;
    std::vector<std::string> known;
    fields(out, [&](const char* key, auto& field) {
      known.emplace_back(key);
      auto it = todo.find(key);
      if (it == todo.end() || !status) return;
      status = read(*it->second, path.empty() ? key : path + "." + key, field);
      todo.erase(it);
    });
    HONE_TRY(status);
    if (todo.empty()) return {};
    const auto& [key, value] = *todo.begin();
    return fail(Code::invalid, fmt::format("unknown key '{}'{}", key, path.empty() ? "" : " in " + path), at(*value),
                fmt::format("did you mean '{}'? keys: {}", nearest(key, known, 1)[0], fmt::join(known, ", ")));
  }
};

}  // namespace

std::string print_arch(const Arch& arch) { return fmt::format("{}\n", fmt::join(assignments(arch), "\n")); }

// toml++ 3.3 runs into undefined behaviour on some characters beyond ASCII (its tests for Unicode blanks and letters), so
// none reach it: print_arch() writes them as escapes, and people are asked to.
static Status check_ascii(const std::string& toml, const std::string& source) {
  int64_t line = 1;
  for (const char c : toml) {
    line += c == '\n';
    if (static_cast<unsigned char>(c) > 127) return fail(Code::invalid, "holds a character beyond ASCII", fmt::format("{}:{}", source, line), "write it as an escape, such as \\u00E9");
  }
  return {};
}

Result<Arch> parse_arch(const std::string& toml, const std::string& source) {
  HONE_TRY(check_ascii(toml, source));
  try {
    const toml::table root = toml::parse(std::string_view(toml));
    Arch arch;
    HONE_TRY((Parser{source}.table(root, "", arch)));
    return arch;
  } catch (const toml::parse_error& e) {
    return fail(Code::invalid, std::string(e.description()),
                fmt::format("{}:{}:{}", source, e.source().begin.line, e.source().begin.column));
  }
}

}  // namespace hone
