// hone bench scaling: how well counts predict the time of scaled networks.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>

#include "cli/commands.h"
#include "cli/timing_options.h"
#include "measure/load.h"
#include "measure/scaling_study.h"
#include "run/format.h"
#include "run/progress.h"
#include "zoo/catalog.h"

namespace hone::cli {

namespace {

constexpr double kSecondsEach = 3;  // of measuring, for each network

struct Options {
  std::vector<std::string> nets, strategies, factors, against;
  TimingFlags timing;
  Output output;
};

Result<Arch> arch_of(const std::string& net) {
  HONE_TRY_ASSIGN(const Network network, open_network(net));
  if (!network.arch) return fail(Code::usage, "is a graph; only a network with an arch can be scaled", net, "a name from hone zoo, or an arch .toml");
  Arch arch = *network.arch;
  arch.name = network.name;
  return arch;
}

Result<std::vector<double>> factors_of(const std::vector<std::string>& texts) {
  std::vector<double> out;
  for (const std::string& text : texts) {
    double value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc() || end != text.data() + text.size() || !(value > 0 && value <= 1000)) return fail(Code::usage, fmt::format("'{}' is no factor of the MACs", text), "--factor", "a number above 0, as in --factor 4");
    out.push_back(value);
  }
  return out;
}

std::string shown(const std::string& strategy) { return strategy.empty() ? "itself" : strategy; }

Table points_table(const std::vector<StudyPoint>& points) {
  Table t{"points", "Networks",
          {{"base", "base"}, {"strategy", "strategy"}, {"factor", "factor", Unit::factor}, {"macs", "MACs", Unit::count}, {"params", "parameters", Unit::count}, {"acts", "activations", Unit::count}, {"ms", "time", Unit::milliseconds},
           {"time_growth", "times the base", Unit::factor}, {"low", "", Unit::none, false, kJson | kCsv}, {"high", "", Unit::none, false, kJson | kCsv}, {"steady", "", Unit::none, false, kJson | kCsv}},
          {}, true};
  const StudyPoint* base = nullptr;
  for (const StudyPoint& p : points) {
    if (p.network.strategy.empty()) base = &p;
    t.rows.push_back({p.network.base, shown(p.network.strategy), p.network.factor, p.network.macs, p.network.params, p.network.acts, p.ms, base ? finite_cell(p.ms / base->ms) : Cell(), p.interval.low, p.interval.high, p.steady});
  }
  return t;
}

Table correlations_table(const std::vector<CountCorrelation>& all) {
  Table t{"correlations", "How well counts predict time: Pearson r, and Spearman's of ranks",
          {{"group", "networks"}, {"networks", "n"}, {"pearson_macs", "r MACs"}, {"pearson_params", "r params"}, {"pearson_acts", "r acts"}, {"spearman_macs", "rank MACs"}, {"spearman_params", "rank params"}, {"spearman_acts", "rank acts"},
           {"ms_per_mega_act", "ms/M acts", Unit::none, false, kJson | kCsv | kHtml}, {"intercept_ms", "", Unit::none, false, kJson | kCsv}},
          {}};
  const auto r = [](double v) { return finite_cell(std::round(v * 1000) / 1000); };
  for (const CountCorrelation& c : all)
    t.rows.push_back({c.group, static_cast<int64_t>(c.networks), r(c.pearson_macs), r(c.pearson_params), r(c.pearson_acts), r(c.spearman_macs), r(c.spearman_params), r(c.spearman_acts), r(c.by_acts.slope), r(c.by_acts.intercept)});
  return t;
}

Table pairs_table(const std::vector<StudyPair>& pairs) {
  Table t{"pairs", "At equal MACs",
          {{"first", "network"}, {"second", "beside"}, {"macs", "MACs", Unit::count}, {"macs_ratio", "MACs ratio", Unit::factor}, {"acts_ratio", "acts ratio", Unit::factor}, {"ratio", "time ratio", Unit::factor}, {"interval", "95 % interval", Unit::none, false, kText | kHtml},
           {"verdict", "first is"}, {"ratio_low", "", Unit::none, false, kJson | kCsv}, {"ratio_high", "", Unit::none, false, kJson | kCsv}, {"params_ratio", "", Unit::none, false, kJson | kCsv}},
          {}};
  const auto over = [](int64_t a, int64_t b) { return static_cast<double>(a) / static_cast<double>(b); };
  for (const StudyPair& p : pairs)
    t.rows.push_back({p.first.name(), p.second.name(), p.first.macs, over(p.first.macs, p.second.macs), over(p.first.acts, p.second.acts), p.time.ratio, fmt::format("{:.2f} to {:.2f}", p.time.interval.low, p.time.interval.high),
                      std::string(name(p.time.verdict)), p.time.interval.low, p.time.interval.high, over(p.first.params, p.second.params)});
  return t;
}

// The paper's plots: time over each count, a colour per strategy, the line through all points.
void add_plots(Report& report, const std::vector<StudyPoint>& points, bool several) {
  const auto line = [&](const char* key, auto value) {
    std::vector<double> x, y;
    for (const StudyPoint& p : points) x.push_back(static_cast<double>(value(p.network))), y.push_back(p.ms);
    const Line fit = fit_line(x, y);
    const auto [low, high] = std::minmax_element(x.begin(), x.end());
    Table t{std::string("line_") + key, "", {{"name", ""}, {"x", ""}, {"y", ""}}, {}, false, 0};
    const std::string name = fmt::format("r = {:.2f}", pearson(x, y));
    for (const double at : {*low, *high}) t.rows.push_back({name, at, std::max(0., fit.slope * at + fit.intercept)});
    return t;
  };
  const auto plot = [&](const char* key, const char* title, Table fit) {
    report.parts.push_back(Chart{Chart::Kind::scatter, title, "", "points", "", several ? "base" : "strategy", {}, key, "ms", "low", "high", false, false, "", fit.key});
    report.parts.push_back(std::move(fit));
  };
  plot("macs", "Time over MACs", line("macs", [](const ScaledNetwork& n) { return n.macs; }));
  plot("params", "Time over parameters", line("params", [](const ScaledNetwork& n) { return n.params; }));
  plot("acts", "Time over activations", line("acts", [](const ScaledNetwork& n) { return n.acts; }));
}

Result<Outcome> run(const Options& o, const TextStyle& style) {
  HONE_TRY_ASSIGN(const EngineOptions engine_options, cli::engine_options(o.timing));
  HONE_TRY_ASSIGN(TimingOptions timing, timing_options(o.timing, kSecondsEach));
  timing.precision = 0.01;
  timing.min_seconds = std::min(timing.min_seconds, timing.seconds / 2);
  HONE_TRY_ASSIGN(const std::vector<double> factors, factors_of(o.factors.empty() ? std::vector<std::string>{"2", "4"} : o.factors));
  std::vector<std::string> strategies = o.strategies, refused;
  if (strategies.empty())
    for (const NamedStrategy& s : named_strategies()) strategies.emplace_back(s.text);

  std::vector<Arch> bases;
  std::vector<ScaledNetwork> networks;
  for (const std::string& net : o.nets) {
    HONE_TRY_ASSIGN(Arch base, arch_of(net));
    HONE_TRY_ASSIGN(const std::vector<ScaledNetwork> more, scaled_networks(base, strategies, factors, refused));
    networks.insert(networks.end(), more.begin(), more.end());
    bases.push_back(std::move(base));
  }
  // Pairs: fast against uniform compound scaling, to the MACs that the fast one reaches; and against published networks.
  std::vector<std::pair<ScaledNetwork, ScaledNetwork>> planned;
  for (const Arch& base : bases)
    for (const double factor : factors) {
      HONE_TRY_ASSIGN(const ScaleResult fast, scale(base, *parse_strategy("dWr"), factor));
      HONE_TRY_ASSIGN(ScaledNetwork uniform, scaled_to_macs(base, "dwr", fast.macs));
      planned.emplace_back(ScaledNetwork{base.name, "dWr", factor, fast.arch, fast.macs, fast.params, fast.acts}, std::move(uniform));
    }
  for (const std::string& net : o.against) {
    HONE_TRY_ASSIGN(const Arch published, arch_of(net));
    const auto base = std::find_if(bases.begin(), bases.end(), [&](const Arch& b) { return b.family == published.family; });
    if (base == bases.end()) return fail(Code::usage, fmt::format("is of family {}, which none of the networks to scale is of", published.family), net);
    HONE_TRY_ASSIGN(ScaledNetwork beside, as_network(published));
    HONE_TRY_ASSIGN(ScaledNetwork fast, scaled_to_macs(*base, "dWr", beside.macs));
    planned.emplace_back(std::move(fast), std::move(beside));
  }

  HONE_TRY_ASSIGN(Engine* const engine, open_engine(o.timing.engine));
  const MachineWatch watch;
  HONE_TRY_ASSIGN(const Pinned pinned, Pinned::to(engine_options.threads));
  const TimeNetworks time = [&](const std::vector<ScaledNetwork>& some) -> Result<Measurement> {
    std::vector<std::unique_ptr<EngineSession>> sessions;
    std::vector<Candidate> candidates;
    for (const ScaledNetwork& n : some) {
      HONE_TRY_ASSIGN(const Graph graph, build(n.arch));
      HONE_TRY_ASSIGN(std::unique_ptr<EngineSession> session, load_ready(*engine, graph, engine_options, timing.seed));
      sessions.push_back(std::move(session));
      candidates.push_back(candidate(n.name(), *sessions.back()));
    }
    return measure(candidates, timing);
  };
  std::vector<StudyPair> pairs;
  std::vector<StudyPoint> points;
  {
    Progress progress("measuring", static_cast<int64_t>(networks.size() + planned.size()), "networks");
    HONE_TRY_ASSIGN(points, time_points(networks, time, [&](size_t done) { progress.step(static_cast<int64_t>(done)); }));
    for (const auto& [first, second] : planned) {
      HONE_TRY_ASSIGN(StudyPair pair, time_pair(first, second, time));
      pairs.push_back(std::move(pair));
      progress.step(static_cast<int64_t>(networks.size() + pairs.size()));
    }
  }
  const MachineLoad load = watch.finish();

  Report report;
  report.command = "bench scaling";
  report.title = fmt::format("Time of {} scaled networks", points.size());
  report.subtitle = fmt::format("batch 1, {} thread{}, {}", engine_options.threads, engine_options.threads == 1 ? "" : "s", engine_options.precision);
  add_plots(report, points, bases.size() > 1);
  report.parts.push_back(correlations_table(correlate(points)));
  report.parts.push_back(pairs_table(pairs));
  report.parts.push_back(points_table(points));
  report.parts.push_back(machine_facts(load, pinned, *engine, engine_options));
  const auto doubted = std::count_if(points.begin(), points.end(), [](const StudyPoint& p) { return !p.steady; });
  if (doubted > 0) report.parts.push_back(Note{Note::Level::info, fmt::format("{} of {} times would not repeat within {:.0f} % by themselves; all are ratios to {} in the same rounds", doubted, points.size(), kRepeatable * 100, networks[0].name())});
  for (const std::string& r : refused) report.parts.push_back(Note{Note::Level::info, "left out: " + r});
  if (auto note = load_note(load)) report.parts.push_back(std::move(*note));
  return present(report, o.output, style);
}

}  // namespace

