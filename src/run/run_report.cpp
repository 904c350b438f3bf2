#include "run/run_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "run/manifest.h"
#include "run/progress.h"
#include "run/recipe.h"

namespace hone {

namespace {

// Values of training events that are no losses: each has a chart of its own.
constexpr std::pair<const char*, const char*> kRates[] = {{"rate", "Learning rate"}, {"gradient_norm", "Gradient norm"}, {"per_second", "Throughput, a second"}};

Cell number_or_none(const std::optional<double>& v) { return v && std::isfinite(*v) ? Cell(*v) : Cell(std::monostate{}); }

std::optional<double> value_of(const Figures& figures, const std::string& name) {
  for (const auto& [key, value] : figures)
    if (key == name) return value;
  return std::nullopt;
}

std::string shown_metric(const RunSummary& s) {
  if (const auto best = s.best_value()) return fmt::format("{} {:.4g}", s.watched[0] == '-' ? s.watched.substr(1) : s.watched, *best);
  if (!s.last.empty()) return fmt::format("{} {:.4g} (newest)", s.last[0].first, s.last[0].second);
  return "-";
}

std::string folder_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// Names of values in events of a kind, in order of appearance.
std::vector<std::string> names_in(const std::vector<Event>& events, const std::string& kind) {
  std::vector<std::string> out;
  for (const Event& e : events)
    if (e.kind == kind)
      for (const auto& [name, value] : e.values)
        if (!std::holds_alternative<std::string>(value) && std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
  return out;
}

Cell cell_of(const Event& e, const std::string& name) {
  for (const auto& [key, value] : e.values)
    if (key == name) {
      if (const auto* real = std::get_if<double>(&value)) return *real;
      if (const auto* integer = std::get_if<int64_t>(&value)) return *integer;
    }
  return std::monostate{};
}

Chart curve(const std::string& table, std::string title, std::vector<std::string> columns, bool several) {
  Chart c;
  c.kind = Chart::Kind::curves;
  c.title = std::move(title), c.table = table, c.x = "step", c.group = several ? "run" : "";
  if (columns.size() == 1) c.y = columns[0];
  else c.values = std::move(columns);
  return c;
}

}  // namespace

Status add_curves(Report& report, const std::vector<const RunDir*>& runs, const std::vector<std::string>& names) {
  std::vector<std::vector<Event>> events;
  for (const RunDir* run : runs) {
    HONE_TRY_ASSIGN(auto list, run->events());
    events.push_back(std::move(list));
  }
  const bool several = runs.size() > 1;
  for (const std::string kind : {"validate", "train"}) {
    std::vector<std::string> columns;
    for (const auto& list : events)
      for (const std::string& name : names_in(list, kind))
        if (std::find(columns.begin(), columns.end(), name) == columns.end()) columns.push_back(name);
    if (columns.empty()) continue;
    Table table{kind, "", {{"run", "run"}, {"step", "step"}}, {}, false, kJson};
    for (const std::string& name : columns) table.columns.push_back({name, name});
    std::map<std::string, bool> is_share;
    for (const std::string& name : columns) is_share[name] = true;
    for (size_t r = 0; r < runs.size(); ++r)
      for (const Event& e : events[r]) {
        if (e.kind != kind) continue;
        std::vector<Cell> row = {names[r], e.step};
        for (const std::string& name : columns) {
          row.push_back(cell_of(e, name));
          const double* real = std::get_if<double>(&row.back());
          if (std::holds_alternative<int64_t>(row.back()) || (real && !(*real >= 0 && *real <= 1))) is_share[name] = false;
        }
        table.rows.push_back(std::move(row));
      }
    report.parts.push_back(std::move(table));

    std::vector<std::string> together, alone;
    for (const std::string& name : columns) {
      const bool rate = std::any_of(std::begin(kRates), std::end(kRates), [&](const auto& k) { return name == k.first; });
      if (kind == "train" ? !rate && !several : is_share[name] && !several) together.push_back(name);
      else alone.push_back(name);
    }
    if (!together.empty()) {
      Chart c = curve(kind, kind == "train" ? "Losses over steps" : "Validation over steps", together, several);
      if (kind == "train") c.caption = "Of many steps the mean is drawn; the band is their least and greatest value.";
      report.parts.push_back(std::move(c));
    }
    for (const std::string& name : alone) {
      std::string title = kind == "train" ? name : "Validation: " + name;
      for (const auto& [key, words] : kRates)
        if (name == key && kind == "train") title = words;
      report.parts.push_back(curve(kind, title, {name}, several));
    }
  }
  return {};
}

Report list_report(const std::vector<std::string>& paths) {
  Report report;
  report.command = "runs";
  Table table{"runs", "", {{"run", "run"}, {"state", "state"}, {"step", "step"}, {"metric", "best", Unit::none, false, kText | kHtml},
                          {"idle", "last event", Unit::none, false, kText}, {"last_event", "last event", Unit::none, false, kHtml},  // a page is read later
                          {"watched", "watched", Unit::none, false, kJson | kCsv},
                          {"best", "best", Unit::none, false, kJson | kCsv}, {"best_step", "best step", Unit::none, false, kJson | kCsv},
                          {"idle_ms", "idle", Unit::none, false, kJson | kCsv}, {"writer", "writer", Unit::none, false, kJson}}};
  std::vector<Note> notes;
  for (const std::string& path : paths) {
    const auto run = RunDir::open(path);
    const auto s = run ? summarise(*run) : Result<RunSummary>(fail(run.error()));
    if (!s) {
      notes.push_back({Note::Level::warning, s.error().text()});
      continue;
    }
    table.rows.push_back({path, std::string(s->state_name()), s->step, shown_metric(*s), format_duration(s->idle_seconds) + " ago", s->last_event,
                          s->watched.empty() ? Cell(std::monostate{}) : Cell(s->watched), number_or_none(s->best_value()), s->best.empty() ? Cell(std::monostate{}) : Cell(s->best_step),
                          static_cast<int64_t>(s->idle_seconds * 1000), s->writer.empty() ? Cell(std::monostate{}) : Cell(s->writer)});
  }
  report.title = fmt::format("{} run{}", table.rows.size(), table.rows.size() == 1 ? "" : "s");
  report.parts.push_back(std::move(table));
  for (Note& n : notes) report.parts.push_back(std::move(n));
  return report;
}

Result<Report> run_report(const RunDir& run) {
  HONE_TRY_ASSIGN(const RunSummary s, summarise(run));
  Report report;
  report.command = "runs show";
  report.title = s.path;
  report.subtitle = std::string(s.state_name()) + (s.state == RunSummary::State::running ? " by " + s.writer : "");
  Facts facts{"", "", {{"run", "run", s.path, Unit::none, "", kJson}, {"state", "state", std::string(s.state_name()), Unit::none, "", kJson}, {"step", "step", s.step},
                       {"watched", "watched", s.watched.empty() ? Cell(std::monostate{}) : Cell(s.watched), Unit::none, "", kJson}, {"best_step", "best at step", s.best.empty() ? Cell(std::monostate{}) : Cell(s.best_step)},
                       {"idle", "last event", format_duration(s.idle_seconds) + " ago", Unit::none, "", kText},
                       {"last_event", "last event", s.last_event.substr(0, 10), Unit::none, s.last_event.substr(std::min<size_t>(11, s.last_event.size())), kHtml}, {"idle_ms", "", static_cast<int64_t>(s.idle_seconds * 1000), Unit::none, "", kJson}}, true};
  report.parts.push_back(std::move(facts));
  if (!s.best.empty() || !s.last.empty()) {
    Table table{"metrics", "Validation", {{"metric", "metric"}, {"best", "best"}, {"last", "last"}}};
    std::vector<std::string> names;
    for (const auto* list : {&s.best, &s.last})
      for (const auto& [name, value] : *list)
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    for (const std::string& name : names) table.rows.push_back({name, number_or_none(value_of(s.best, name)), number_or_none(value_of(s.last, name))});
    report.parts.push_back(std::move(table));
  }
  HONE_TRY(add_curves(report, {&run}, {s.path}));
  if (const auto manifest = read_manifest(run)) {
    Table sessions{"sessions", "Sessions", {{"began", "began"}, {"ended", "ended"}, {"from_step", "from step"}, {"host", "host"}, {"cpu", "processor"}, {"hone", "hone"}, {"command", "command"}}};
    for (const Session& x : manifest->sessions) {
      std::string command;
      for (const std::string& word : x.command_line) command += (command.empty() ? "" : " ") + word;
      const auto version = x.versions.find("hone");
      sessions.rows.push_back({x.began, x.ended.empty() ? Cell(std::monostate{}) : Cell(x.ended), x.from_step, x.host.name, x.host.device.empty() ? x.host.cpu : x.host.device,
                               version == x.versions.end() ? std::string() : version->second, command});
    }
    report.parts.push_back(std::move(sessions));
    Table data{"data", "Data", {{"set", "set"}, {"what", "what"}, {"count", "count"}}};
    for (const DataFacts& d : manifest->data)
      for (const auto& [what, count] : d.counts) data.rows.push_back({d.name, what, count});
    report.parts.push_back(std::move(data));
  }
  HONE_TRY_ASSIGN(const std::vector<Event> events, run.events());
  Table notes{"notes", "Notes", {{"step", "step"}, {"text", "text"}}};
  for (const Event& e : events)
    if (e.kind == "note")
      for (const auto& [name, value] : e.values)
        if (const auto* text = std::get_if<std::string>(&value)) notes.rows.push_back({e.step, *text});
  if (!notes.rows.empty()) report.parts.push_back(std::move(notes));
  return report;
}

Result<Report> compare_report(const RunDir& a, const RunDir& b) {
  HONE_TRY_ASSIGN(const RunSummary sa, summarise(a));
  HONE_TRY_ASSIGN(const RunSummary sb, summarise(b));
  HONE_TRY_ASSIGN(const std::string recipe_a, a.recipe());
  HONE_TRY_ASSIGN(const std::string recipe_b, b.recipe());
  HONE_TRY_ASSIGN(const auto differences, recipe_differences(recipe_a, recipe_b));
  Report report;
  report.command = "runs compare";
  report.title = sa.path + " -> " + sb.path;
  report.subtitle = fmt::format("A {}, B {}; {} of their recipes' values differ", sa.state_name(), sb.state_name(), differences.size());
  for (const auto& [key, s] : {std::pair{"a", &sa}, std::pair{"b", &sb}})
    report.parts.push_back(Facts{key, "", {{"run", "", s->path}, {"state", "", std::string(s->state_name())}, {"step", "", s->step}, {"best_step", "", s->best_step}}, false, kJson});
  Table recipe{"recipe", "Recipe", {{"key", "key"}, {"a", "A"}, {"b", "B"}}};
  const auto cell = [](const std::string& v) { return v.empty() ? Cell(std::monostate{}) : Cell(v); };
  for (const RecipeDifference& d : differences) recipe.rows.push_back({d.key, cell(d.first), cell(d.second)});
  if (differences.empty()) report.parts.push_back(Note{Note::Level::info, "the recipes are equal"});
  report.parts.push_back(std::move(recipe));

  const bool finished = !sa.best.empty() && !sb.best.empty();
  const Figures &fa = finished ? sa.best : sa.last, &fb = finished ? sb.best : sb.last;
  Table metrics{"metrics", finished ? "At the best checkpoint" : "At the newest validation", {{"metric", "metric"}, {"a", "A"}, {"b", "B"}, {"difference", "B - A"}}};
  std::vector<std::string> names;
  for (const auto* list : {&fa, &fb})
    for (const auto& [name, value] : *list)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  for (const std::string& name : names) {
    const auto va = value_of(fa, name), vb = value_of(fb, name);
    metrics.rows.push_back({name, number_or_none(va), number_or_none(vb), va && vb ? number_or_none(*vb - *va) : Cell(std::monostate{})});
  }
  report.parts.push_back(std::move(metrics));
  HONE_TRY(add_curves(report, {&a, &b}, {"A " + folder_name(sa.path), "B " + folder_name(sb.path)}));
  return report;
}

}  // namespace hone
