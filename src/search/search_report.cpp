#include "search/search_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace hone::search {

using namespace space;

namespace {

template <class... Cells>
std::vector<Cell>& add_row(Table& t, Cells&&... cells) {
  std::vector<Cell>& row = t.rows.emplace_back();
  row.reserve(sizeof...(cells) + 4);
  (row.emplace_back(std::forward<Cells>(cells)), ...);
  return row;
}

std::string encoding(const Space& s, const Member& m) {
  std::string text = print_member(s, m);
  text.pop_back();
  return text;
}

// Columns of the costs that are known, and their cells.
struct Costs {
  bool authors, memory, latency;
  explicit Costs(const Space& s, const MemberCost& c) : authors(s.counter == Counter::elasticvit), memory(c.memory.has_value()), latency(c.latency_ms.has_value()) {}
  void columns(Table& t) const {
    t.columns.push_back({"macs", "MACs", Unit::count});
    if (authors) t.columns.push_back({"authors_macs", "authors' MACs", Unit::count});
    t.columns.push_back({"params", "parameters", Unit::count});
    if (memory) t.columns.push_back({"memory", "peak memory", Unit::bytes});
    if (latency) t.columns.push_back({"latency_ms", "predicted", Unit::milliseconds});
  }
  void cells(std::vector<Cell>& row, const MemberCost& c) const {
    row.emplace_back(c.counts.macs);
    if (authors) row.emplace_back(c.counts.authors_macs);
    row.emplace_back(c.counts.params);
    if (memory) row.emplace_back(c.memory.value_or(0));
    if (latency) row.emplace_back(c.latency_ms.value_or(0));
  }
  void facts(std::vector<Fact>& out, const MemberCost& c) const {
    out.push_back({"macs", "MACs", c.counts.macs, Unit::count});
    if (authors) out.push_back({"authors_macs", "MACs as the authors count", c.counts.authors_macs, Unit::count});
    out.push_back({"params", "parameters", c.counts.params, Unit::count});
    if (memory) out.push_back({"memory", "peak memory", *c.memory, Unit::bytes});
    if (latency) out.push_back({"latency_ms", "predicted latency", *c.latency_ms, Unit::milliseconds});
  }
};

double cost_of(const Entry& e, Quantity q) {
  switch (q) {
    case Quantity::macs: return static_cast<double>(e.cost.counts.macs);
    case Quantity::params: return static_cast<double>(e.cost.counts.params);
    case Quantity::acts: return static_cast<double>(e.cost.counts.acts);
    case Quantity::memory: return static_cast<double>(e.cost.memory.value_or(0));
    case Quantity::latency: return e.cost.latency_ms.value_or(0);
  }
  return 0;
}
Column cost_column(Quantity q) {
  switch (q) {
    case Quantity::params: return {"cost", "parameters", Unit::count};
    case Quantity::acts: return {"cost", "activations", Unit::count};
    case Quantity::memory: return {"cost", "peak memory", Unit::bytes};
    case Quantity::latency: return {"cost", "predicted milliseconds"};
    default: return {"cost", "MACs", Unit::count};
  }
}

// ImageNet top-1 of networks that their authors trained, from the papers' abstracts and the tables of their repositories.
struct Published {
  const char* name;
  double macs, accuracy;
};
constexpr Published kPublished[] = {
    {"ElasticViT-T1", 62.9e6, 0.672}, {"ElasticViT-S1", 217.6e6, 0.772}, {"ElasticViT-L3", 815.4e6, 0.800}, {"AlphaNet-A0", 203e6, 0.7787}, {"AlphaNet-A1", 279e6, 0.7894}, {"AlphaNet-A2", 317e6, 0.7920},
    {"AlphaNet-A3", 357e6, 0.7941},   {"AlphaNet-A4", 444e6, 0.8001},    {"AlphaNet-A5", 491e6, 0.8029},    {"AlphaNet-A6", 709e6, 0.8078},  {"OFA-389", 389e6, 0.791},    {"OFA-482", 482e6, 0.796},    {"OFA-595", 595e6, 0.800}};
bool comparable(const Space& s, Quantity q) { return s.classes == 1000 && s.resolutions.front() >= 128 && q == Quantity::macs; }

constexpr size_t kTop = 50, kPoints = 1500;

Table member_table(const char* key, const char* title, const SearchResult& r, const std::vector<int64_t>& which, size_t most) {
  const Space& s = r.header.space;
  const Costs costs(s, r.entries[0].cost);
  Table t{key, title, {{"n", "number"}, {"accuracy", "accuracy", Unit::share}, {"low", "from", Unit::share}, {"high", "to", Unit::share}, {"loss", "loss", Unit::none, false, kJson | kCsv | kHtml}}};
  costs.columns(t);
  for (const char* name : {"origin", "generation"}) t.columns.push_back({name, name});
  t.columns.push_back({"parents", "parents", Unit::none, false, kJson | kHtml});
  t.columns.push_back({"encoding", "encoding"});
  for (size_t i = 0; i < std::min(most, which.size()); ++i) {
    const Entry& e = r.entries[static_cast<size_t>(which[i])];
    const auto [low, high] = interval(e.score.accuracy, e.score.images);
    std::vector<Cell>& row = add_row(t, e.index, e.score.accuracy, low, high, e.score.loss);
    costs.cells(row, e.cost);
    row.emplace_back(e.origin);
    row.emplace_back(e.generation);
    row.emplace_back(e.parents);
    row.emplace_back(encoding(s, e.member));
  }
  return t;
}

// The best members on pictures that did not choose them: what the search promised, and what is left of it.
void add_retests(Report& report, const SearchResult& r) {
  Table t{"retest", fmt::format("Tested again on {} pictures of the split val", r.retests[0].score.images),
          {{"n", "number"}, {"accuracy", "accuracy", Unit::share}, {"low", "from", Unit::share}, {"high", "to", Unit::share}, {"searched", r.header.split, Unit::share}, {"macs", "MACs", Unit::count}, {"loss", "loss", Unit::none, false, kJson | kCsv | kHtml}, {"encoding", "encoding"}}, {}};
  double gap = 0;
  for (const SearchResult::Retest& again : r.retests) {
    const Entry& e = r.entries[static_cast<size_t>(again.index)];
    const auto [low, high] = interval(again.score.accuracy, again.score.images);
    add_row(t, e.index, again.score.accuracy, low, high, e.score.accuracy, e.cost.counts.macs, again.score.loss, encoding(r.header.space, e.member));
    gap += (e.score.accuracy - again.score.accuracy) / static_cast<double>(r.retests.size());
  }
  report.parts.push_back(std::move(t));
  report.parts.push_back(Note{Note::Level::info, fmt::format("the {} split gave them {:.1f} points {}, on average", r.header.split, 100 * std::abs(gap), gap >= 0 ? "more" : "less")});
}

// How the best grew.
void add_progress(Report& report, const SearchResult& r) {
  Table best{"progress", "Best so far", {{"evaluations", "evaluations"}, {"accuracy", "best accuracy", Unit::share}}, {}, true, kHtml | kJson};
  double most = -1;
  for (const Entry& e : r.entries) {
    const bool last = e.index + 1 == static_cast<int64_t>(r.entries.size());
    if (e.score.accuracy <= most && !last) continue;
    most = std::max(most, e.score.accuracy);
    add_row(best, e.index + 1, most);
  }
  report.parts.push_back(Chart{.kind = Chart::Kind::curves, .title = "Best so far", .caption = "", .table = "progress", .x = "evaluations", .y = "accuracy"});
  report.parts.push_back(std::move(best));
}

}  // namespace

