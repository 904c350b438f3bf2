// hone scale: a network grown or shrunk, by a factor or to a budget, by one strategy or all.
#include "scale/scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "cli/commands.h"
#include "cli/network.h"
#include "core/file.h"
#include "cost/profile.h"
#include "measure/device_meter.h"
#include "measure/device_scale.h"
#include "run/format.h"
#include "retrieval/trained.h"
#include "zoo/catalog.h"

namespace hone::cli {

namespace {

struct Options {
  std::string net, space, strategy = "dWr";
  std::optional<double> factor;
  std::optional<std::string> to, rounding, arch, member;
  bool all = false, predict_only = false;
  Output output;
};

// "6 -> 11", or "6" where nothing changed.
std::string change(int64_t before, int64_t after) { return before == after ? fmt::format("{}", after) : fmt::format("{} -> {}", before, after); }

Facts contract_facts(const std::string& network, const ScaleResult& r) {
  return {"", "",
          {{"network", "", network},
           {"strategy", "", r.strategy.canonical()},
           {"factor", "", r.factor},
           {"depths", "", r.depths},
           {"widths", "", r.widths},
           {"bot_muls", "", r.bot_muls},
           {"group_widths", "", r.group_widths},
           {"stem_width", "", r.stem_width},
           {"head_width", "", r.head_width},
           {"train_resolution", "", r.train_resolution},
           {"test_resolution", "", r.test_resolution ? Cell(*r.test_resolution) : Cell(std::monostate{})},
           {"flops", "", r.flops},
           {"params", "", r.params},
           {"acts", "", r.acts},
           {"macs", "", r.macs},
           {"peak_activation_bytes", "", r.memory},
           {"relative_time", "", r.relative_time},
           {"latency_ms", "", r.latency_ms ? Cell(*r.latency_ms) : Cell(std::monostate{})}},
          false, kJson};
}

Facts factor_facts(const Factors& f) {
  return {"factors", "", {{"d", "", f.d}, {"w", "", f.w}, {"g", "", f.g}, {"r", "", f.r}}, false, kJson};
}

Table before_and_after(const Arch& arch, const Totals& base, const ScaleResult& r) {
  Table table{"before_after", "", {{"name", ""}, {"before", "before", Unit::count}, {"after", "after", Unit::count}, {"ratio", "ratio", Unit::factor}}, {}, false, kText | kHtml};
  const auto ratio = [](int64_t a, int64_t b) { return a > 0 ? Cell(static_cast<double>(b) / static_cast<double>(a)) : Cell(std::monostate{}); };
  for (const auto& [name, before, after] : {std::tuple{"MACs", base.macs, r.macs}, {"parameters", base.params, r.params}, {"activations", base.acts, r.plain_acts}})
    table.rows.push_back({std::string(name), before, after, ratio(before, after)});
  // Bytes have their own unit, so they come as text.
  const auto bytes = [](int64_t n) { return format_cell(n, Unit::bytes); };
  table.rows.push_back({std::string("peak memory"), bytes(base.peak_activation_bytes), bytes(r.memory), ratio(base.peak_activation_bytes, r.memory)});
  table.rows.push_back({std::string("resolution"), arch.resolution, r.train_resolution, ratio(arch.resolution, r.train_resolution)});
  table.rows.push_back({std::string("predicted run time"), std::string(), std::string(), r.relative_time});
  return table;
}

Table stages(const Arch& before, const Arch& after) {
  Table table{"stages", "Stages", {{"stage", "stage"}, {"block", "block"}, {"depth", "depth"}, {"width", "width"}, {"group_width", "group width"}}, {}, false, kText | kHtml};
  const bool groups = std::any_of(after.stages.begin(), after.stages.end(), [](const Stage& s) { return s.group_width > 0; });
  if (!groups) table.columns[4].forms = 0;
  if (after.stem.width > 0) table.rows.push_back({std::string("stem"), after.stem.kind, std::string(), change(before.stem.width, after.stem.width), std::string()});
  for (size_t i = 0; i < after.stages.size(); ++i) {
    const Stage &a = before.stages[std::min(i, before.stages.size() - 1)], &b = after.stages[i];
    table.rows.push_back({fmt::format("{}", i + 1), b.block, change(a.depth, b.depth), change(a.width, b.width), b.group_width > 0 ? change(a.group_width, b.group_width) : std::string()});
  }
  if (after.head.width > 0) table.rows.push_back({std::string("head"), after.head.kind, std::string(), change(before.head.width, after.head.width), std::string()});
  return table;
}

// Every strategy with what it gives, or why it gives nothing.
Table strategies(const std::vector<StrategyRow>& rows) {
  Table table{"strategies", "All strategies",
              {{"strategy", "strategy"}, {"factor", "factor", Unit::none, false, kJson | kCsv},
               {"d", "depth", Unit::factor}, {"w", "width", Unit::factor}, {"g", "groups", Unit::factor}, {"r", "resolution", Unit::factor},
               {"macs", "MACs", Unit::count}, {"params", "parameters", Unit::count}, {"acts", "activations", Unit::count},
               {"relative_time", "time", Unit::factor},
               {"flops", "pycls flops", Unit::count, false, kJson | kCsv}, {"pycls_acts", "pycls acts", Unit::count, false, kJson | kCsv},
               {"train_resolution", "resolution", Unit::none, false, kJson | kCsv},
               {"met", "budget met", Unit::none, false, kJson | kCsv}, {"note", ""}}};
  for (const StrategyRow& row : rows) {
    std::vector<Cell> cells(table.columns.size());
    cells[0] = std::string(row.strategy.text);
    if (!row.result) {
      cells[13] = false;
      cells[14] = row.result.error().message;
    } else {
      const ScaleResult& r = row.result->best;
      cells = {std::string(row.strategy.text), r.factor, r.factors.d, r.factors.w, r.factors.g, r.factors.r, r.macs, r.params, r.plain_acts, r.relative_time,
               r.flops, r.acts, r.train_resolution, row.result->met, std::string(row.result->met ? "" : "misses the budget")};
    }
    table.rows.push_back(std::move(cells));
  }
  if (std::all_of(table.rows.begin(), table.rows.end(), [](const auto& r) { return r[14] == Cell(std::string()); })) table.columns[14].forms = kJson | kCsv;
  return table;
}

// Points of the chart: each strategy's curve as far as its result, and the result itself as the last point.
Table curves(const std::vector<Curve>& all, const std::vector<StrategyRow>& rows) {
  Table table{"curves", "Points of the chart", {{"strategy", "strategy"}, {"factor", "factor", Unit::factor}, {"macs", "MACs", Unit::count}, {"acts", "activations", Unit::count}}, {}, true, kJson | kHtml};
  for (const Curve& c : all)
    for (const StrategyRow& row : rows) {
      if (row.strategy.text != c.strategy.text || !row.result) continue;
      const ScaleResult& r = row.result->best;
      for (size_t i = 0; i < c.factors.size() && c.macs[i] < r.macs; ++i) table.rows.push_back({std::string(c.strategy.text), c.factors[i], c.macs[i], c.acts[i]});
      table.rows.push_back({std::string(c.strategy.text), r.factor, r.macs, r.plain_acts});
    }
  return table;
}

// What a budget in milliseconds needs: the table's predictor, and this machine's clock where it is the table's device.
struct Device {
  std::string file;
  DeviceTable table;
  Predictor predictor;
  TimeOf time;
  std::string not_measured;  // why there is no `time`
};
Result<Device> open_device(const std::string& file, bool predict_only) {
  Device d;
  d.file = file;
  HONE_TRY_ASSIGN(d.table, read_table(file));
  HONE_TRY_ASSIGN(d.predictor, Predictor::fit(d.table, TimeModel::table));
  if (predict_only) {
    d.not_measured = "predicted only, as asked";
    return d;
  }
  auto time = this_machine_as(d.table.device);
  if (time)
    d.time = std::move(*time);
  else
    d.not_measured = "predicted only: " + time.error().text();
  return d;
}

Facts latency_facts(const Device& d, const Limit& limit, const TimedScale& t) {
  Facts f{"latency", fmt::format("Latency on {}", d.table.device.name.empty() ? d.file : d.table.device.name), {}};
  f.facts.push_back({"limit_ms", "budget, ms", limit.amount / 1e6});
  f.facts.push_back({"predicted_ms", "predicted, ms", t.prediction.ms, Unit::none, fmt::format("from {} blocks with a row, {} between rows, {} beyond, {} guessed", t.prediction.measured, t.prediction.interpolated, t.prediction.outside, t.prediction.guessed)});
  if (t.measured) {
    f.facts.push_back({"measured_ms", "measured, ms", t.measured->ms, Unit::none, fmt::format("{:.3g} to {:.3g} at 95 %, {} rounds, network {} that was tried", t.measured->low, t.measured->high, t.measured->rounds, t.tries)});
    f.facts.push_back({"met", "met when measured", t.met});
  } else {
    f.facts.push_back({"measured_ms", "measured, ms", std::monostate{}, Unit::none, d.not_measured});
  }
  return f;
}

// A supernet's member through the plug-in that knows its space; everything else without loading it.
Result<Network> opened(const Options& o) {
  if (!o.member && !member_name(o.net)) return open_net(o.net, 0, o.space);
  NetworkOptions options;
  options.net = o.net;
  options.member = o.member;
  return open(options);
}

Result<Outcome> run(const Options& o, const TextStyle& style) {
  if (o.factor.has_value() == o.to.has_value())
    return fail(Code::usage, o.factor ? "--factor and --to exclude each other" : "say how far: --factor or --to", {}, "as in --factor 4 (times the MACs) or --to macs=4G");
  HONE_TRY_ASSIGN(const Strategy strategy, parse_strategy(o.strategy));
  Rounding rounding = Rounding::family;
  if (o.rounding) {
    HONE_TRY_ASSIGN(rounding, parse_rounding(*o.rounding));
  }
  std::optional<Budget> budget;
  if (o.to) {
    HONE_TRY_ASSIGN(budget, parse_budget(*o.to));
  }
  if (o.arch) HONE_TRY(check_writable(*o.arch, o.output.force));
  HONE_TRY_ASSIGN(const Network network, opened(o));
  if (!network.arch) return fail(Code::usage, "is a graph; only a network with an arch can be scaled", o.net, "a name from hone zoo, or an arch .toml");
  const Arch& base = *network.arch;
  HONE_TRY_ASSIGN(const Profile before, profile(network.graph));
  std::optional<Device> device;
  std::optional<TimedScale> timed;
  LatencyOf latency;
  if (budget && latency_limit(*budget)) {
    HONE_TRY_ASSIGN(device, open_device(latency_limit(*budget)->device, o.predict_only));
    latency = [&device](const Arch& arch) -> Result<double> { return predict(device->predictor, arch).map([](const Prediction& p) { return p.ms; }); };
    HONE_TRY_ASSIGN(timed, scale_to_latency(base, strategy, *budget, rounding, device->predictor, device->time));
  }
  HONE_TRY_ASSIGN(const ScaleResult scaled, timed ? Result<ScaleResult>(timed->result) : budget ? scale_to(base, strategy, *budget, rounding) : scale(base, strategy, *o.factor, rounding));

  Report report;
  report.command = "scale";
  report.title = network.name;
  report.subtitle = fmt::format("{}{}, factor {:.4g}", strategy.text, budget ? " to " + budget->text : "", scaled.factor);
  report.parts.push_back(contract_facts(network.name, scaled));
  report.parts.push_back(factor_facts(scaled.factors));
  report.parts.push_back(before_and_after(base, before.totals, scaled));
  if (timed) {
    Limit limit = *latency_limit(*budget);
    if (limit.percent) {
      HONE_TRY_ASSIGN(const Prediction whole, predict(device->predictor, base));
      limit.amount *= 1e6 * whole.ms;
    }
    report.parts.push_back(latency_facts(*device, limit, *timed));
    if (!timed->met) report.parts.push_back(Note{Note::Level::warning, "the measurement misses the budget: the table and this machine disagree (hone device check shows by how much)"});
  }
  report.parts.push_back(stages(base, scaled.arch));
  std::string odd;
  for (int64_t w : scaled.widths)
    if (w % 8 != 0) odd += (odd.empty() ? "" : ", ") + std::to_string(w);
  if (!odd.empty()) report.parts.push_back(Note{Note::Level::info, "widths that are no multiple of 8 run slower than their MACs suggest: " + odd});

  if (o.all || o.output.html) {
    const std::vector<StrategyRow> rows = budget ? scale_all(base, *budget, rounding, latency) : scale_all(base, *o.factor, rounding);
    double largest = 1;
    for (const StrategyRow& row : rows)
      if (row.result) largest = std::max(largest, row.result->best.factor);
    if (o.output.html && largest > 1) {
      HONE_TRY_ASSIGN(const std::vector<Curve> all, growth_curves(base, largest, rounding));
      report.parts.push_back(Chart{Chart::Kind::lines, "Activations against MACs", "From the network itself to the result of each strategy. On bandwidth-bound hardware run time follows activations: lower is faster.",
                                   "curves", "strategy", "strategy", {}, "macs", "acts"});
      report.parts.push_back(strategies(rows));
      report.parts.push_back(curves(all, rows));
    } else {
      report.parts.push_back(strategies(rows));
    }
  }
  HONE_TRY_ASSIGN(Outcome outcome, present(report, o.output, style));
  if (timed && !timed->met) outcome.exit = exit_code(Code::budget_not_met);
  if (o.arch) {
    HONE_TRY(write_file(*o.arch, print_arch(scaled.arch), o.output.force));
    outcome.diagnostics += fmt::format("wrote {}\n", *o.arch);
  }
  return outcome;
}

}  // namespace

Command scale_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "scale";
  c.summary = "A network grown or shrunk to a budget";
  c.about = "A strategy says how depth (d), width (w), group width (g) and resolution (r) share the growth: dWr = d1_w8_g8_r1 is the fast compound scaling of Dollar, Singh and Girshick (2021).";
  c.arguments.push_back({"NET", &o->net, "a network's name such as pycls/RegNetY-400MF, or an arch .toml"});
  add_space(c, o->space);
  c.options.push_back({"--arch", "FILE", &o->member, "NET is a supernet run: its member with this encoding (.json)"});
  c.options.push_back({"--strategy", "S", &o->strategy, "dWr (default), dwr, dw, d, w, r, ... or weights such as d1_w8_g8_r1"});
  c.options.push_back({"--factor", "S", &o->factor, "times the MACs, before rounding"});
  c.options.push_back({"--to", "BUDGET", &o->to, "a budget: macs, params, acts, memory or latency, with = or <, as in macs=4G, params<20M, macs=50%, latency<8ms@DEVICE.json"});
  c.options.push_back({"--predict-only", "", &o->predict_only, "latency from the device table alone; without it the result is measured where this machine is the device"});
  c.options.push_back({"--rounding", "RULE", &o->rounding, "family (default), pycls, make_div, efficientnet or space, where the family has it"});
  c.options.push_back({"--all-strategies", "", &o->all, "also show what every strategy gives, side by side"});
  c.options.push_back({"-o,--output", "FILE", &o->arch, "write the scaled network as an arch .toml"});
  add_output(c, o->output, false, true);
  c.examples = {{"hone scale pycls/RegNetY-400MF --to macs=4G", "fast compound scaling to 4 G multiply-adds"},
                {"hone scale pycls/RegNetY-400MF --factor 4 --strategy dwr -o big.toml", "four times the work, written as a network of its own"},
                {"hone scale timm/resnet18 --to 'latency<8ms@laptop.json'", "the largest that a device runs in 8 ms (hone device build)"},
                {"hone scale timm/resnet50 --to macs=50% --all-strategies --html half.html", "half the work by every strategy, with a chart"}};
  c.run = [o](const TextStyle& style) { return run(*o, style); };
  return c;
}

}  // namespace hone::cli
