#include "run/recipe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>
#include <toml++/toml.h>
#include <variant>

#include "core/file.h"
#include "core/nearest.h"
#include "run/format.h"
#include "run/toml_text.h"

namespace hone {

namespace {

constexpr size_t kLargest = size_t{1} << 20;  // bytes of a recipe
constexpr std::string_view kSetting = "--set ";

using Value = std::variant<bool, int64_t, double, std::string, std::vector<int64_t>, std::vector<double>, std::vector<std::string>>;

std::string print(bool v) { return v ? "true" : "false"; }
std::string print(int64_t v) { return fmt::format("{}", v); }
std::string print(double v) { return toml_number(v); }
std::string print(const std::string& v) { return toml_quoted(v); }
template <class T>
std::string print(const std::vector<T>& list) {
  std::vector<std::string> items;
  for (const T& v : list) items.push_back(print(v));
  return fmt::format("[{}]", fmt::join(items, ", "));
}

std::vector<std::string> split(std::string_view key) {
  std::vector<std::string> parts(1);
  for (const char c : key)
    if (c == '.') parts.emplace_back();
    else parts.back() += c;
  return parts;
}

bool is_bare(std::string_view part) {
  return !part.empty() && part.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == std::string_view::npos;
}

// Position in an array of tables; -1 for a name.
int64_t index_of(const std::string& part) {
  if (part.empty() || part.size() > 6 || part.find_first_not_of("0123456789") != std::string::npos) return -1;
  return std::stoll(part);
}

toml::node* step(toml::node* node, const std::string& part) {
  if (auto* table = node->as_table()) return table->get(part);
  if (auto* list = node->as_array())
    if (const int64_t i = index_of(part); i >= 0 && static_cast<size_t>(i) < list->size()) return list->get(static_cast<size_t>(i));
  return nullptr;
}

toml::node* find(toml::table& root, std::string_view key) {
  toml::node* node = &root;
  for (const std::string& part : split(key))
    if (!(node = step(node, part))) return nullptr;
  return node;
}

bool is_tables(const toml::node& node) { return node.is_array_of_tables() || (node.is_array() && node.as_array()->empty()); }

std::string kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return node.is_array_of_tables() ? "an array of tables" : "a list";
    case toml::node_type::string: return toml_quoted(node.as_string()->get());
    case toml::node_type::integer: return print(node.as_integer()->get());
    case toml::node_type::floating_point: return print(node.as_floating_point()->get());
    case toml::node_type::boolean: return print(node.as_boolean()->get());
    default: return "a date or time";
  }
}

// ---- values, from a node; nothing when the kind is another ------------------------------------------------------------

template <class T>
std::optional<T> as(const toml::node& node);
template <>
std::optional<bool> as(const toml::node& node) {
  return node.is_boolean() ? std::optional(node.as_boolean()->get()) : std::nullopt;
}
template <>
std::optional<double> as(const toml::node& node) {
  if (node.is_integer()) return static_cast<double>(node.as_integer()->get());
  if (!node.is_floating_point() || !std::isfinite(node.as_floating_point()->get())) return std::nullopt;
  return node.as_floating_point()->get();
}
template <>
std::optional<int64_t> as(const toml::node& node) {
  if (node.is_integer()) return node.as_integer()->get();
  const auto real = node.is_floating_point() ? as<double>(node) : std::nullopt;  // 1e6 is a float in TOML
  if (!real || std::fabs(*real) > 0x1p53 || *real != std::floor(*real)) return std::nullopt;
  return static_cast<int64_t>(*real);
}
template <>
std::optional<std::string> as(const toml::node& node) {
  return node.is_string() ? std::optional(node.as_string()->get()) : std::nullopt;
}
template <class T>
std::optional<std::vector<T>> as_list(const toml::node& node) {
  if (!node.is_array()) return std::nullopt;
  std::vector<T> out;
  for (const toml::node& item : *node.as_array()) {
    const auto v = as<T>(item);
    if (!v) return std::nullopt;
    out.push_back(*v);
  }
  return out;
}
template <>
std::optional<std::vector<int64_t>> as(const toml::node& node) { return as_list<int64_t>(node); }
template <>
std::optional<std::vector<double>> as(const toml::node& node) { return as_list<double>(node); }
template <>
std::optional<std::vector<std::string>> as(const toml::node& node) { return as_list<std::string>(node); }

