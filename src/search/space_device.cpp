// What a latency-aware search must know: which choices of a space are fast on a device.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "search/predictor.h"
#include "search/space_report.h"
#include "zoo/space_draw.h"

namespace hone::search {

using namespace space;

namespace {

// A choice that a member has made, or the share of a stage's blocks that have made it.
struct Choice {
  std::string stage, gene;
  int64_t value = 0;
  std::function<double(const Member&)> of;
};

// Every choice of every gene that has several.
std::vector<Choice> choices_of(const Space& s) {
  std::vector<Choice> out;
  auto add = [&](const std::string& stage, const char* gene, const std::vector<int64_t>& values, const std::function<double(const Member&, int64_t)>& share) {
    if (values.size() < 2) return;
    for (const int64_t v : values) out.push_back({stage, gene, v, [share, v](const Member& m) { return share(m, v); }});
  };
  add("", "resolution", s.resolutions, [](const Member& m, int64_t v) { return m.resolution == v ? 1.0 : 0.0; });
  for (size_t i = 0; i < s.stages.size(); ++i) {
    const StageChoices& c = s.stages[i];
    add(c.name, "width", c.widths, [i](const Member& m, int64_t v) { return m.stage[i].width == v ? 1.0 : 0.0; });
    add(c.name, "depth", c.depths, [i](const Member& m, int64_t v) { return m.stage[i].depth == v ? 1.0 : 0.0; });
    auto blocks = [i](uint8_t BlockGenes::*gene) {
      return [i, gene](const Member& m, int64_t v) {
        const Genes& g = m.stage[i];
        double n = 0;
        for (int32_t j = 0; j < g.depth; ++j) n += g.block[static_cast<size_t>(j)].*gene == v;
        return n / std::max(1, g.depth);
      };
    };
    add(c.name, "expansion", c.expands, blocks(&BlockGenes::expand));
    add(c.name, "kernel", c.kernels, blocks(&BlockGenes::kernel));
    add(c.name, "MLP ratio", c.mlps, blocks(&BlockGenes::mlp));
    add(c.name, "V scale", c.values, blocks(&BlockGenes::value));
    add(c.name, "SE", c.ses, blocks(&BlockGenes::se));
  }
  return out;
}

struct Drawn {
  Member member;
  double macs = 0, ms = 0;
};
Result<Drawn> timed(const Constraint& on, const Member& m) {
  HONE_TRY_ASSIGN(const MemberCost c, on.cost(m));
  return Drawn{m, static_cast<double>(c.counts.macs), std::max(1e-9, *c.latency_ms)};
}

// Root mean square of what the weights leave of y.
double left_over(const std::vector<std::vector<double>>& x, const std::vector<double>& y, const std::vector<double>& w) {
  double sum = 0;
  for (size_t r = 0; r < x.size(); ++r) {
    double e = y[r];
    for (size_t i = 0; i < w.size(); ++i) e -= w[i] * x[r][i];
    sum += e * e / static_cast<double>(x.size());
  }
  return std::sqrt(sum);
}

// ln ms = smooth function of ln MACs + an effect of each choice. An effect is against the mean over the gene's choices.
Table effects(const Space& s, const std::vector<Drawn>& drawn, Facts& facts) {
  const std::vector<Choice> choices = choices_of(s);
  double mean = 0, deviation = 0;
  const auto n = static_cast<double>(drawn.size());
  for (const Drawn& d : drawn) mean += std::log(d.macs) / n;
  for (const Drawn& d : drawn) deviation += std::pow(std::log(d.macs) - mean, 2) / n;
  deviation = std::max(1e-9, std::sqrt(deviation));
  std::vector<std::vector<double>> plain, x;
  std::vector<double> y, share(choices.size(), 0);
  for (const Drawn& d : drawn) {
    const double z = (std::log(d.macs) - mean) / deviation;
    plain.push_back({z, z * z, 1});
    std::vector<double> row;
    for (size_t i = 0; i < choices.size(); ++i) {
      row.push_back(choices[i].of(d.member));
      share[i] += row.back() / n;
    }
    row.insert(row.end(), {z, z * z, 1});
    x.push_back(std::move(row));
    y.push_back(std::log(d.ms));
  }
  const std::vector<double> by_macs = ridge_weights(plain, y, 1e-3), weights = ridge_weights(x, y, 1);
  facts.facts.push_back({"spread_at_equal_macs", "spread of time at equal MACs", std::expm1(left_over(plain, y, by_macs)), Unit::share});
  facts.facts.push_back({"left_by_choices", "of it left by the choices", std::expm1(left_over(x, y, weights)), Unit::share});
  struct Row {
    size_t i;
    double percent;
  };
  std::vector<Row> rows;
  for (size_t from = 0, to; from < choices.size(); from = to) {
    double middle = 0;
    for (to = from; to < choices.size() && choices[to].stage == choices[from].stage && choices[to].gene == choices[from].gene; ++to) middle += share[to] * weights[to];
    for (size_t i = from; i < to; ++i) rows.push_back({i, 100 * std::expm1(weights[i] - middle)});
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return std::fabs(a.percent) > std::fabs(b.percent); });
  Table t{"choices", "Time of choices at equal MACs", {{"stage", "stage"}, {"gene", "gene"}, {"choice", "choice"}, {"percent", "time at equal MACs", Unit::percent}}};
  for (const Row& r : rows) {
    std::vector<Cell>& row = t.rows.emplace_back();
    row.emplace_back(choices[r.i].stage);
    row.emplace_back(choices[r.i].gene);
    row.emplace_back(choices[r.i].value);
    row.emplace_back(r.percent);
  }
  return t;
}

constexpr double kWindow = 0.03;
constexpr int kPerWindow = 300, kPoints = 500;
constexpr double kWindows[] = {0.05, 0.2, 0.4, 0.6, 0.8, 0.95};  // quantiles of drawn MACs

}  // namespace