// Points of the chart: the front, the bank, a share of the rest, and published networks.
void add_accuracy_chart(Report& report, const SearchResult& r) {
  Table points{"points", "Points of the chart", {{"name", "member"}, {"group", "group"}, cost_column(r.quantity), {"accuracy", "accuracy", Unit::share}, {"low", "from", Unit::share}, {"high", "to", Unit::share}}, {}, true, kHtml};
  Table line{"front_line", "Front", {{"name", "name"}, {"x", "x"}, {"y", "y"}}, {}, true, 0};   // the chart's alone: its points are in the table of the front
  const std::set<int64_t> front(r.front.begin(), r.front.end());
  const size_t step = std::max<size_t>(1, r.entries.size() / kPoints);
  auto add = [&](const Entry& e, const char* group, bool named = false) {
    add_row(points, named ? fmt::format("{}", e.index) : std::string(), std::string(group), cost_of(e, r.quantity), e.score.accuracy);
    const auto [low, high] = interval(e.score.accuracy, e.score.images);
    points.rows.back().resize(6);
    if (named) points.rows.back()[4].emplace<double>(low), points.rows.back()[5].emplace<double>(high);
  };
  for (const Entry& e : r.entries) {
    if (front.contains(e.index) || e.origin == "bank") continue;
    if (static_cast<size_t>(e.index) % step == 0) add(e, "evaluated");
  }
  for (const Entry& e : r.entries)
    if (e.origin == "bank" && !front.contains(e.index)) add(e, "memory bank");
  for (const int64_t i : r.front) {
    const Entry& e = r.entries[static_cast<size_t>(i)];
    add(e, "front", true);
    add_row(line, std::string("front"), cost_of(e, r.quantity), e.score.accuracy);
  }
  const bool published = comparable(r.header.space, r.quantity);
  if (published)
    for (const Published& p : kPublished) add_row(points, std::string(p.name), std::string("published"), p.macs, p.accuracy), points.rows.back().resize(6);
  report.parts.push_back(Chart{.kind = Chart::Kind::scatter, .title = "Accuracy against cost", .caption = fmt::format("With the weights that the supernet lends, on {} pictures of the split {}; bars are 95 % intervals of the front.{}", r.entries[0].score.images, r.header.split, published ? " Published networks were trained by their authors." : ""),
                               .table = "points", .label = "name", .group = "group", .x = "cost", .y = "accuracy", .low = "low", .high = "high", .log_x = true, .lines = "front_line"});
  report.parts.push_back(std::move(points));
  report.parts.push_back(std::move(line));
}

