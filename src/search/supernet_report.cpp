#include "search/supernet_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "run/format.h"

namespace hone::search {

using namespace space;

namespace {

constexpr double kMega = 1e6;

std::optional<double> value_of(const Event& e, std::string_view name) {
  for (const auto& [key, value] : e.values)
    if (key == name) {
      if (const auto* real = std::get_if<double>(&value)) return *real;
      if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole);
    }
  return std::nullopt;
}

std::string level_name(double mmacs) { return fmt::format("{:.4g} M", mmacs); }

// How often the steps that events record trained which level, and what the banks hold of each at the end.
bool add_levels(Report& report, const SupernetStory& s, const CostTable& costs) {
  std::map<double, std::pair<int64_t, int64_t>> levels;   // steps, entries
  for (const int64_t level : s.space.levels.at) levels[static_cast<double>(level) / kMega] = {0, 0};
  int64_t steps = 0;
  for (const Event& e : s.events)
    if (const auto level = e.kind == "train" ? value_of(e, "level") : std::nullopt; level && *level > 0) {
      // Events hold single precision.
      const auto same = std::find_if(levels.begin(), levels.end(), [&](const auto& l) { return std::abs(l.first - *level) <= 1e-6 * *level; });
      ++(same == levels.end() ? levels[*level] : same->second).first;
      ++steps;
    }
  for (const Member& m : s.bank) {
    const auto cost = costs(m);
    double at = 0;
    if (cost)
      for (const int64_t level : s.space.levels.at)
        if (level <= counted(s.space, *cost)) at = static_cast<double>(level) / kMega;
    if (at > 0) ++levels[at].second;
  }
  if (steps == 0 && s.bank.empty()) return false;
  Table t{"levels", "Levels", {{"level", "level"}, {"mmacs", "MMACs", Unit::none, false, kJson}, {"steps", "steps recorded"}, {"entries", "bank entries at the end"}}, {}};
  for (const auto& [level, n] : levels) t.rows.push_back({level_name(level), level, n.first, n.second});
  if (steps > 0)
    report.parts.push_back(Chart{.kind = Chart::Kind::histogram, .title = "Levels that steps trained", .caption = fmt::format("Of the {} steps that events record; the walk over levels visits all alike in the long run.", steps), .table = "levels", .label = "level", .values = {"steps"}});
  if (!s.bank.empty())
    report.parts.push_back(Chart{.kind = Chart::Kind::histogram, .title = "Memory banks at the end", .caption = "Entries of each level.", .table = "levels", .label = "level", .values = {"entries"}});
  report.parts.push_back(std::move(t));
  return true;
}

bool add_banks(Report& report, const SupernetStory& s) {
  Table t{"banks", "Memory banks over time", {{"step", "step"}, {"level", "level"}, {"entries", "entries"}, {"best", "best quality"}, {"mean", "mean quality"}, {"worst", "worst quality"}, {"mmacs", "mean MMACs"}}, {}, true, kJson | kHtml};
  for (const Event& e : s.events) {
    if (e.kind != "bank") continue;
    const auto level = value_of(e, "level"), entries = value_of(e, "entries"), best = value_of(e, "best"), mean = value_of(e, "mean"), worst = value_of(e, "worst"), mmacs = value_of(e, "mmacs");
    if (!level || !entries || !best || !mean || !worst || !mmacs) continue;
    t.rows.push_back({e.step, level_name(*level), static_cast<int64_t>(*entries), *best, *mean, *worst, *mmacs});
  }
  if (t.rows.empty()) return false;
  report.parts.push_back(Chart{.kind = Chart::Kind::curves, .title = "Quality of the memory banks", .caption = "Mean over a level's entries; the band reaches from the worst to the best. Quality is minus the cross-entropy of a member on the pictures that the recipe scores on.", .table = "banks", .group = "level", .x = "step", .y = "mean", .low = "worst", .high = "best"});
  report.parts.push_back(Chart{.kind = Chart::Kind::curves, .title = "Entries of the memory banks", .caption = "", .table = "banks", .group = "level", .x = "step", .y = "entries"});
  report.parts.push_back(std::move(t));
  return true;
}

// All searches of the run's weights as one.
std::optional<SearchResult> together(const std::vector<ArchiveFile>& archives, const CostTable& costs) {
  SearchResult all;
  std::map<uint64_t, size_t> seen;
  for (const ArchiveFile& a : archives)
    for (const Entry& from : a.entries) {
      if (!seen.emplace(hash(from.member), all.entries.size()).second) continue;
      Entry e = from;
      e.index = static_cast<int64_t>(all.entries.size());
      e.parents.clear();
      if (const auto cost = costs(e.member)) e.cost = {*cost, {}, {}};
      all.ranked.push_back(e.index);
      all.entries.push_back(std::move(e));
    }
  if (all.entries.empty()) return std::nullopt;
  all.header = archives[0].header;
  all.front = pareto_front(all.entries, all.ranked, [](const Entry& e) { return static_cast<double>(e.cost.counts.macs); });
  std::sort(all.ranked.begin(), all.ranked.end(), [&](int64_t a, int64_t b) { return better(all.entries[static_cast<size_t>(a)], all.entries[static_cast<size_t>(b)]); });
  return all;
}

// Ranks from 1, equal values share theirs (Spearman, 1904).
std::vector<double> ranks_of(const std::vector<double>& v) {
  std::vector<size_t> order(v.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return v[a] < v[b]; });
  std::vector<double> out(v.size());
  for (size_t i = 0; i < order.size();) {
    size_t end = i;
    while (end + 1 < order.size() && v[order[end + 1]] == v[order[i]]) ++end;
    for (size_t k = i; k <= end; ++k) out[order[k]] = static_cast<double>(i + end) / 2 + 1;
    i = end + 1;
  }
  return out;
}

