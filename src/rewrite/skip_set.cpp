#include "rewrite/skip_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "core/file.h"
#include "core/sha256.h"

namespace hone {

namespace {

using Json = nlohmann::ordered_json;
constexpr int64_t kVersion = 1, kMost = 1 << 20;

// Typed reads of one object; the first error is kept.
class Reader {
 public:
  Reader(const Json& json, std::string source) : json_(json), source_(std::move(source)) {}

  std::string text(const char* key) {
    const Json* v = find(key);
    if (!v || !v->is_string()) return wrong(key, "a text"), "";
    return v->get<std::string>();
  }
  int64_t integer(const char* key, int64_t low, int64_t high) {
    const Json* v = find(key);
    if (!v || !v->is_number_integer() || (v->is_number_unsigned() && v->get<uint64_t>() > INT64_MAX)) return wrong(key, "a whole number"), low;
    const auto n = v->get<int64_t>();
    if (n < low || n > high) return wrong(key, fmt::format("a number from {} to {}", low, high).c_str()), low;
    return n;
  }
  bool flag(const char* key) {
    const Json* v = find(key);
    if (!v || !v->is_boolean()) return wrong(key, "true or false"), false;
    return v->get<bool>();
  }
  double real(const char* key, double low, double below) {
    const Json* v = find(key);
    if (!v || !v->is_number()) return wrong(key, "a number"), low;
    const double x = v->get<double>();
    if (!(x >= low && x < below)) return wrong(key, fmt::format("a number from {} to below {}", low, below).c_str()), low;
    return x;
  }
  bool choice(const char* key, std::string_view no, std::string_view yes) {  // true: the second
    const std::string v = text(key);
    if (v != no && v != yes) wrong(key, fmt::format("{} or {}", no, yes).c_str());
    return v == yes;
  }
  std::vector<int64_t> integers(const char* key) {
    const Json* v = find(key);
    return v ? integers(*v, key) : (wrong(key, "a list"), std::vector<int64_t>{});
  }
  std::vector<int64_t> integers(const Json& list, const char* key) {
    std::vector<int64_t> out;
    if (!list.is_array()) return wrong(key, "a list of whole numbers"), out;
    for (const Json& v : list) {
      if (!v.is_number_integer() || (v.is_number_unsigned() && v.get<uint64_t>() > INT64_MAX)) return wrong(key, "a list of whole numbers"), out;
      out.push_back(v.get<int64_t>());
    }
    return out;
  }
  std::vector<double> reals(const char* key) {
    const Json* v = find(key);
    std::vector<double> out;
    if (!v || !v->is_array()) return wrong(key, "a list of numbers"), out;
    for (const Json& x : *v) {
      if (!x.is_number() || !std::isfinite(x.get<double>())) return wrong(key, "a list of numbers"), out;
      out.push_back(x.get<double>());
    }
    return out;
  }
  std::vector<std::string> texts(const char* key) {
    const Json* v = find(key);
    std::vector<std::string> out;
    if (!v || !v->is_array()) return wrong(key, "a list of texts"), out;
    for (const Json& x : *v) {
      if (!x.is_string()) return wrong(key, "a list of texts"), out;
      out.push_back(x.get<std::string>());
    }
    return out;
  }
  const Json* find(const char* key) {
    const auto it = json_.find(key);
    return it == json_.end() ? nullptr : &*it;
  }
  void wrong(const char* key, const char* expected) {
    if (!error_) error_ = Error{Code::invalid, fmt::format("'{}' is not {}", key, expected), source_, "a skip-set file, as task skip of `hone train` writes it"};
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  const Json& json_;
  std::string source_;
  std::optional<Error> error_;
};

}  // namespace

std::string candidates_identity(const std::vector<SkipCandidate>& candidates) {
  std::string text;
  for (const SkipCandidate& c : candidates) text += fmt::format("{}\t{}\t1\n", c.module, c.width);
  return sha256_hex(text);
}

std::string print_skip_set(const SkipSet& s) {
  Json adapters{{"keep", name(s.adapters.keep)}, {"replace", name(s.adapters.replace)}, {"reduction", s.adapters.reduction},
                {"rank", s.adapters.rank},       {"prompts", s.adapters.prompts},        {"zero_up", s.adapters.zero_up},
                {"hidden", s.adapters.hidden},   {"replace_hidden", s.adapters.replace_hidden}, {"init", s.adapters.xavier ? "xavier" : "normal"},
                {"activation", s.adapters.relu ? "relu" : "none"}, {"branches", s.adapters.attention_only ? "attention" : "all"}, {"norm", s.adapters.module_norm ? "module" : "own"}, {"groups", s.adapters.groups}, {"dropout", s.adapters.dropout}};
  Json head{{"hone_skip_set", kVersion}, {"network", s.network}, {"identity", s.identity}, {"variant", s.variant}, {"set", s.set}, {"modules", s.modules},
            {"adapters", adapters},      {"method", s.method},   {"seed", s.seed},         {"scores", s.scores}};
  // An entry a line, and an event a line.
  const auto line = [](const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); };
  std::string out = "{\n";
  for (const auto& [key, value] : head.items()) out += fmt::format("  \"{}\": {},\n", key, line(value));
  out += "  \"history\": [";
  for (size_t i = 0; i < s.history.size(); ++i) {
    const SkipEvent& e = s.history[i];
    out += fmt::format("{}\n    {}", i ? "," : "", line(Json{{"step", e.step}, {"sets", e.sets}, {"losses", e.losses}, {"rewards", e.rewards}, {"scores", e.scores}}));
  }
  return out + (s.history.empty() ? "]\n}\n" : "\n  ]\n}\n");
}

Result<SkipSet> parse_skip_set_file(const std::string& text, const std::string& source) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return fail(Code::invalid, "is no JSON object", source, "a skip-set file, as task skip of `hone train` writes it");
  Reader r(json, source);
  r.integer("hone_skip_set", kVersion, kVersion);
  SkipSet s;
  s.network = r.text("network");
  s.identity = r.text("identity");
  s.variant = r.text("variant");
  s.set = r.integers("set");
  s.modules = r.texts("modules");
  s.method = r.text("method");
  s.seed = static_cast<uint64_t>(r.integer("seed", 0, INT64_MAX));
  s.scores = r.reals("scores");
  if (const Json* a = r.find("adapters"); a && a->is_object()) {
    Reader ar(*a, source);
    const auto keep = parse_keep(ar.text("keep"));
    const auto replace = parse_replace(ar.text("replace"));
    s.adapters.reduction = ar.integer("reduction", 1, 1 << 16);
    s.adapters.rank = ar.integer("rank", 1, 1 << 16);
    s.adapters.prompts = ar.integer("prompts", 1, 1 << 16);
    s.adapters.zero_up = ar.flag("zero_up");
    // Files of before these settings have none of them.
    if (ar.find("hidden")) s.adapters.hidden = ar.integer("hidden", 0, 1 << 16);
    if (ar.find("replace_hidden")) s.adapters.replace_hidden = ar.integer("replace_hidden", 0, 1 << 16);
    if (ar.find("groups")) s.adapters.groups = ar.integer("groups", 1, 1 << 16);
    if (ar.find("dropout")) s.adapters.dropout = ar.real("dropout", 0, 1);
    if (ar.find("branches")) s.adapters.attention_only = ar.choice("branches", "all", "attention");
    if (ar.find("norm")) s.adapters.module_norm = ar.choice("norm", "own", "module");
    if (ar.find("init")) s.adapters.xavier = ar.choice("init", "normal", "xavier");
    if (ar.find("activation")) s.adapters.relu = ar.choice("activation", "none", "relu");
    if (!keep) ar.wrong("keep", "a kind of adapter");
    if (!replace) ar.wrong("replace", "a kind of replacement");
    if (ar.error()) return fail(*ar.error());
    s.adapters.keep = *keep;
    s.adapters.replace = *replace;
  } else {
    r.wrong("adapters", "an object");
  }
  const Json* history = r.find("history");
  if (!history || !history->is_array() || history->size() > kMost) r.wrong("history", "a list of events");
  else
    for (const Json& e : *history) {
      if (!e.is_object()) return r.wrong("history", "a list of events"), fail(*r.error());
      Reader er(e, source);
      SkipEvent event;
      event.step = er.integer("step", 0, INT64_MAX);
      if (const Json* sets = er.find("sets"); sets && sets->is_array())
        for (const Json& one : *sets) event.sets.push_back(er.integers(one, "sets"));
      else er.wrong("sets", "a list of sets");
      event.losses = er.reals("losses");
      event.rewards = er.reals("rewards");
      event.scores = er.reals("scores");
      if (er.error()) return fail(*er.error());
      s.history.push_back(std::move(event));
    }
  if (s.set.size() != s.modules.size()) r.wrong("modules", "as long as the set");
  if (std::set<std::string>(s.modules.begin(), s.modules.end()).size() != s.modules.size()) r.wrong("modules", "free of repetition");
  if (!std::is_sorted(s.set.begin(), s.set.end())) r.wrong("set", "in ascending order");
  if (r.error()) return fail(*r.error());
  return s;
}