Report search_report(const SearchResult& r, const std::string& run) {
  Report report;
  report.command = "search";
  report.title = run;
  report.subtitle = fmt::format("{} search of {}{}", r.header.method, r.header.space.name, r.header.budget.empty() ? "" : " within " + r.header.budget);
  report.parts.push_back(Facts{"", "", {{"run", "run", run}, {"method", "method", r.header.method, Unit::none, "", kJson}, {"budget", "budget", r.header.budget, Unit::none, "", kJson}, {"space", "space", r.header.space.name},
                                        {"seed", "seed", r.header.seed}, {"split", "split", r.header.split}, {"evaluated", "members evaluated", static_cast<int64_t>(r.entries.size())}, {"ended", "ended after", r.ended},
                                        {"from_archive", "of them in the archive before", static_cast<int64_t>(r.found)}, {"archive", "archive", r.path}}});
  for (const std::string& note : r.notes) report.parts.push_back(Note{Note::Level::info, note});
  if (r.ranked.empty()) {
    report.parts.push_back(Note{Note::Level::warning, "no member was evaluated"});
    return report;
  }
  const Entry& best = r.entries[static_cast<size_t>(r.ranked[0])];
  Facts facts{"best", "Best", {{"accuracy", "accuracy", best.score.accuracy, Unit::share}, {"loss", "loss", best.score.loss}, {"images", "pictures", best.score.images}}, true};
  const auto [low, high] = interval(best.score.accuracy, best.score.images);
  facts.facts[0].note = fmt::format("{:.1f} to {:.1f} %", 100 * low, 100 * high);
  Costs(r.header.space, best.cost).facts(facts.facts, best.cost);
  report.parts.push_back(std::move(facts));
  report.parts.push_back(Facts{"best", "", {{"origin", "from", best.origin}, {"generation", "generation", best.generation}, {"encoding", "encoding", encoding(r.header.space, best.member)}}});
  if (best.score.images > 0)
    report.parts.push_back(Note{Note::Level::info, fmt::format("{} pictures tell accuracies to +- {:.1f} %: members that lie closer are not told apart, and the best of many is flattered", best.score.images, 50 * (high - low))});
  if (r.hold_out)
    report.parts.push_back(Facts{"predictor", "Predictor, on members that it has not seen", {{"members", "members", static_cast<int64_t>(r.hold_out->n)}, {"mean_abs", "mean error of accuracy", r.hold_out->mean_abs, Unit::share},
                                                                                             {"spread", "of guessing the mean", r.hold_out->spread, Unit::share}, {"worst", "worst", r.hold_out->worst, Unit::share}, {"spearman", "rank correlation", r.hold_out->spearman}}});
  if (!r.retests.empty()) add_retests(report, r);
  add_accuracy_chart(report, r);
  add_progress(report, r);
  const bool whole_front = r.header.method == "front" || r.header.method == "exhaustive";
  Table top = member_table("top", "Best members", r, r.ranked, kTop), front = member_table("front", "Front: more accurate only at higher cost", r, r.front, SIZE_MAX);
  if (whole_front) std::swap(top, front);
  report.parts.push_back(top);
  front.folded = true;
  front.forms = kJson | kHtml;
  report.parts.push_back(front);
  if (!whole_front && report.parts.size() > 2) {  // ten rows are enough for the eye
    auto& shown = std::get<Table>(report.parts[report.parts.size() - 2]);
    shown.forms = kJson | kCsv | kHtml;
    Table ten = shown;
    ten.forms = kText;
    ten.key = "top_ten";
    if (ten.rows.size() > 10) ten.rows.resize(10);
    report.parts.push_back(std::move(ten));
  }
  return report;
}