// ---- reading ----------------------------------------------------------------------------------------------------------

Result<toml::table> parse_toml(const std::string& text, const std::string& source) {
  HONE_TRY_ASSIGN(const std::string plain, toml_ascii(text, source));
  try {
    return toml::parse(std::string_view(plain), source);
  } catch (const toml::parse_error& e) {
    return fail(Code::invalid, std::string(e.description()), fmt::format("{}:{}", source, e.source().begin.line));
  }
}

// Keys with dots or blanks in them could not be told from paths.
Status check_keys(const toml::node& node, const std::string& source) {
  if (const auto* list = node.as_array())
    for (const toml::node& item : *list) HONE_TRY(check_keys(item, source));
  if (const auto* table = node.as_table())
    for (const auto& [key, value] : *table) {
      if (!is_bare(key.str()))
        return fail(Code::invalid, fmt::format("key {} has characters other than letters, digits, '_' and '-'", toml_quoted(key.str())), fmt::format("{}:{}", source, value.source().begin.line));
      HONE_TRY(check_keys(value, source));
    }
  return {};
}

// "table.key=value" into the tree.
Status set(toml::table& root, const std::string& setting) {
  const size_t equals = setting.find('=');
  const std::string where = std::string(kSetting) + setting, key = setting.substr(0, equals);
  const auto parts = split(key);
  if (equals == std::string::npos || !std::all_of(parts.begin(), parts.end(), is_bare)) return fail(Code::usage, "expected KEY=VALUE", where, "for example --set optimiser.lr=0.01");
  const std::string text = setting.substr(equals + 1);
  // A value that is not TOML is a bare word, unless it begins like a string, list or table with a mistake in it.
  auto parsed = text.find('\n') == std::string::npos ? parse_toml("v = " + text, where) : Result<toml::table>(fail(Code::usage, ""));
  if (!parsed || parsed->size() != 1 || parsed->begin()->second.is_date() || parsed->begin()->second.is_time() || parsed->begin()->second.is_date_time()) {
    if (!text.empty() && text.find_first_of("\"'[{") == 0) return fail(Code::usage, "the value is not TOML" + (parsed ? std::string() : ": " + parsed.error().message), where);
    parsed = parse_toml("v = " + toml_quoted(text), where);
    if (!parsed) return fail(std::move(parsed).error());
  }
  toml::node* node = &root;
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    if (auto* table = node->as_table(); table && !table->contains(parts[i])) table->insert(parts[i], toml::table{});
    node = step(node, parts[i]);
    if (!node || (!node->is_table() && !is_tables(*node))) return fail(Code::usage, fmt::format("the recipe has no table '{}'", fmt::join(parts.begin(), parts.begin() + static_cast<ptrdiff_t>(i) + 1, ".")), where);
  }
  if (!node->is_table()) return fail(Code::usage, "names a table of an array, not a key in it", where);
  parsed->begin()->second.visit([&](auto&& value) { node->as_table()->insert_or_assign(parts.back(), std::move(value)); });
  return {};
}

// ---- the frozen form --------------------------------------------------------------------------------------------------

struct Answer {
  Value value;
  std::string about;
};

// Answers as the tree that TOML prints: keys of a table, then its tables.
struct Tree {
  std::string name;
  std::vector<std::pair<std::string, const Answer*>> keys;
  std::vector<Tree> tables;
  bool array = false;    // its tables are elements "0", "1", ...
  bool present = false;  // the recipe has the table, even without keys

  Tree& at(const std::string& table) {
    for (Tree& t : tables)
      if (t.name == table) return t;
    tables.emplace_back().name = table;
    return tables.back();
  }
  Tree& walk(const std::vector<std::string>& parts, size_t count) {
    Tree* t = this;
    for (size_t i = 0; i < count; ++i) t = &t->at(parts[i]);
    return *t;
  }
};

