#include "run/recipe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>

#include "core/file.h"
#include "core/nearest.h"

namespace hone {

namespace {

std::vector<std::string> segments(std::string_view key) {
  std::vector<std::string> out;
  for (size_t at = 0; at <= key.size();) {
    const size_t dot = std::min(key.find('.', at), key.size());
    out.emplace_back(key.substr(at, dot - at));
    at = dot + 1;
  }
  return out;
}

bool is_index(const std::string& s) { return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; }); }

std::string quoted(std::string_view s) {
  std::string out = "\"";
  for (const char c : s) {
    if (c == '"' || c == '\\') out += '\\', out += c;
    else if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) out += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    else out += c;
  }
  return out + '"';
}

// Shortest digits that give the same double back; always a float in TOML.
std::string number(double v) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
  std::string s = fmt::format("{}", v);
  if (s.find_first_of(".en") == std::string::npos) s += ".0";
  return s;
}

std::string written(bool v) { return v ? "true" : "false"; }
std::string written(int64_t v) { return fmt::format("{}", v); }
std::string written(double v) { return number(v); }
std::string written(const std::string& v) { return quoted(v); }
template <class T>
std::string written(const std::vector<T>& v) {
  std::string out = "[";
  for (size_t i = 0; i < v.size(); ++i) out += (i ? ", " : "") + written(v[i]);
  return out + "]";
}

std::string_view kind(const toml::node& n) {
  switch (n.type()) {
    case toml::node_type::string: return "text";
    case toml::node_type::integer: return "an integer";
    case toml::node_type::floating_point: return "a number";
    case toml::node_type::boolean: return "a flag";
    case toml::node_type::array: return "an array";
    case toml::node_type::table: return "a table";
    default: return "a date or time";
  }
}

// Range and spelling errors of a misspelt word list their choices.
std::string choice_list(const std::vector<std::string>& choices) { return fmt::format("{}", fmt::join(choices, ", ")); }

}  // namespace

struct Recipe::State {
  struct Asked {
    std::string key, value, about;
  };
  std::string source;
  toml::table root;
  std::vector<Asked> asked;            // in order, each key once
  std::set<std::string> known;         // keys and array tables that were asked for
  std::set<std::string> set_by_hand;   // keys that --set gave
  std::vector<std::string> errors;     // "file:line: key: message"

  const toml::node* find(std::string_view key) const {
    const toml::node* at = &root;
    for (const std::string& s : segments(key)) {
      if (const toml::table* t = at->as_table()) at = t->get(s);
      else if (const toml::array* a = at->as_array(); a && is_index(s)) {
        size_t i = 0;
        std::from_chars(s.data(), s.data() + s.size(), i);
        at = i < a->size() ? a->get(i) : nullptr;
      } else at = nullptr;
      if (!at) return nullptr;
    }
    return at;
  }
  std::string where(std::string_view key) const {
    if (set_by_hand.count(std::string(key))) return fmt::format("--set {}", key);
    const toml::node* n = find(key);
    return n && n->source().begin.line ? fmt::format("{}:{}: {}", source, n->source().begin.line, key) : fmt::format("{}: {}", source, key);
  }
  void wrong(std::string_view key, std::string message) { errors.push_back(where(key) + ": " + std::move(message)); }

  template <class T>
  T answer(std::string_view key, T value, std::string_view about) {
    if (known.insert(std::string(key)).second) asked.push_back({std::string(key), written(value), std::string(about)});
    return value;
  }
  // The value in the file, if it is there and of its kind; `read` returns nothing for another kind.
  template <class T, class Read>
  std::optional<T> given(std::string_view key, const char* expected, Read read) {
    const toml::node* n = find(key);
    if (!n) return {};
    if (auto v = read(*n)) return v;
    wrong(key, fmt::format("expected {}, found {}", expected, kind(*n)));
    return {};
  }
  template <class T, class Read>
  std::optional<std::vector<T>> given_list(std::string_view key, const char* expected, Read read) {
    return given<std::vector<T>>(key, expected, [&](const toml::node& n) -> std::optional<std::vector<T>> {
      const toml::array* a = n.as_array();
      if (!a) return {};
      std::vector<T> out;
      for (const toml::node& item : *a) {
        auto v = read(item);
        if (!v) return {};
        out.push_back(*std::move(v));
      }
      return out;
    });
  }

  // Keys of values in the file, dotted.
  static void leaves(const toml::node& n, const std::string& path, std::vector<std::string>& out) {
    if (const toml::table* t = n.as_table()) {
      for (const auto& [k, v] : *t) leaves(v, path.empty() ? std::string(k) : path + "." + std::string(k), out);
    } else if (const toml::array* a = n.as_array(); a && !a->empty() && a->is_array_of_tables()) {
      for (size_t i = 0; i < a->size(); ++i) leaves(*a->get(i), fmt::format("{}.{}", path, i), out);
    } else {
      out.push_back(path);
    }
  }
};