Command bench_scaling_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "bench scaling";
  c.summary = "How well MACs, parameters and activations predict the time of scaled networks";
  c.about = "Scales every NET by every strategy and factor, times the results, and prints how time correlates with the three counts, over all of them and within each family and strategy; and the time of fast compound scaling (dWr) over that of uniform compound scaling (dwr), and of published networks, at equal MACs.";
  c.arguments.push_back({"NET", &o->nets, "networks with an arch: names such as pycls/EfficientNet-B0, or .toml files"});
  c.options.push_back({"--strategy", "S", &o->strategies, "dWr, dwr, w, ... (default: every named one)"});
  c.options.push_back({"--factor", "S", &o->factors, "times the MACs (default: 2 and 4)"});
  c.options.push_back({"--against", "NET", &o->against, "a published network of the same family: dWr at its MACs is timed beside it"});
  add_timing(c, o->timing, "of measuring each network at most (default: 3)");
  add_output(c, o->output, true, true);
  c.examples = {{"hone bench scaling pycls/EfficientNet-B0 --factor 2 --factor 5 --against pycls/EfficientNet-B2", "one family, every strategy"},
                {"hone bench scaling pycls/EfficientNet-B0 pycls/RegNetY-400MF --html scaling.html", "two families, with the plots"}};
  c.run = [o](const TextStyle& style) { return run(*o, style); };
  return c;
}

}  // namespace hone::cli