Result<SkipSet> read_skip_set(const std::string& path) {
  std::error_code ec;
  const bool run = std::filesystem::is_directory(path, ec);
  const std::string file = run ? fmt::format("{}/{}", path, kSkipSetFile) : path;
  if (run && !std::filesystem::exists(file, ec)) return fail(Code::not_found, fmt::format("holds no {}", kSkipSetFile), path, "a search's run directory, after its first validation, or a skip-set file");
  HONE_TRY_ASSIGN(const std::string text, read_file(file));
  return parse_skip_set_file(text, file);
}

bool names_skip_set(const std::string& text) {
  std::error_code ec;
  return text.ends_with(".json") || std::filesystem::is_directory(text, ec);
}

Result<std::vector<int64_t>> place_skip_set(const SkipSet& set, const std::vector<SkipCandidate>& candidates, const std::string& network) {
  std::vector<int64_t> out;
  for (const std::string& module : set.modules) {
    const auto it = std::find_if(candidates.begin(), candidates.end(), [&](const SkipCandidate& c) { return c.module == module; });
    if (it == candidates.end())
      return fail(Code::usage, fmt::format("the set leaves out module '{}', which {} does not have as a candidate", module, network), network,
                  fmt::format("the set was made for {}; `hone skip list {}` shows the candidates", set.network, network));
    out.push_back(it - candidates.begin());
  }
  if (candidates_identity(candidates) != set.identity)
    return fail(Code::usage, fmt::format("the set does not fit: it was made for {}, whose modules differ in name, number or width", set.network), network,
                fmt::format("`hone skip list {}` shows the candidates; --set takes their numbers too", network));
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace hone
