#include "measure/device_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "measure/device_frame.h"
#include "measure/device_meter.h"

namespace hone {

namespace {

constexpr TimeModel kModels[] = {TimeModel::table, TimeModel::linear, TimeModel::activations};

Facts device_facts(const DeviceTable& t) {
  const DeviceFacts& d = t.device;
  Facts f{"device", "Device", {}, true};
  auto add = [&](const char* key, const char* label, Cell value) {
    if (value == Cell(std::string()) || value == Cell(int64_t{0})) return;
    f.facts.push_back({key, label, std::move(value)});
  };
  add("name", "name", d.name);
  add("cpu", "processor", d.cpu == d.name ? std::string() : d.cpu);
  add("cores", "cores", d.cores);
  add("engine", "engine", d.engine.empty() ? d.engine : fmt::format("{} {}", d.engine, d.engine_version));
  add("threads", "threads", d.threads);
  add("precision", "precision", d.precision);
  add("basis", "times of", d.basis);
  if (d.anchor_ms > 0) f.facts.push_back({"anchor_ms", "speed", d.anchor_ms, Unit::none, fmt::format("ms of {}", d.anchor.empty() ? kAnchor : d.anchor)});
  add("began", "began", d.began);
  add("ended", "ended", d.ended);
  if (d.seconds > 0) f.facts.push_back({"minutes", "minutes", std::round(d.seconds / 6) / 10});
  add("note", "note", d.note);
  f.facts.push_back({"rows", "block rows", std::count_if(t.rows.begin(), t.rows.end(), [](const BlockRow& r) { return r.block.kind != kFrameKind; })});
  f.facts.push_back({"networks", "network rows", static_cast<int64_t>(t.networks.size())});
  if (!t.space.empty()) f.facts.push_back({"space", "built for", t.space});
  return f;
}

Cell text_ms(double ms) { return fmt::format("{:.{}f}", ms, ms < 0.1 ? 4 : ms < 10 ? 3 : 1); }

Table models_table() {
  return {"models", "Errors", {{"model", "model"}, {"n", "n"}, {"median", "median", Unit::share}, {"p90", "p90", Unit::share}, {"worst", "worst", Unit::share}, {"bias", "bias", Unit::share}, {"spearman", "Spearman"}, {"pearson", "Pearson"}}, {}};
}
void add_errors(Table& table, std::string name, const std::vector<Pair>& pairs) {
  const Errors e = errors_of(pairs);
  auto digits = [](double r) { return std::isfinite(r) ? Cell(std::round(r * 1e4) / 1e4) : Cell(std::monostate{}); };
  table.rows.push_back({std::move(name), static_cast<int64_t>(e.n), e.median, e.p90, e.worst, e.bias, digits(e.spearman), digits(e.pearson)});
}

Table points_table() {
  return {"points", "Networks", {{"network", "network"}, {"model", "model"}, {"measured", "measured ms"}, {"predicted", "predicted ms"}}, {}, true, kJson | kHtml | kCsv};
}
Chart points_chart(const char* caption) {
  Chart c{Chart::Kind::scatter, "Predicted over measured", caption, "points", "", "model"};
  c.x = "measured";
  c.y = "predicted";
  c.log_x = c.log_y = true;
  return c;
}

}  // namespace

Result<Report> table_report(const DeviceTable& t, const std::string& source) {
  Report report;
  report.command = "device show";
  report.title = t.device.name.empty() ? source : t.device.name;
  report.subtitle = "device table";
  report.parts.push_back(device_facts(t));

  if (!t.rows.empty()) {
    HONE_TRY_ASSIGN(const Predictor predictor, Predictor::fit(t, TimeModel::table));
    const auto kinds = predictor.kinds();
    HONE_TRY_ASSIGN(const std::vector<Pair> held, held_out_rows(t, TimeModel::table));
    Table coverage{"kinds", "Blocks", {{"kind", "kind"}, {"rows", "rows"}, {"sizes", "sizes measured", Unit::none, false, kJson | kCsv | kHtml}, {"fastest", "fastest ms"}, {"slowest", "slowest ms"}, {"interval", "interval", Unit::share}, {"scale", "in a network", Unit::factor}, {"elements", "+ ms / Melem", Unit::none, false, kJson | kCsv | kHtml}, {"weights", "+ ms / Mweight", Unit::none, false, kJson | kCsv | kHtml}, {"each", "+ ms each", Unit::none, false, kJson | kCsv | kHtml},
                                       {"a", "ms / MMAC"}, {"b", "ms / Melem"}, {"c", "+ ms"}}, {}};
    auto in_network = [&](double v) { return predictor.corrected() ? Cell(v) : Cell(std::monostate{}); };
    for (const auto& [kind, fit] : kinds) {
      double low = INFINITY, high = 0;
      std::string label;
      std::vector<int64_t> least, most;
      std::vector<double> widths;
      for (const BlockRow& row : t.rows) {
        if (row.block.kind != kind) continue;
        if (label.empty()) label = row.label;
        low = std::min(low, row.time.ms);
        high = std::max(high, row.time.ms);
        if (row.time.high > 0) widths.push_back((row.time.high - row.time.low) / 2 / row.time.ms);
        if (least.empty()) least = most = row.block.sizes;
        for (size_t i = 0; i < least.size(); ++i) {
          least[i] = std::min(least[i], row.block.sizes[i]);
          most[i] = std::max(most[i], row.block.sizes[i]);
        }
      }
      std::string sizes = label + (label.empty() ? "" : ": ");
      const auto& names = size_names(kind);
      for (size_t i = 0; i < least.size() && (!kind.starts_with(kCutKind) || i < 3); ++i)
        sizes += fmt::format("{}{} {}", i ? ", " : "", names[i], least[i] == most[i] ? fmt::format("{}", least[i]) : fmt::format("{}-{}", least[i], most[i]));
      std::sort(widths.begin(), widths.end());
      coverage.rows.push_back({kind, static_cast<int64_t>(fit.rows), sizes, text_ms(low), text_ms(high), widths.empty() ? Cell(std::monostate{}) : Cell(widths[widths.size() / 2]),
                               in_network(fit.correction.scale), in_network(fit.correction.elements), in_network(fit.correction.weights), in_network(fit.correction.each), fmt::format("{:.4g}", fit.line.a), fmt::format("{:.4g}", fit.line.b), fmt::format("{:.3g}", fit.line.c)});
    }
    report.parts.push_back(std::move(coverage));
    if (predictor.corrected())
      report.parts.push_back(Note{Note::Level::info, fmt::format("blocks are corrected by {} measured networks, which take {:+.3f} ms besides their blocks", t.networks.size(), predictor.per_network())});
    else
      report.parts.push_back(Note{Note::Level::info, "too few measured networks for a correction: a network is the plain sum of its blocks"});
    if (held.size() >= 10) {
      const Errors e = errors_of(held);
      report.parts.push_back(Note{Note::Level::info, fmt::format("a row predicted from the others (five parts): median error {:.1f} %, p90 {:.1f} %", 100 * e.median, 100 * e.p90)});
    }
  }

  if (t.networks.size() >= 10) {
    Table errors = models_table(), points = points_table();
    errors.title = "Networks predicted from the others (five parts)";
    for (const TimeModel model : kModels) {
      const auto pairs = held_out_networks(t, model);
      if (!pairs || pairs->empty()) continue;
      add_errors(errors, std::string(name(model)), *pairs);
      for (const Pair& p : *pairs) points.rows.push_back({std::string(), std::string(name(model)), p.measured, p.predicted});
    }
    points.columns.erase(points.columns.begin());
    for (auto& row : points.rows) row.erase(row.begin());
    report.parts.push_back(std::move(errors));
    report.parts.push_back(points_chart("Each network predicted by a fit that has not seen it, milliseconds."));
    report.parts.push_back(std::move(points));
  }
  return report;
}

Result<Report> check_report(const DeviceTable& t, const std::vector<NetworkRow>& measured, const std::string& source) {
  Report report;
  report.command = "device check";
  report.title = t.device.name.empty() ? source : t.device.name;
  report.subtitle = fmt::format("{} networks that the table has not seen", measured.size());
  report.parts.push_back(device_facts(t));
  Table errors = models_table(), points = points_table();
  for (const TimeModel model : kModels) {
    const auto predictor = Predictor::fit(t, model);
    if (!predictor) {
      report.parts.push_back(Note{Note::Level::info, fmt::format("no {} model: {}", name(model), predictor.error().message)});
      continue;
    }
    std::vector<Pair> pairs;
    for (const NetworkRow& n : measured) {
      HONE_TRY_ASSIGN(const Prediction p, (*predictor)(n.blocks, n.acts));
      pairs.push_back({n.time.ms, p.ms});
      points.rows.push_back({n.network, std::string(name(model)), n.time.ms, p.ms});
    }
    add_errors(errors, std::string(name(model)), pairs);
  }
  std::vector<double> widths;
  for (const NetworkRow& n : measured)
    if (n.time.high > 0) widths.push_back((n.time.high - n.time.low) / 2 / n.time.ms);
  std::sort(widths.begin(), widths.end());
  report.parts.push_back(std::move(errors));
  if (!widths.empty()) report.parts.push_back(Note{Note::Level::info, fmt::format("the measured times themselves are known to +-{:.1f} % (median), {:.1f} % (p90)", 100 * widths[widths.size() / 2], 100 * widths[widths.size() * 9 / 10])});
  report.parts.push_back(points_chart("Networks measured apart from the table, milliseconds."));
  report.parts.push_back(std::move(points));
  return report;
}

}  // namespace hone