void print(const Tree& tree, const std::string& path, bool element, std::string& out) {
  if (!path.empty() && !tree.array && (element || tree.present || !tree.keys.empty())) out += element ? "\n[[" + path + "]]\n" : "\n[" + path + "]\n";
  std::vector<std::string> lines;
  size_t width = 0;
  for (const auto& [key, answer] : tree.keys) {
    lines.push_back(key + " = " + std::visit([](const auto& v) { return print(v); }, answer->value));
    if (lines.back().size() <= 40) width = std::max(width, lines.back().size());
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string& about = tree.keys[i].second->about;
    out += about.empty() ? lines[i] + "\n" : fmt::format("{:<{}}  # {}\n", lines[i], width, about);
  }
  for (const Tree& inner : tree.tables)
    if (tree.array) print(inner, path, true, out);
    else print(inner, path.empty() ? inner.name : path + "." + inner.name, false, out);
}

}  // namespace

struct Recipe::State {
  std::string source;
  toml::table root;
  std::vector<std::string> order;                    // keys, as they were first asked for
  std::map<std::string, Answer, std::less<>> answers;
  std::map<std::string, int64_t, std::less<>> arrays;  // keys that tables() was asked for -> elements
  std::set<std::string, std::less<>> present;        // tables that has() found
  std::vector<Error> errors;

  std::string where(std::string_view key) {
    const toml::node* node = find(root, key);
    // A key that is missing: the line of the table that it would stand in.
    for (std::string_view rest = key; !node && rest.find('.') != rest.npos;) {
      rest = rest.substr(0, rest.rfind('.'));
      node = find(root, rest);
    }
    if (!node || !node->source().path || node->source().begin.line == 0) return source;
    const std::string& path = *node->source().path;
    return path.compare(0, kSetting.size(), kSetting) == 0 ? path : fmt::format("{}:{}", path, node->source().begin.line);
  }
  Error error(std::string_view key, std::string message, std::string hint = {}) { return {Code::usage, fmt::format("{}: {}", key, message), where(key), std::move(hint)}; }

  template <class T, class Check>
  T ask(std::string_view key, T fallback, std::string_view about, const char* expected, Check&& check) {
    if (const auto known = answers.find(key); known != answers.end()) {
      if (const T* v = std::get_if<T>(&known->second.value)) return *v;
      if constexpr (std::is_same_v<T, double>)
        if (const auto* v = std::get_if<int64_t>(&known->second.value)) return static_cast<double>(*v);
      errors.push_back(error(key, fmt::format("is used both as {} and as another kind of value", expected)));
      return fallback;
    }
    T value = fallback;
    // A name on the way that is no table would hide the key.
    const auto parts = split(key);
    toml::node* node = &root;
    for (const std::string& part : parts) {
      if (!node->is_table() && !node->is_array()) {
        errors.push_back(error(key, "stands behind a value, expected a table"));
        node = nullptr;
        break;
      }
      if (!(node = step(node, part))) break;
    }
    if (node) {
      if (const auto found = as<T>(*node); !found) errors.push_back(error(key, fmt::format("is {}, expected {}", clean_text(kind_of(*node)), expected), std::is_same_v<T, std::string> && node->is_number() ? fmt::format("in quotes it is text: '{}=\"{}\"'", key, clean_text(kind_of(*node))) : std::string()));
      else if (Status ok = check(*found); !ok) errors.push_back(error(key, ok.error().message, ok.error().hint));
      else value = *found;
    }
    std::string comment = clean_text(about);
    order.emplace_back(key);
    answers.emplace(std::string(key), Answer{value, comment});
    return value;
  }

  // Keys of the recipe that no answer came from, as errors.
  void unknown(const toml::node& node, const std::string& path, const std::vector<std::string>& known, std::vector<Error>& out) {
    const auto* table = node.as_table();
    const auto* list = node.as_array();
    const bool asked_list = list && arrays.count(path) > 0;
    if (!path.empty() && !asked_list) {
      if (answers.count(path) > 0) return;
      const auto inside = [&](const std::string& k) { return k.compare(0, path.size() + 1, path + ".") == 0; };
      const bool open = table && (present.count(path) > 0 || std::any_of(known.begin(), known.end(), inside));
      if (!open) {
        out.push_back(error(path, table ? "nothing uses this table" : "nothing uses this key", suggestion(path, table || is_tables(node), known)));
        return;
      }
    }
    if (table)
      for (const auto& [key, value] : *table) unknown(value, (path.empty() ? "" : path + ".") + std::string(key.str()), known, out);
    else
      for (size_t i = 0; i < list->size(); ++i)
        if ((*list)[i].is_table())
          for (const auto& [key, value] : *(*list)[i].as_table()) unknown(value, fmt::format("{}.{}.{}", path, i, key.str()), known, out);
  }

