// hone bench: how long networks take, side by side.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "cli/commands.h"
#include "cli/network.h"
#include "cli/timing_options.h"
#include "cost/odd_channels.h"
#include "cost/profile.h"
#include "measure/load.h"
#include "run/format.h"
#include "run/progress.h"

namespace hone::cli {

namespace {

constexpr double kSecondsEach = 5;  // of measuring, for each network

struct Options {
  std::vector<std::string> nets;
  NetworkOptions network;  // without its net: inputs and batch are every network's
  TimingFlags timing;
  Output output;
};

// A network, loaded.
struct Entered {
  std::string name;
  std::unique_ptr<EngineSession> session;
  std::optional<Profile> profile;  // hone's counts; none of a file that hone cannot read
  std::string note;
};

bool is_onnx(const std::string& net) { return net.size() > 5 && net.compare(net.size() - 5, 5, ".onnx") == 0; }

Result<Entered> enter(Engine& engine, const std::string& net, const Options& o, const EngineOptions& options) {
  Entered e;
  e.name = net;
  NetworkOptions asked = o.network;
  asked.net = net;
  if (!net.ends_with(".json")) asked.space.clear();
  auto network = open(asked);
  const auto seed = static_cast<uint64_t>(o.timing.seed.value_or(0));
  // Files are timed as they lie on disk: they are what their exporter made of the network. Only a file whose shapes are to
  // be bound goes through hone.
  if (is_onnx(net) && asked.inputs.empty() && !asked.batch) {
    auto session = load_file_ready(engine, net, options, seed);
    if (session) {
      e.session = std::move(*session);
      if (!network) e.note = fmt::format("{}: no counts: {}", net, network.error().message);
    } else if (!network || session.error().code != Code::usage) {
      return fail(std::move(session).error());
    }
  }
  if (network) {
    HONE_TRY_ASSIGN(e.profile, profile(network->graph));
    e.name = network->name;
    if (!e.session) {
      HONE_TRY_ASSIGN(e.session, load_ready(engine, network->graph, options, seed));
      if (is_onnx(net)) e.note = fmt::format("{}: timed as hone writes it, with its shapes bound", net);
    }
    if (const OddChannels odd = odd_channels(network->graph, *e.profile); odd.macs_share > 0.2)
      e.note += fmt::format("{}{}: {} of its MACs are in {} convolution{} with channels that are no multiple of 8 (as {} in {}): slower than their MACs say", e.note.empty() ? "" : "; ", e.name,
                            format_cell(odd.macs_share, Unit::share), odd.nodes, odd.nodes == 1 ? "" : "s", odd.example_channels, odd.example);
  } else if (!e.session) {
    return fail(std::move(network).error());
  }
  return e;
}

std::string range(const Interval& i) { return fmt::format("{:#.3g} to {:#.3g}", i.low, i.high); }

Table table_of(const std::vector<Entered>& all, const Measurement& m, int64_t batch) {
  constexpr uint8_t data = kJson | kCsv;
  Table t{"rows", "Times",
          {{"network", "network"}, {"median", "median", Unit::milliseconds}, {"interval", "95 % interval, ms", Unit::none, false, kText | kHtml}, {"p95", "p95", Unit::milliseconds},
           {"ratio", "ratio", Unit::factor}, {"verdict", "to the first"},
           {"macs", "MACs", Unit::count}, {"gflop_per_second", "GFLOP/s", Unit::none}, {"params", "parameters", Unit::count, false, kJson | kCsv | kHtml}, {"acts", "activations", Unit::count, false, kJson | kCsv | kHtml},
           {"low", "", Unit::none, false, data}, {"high", "", Unit::none, false, data}, {"confidence", "", Unit::none, false, data},
           {"ratio_low", "", Unit::none, false, data}, {"ratio_high", "", Unit::none, false, data}, {"fastest", "", Unit::none, false, data},
           {"spread", "spread", Unit::share, false, data | kHtml}, {"drift", "", Unit::none, false, data}, {"steady", "", Unit::none, false, data}, {"doubt", "", Unit::none, false, data},
           {"basis", "", Unit::none, false, data}, {"rounds", "rounds", Unit::none, false, data | kHtml}, {"runs", "runs", Unit::none, false, data | kHtml}, {"disturbed_share", "disturbed", Unit::share, false, data | kHtml},
           {"warmed_up", "", Unit::none, false, data}, {"images_per_second", "", Unit::none, false, data}, {"memory_bytes", "memory", Unit::bytes, false, data | kHtml}},
          {}};
  for (size_t i = 0; i < all.size(); ++i) {
    const Timing& w = m.timings[i];
    const Cell none = std::monostate{};
    const bool counted = all[i].profile.has_value();
    const Totals totals = counted ? all[i].profile->totals : Totals{};
    const TimeRatio r = i == 0 ? TimeRatio{} : time_ratio(m, i, 0);
    t.rows.push_back({all[i].name, w.median, range(w.interval), w.p95,
                      finite_cell(i == 0 ? NAN : r.ratio), i == 0 ? none : Cell(std::string(name(r.verdict))),
                      counted ? Cell(totals.macs) : none, finite_cell(counted ? std::round(static_cast<double>(totals.flops) / w.median / 1e5) / 10 : NAN), counted ? Cell(totals.params) : none, counted ? Cell(totals.acts) : none,
                      w.interval.low, w.interval.high, w.interval.confidence,
                      finite_cell(i == 0 ? NAN : r.interval.low), finite_cell(i == 0 ? NAN : r.interval.high), w.fastest,
                      w.spread, w.drift, w.steady, w.doubt,
                      std::string(name(w.basis)), w.rounds, w.runs, static_cast<double>(w.disturbed) / static_cast<double>(w.groups),
                      w.warmed_up, 1000 * static_cast<double>(batch) / w.median, all[i].session->memory_bytes()});
  }
  return t;
}

Result<Outcome> run(const Options& o, const TextStyle& style) {
  HONE_TRY_ASSIGN(const EngineOptions engine_options, cli::engine_options(o.timing));
  HONE_TRY_ASSIGN(TimingOptions timing, timing_options(o.timing, kSecondsEach * static_cast<double>(o.nets.size())));
  HONE_TRY_ASSIGN(Engine* const engine, open_engine(o.timing.engine));
  const MachineWatch watch;
  HONE_TRY_ASSIGN(const Pinned pinned, Pinned::to(engine_options.threads));
  std::vector<Entered> all;
  std::vector<Candidate> candidates;
  for (const std::string& net : o.nets) {
    HONE_TRY_ASSIGN(Entered e, enter(*engine, net, o, engine_options));
    all.push_back(std::move(e));
  }
  for (const Entered& e : all) candidates.push_back(candidate(e.name, *e.session));

  Measurement measured;
  {
    Progress progress("measuring", 100, "%");
    timing.progress = [&](double share) { progress.step(static_cast<int64_t>(share * 100)); };
    HONE_TRY_ASSIGN(measured, measure(candidates, timing));
  }
  const MachineLoad load = watch.finish();

  Report report;
  report.command = "bench";
  report.title = all.size() == 1 ? all[0].name : fmt::format("{} networks, one after another in {} rounds", all.size(), measured.timings[0].rounds);
  const int64_t batch = all[0].session->inputs().empty() || all[0].session->inputs()[0].type.shape.empty() ? 1 : all[0].session->inputs()[0].type.shape[0];
  report.subtitle = fmt::format("batch {}, {} thread{}, {}", batch, engine_options.threads, engine_options.threads == 1 ? "" : "s", engine_options.precision);
  report.parts.push_back(Facts{"", "", {{"batch", "", batch, Unit::none, "", kJson}}, false, kJson});
  report.parts.push_back(Chart{Chart::Kind::intervals, "Time of one inference", "Medians, and the intervals in which they lie with 95 % confidence.", "rows", "network", "", {"median"}, "", "", "low", "high"});
  report.parts.push_back(table_of(all, measured, batch));
  report.parts.push_back(machine_facts(load, pinned, *engine, engine_options));
  for (const Timing& t : measured.timings) {
    if (!t.steady) report.parts.push_back(Note{Note::Level::warning, fmt::format("cannot tell {}'s time to within {:.0f} %: {}", t.name, kRepeatable * 100, t.doubt)});
    if (t.basis != Basis::undisturbed && &t == &measured.timings[0])
      report.parts.push_back(Note{Note::Level::info, t.basis == Basis::cpu_time ? "other processes interrupted most runs: times are CPU time, without the waiting" : "other processes interrupted most runs, and their time is in the figures"});
  }
  for (const Entered& e : all)
    if (!e.note.empty()) report.parts.push_back(Note{Note::Level::info, e.note});
  if (auto note = load_note(load)) report.parts.push_back(std::move(*note));
  return present(report, o.output, style);
}

}  // namespace

Command bench_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "bench";
  c.summary = "How long networks take on this machine, side by side";
  c.about = "Networks run in turn, in rounds of random order, pinned and warmed up; runs that another process interrupted do not count. Medians come with an interval, ratios are to the first network, and networks whose ratio could be 1 are not ranked. An .onnx file is timed as it lies on disk.";
  c.arguments.push_back({"NET", &o->nets, "names of networks, or .onnx, .toml, .hone and .json files"});
  add_bindings(c, o->network);
  add_space(c, o->network.space);
  add_member(c, o->network);
  add_timing(c, o->timing, "of measuring at most (default: 5 for each network); it ends before when every median is known to 0.5 %");
  add_output(c, o->output, true, true);
  c.examples = {{"hone bench timm/mobilenetv2_100 timm/efficientnet_b0 elasticvit/S1", "three networks, one thread"},
                {"hone bench timm/resnet50 --threads 2 --batch 8 --json", "throughput of a batch"},
                {"hone bench timm/resnet50 exported.onnx --html bench.html", "a network beside another exporter's file"}};
  c.run = [o](const TextStyle& style) { return run(*o, style); };
  return c;
}

}  // namespace hone::cli