Status add_device(Report& report, const Space& s, const std::string& path, int64_t draws, uint64_t seed) {
  HONE_TRY_ASSIGN(const Constraint on, Constraint::on_device(s, path));
  Rng rng(seed);
  std::vector<Drawn> drawn;
  for (int64_t i = 0; i < draws; ++i) {
    HONE_TRY_ASSIGN(Drawn d, timed(on, sample(s, rng)));
    drawn.push_back(std::move(d));
  }
  Facts facts{"device", "On the device", {{"table", "table", path}, {"draws", "members drawn", draws}}};
  Table choices = effects(s, drawn, facts);
  report.parts.push_back(std::move(facts));
  constexpr size_t kShown = 16;
  Table shown = choices;
  shown.key = "choices_shown";
  shown.forms = kText;
  if (shown.rows.size() > kShown) shown.rows.resize(kShown);
  choices.forms = kJson | kCsv | kHtml;
  report.parts.push_back(std::move(shown));
  report.parts.push_back(std::move(choices));

  std::sort(drawn.begin(), drawn.end(), [](const Drawn& a, const Drawn& b) { return a.macs < b.macs; });
  Table fastest{"fastest", "Fastest and slowest of equal MACs", {{"macs", "MACs", Unit::count}, {"fastest_ms", "fastest", Unit::milliseconds}, {"median_ms", "median", Unit::milliseconds}, {"slowest_ms", "slowest", Unit::milliseconds}, {"encoding", "the fastest"}}};
  Table points{"device_points", "Points of the chart", {{"name", "name"}, {"group", "group"}, {"macs", "MACs", Unit::count}, {"ms", "predicted", Unit::milliseconds}}, {}, true, kHtml};
  auto point = [&](const Drawn& d, std::string group) {
    std::vector<Cell>& row = points.rows.emplace_back();
    row.emplace_back(std::string());
    row.emplace_back(std::move(group));
    row.emplace_back(static_cast<int64_t>(d.macs));
    row.emplace_back(d.ms);
  };
  for (size_t i = 0; i < drawn.size(); i += std::max<size_t>(1, drawn.size() / kPoints)) point(drawn[i], fmt::format("resolution {}", drawn[i].member.resolution));
  for (const double q : kWindows) {
    const double macs = drawn[static_cast<size_t>(q * static_cast<double>(drawn.size() - 1))].macs;
    const auto drawer = Drawer::make(s, part_macs(on.table()), macs * (1 - kWindow / 2), macs * (1 + kWindow / 2));
    if (!drawer) continue;
    std::vector<Drawn> equal;
    for (int i = 0; i < kPerWindow; ++i) {
      HONE_TRY_ASSIGN(Drawn d, timed(on, (*drawer)(rng)));
      equal.push_back(std::move(d));
    }
    std::sort(equal.begin(), equal.end(), [](const Drawn& a, const Drawn& b) { return a.ms < b.ms; });
    std::vector<Cell>& row = fastest.rows.emplace_back();
    row.emplace_back(static_cast<int64_t>(macs));
    for (const double ms : {equal.front().ms, equal[equal.size() / 2].ms, equal.back().ms}) row.emplace_back(ms);
    std::string text = print_member(s, equal.front().member);
    text.pop_back();
    row.emplace_back(std::move(text));
    point(equal.front(), "fastest of equal MACs");
  }
  report.parts.push_back(std::move(fastest));
  report.parts.push_back(Chart{.kind = Chart::Kind::scatter, .title = "Time against MACs", .caption = fmt::format("Predicted from {}; the fastest are of {} members within {:.0f} % of the same MACs.", path, kPerWindow, 100 * kWindow),
                               .table = "device_points", .label = "name", .group = "group", .x = "macs", .y = "ms", .log_x = true, .log_y = true});
  report.parts.push_back(std::move(points));
  return {};
}

}  // namespace hone::search
