#include "cli/profile_measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "run/format.h"

namespace hone::cli {

namespace {

constexpr double kAddsUp = 0.05;  // sum of nodes and whole agree within this
constexpr size_t kNamed = 10;     // points of the roofline chart that get their name: those that take longest

double rounded(double v) { return std::fabs(v) < 1e6 ? std::round(v * 100) / 100 : v; }
// Nothing where a part has no products.
Cell ratio(double part, double of) { return finite_cell(part > 0 && of > 0 ? rounded(part / of) : NAN); }
Cell rate(int64_t macs, double ms) { return ratio(2e-6 * static_cast<double>(macs), ms); }
Cell intensity(int64_t macs, int64_t bytes) { return ratio(2. * static_cast<double>(macs), static_cast<double>(bytes)); }

}  // namespace

void add_time_columns(Table& table, const std::vector<RowTime>& times, const NodeProfile& measured) {
  for (Column& c : table.columns)
    if (c.key == "params" || c.key == "acts" || c.key == "nodes") c.forms &= static_cast<uint8_t>(~kText);
    else if (c.key == "macs_share") c.bar = false;
  const size_t width = table.columns.size();
  table.columns.push_back({"ms", "time", Unit::milliseconds});
  table.columns.push_back({"time_share", "of the time", Unit::share, true});
  table.columns.push_back({"gflop_per_second", "GFLOP/s"});
  table.columns.push_back({"intensity", "FLOPs/byte"});
  table.columns.push_back({"engine_nodes", "engine's nodes", Unit::none, false, kJson | kCsv | kHtml});
  const Cell no_text = std::string(), no_share = 0.0, no_count = int64_t{0};
  for (size_t r = 0; r < times.size(); ++r) {
    const RowTime& t = times[r];
    if (r >= table.rows.size()) {  // the engine's own
      const Cell name = t.name;
      std::vector<Cell> row(width);
      for (size_t c = 0; c < width; ++c) {
        const std::string& key = table.columns[c].key;
        row[c] = key == "name" ? name : key == "op" || key == "stage" ? no_text : key == "macs_share" ? no_share : no_count;
      }
      table.rows.push_back(std::move(row));
    }
    std::vector<Cell>& row = table.rows[r];
    const Cell cells[] = {finite_cell(t.engine_nodes > 0 ? t.ms : NAN), t.ms / measured.whole.median, rate(t.macs, t.ms), intensity(t.macs, t.bytes), t.engine_nodes};
    row.insert(row.end(), std::begin(cells), std::end(cells));
  }
}

Facts time_facts(const NodeProfile& m, const Totals& totals, const MachinePeak& peak) {
  const double achieved = 2e-6 * static_cast<double>(totals.macs) / m.whole.median;
  Facts f{"measured", "", {}, true};
  const auto data = [&](const char* key, Cell value) { f.facts.push_back({key, "", std::move(value), Unit::none, "", kJson}); };
  f.facts.push_back({"ms", "time", m.whole.median, Unit::milliseconds, fmt::format("{:#.3g} to {:#.3g} with 95 %, p95 {:#.3g}", m.whole.interval.low, m.whole.interval.high, m.whole.p95)});
  f.facts.push_back({"gflop_per_second", "achieved GFLOP/s", rounded(achieved), Unit::none, fmt::format("{:.0f} % of the {:.0f} that {} multiply-adds reach", 100 * achieved / peak.gflop_per_second, peak.gflop_per_second, peak.instructions)});
  data("low", m.whole.interval.low), data("high", m.whole.interval.high), data("p95", m.whole.p95), data("spread", m.whole.spread);
  data("steady", m.whole.steady), data("doubt", m.whole.doubt), data("basis", std::string(name(m.whole.basis))), data("rounds", m.whole.rounds);
  data("nodes_ms", m.sum_ms), data("nodes_difference", m.difference()), data("with_counters_ms", m.counted_ms);
  data("peak_gflop_per_second", peak.gflop_per_second);
  for (const Bandwidth& b : peak.levels) data(b.level == "memory" ? "memory_gb_per_second" : b.level == "L2" ? "l2_gb_per_second" : "l3_gb_per_second", b.gb_per_second);
  return f;
}

void add_engine_nodes(Report& report, const Graph& graph, const NodeProfile& m, const MachinePeak& peak) {
  constexpr uint8_t shown = kJson | kHtml;
  Table t{"engine_nodes", "The engine's nodes, in order",
          {{"name", "node", Unit::none, false, shown}, {"kind", "kind", Unit::none, false, shown}, {"primitive", "primitive", Unit::none, false, shown},
           {"ms", "time", Unit::milliseconds, false, shown}, {"share", "share", Unit::share, true, shown}, {"macs", "MACs", Unit::count, false, shown},
           {"gflop_per_second", "GFLOP/s", Unit::none, false, shown}, {"intensity", "FLOPs/byte", Unit::none, false, shown}, {"bytes", "read and written", Unit::bytes, false, shown},
           {"gb_per_second", "GB/s", Unit::none, false, shown}, {"from", "", Unit::none, false, kJson}, {"label", "", Unit::none, false, 0}},
          {}, true, shown};
  std::vector<double> longest;
  for (const NodeTiming& n : m.nodes)
    if (n.macs > 0) longest.push_back(n.ms);
  std::sort(longest.rbegin(), longest.rend());
  const double named = longest.empty() ? 0 : longest[std::min(kNamed, longest.size()) - 1];
  double least = INFINITY, most = 0;
  for (const NodeTiming& n : m.nodes) {
    std::vector<std::string> from;
    for (const NodeId id : n.from) from.push_back(graph.nodes[id].name);
    const double ms = n.ms * m.scale();
    const std::string own = n.lead == kNoNode ? n.name : graph.nodes[n.lead].name;
    t.rows.push_back({own, n.kind, n.primitive, ms, ms / m.whole.median, n.macs, rate(n.macs, ms), intensity(n.macs, n.bytes), n.bytes,
                      ratio(1e-6 * static_cast<double>(n.bytes), ms), from,
                      n.macs > 0 && n.ms >= named ? own : std::string()});
    if (n.macs > 0 && n.bytes > 0) least = std::min(least, n.intensity()), most = std::max(most, n.intensity());
  }
  if (most > 0) {
    Table roofs{"roofs", "", {{"name", "roof"}, {"x", "FLOPs/byte"}, {"y", "GFLOP/s"}}, {}, false, kJson};
    double first_ridge = INFINITY;
    for (const Bandwidth& b : peak.levels) {
      const double ridge = peak.gflop_per_second / b.gb_per_second;
      first_ridge = std::min(first_ridge, ridge);
      const std::string name = fmt::format("{} {:.0f} GB/s", b.level, b.gb_per_second);
      const double from = std::min(least, ridge / 4);
      roofs.rows.push_back({name, from, roof(peak, b, from)});
      roofs.rows.push_back({name, ridge, peak.gflop_per_second});
    }
    const std::string name = fmt::format("{} {:.0f} GFLOP/s", peak.instructions, peak.gflop_per_second);
    roofs.rows.push_back({name, first_ridge, peak.gflop_per_second});
    roofs.rows.push_back({name, std::max(most, first_ridge) * 1.5, peak.gflop_per_second});
    report.parts.push_back(Chart{Chart::Kind::scatter, "Roofline",
                                 "Each point is a node of the engine, as large as its time. Lines are what this machine reached with multiply-adds from registers, and with a triad in each cache and in memory: below a sloped line bandwidth bounds, below the flat one the arithmetic. Bytes are those of tensors and weights, each counted once.",
                                 "engine_nodes", "label", "kind", {}, "intensity", "gflop_per_second", "", "", true, true, "share", "roofs"});
    report.parts.push_back(std::move(roofs));
  }
  report.parts.push_back(std::move(t));
}

void add_time_notes(Report& report, const NodeProfile& m, const Totals& totals) {
  int64_t claimed = 0;
  for (const NodeTiming& n : m.nodes) claimed += n.macs;
  const auto say = [&](Note::Level level, std::string text) { report.parts.push_back(Note{level, std::move(text)}); };
  say(std::fabs(m.difference()) > kAddsUp ? Note::Level::warning : Note::Level::info,
      fmt::format("the engine's nodes sum to {:#.3g} ms, {:+.1f} % beside the {:#.3g} ms of the runs that they were counted in; tables are scaled to the {:#.3g} ms without counters", m.sum_ms, 100 * m.difference(), m.counted_ms, m.whole.median));
  if (claimed < totals.macs) say(Note::Level::warning, fmt::format("the engine does not say which of its nodes do {} of the MACs", format_cell(1 - static_cast<double>(claimed) / static_cast<double>(totals.macs), Unit::share)));
  if (!m.whole.steady) say(Note::Level::warning, fmt::format("cannot tell the time to within {:.0f} %: {}", kRepeatable * 100, m.whole.doubt));
}

}  // namespace hone::cli