namespace {

std::optional<int64_t> as_integer(const toml::node& n) { return n.is_integer() ? std::optional(n.as_integer()->get()) : std::nullopt; }
std::optional<double> as_real(const toml::node& n) {
  if (n.is_integer()) return static_cast<double>(n.as_integer()->get());
  return n.is_floating_point() ? std::optional(n.as_floating_point()->get()) : std::nullopt;
}
std::optional<std::string> as_text(const toml::node& n) { return n.is_string() ? std::optional(n.as_string()->get()) : std::nullopt; }

// toml++ 3.3 has undefined behaviour on some characters beyond ASCII outside strings; recipes are ASCII.
Status check_ascii(const std::string& text, const std::string& source) {
  int line = 1;
  for (const char c : text) {
    if (c == '\n') ++line;
    if (static_cast<unsigned char>(c) >= 0x80) return fail(Code::invalid, "recipes are ASCII; write other characters as \\uXXXX", fmt::format("{}:{}", source, line));
  }
  return {};
}

}  // namespace

Recipe::Recipe(std::unique_ptr<State> state) : state_(std::move(state)) {}
Recipe::Recipe(Recipe&&) noexcept = default;
Recipe& Recipe::operator=(Recipe&&) noexcept = default;
Recipe::~Recipe() = default;

Result<Recipe> Recipe::read(const std::string& path, const std::vector<std::string>& settings) {
  HONE_TRY_ASSIGN(const std::string text, read_file(path, size_t{1} << 20));
  return parse(text, path, settings);
}

Result<Recipe> Recipe::parse(const std::string& text, const std::string& source, const std::vector<std::string>& settings) {
  HONE_TRY(check_ascii(text, source));
  auto state = std::make_unique<State>();
  state->source = source;
  try {
    state->root = toml::parse(std::string_view(text));
  } catch (const toml::parse_error& e) {
    return fail(Code::invalid, std::string(e.description()), fmt::format("{}:{}", source, e.source().begin.line), "docs/runs.md describes recipes");
  }
  for (const std::string& setting : settings) {
    const size_t equals = setting.find('=');
    const std::string key = setting.substr(0, equals);
    if (equals == std::string::npos || key.empty()) return fail(Code::usage, fmt::format("--set {}: expected KEY=VALUE", setting), {}, "for example --set optimiser.lr=1e-3");
    const std::string value = setting.substr(equals + 1);
    HONE_TRY(check_ascii(setting, "--set"));
    toml::table parsed;
    try {
      parsed = toml::parse("v = " + value);
    } catch (const toml::parse_error&) {
      parsed = toml::parse("v = " + quoted(value));  // a bare word is text
    }
    const std::vector<std::string> path = segments(key);
    toml::table* at = &state->root;
    for (size_t i = 0; i + 1 < path.size(); ++i) {
      if (!at->contains(path[i])) at->insert(path[i], toml::table{});
      toml::node* next = at->get(path[i]);
      if (toml::array* a = next->as_array(); a && i + 2 < path.size() && is_index(path[i + 1])) {
        size_t k = 0;
        std::from_chars(path[i + 1].data(), path[i + 1].data() + path[i + 1].size(), k);
        next = k < a->size() ? a->get(k) : nullptr;
        ++i;
      }
      at = next ? next->as_table() : nullptr;
      if (!at) return fail(Code::usage, fmt::format("--set {}: {} is no table of the recipe", key, fmt::join(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(i) + 1, ".")));
    }
    at->insert_or_assign(path.back(), std::move(*parsed.get("v")));
    state->set_by_hand.insert(key);
  }
  return Recipe(std::move(state));
}

int64_t Recipe::integer(std::string_view key, int64_t fallback, std::string_view about, int64_t min, int64_t max) {
  int64_t v = state_->given<int64_t>(key, "an integer", as_integer).value_or(fallback);
  if (v < min || v > max) {
    state_->wrong(key, max == INT64_MAX ? fmt::format("{} is below {}", v, min) : min == INT64_MIN ? fmt::format("{} is above {}", v, max) : fmt::format("{} is not within {} .. {}", v, min, max));
    v = fallback;
  }
  return state_->answer(key, v, about);
}

double Recipe::real(std::string_view key, double fallback, std::string_view about, double min, double max) {
  double v = state_->given<double>(key, "a number", as_real).value_or(fallback);
  if (!(v >= min && v <= max)) {
    state_->wrong(key, max >= 1e300 ? fmt::format("{} is below {}", v, min) : fmt::format("{} is not within {} .. {}", v, min, max));
    v = fallback;
  }
  return state_->answer(key, v, about);
}