  // The nearest key with the same table, else the nearest of all.
  static std::string suggestion(const std::string& path, bool table, const std::vector<std::string>& known) {
    std::set<std::string> names;
    const auto depth = std::count(path.begin(), path.end(), '.');
    for (const std::string& k : known) {
      if (!table) {
        names.insert(k);
        continue;
      }
      size_t end = 0;  // tables of the same depth
      for (auto d = depth; d >= 0 && end != std::string::npos; --d) end = k.find('.', end + (end > 0));
      if (end != std::string::npos) names.insert(k.substr(0, end));
    }
    const auto near = nearest(path, {names.begin(), names.end()}, 1);
    if (near.empty() || edit_distance(path, near[0]) > std::max<size_t>(3, path.size() / 3)) return "";
    return "did you mean " + near[0] + "?";
  }
};

Recipe::Recipe(std::unique_ptr<State> state) : state_(std::move(state)) {}
Recipe::Recipe(Recipe&&) noexcept = default;
Recipe& Recipe::operator=(Recipe&&) noexcept = default;
Recipe::~Recipe() = default;

Result<Recipe> Recipe::read(const std::string& path, const std::vector<std::string>& settings) {
  HONE_TRY_ASSIGN(const std::string text, read_file(path, kLargest));
  return parse(text, path, settings);
}

Result<Recipe> Recipe::parse(const std::string& text, const std::string& source, const std::vector<std::string>& settings) {
  auto state = std::make_unique<State>();
  state->source = source;
  HONE_TRY_ASSIGN(state->root, parse_toml(text, source));
  HONE_TRY(check_keys(state->root, source));
  for (const std::string& setting : settings) HONE_TRY(set(state->root, setting));
  return Recipe(std::move(state));
}

int64_t Recipe::integer(std::string_view key, int64_t fallback, std::string_view about, int64_t min, int64_t max) {
  return state_->ask(key, fallback, about, "a whole number", [&](int64_t v) -> Status {
    if (v >= min && v <= max) return {};
    return fail(Code::invalid, max == INT64_MAX   ? fmt::format("is {}, expected at least {}", v, min)
                               : min == INT64_MIN ? fmt::format("is {}, expected at most {}", v, max)
                                                  : fmt::format("is {}, expected {} to {}", v, min, max));
  });
}

double Recipe::real(std::string_view key, double fallback, std::string_view about, double min, double max) {
  return state_->ask(key, fallback, about, "a finite number", [&](double v) -> Status {
    if (v >= min && v <= max) return {};
    return fail(Code::invalid, max >= 1e300    ? fmt::format("is {}, expected at least {}", v, min)
                               : min <= -1e300 ? fmt::format("is {}, expected at most {}", v, max)
                                               : fmt::format("is {}, expected {} to {}", v, min, max));
  });
}

bool Recipe::flag(std::string_view key, bool fallback, std::string_view about) {
  return state_->ask(key, fallback, about, "true or false", [](bool) { return Status(); });
}

std::string Recipe::text(std::string_view key, std::string_view fallback, std::string_view about, const std::vector<std::string>& choices) {
  std::string comment(about);
  if (!choices.empty()) comment += fmt::format("{}{}", comment.empty() ? "" : ": ", fmt::join(choices, ", "));
  return state_->ask(key, std::string(fallback), comment, "text", [&](const std::string& v) -> Status {
    if (choices.empty() || std::find(choices.begin(), choices.end(), v) != choices.end()) return {};
    const auto near = nearest(v, choices, 1);
    return fail(Code::invalid, fmt::format("is {}, expected one of: {}", toml_quoted(v), fmt::join(choices, ", ")), {}, edit_distance(v, near[0]) <= 3 ? "did you mean " + near[0] + "?" : "");
  });
}

std::vector<int64_t> Recipe::integers(std::string_view key, std::vector<int64_t> fallback, std::string_view about) {
  return state_->ask(key, std::move(fallback), about, "a list of whole numbers", [](const auto&) { return Status(); });
}
std::vector<double> Recipe::reals(std::string_view key, std::vector<double> fallback, std::string_view about) {
  return state_->ask(key, std::move(fallback), about, "a list of finite numbers", [](const auto&) { return Status(); });
}
std::vector<std::string> Recipe::texts(std::string_view key, std::vector<std::string> fallback, std::string_view about) {
  return state_->ask(key, std::move(fallback), about, "a list of texts", [](const auto&) { return Status(); });
}