double rank_correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const std::vector<double> x = ranks_of(a), y = ranks_of(b);
  const double middle = (static_cast<double>(a.size()) + 1) / 2;
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) xy += (x[i] - middle) * (y[i] - middle), xx += (x[i] - middle) * (x[i] - middle), yy += (y[i] - middle) * (y[i] - middle);
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : NAN;
}

void add_alone(Report& report, const SupernetStory& s, const CostTable& costs) {
  Table t{"alone", "Inherited weights against training alone", {{"run", "run"}, {"macs", "MACs", Unit::count}, {"inherited", "inherited", Unit::share}, {"alone", "alone", Unit::share}, {"gap", "gap, points"}, {"pictures", "pictures", Unit::none, false, kJson | kHtml}, {"encoding", "encoding", Unit::none, false, kJson | kHtml}}, {}};
  Table even{"even", "", {{"name", ""}, {"x", ""}, {"y", ""}}, {}, true, 0};   // the chart's alone
  std::vector<double> inherited, alone;
  double gap = 0;
  for (const Alone& a : s.alone) {
    const auto cost = costs(a.member);
    std::string encoding = print_member(s.space, a.member);
    encoding.pop_back();
    t.rows.push_back({a.run, cost ? Cell(cost->macs) : Cell(), a.inherited, a.accuracy, std::round(1000 * (a.inherited - a.accuracy)) / 10, a.images, std::move(encoding)});
    inherited.push_back(a.inherited);
    alone.push_back(a.accuracy);
    gap += 100 * (a.inherited - a.accuracy) / static_cast<double>(s.alone.size());
  }
  const auto [low, high] = std::minmax_element(alone.begin(), alone.end());
  for (const double v : {std::min(*low, *std::min_element(inherited.begin(), inherited.end())), std::max(*high, *std::max_element(inherited.begin(), inherited.end()))}) even.rows.push_back({std::string("equal"), v, v});
  report.parts.push_back(Chart{.kind = Chart::Kind::scatter, .title = "Inherited weights against training alone", .caption = "Top-1 on the validation split; on the line both are equal.", .table = "alone", .label = "run", .x = "alone", .y = "inherited", .lines = "even"});
  report.parts.push_back(std::move(t));
  report.parts.push_back(std::move(even));
  const double correlation = alone.size() > 2 ? rank_correlation(inherited, alone) : NAN;
  report.parts.push_back(Facts{"gap", "", {{"points", "inherited less alone, points", std::round(10 * gap) / 10}, {"rank_correlation", "rank correlation", finite_cell(correlation)}}});
}

}  // namespace

Report supernet_report(const SupernetStory& s) {
  Report report;
  report.command = "supernet report";
  report.title = s.run;
  int64_t steps = 0, scored = 0;
  for (const Event& e : s.events) steps = std::max(steps, e.step);
  for (const ArchiveFile& a : s.archives) scored += static_cast<int64_t>(a.entries.size());
  report.subtitle = fmt::format("supernet of {}", s.space.name);
  report.parts.push_back(Facts{"", "", {{"run", "run", s.run, Unit::none, "", kJson}, {"space", "space", s.space.name}, {"steps", "steps", steps}, {"bank_entries", "members in banks", static_cast<int64_t>(s.bank.size())},
                                        {"searches", "searches", static_cast<int64_t>(s.archives.size())}, {"scored", "members scored", scored}}, true});
  const auto costs = CostTable::make(s.space);
  if (!costs) {
    report.parts.push_back(Note{Note::Level::warning, costs.error().text()});
    return report;
  }
  std::optional<SearchResult> all = together(s.archives, *costs);
  if (all) {
    add_accuracy_chart(report, *all);
    Table front{"front", "Front of all searches", {{"macs", "MACs", Unit::count}, {"accuracy", "accuracy", Unit::share}, {"origin", "from"}, {"encoding", "encoding"}}, {}};
    for (const int64_t i : all->front) {
      const Entry& e = all->entries[static_cast<size_t>(i)];
      std::string encoding = print_member(s.space, e.member);
      encoding.pop_back();
      front.rows.push_back({e.cost.counts.macs, e.score.accuracy, e.origin, std::move(encoding)});
    }
    report.parts.push_back(std::move(front));
  } else {
    report.parts.push_back(Note{Note::Level::info, "no search yet: hone search " + s.run + " --budget ... adds accuracy against cost"});
  }
  if (!s.alone.empty()) add_alone(report, s, *costs);
  else report.parts.push_back(Note{Note::Level::info, "--alone RUN, a classifier that was trained from a member's stage table, adds the gap to training alone"});
  if (!add_banks(report, s) && !s.bank.empty()) report.parts.push_back(Note{Note::Level::info, "the run's events say nothing of its banks: it was trained before they did"});
  add_levels(report, s, *costs);
  return report;
}

}  // namespace hone::search
