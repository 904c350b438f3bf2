// The text form of a Space (docs/space.md). One list of fields per struct serves printing, parsing and the check for unknown keys.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <toml++/toml.h>

#include "core/nearest.h"
#include "zoo/space.h"
#include "zoo/toml_reader.h"

namespace hone::space {

namespace {

// A word of a fixed list behind an enumerator.
template <class E>
struct Words;
template <>
struct Words<Block> {
  static constexpr std::pair<const char*, Block> all[] = {{"mobile", Block::mobile}, {"transformer", Block::transformer}};
};
template <>
struct Words<Shortcut> {
  static constexpr std::pair<const char*, Shortcut> all[] = {{"always", Shortcut::always}, {"same", Shortcut::same}};
};
template <>
struct Words<Sharing> {
  static constexpr std::pair<const char*, Sharing> all[] = {{"stage", Sharing::stage}, {"block", Sharing::block}};
};
template <>
struct Words<Norm> {
  static constexpr std::pair<const char*, Norm> all[] = {{"sample", Norm::sample}, {"token", Norm::token}};
};
template <>
struct Words<HeadKind> {
  static constexpr std::pair<const char*, HeadKind> all[] = {{"mb_pool", HeadKind::mb_pool}, {"mobile", HeadKind::mobile}};
};
template <>
struct Words<Counter> {
  static constexpr std::pair<const char*, Counter> all[] = {{"macs", Counter::macs}, {"elasticvit", Counter::elasticvit}};
};
template <class E>
const char* word(E value) {
  for (const auto& [text, v] : Words<E>::all)
    if (v == value) return text;
  return "";
}

// Tables of the file; f(key, field, whether the key must be there).
template <class S, class F>
void stem_fields(S& s, F&& f) {
  f("stride", s.stem_stride, false);
}
template <class S, class F>
void head_fields(S& s, F&& f) {
  f("kind", s.head, false), f("expand", s.head_expand, false), f("width", s.head_width, false);
}
template <class S, class F>
void stage_fields(S& s, F&& f) {
  f("name", s.name, true), f("block", s.block, true), f("stride", s.stride, true), f("squeeze_excite", s.se, false), f("activation", s.activation, false), f("shortcut", s.shortcut, false);
  f("depths", s.depths, true), f("widths", s.widths, true), f("expands", s.expands, false), f("kernels", s.kernels, false), f("mlps", s.mlps, false), f("values", s.values, false), f("squeeze_excites", s.ses, false);
}
template <class S, class F>
void smallest_fields(S& s, F&& f) {
  f("name", s.name, true), f("up_to", s.up_to, true);
}
template <class S, class F>
void level_fields(S& s, F&& f) {
  f("at", s.at, true), f("window", s.window, true);
}
template <class S, class F>
void space_fields(S& s, F&& f) {
  f("name", s.name, true), f("resolutions", s.resolutions, true), f("classes", s.classes, true), f("sharing", s.sharing, false), f("norm", s.norm, false), f("head_dim", s.head_dim, false);
  f("widths_may_fall", s.widths_may_fall, false), f("counter", s.counter, false), f("activation", s.activation, false);
}

// ---- printing -------------------------------------------------------------------------------------------------------

std::string text(bool v) { return v ? "true" : "false"; }
std::string text(int64_t v) { return fmt::format("{}", v); }
std::string text(const std::vector<int64_t>& v) { return fmt::format("[{}]", fmt::join(v, ", ")); }
std::string text(const std::string& s) {  // plain ASCII: everything else as an escape
  std::string out = "\"";
  for (const char c : s) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out += '\\';
    if (u < 0x20 || u >= 0x7f)
      out += fmt::format("\\u{:04X}", u);
    else
      out += c;
  }
  return out + '"';
}
template <class E>
  requires std::is_enum_v<E>
std::string text(E v) {
  return text(std::string(word(v)));
}

struct Printer {
  std::string out;
  template <class T>
  void operator()(const char* key, const T& value, bool) {
    if constexpr (std::is_same_v<T, std::vector<int64_t>>)
      if (value.empty()) return;
    out += fmt::format("{} = {}\n", key, text(value));
  }
  void header(const char* name) { out += fmt::format("\n{}\n", name); }
};

// ---- parsing --------------------------------------------------------------------------------------------------------

struct Parser : TomlReader {
  using TomlReader::read;

  Status read(const toml::node& n, const std::string& path, std::vector<int64_t>& out) const {
    if (!n.is_array()) return wrong(n, path, "a list of integers");
    for (const toml::node& item : *n.as_array()) {
      if (!item.is_integer()) return wrong(item, path, "a list of integers");
      out.push_back(item.as_integer()->get());
    }
    return {};
  }
  template <class E>
    requires std::is_enum_v<E>
  Status read(const toml::node& n, const std::string& path, E& out) const {
    std::vector<std::string> words;
    for (const auto& [text, value] : Words<E>::all) {
      words.emplace_back(text);
      if (n.is_string() && n.as_string()->get() == text) {
        out = value;
        return {};
      }
    }
    return wrong(n, path, fmt::format("\"{}\"", fmt::join(words, "\" or \"")));
  }