std::vector<std::string> Recipe::files(std::string_view key, std::string_view about) {
  if (const toml::node* node = find(state_->root, key); node && node->is_array()) return texts(key, {}, about);
  std::vector<std::string> one = {text(key, "", about)};
  if (one[0].empty()) one.clear();
  return one;
}

int64_t Recipe::tables(std::string_view key) {
  if (const auto known = state_->arrays.find(key); known != state_->arrays.end()) return known->second;
  const toml::node* node = find(state_->root, key);
  int64_t n = 0;
  if (node && !is_tables(*node)) state_->errors.push_back(state_->error(key, fmt::format("is {}, expected an array of tables", clean_text(kind_of(*node))), fmt::format("write [[{}]]", key)));
  else if (node) n = static_cast<int64_t>(node->as_array()->size());
  state_->arrays.emplace(std::string(key), n);
  state_->order.emplace_back(key);
  return n;
}

bool Recipe::has(std::string_view key) const {
  const toml::node* node = find(state_->root, key);
  if (node && node->is_table() && state_->present.emplace(key).second) state_->order.emplace_back(key);
  return node != nullptr;
}

Error Recipe::error(std::string_view key, std::string message, std::string hint) const { return state_->error(key, std::move(message), std::move(hint)); }
const std::string& Recipe::source() const { return state_->source; }

Status Recipe::finish() const {
  std::vector<Error> all = state_->errors;
  state_->unknown(state_->root, "", state_->order, all);
  if (all.empty()) return {};
  Error first = all[0];
  for (size_t i = 1; i < all.size(); ++i) first.hint += (first.hint.empty() ? "" : "\n  ") + clean_text(all[i].text());
  return fail(std::move(first));
}

std::string Recipe::frozen() const {
  Tree root;
  for (const std::string& key : state_->order) {
    const auto parts = split(key);
    if (const auto answer = state_->answers.find(key); answer != state_->answers.end()) {
      root.walk(parts, parts.size() - 1).keys.emplace_back(parts.back(), &answer->second);
    } else if (const auto array = state_->arrays.find(key); array != state_->arrays.end()) {
      Tree& tree = root.walk(parts, parts.size());
      tree.array = true;
      for (int64_t i = 0; i < array->second; ++i) tree.at(std::to_string(i));
    } else {
      root.walk(parts, parts.size()).present = true;
    }
  }
  std::string out = "# Every value that this run uses, defaults included.\n";
  print(root, "", false, out);
  return out;
}

// ---- differences ------------------------------------------------------------------------------------------------------

namespace {

std::string print(const toml::node& node) {
  if (const auto* list = node.as_array()) {
    std::vector<std::string> items;
    for (const toml::node& item : *list) items.push_back(print(item));
    return fmt::format("[{}]", fmt::join(items, ", "));
  }
  return kind_of(node);
}

void flatten(const toml::node& node, const std::string& path, std::map<std::string, std::string>& out) {
  const std::string inside = path.empty() ? "" : path + ".";
  if (const auto* table = node.as_table())
    for (const auto& [key, value] : *table) flatten(value, inside + std::string(key.str()), out);
  else if (const auto* list = node.as_array(); list && node.is_array_of_tables())
    for (size_t i = 0; i < list->size(); ++i) flatten((*list)[i], inside + std::to_string(i), out);
  else out[path] = print(node);
}

}  // namespace

Result<std::vector<RecipeDifference>> recipe_differences(const std::string& first, const std::string& second) {
  HONE_TRY_ASSIGN(const toml::table a, parse_toml(first, "first recipe"));
  HONE_TRY_ASSIGN(const toml::table b, parse_toml(second, "second recipe"));
  std::map<std::string, std::string> left, right;
  flatten(a, "", left);
  flatten(b, "", right);
  std::map<std::string, RecipeDifference> all;
  for (const auto& [key, value] : left) all[key] = {key, value, ""};
  for (const auto& [key, value] : right) all.try_emplace(key, RecipeDifference{key, "", ""}).first->second.second = value;
  std::vector<RecipeDifference> out;
  for (auto& [key, d] : all)
    if (d.first != d.second) out.push_back(std::move(d));
  return out;
}

}  // namespace hone
