#include "search/space_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/units.h"
#include "run/format.h"
#include "zoo/space_draw.h"

namespace hone::search {

using namespace space;

namespace {

template <class... Cells>
void add_row(Table& t, Cells&&... cells) {
  std::vector<Cell>& row = t.rows.emplace_back();
  row.reserve(sizeof...(cells));
  (row.emplace_back(std::forward<Cells>(cells)), ...);
}

// "2.17e+16", or the number itself where it is small.
std::string number_of_members(const Space& s) {
  const auto exact = size(s);
  if (exact && *exact < 100'000'000) return fmt::format("{}", *exact);
  return fmt::format("{:.3g}", size_estimate(s));
}

Cell count_cell(std::optional<int64_t> n) {
  Cell cell;
  if (n) cell = *n;
  return cell;
}

struct Quantity {
  const char *key, *label;
  PartCost part;
  int64_t Cost::*field;
};
std::vector<Quantity> quantities(const Space& s, const CostTable& table) {
  std::vector<Quantity> out = {{"macs", "MACs", part_macs(table), &Cost::macs}, {"params", "parameters", part_params(table), &Cost::params}};
  if (s.counter == Counter::elasticvit) out.insert(out.begin(), {"authors_macs", "MACs as the authors count", part_counted(s, table), &Cost::authors_macs});
  return out;
}

Table ranges(const Space& s, const CostTable& table) {
  Table t{"range", "Range", {{"quantity", ""}, {"smallest", "smallest", Unit::count}, {"largest", "largest", Unit::count}}};
  for (const Quantity& q : quantities(s, table)) {
    const Extremes e = extremes(s, q.part);
    add_row(t, std::string(q.label), static_cast<int64_t>(e.least), static_cast<int64_t>(e.most));
  }
  return t;
}

Table stage_table(const Space& s) {
  Table t{"stages", "Stages", {{"stage", "stage"}, {"block", "block"}, {"stride", "stride"}, {"squeeze_excite", "SE"}, {"depths", "depth"}, {"widths", "width"}, {"expands", "expansion"}, {"kernels", "kernel"}, {"mlps", "MLP"}, {"values", "V"}}};
  for (const StageChoices& c : s.stages) add_row(t, c.name, std::string(c.block == Block::mobile ? "mobile" : "transformer"), c.stride, c.ses.empty() ? Cell(c.se) : Cell(c.ses), c.depths, c.widths, c.expands, c.kernels, c.mlps, c.values);
  return t;
}

constexpr double kQuantiles[] = {0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99};

// Quantiles of every quantity, and a histogram of what levels count.
void add_sampling(Report& report, const Space& s, const CostTable& table, int64_t draws, uint64_t seed) {
  const std::vector<Quantity> all = quantities(s, table);
  std::vector<std::vector<double>> values(all.size());
  Rng rng(seed);
  for (int64_t i = 0; i < draws; ++i) {
    const Cost c = table(sample(s, rng)).value_or(Cost{});
    for (size_t q = 0; q < all.size(); ++q) values[q].push_back(static_cast<double>(c.*all[q].field));
  }
  Table quantiles{"quantiles", fmt::format("Costs of {} members drawn uniformly", draws), {{"quantity", ""}, {"mean", "mean", Unit::count}}};
  for (const double q : kQuantiles) quantiles.columns.push_back({fmt::format("q{:02}", static_cast<int>(100 * q + 0.5)), fmt::format("{:g} %", 100 * q), Unit::count});
  for (size_t i = 0; i < all.size(); ++i) {
    std::sort(values[i].begin(), values[i].end());
    double mean = 0;
    for (const double v : values[i]) mean += v / static_cast<double>(draws);
    std::vector<Cell> row;
    row.emplace_back(std::string(all[i].label));
    row.emplace_back(static_cast<int64_t>(std::llround(mean)));
    for (const double q : kQuantiles) row.emplace_back(static_cast<int64_t>(values[i][std::min(values[i].size() - 1, static_cast<size_t>(q * static_cast<double>(draws)))]));
    quantiles.rows.push_back(std::move(row));
  }
  report.parts.push_back(std::move(quantiles));

  constexpr size_t kBars = 24;
  const std::vector<double>& first = values[0];
  const double low = first.front(), high = first[static_cast<size_t>(0.995 * static_cast<double>(draws))], width = std::max((high - low) / kBars, 1.0);
  std::vector<int64_t> bars(kBars + 1);
  for (const double v : first) ++bars[std::min(kBars, static_cast<size_t>((v - low) / width))];
  Table histogram{"histogram", "Histogram", {{"from", "from", Unit::count}, {"label", "from"}, {"members", "members", Unit::count}}, {}, true, kJson | kHtml};
  for (size_t i = 0; i <= kBars; ++i) {
    const double from = low + width * static_cast<double>(i);
    add_row(histogram, static_cast<int64_t>(from), format_cell(static_cast<int64_t>(from), Unit::count) + (i == kBars ? "+" : ""), bars[i]);
  }
  report.parts.push_back(std::move(histogram));
  report.parts.push_back(Chart{.kind = Chart::Kind::histogram, .title = "What plain sampling draws", .caption = fmt::format("{} of {} members; the last bar holds all above.", all[0].label, draws),
                               .table = "histogram", .label = "label", .values = {"members"}});
}

void add_levels(Report& report, const Space& s, const CostTable& table) {
  std::vector<Note> notes;
  Table t{"levels", "Levels", {{"level", "level", Unit::count}, {"window", "window", Unit::count}, {"smallest", "smallest network"}, {"share", "of plain sampling", Unit::share}, {"share_above", "of sampling above it", Unit::share}}};
  for (const int64_t level : s.levels.at) {
    std::string name = "smallest";
    const Member least = smallest_of_level(s, level);
    for (const Smallest& m : s.levels.smallest)
      if (m.member == least) name = m.name;
    const auto lo = static_cast<double>(level), hi = static_cast<double>(level + s.levels.window);
    Rng rng(1);
    auto share = [&](const Result<Drawer>& d) { return d ? d->probability(rng) : 0.0; };
    const auto above = level_drawer(s, table, level);
    // What training would refuse.
    if (!above) notes.push_back({Note::Level::warning, fmt::format("level {}: {}; {}", format_count(level), above.error().message, above.error().hint)});
    add_row(t, level, s.levels.window, name, share(Drawer::make(s, part_counted(s, table), lo, hi)), share(above));
  }
  report.parts.push_back(std::move(t));
  for (Note& note : notes) report.parts.push_back(std::move(note));
}

}  // namespace

Result<Report> list_spaces() {
  Report report;
  report.command = "space list";
  report.title = "Search spaces";
  Table t{"spaces", "", {{"space", "space"}, {"members", "members"}, {"macs_smallest", "MACs from", Unit::count}, {"macs_largest", "to", Unit::count}, {"resolutions", "resolutions"}, {"sharing", "genes per"}, {"levels", "levels"}}};
  for (const std::string_view name : preset_names()) {
    HONE_TRY_ASSIGN(const Space s, open_space(std::string(name)));
    HONE_TRY_ASSIGN(const CostTable table, CostTable::make(s));
    const Extremes e = extremes(s, part_macs(table));
    const auto resolutions = s.resolutions.size() == 1 ? fmt::format("{}", s.resolutions[0]) : fmt::format("{} to {}", s.resolutions.front(), s.resolutions.back());
    add_row(t, std::string(name), number_of_members(s), static_cast<int64_t>(e.least), static_cast<int64_t>(e.most), resolutions, std::string(s.sharing == Sharing::stage ? "stage" : "block"), static_cast<int64_t>(s.levels.at.size()));
  }
  report.parts.push_back(std::move(t));
  return report;
}

Result<Report> show_space(const Space& s, int64_t draws, uint64_t seed) {
  HONE_TRY_ASSIGN(const CostTable table, CostTable::make(s));
  Report report;
  report.command = "space show";
  report.title = s.name;
  report.subtitle = fmt::format("{} members", number_of_members(s));
  const auto exact = size(s);
  report.parts.push_back(Facts{"", "", {{"space", "space", s.name, Unit::none, "", kJson},
                                        {"size", "members", count_cell(exact), Unit::none, "", kJson},
                                        {"size_estimate", "members", size_estimate(s), Unit::none, "", kJson},
                                        {"size_of_paper", "", count_cell(size_of_paper(s)), Unit::none, "", kJson},
                                        {"members", "members", number_of_members(s), Unit::none, s.widths_may_fall ? "" : "widths do not fall from stage to stage", kText | kHtml},
                                        {"of_paper", "counted as ElasticViT's paper", size_of_paper(s) ? fmt::format("{:.3g}", static_cast<double>(*size_of_paper(s))) : "beyond 64 bits", Unit::none, "any widths, first convolution apart", kText | kHtml},
                                        {"resolutions", "resolutions", s.resolutions},
                                        {"classes", "classes", s.classes},
                                        {"sharing", "genes per", std::string(s.sharing == Sharing::stage ? "stage" : "block")},
                                        {"norm", "norm over", std::string(s.norm == Norm::sample ? "sample" : "token")},
                                        {"counter", "levels count", std::string(s.counter == Counter::elasticvit ? "MACs as the authors of ElasticViT" : "MACs")}}});
  report.parts.push_back(ranges(s, table));
  report.parts.push_back(stage_table(s));
  add_sampling(report, s, table, draws, seed);
  if (!s.levels.at.empty()) add_levels(report, s, table);
  return report;
}

}  // namespace hone::search