bool Recipe::flag(std::string_view key, bool fallback, std::string_view about) {
  const auto read = [](const toml::node& n) { return n.is_boolean() ? std::optional(n.as_boolean()->get()) : std::nullopt; };
  return state_->answer(key, state_->given<bool>(key, "true or false", read).value_or(fallback), about);
}

std::string Recipe::text(std::string_view key, std::string_view fallback, std::string_view about, const std::vector<std::string>& choices) {
  std::string v = state_->given<std::string>(key, "text", as_text).value_or(std::string(fallback));
  std::string comment(about);
  if (!choices.empty()) {
    if (std::find(choices.begin(), choices.end(), v) == choices.end()) {
      state_->wrong(key, fmt::format("'{}' is none of {}; did you mean '{}'?", v, choice_list(choices), nearest(v, choices, 1)[0]));
      v = fallback;
    }
    comment += (comment.empty() ? "" : "; ") + std::string("one of ") + choice_list(choices);
  }
  return state_->answer(key, std::move(v), comment);
}

std::vector<int64_t> Recipe::integers(std::string_view key, std::vector<int64_t> fallback, std::string_view about) {
  return state_->answer(key, state_->given_list<int64_t>(key, "an array of integers", as_integer).value_or(std::move(fallback)), about);
}
std::vector<double> Recipe::reals(std::string_view key, std::vector<double> fallback, std::string_view about) {
  return state_->answer(key, state_->given_list<double>(key, "an array of numbers", as_real).value_or(std::move(fallback)), about);
}
std::vector<std::string> Recipe::texts(std::string_view key, std::vector<std::string> fallback, std::string_view about) {
  return state_->answer(key, state_->given_list<std::string>(key, "an array of texts", as_text).value_or(std::move(fallback)), about);
}

int64_t Recipe::tables(std::string_view key) {
  state_->known.insert(std::string(key));
  const toml::node* n = state_->find(key);
  if (!n) return 0;
  const toml::array* a = n->as_array();
  if (!a || (!a->empty() && !a->is_array_of_tables())) {
    state_->wrong(key, fmt::format("expected tables [[{}]], found {}", key, kind(*n)));
    return 0;
  }
  return static_cast<int64_t>(a->size());
}

bool Recipe::has(std::string_view key) const { return state_->find(key) != nullptr; }

Error Recipe::error(std::string_view key, std::string message, std::string hint) const { return {Code::usage, std::move(message), state_->where(key), std::move(hint)}; }

Status Recipe::finish() const {
  std::vector<std::string> all = state_->errors, keys(state_->known.begin(), state_->known.end()), found;
  State::leaves(state_->root, "", found);
  for (const std::string& key : found) {
    if (state_->known.count(key)) continue;
    const auto close = nearest(key, keys, 1);
    all.push_back(fmt::format("{}: no such key{}", state_->where(key), close.empty() ? "" : fmt::format("; did you mean {}?", close[0])));
  }
  if (all.empty()) return {};
  return fail(Code::usage, fmt::format("{}", fmt::join(all, "\n  ")), {}, "docs/training.md lists every key");
}

std::string Recipe::frozen() const {
  // Values of one table stand together, tables in the order in which they were first asked for.
  std::vector<std::string> tables;
  std::map<std::string, std::vector<const State::Asked*>> by_table;
  for (const State::Asked& a : state_->asked) {
    const size_t dot = a.key.rfind('.');
    const std::string table = dot == std::string::npos ? "" : a.key.substr(0, dot);
    if (!by_table.count(table)) tables.push_back(table);
    by_table[table].push_back(&a);
  }
  // Elements of an array of tables stand one behind the other, in their order, as TOML wants them.
  std::stable_sort(tables.begin(), tables.end(), [](const std::string& a, const std::string& b) { return a.empty() && !b.empty(); });
  std::string out;
  for (const std::string& table : tables) {
    if (!table.empty()) {
      const std::vector<std::string> path = segments(table);
      std::string header;
      bool element = false;
      for (const std::string& s : path) {
        element = is_index(s);
        if (!element) header += (header.empty() ? "" : ".") + s;
      }
      out += element ? "\n[[" + header + "]]\n" : "\n[" + header + "]\n";
    }
    for (const State::Asked* a : by_table[table]) {
      const std::string line = fmt::format("{} = {}", segments(a->key).back(), a->value);
      out += a->about.empty() ? line + "\n" : fmt::format("{:<32}  # {}\n", line, a->about);
    }
  }
  return out;
}

const std::string& Recipe::source() const { return state_->source; }

}  // namespace hone