Report pick_report(const Picked& p, const std::string& run, const std::string& budget) {
  Report report;
  report.command = "pick";
  report.title = run;
  report.subtitle = "the best evaluated member within " + budget;
  std::vector<Fact> facts{{"run", "", run, Unit::none, "", kJson}, {"budget", "", budget, Unit::none, "", kJson}, {"accuracy", "accuracy", p.entry.score.accuracy, Unit::share}, {"loss", "loss", p.entry.score.loss}, {"images", "pictures", p.entry.score.images}};
  Costs(p.header.space, p.entry.cost).facts(facts, p.entry.cost);
  facts.push_back({"encoding", "encoding", encoding(p.header.space, p.entry.member)});
  report.parts.push_back(Facts{"", "", std::move(facts)});
  report.parts.push_back(Facts{"provenance", "Found by", {{"archive", "archive", p.path}, {"line", "line", p.entry.index + 2}, {"method", "method", p.header.method}, {"budget", "budget", p.header.budget}, {"seed", "seed", p.header.seed},
                                                          {"split", "split", p.header.split}, {"origin", "origin", p.entry.origin}, {"generation", "generation", p.entry.generation}, {"parents", "parents", p.entry.parents}, {"weights", "weights", p.header.weights}}});
  report.parts.push_back(Note{Note::Level::info, fmt::format("of {} members in {} archive{}", p.members, p.archives, p.archives == 1 ? "" : "s")});
  for (const std::string& note : p.notes) report.parts.push_back(Note{Note::Level::warning, note});
  return report;
}

}  // namespace hone::search