  // Reads the table's keys into the fields that `list` names; `others` are keys that the caller reads itself.
  template <class List>
  Status table(const toml::node& n, const std::string& path, List&& list, const std::vector<std::string>& others = {}) const {
    if (!n.is_table()) return wrong(n, path.empty() ? "the file" : path, "a table");
    const toml::table& t = *n.as_table();
    std::vector<std::string> known = others;
    Status status;
    const std::string dot = path.empty() ? "" : path + ".";
    list([&](const char* key, auto& field, bool needed) {
      known.emplace_back(key);
      if (!status) return;
      const toml::node* value = t.get(key);
      if (value)
        status = read(*value, dot + key, field);
      else if (needed)
        status = fail(Code::invalid, fmt::format("'{}{}' is missing", dot, key), at(n));
    });
    HONE_TRY(status);
    for (const auto& [key, value] : t)
      if (const std::string name(key.str()); std::find(known.begin(), known.end(), name) == known.end())
        return fail(Code::invalid, fmt::format("unknown key '{}{}'", dot, name), at(value), fmt::format("did you mean '{}'? keys: {}", nearest(name, known, 1)[0], fmt::join(known, ", ")));
    return {};
  }

  // The table `key`, or an empty one.
  const toml::node& sub(const toml::table& t, const char* key) const {
    static const toml::table none;
    const toml::node* n = t.get(key);
    return n ? *n : none;
  }
  template <class Each>
  Status tables(const toml::table& t, const char* key, const std::string& path, Each&& each) const {
    const toml::node* n = t.get(key);
    if (!n) return {};
    if (!n->is_array()) return wrong(*n, path, "an array of tables");
    size_t i = 0;
    for (const toml::node& item : *n->as_array()) HONE_TRY(each(item, fmt::format("{}[{}]", path, i++)));
    return {};
  }

  // check_space() with the place in the file: its `where` begins with the table's path, its message with the key.
  Status sound(const Space& s, const toml::table& root) const {
    Status status = check_space(s);
    if (status) return {};
    Error e = status.error();
    const toml::node* place = &root;
    if (const toml::node* table = toml::at_path(root, e.where.substr(0, e.where.find(' '))).node()) place = table;
    if (const toml::table* table = place->as_table())
      if (const toml::node* value = table->get(e.message.substr(0, e.message.find(' ')))) place = value;
    e.where = e.where.empty() ? at(*place) : fmt::format("{}: {}", at(*place), e.where);
    return fail(std::move(e));
  }

  Result<Space> space(const toml::table& root) const {
    Space s;
    HONE_TRY(table(root, "", [&](auto&& f) { space_fields(s, f); }, {"stem", "stages", "head", "levels"}));
    HONE_TRY(table(sub(root, "stem"), "stem", [&](auto&& f) { stem_fields(s, f); }));
    HONE_TRY(table(sub(root, "head"), "head", [&](auto&& f) { head_fields(s, f); }));
    HONE_TRY(tables(root, "stages", "stages", [&](const toml::node& n, const std::string& path) -> Status {
      StageChoices c;
      c.activation = s.activation;
      HONE_TRY(table(n, path, [&](auto&& f) { stage_fields(c, f); }));
      s.stages.push_back(std::move(c));
      return {};
    }));
    // Members of [levels] are read against the rest, which must be sound before.
    HONE_TRY(sound(s, root));
    if (!root.contains("levels")) return s;
    HONE_TRY(table(*root.get("levels"), "levels", [&](auto&& f) { level_fields(s.levels, f); }, {"smallest"}));
    HONE_TRY(tables(*root.get("levels")->as_table(), "smallest", "levels.smallest", [&](const toml::node& n, const std::string& path) -> Status {
      Smallest least;
      HONE_TRY(table(n, path, [&](auto&& f) { smallest_fields(least, f); }, {"member"}));
      const toml::node* member = n.as_table()->get("member");
      if (!member) return fail(Code::invalid, fmt::format("'{}.member' is missing", path), at(n));
      if (!member->is_array()) return wrong(*member, path + ".member", "an encoding, [res, channels, depths, ...]");
      std::ostringstream json;
      json << toml::json_formatter(*member->as_array());
      HONE_TRY_ASSIGN(least.member, parse_member(s, json.str(), at(*member)));
      s.levels.smallest.push_back(std::move(least));
      return {};
    }));
    HONE_TRY(sound(s, root));
    return s;
  }
};

}  // namespace

std::string print_space(const Space& s) {
  Printer p;
  space_fields(s, p);
  p.header("[stem]");
  stem_fields(s, p);
  for (const StageChoices& c : s.stages) {
    p.header("[[stages]]");
    stage_fields(c, p);
  }
  p.header("[head]");
  head_fields(s, p);
  if (s.levels == Levels{}) return p.out;
  p.header("[levels]");
  level_fields(s.levels, p);
  for (const Smallest& least : s.levels.smallest) {
    p.header("[[levels.smallest]]");
    smallest_fields(least, p);
    p.out += "member = " + print_member(s, least.member);
  }
  return p.out;
}

Result<Space> parse_space(const std::string& toml, const std::string& source) {
  // toml++ 3.3 runs into undefined behaviour on some characters beyond ASCII, so none reach it.
  int64_t line = 1;
  for (const char c : toml) {
    line += c == '\n';
    if (static_cast<unsigned char>(c) > 127) return fail(Code::invalid, "holds a character beyond ASCII", fmt::format("{}:{}", source, line), "write it as an escape, such as \\u00E9");
  }
  try {
    const toml::table root = toml::parse(std::string_view(toml));
    return Parser{{source}}.space(root);
  } catch (const toml::parse_error& e) {
    return fail(Code::invalid, std::string(e.description()), fmt::format("{}:{}:{}", source, e.source().begin.line, e.source().begin.column));
  }
}

}  // namespace hone::space
