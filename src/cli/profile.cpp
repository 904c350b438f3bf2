// hone profile: what a network costs.
#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/network.h"
#include "cli/profile_measure.h"
#include "cli/profile_view.h"
#include "cli/timing_options.h"
#include "cost/explain.h"
#include "cost/odd_channels.h"
#include "cost/profile.h"
#include "run/format.h"
#include "zoo/space_cost.h"

namespace hone::cli {

namespace {

constexpr double kSeconds = 8;  // of --measure

struct Options {
  NetworkOptions network;
  std::string by = "op";
  std::optional<std::string> convention;
  bool measure = false, strict = false, explain = false;
  TimingFlags timing;
  Output output;
};

// What --measure adds.
struct Measured {
  NodeProfile nodes;
  MachinePeak peak;
  Facts machine;
  std::optional<Note> load;
};

Result<Measured> measure(const Network& network, const Profile& profile, const TimingFlags& flags) {
  HONE_TRY_ASSIGN(const EngineOptions options, engine_options(flags));
  HONE_TRY_ASSIGN(const TimingOptions timing, timing_options(flags, kSeconds));
  HONE_TRY_ASSIGN(Engine* const engine, open_engine(flags.engine));
  const MachineWatch watch;
  HONE_TRY_ASSIGN(const Pinned pinned, Pinned::to(options.threads));
  Measured m;
  m.peak = measure_peak(options.threads);
  HONE_TRY_ASSIGN(m.nodes, measure_nodes(*engine, network.graph, profile, options, timing));
  const MachineLoad load = watch.finish();
  m.machine = machine_facts(load, pinned, *engine, options);
  m.load = load_note(load);
  return m;
}

Report report_of(const Network& network, const Profile& profile, const std::vector<Row>& rows, const ConventionTotals& counted, const std::optional<Measured>& measured, const Options& o) {
  const GroupBy by = group_by(o.by);
  Report report;
  report.command = "profile";
  report.title = network.name;
  report.subtitle = input_text(profile);
  report.parts.push_back(Facts{"", "", {{"network", "network", network.name, Unit::none, "", kJson}}});
  Table inputs{"inputs", "", {{"name", "name"}, {"shape", "shape", Unit::shape}, {"dtype", "type"}}, {}, false, kJson};
  for (const auto& [name, type] : profile.inputs) inputs.rows.push_back({name, type.shape, std::string(hone::name(type.dtype))});
  report.parts.push_back(std::move(inputs));
  report.parts.push_back(headline_facts(profile.totals, "totals"));
  if (measured) report.parts.push_back(time_facts(measured->nodes, profile.totals, measured->peak));
  // Without a question there is no second opinion for people; programs always get the field.
  report.parts.push_back(Facts{"convention", "Counted as " + counted.name + " counts",
                               {{"name", "convention", counted.name, Unit::none, "", kJson},
                                {"flops", "flops", counted.flops, Unit::count},
                                {"params", "parameters", counted.params, Unit::count},
                                {"acts", "activations", counted.acts, Unit::count}},
                               false, static_cast<uint8_t>(o.convention ? kAll : kJson)});

  // A page shows every view, those that were not asked for folded; JSON and CSV hold the table that was.
  const auto key_of = [&](GroupBy g) { return g == by ? std::string("rows") : std::string(label(g)); };
  const auto table_by = [&](GroupBy g) {
    const std::vector<Row> of = g == by ? rows : roll_up(network.graph, profile, g);
    Table table = rows_table(of, g, profile.totals, key_of(g));
    if (measured) add_time_columns(table, roll_up_times(network.graph, of, g, measured->nodes), measured->nodes);
    if (g != by) table.folded = true, table.forms = kHtml;
    return table;
  };
  std::vector<Table> others;
  if (o.output.html) {
    for (GroupBy g : {GroupBy::stage, GroupBy::op, GroupBy::module, GroupBy::node})
      if (g != by) others.push_back(table_by(g));
    const bool modules = network.graph.modules.size() > 1;
    report.parts.push_back(Chart{Chart::Kind::treemap, std::string("MACs by ") + (modules ? "module" : "node"),
                                 modules ? "Area is the share of all multiply-adds; modules lie inside their stage." : "Area is the share of all multiply-adds.",
                                 key_of(modules ? GroupBy::module : GroupBy::node), "name", modules ? "stage" : "", {"macs"}});
    if (modules)
      report.parts.push_back(Chart{Chart::Kind::bars, "Cost by stage", "Each bar is the stage's share of the whole network.", key_of(GroupBy::stage), "name", "", measured ? std::vector<std::string>{"macs", "ms", "acts"} : std::vector<std::string>{"macs", "params", "acts"}});
  }
  report.parts.push_back(table_by(by));
  if (measured) {
    add_engine_nodes(report, network.graph, measured->nodes, measured->peak);
    report.parts.push_back(measured->machine);
    add_time_notes(report, measured->nodes, profile.totals);
    if (const OddChannels odd = odd_channels(network.graph, profile); odd.macs_share > 0.2)
      report.parts.push_back(Note{Note::Level::info, fmt::format("{} of the MACs are in convolutions with channels that are no multiple of 8 (as {} in {}): slower than their MACs say", format_cell(odd.macs_share, Unit::share), odd.example_channels, odd.example)});
    if (measured->load) report.parts.push_back(*measured->load);
  }
  for (Table& table : others) report.parts.push_back(std::move(table));
  report.parts.push_back(other_facts(profile.totals, "totals"));
  if (o.explain) {
    Table table{"explain", "Where the MACs come from", {{"op", "operator"}, {"formula", "formula"}, {"macs_each", "MACs each", Unit::count}, {"nodes", "nodes"}, {"macs", "MACs", Unit::count}}, {}, false, kText | kJson | kHtml};
    for (const Explanation& e : explain(network.graph, profile)) table.rows.push_back({e.op, e.formula, e.macs_each, e.nodes, e.macs});
    report.parts.push_back(std::move(table));
  }
  add_unknown(report, profile);
  return report;
}

// The convention `elasticvit` is a function of the encoding, the others are of the profile.
Result<ConventionTotals> counted_as(const std::string& name, const Network& network, const std::string& space_name, const Profile& profile) {
  if (name != "elasticvit") return convention(profile, name);
  if (!network.arch || network.arch->family != "elasticvit")
    return fail(Code::usage, "counts members of a search space only, and this is none", "--convention elasticvit", "as in: hone profile elasticvit/S1 --convention elasticvit");
  HONE_TRY_ASSIGN(const space::Space space, space::open_space(space_name.empty() ? "elasticvit" : space_name));
  HONE_TRY_ASSIGN(const space::Member member, space::member_of(space, *network.arch));
  return ConventionTotals{name, space::authors_macs(space, member), profile.totals.params, profile.totals.acts};
}

Result<Outcome> run(const Options& o, const TextStyle& style) {
  HONE_TRY_ASSIGN(const Network network, open(o.network));
  HONE_TRY_ASSIGN(Profile profile, hone::profile(network.graph));
  profile.network = network.name;
  HONE_TRY_ASSIGN(const ConventionTotals counted, counted_as(o.convention.value_or("pycls"), network, o.network.space, profile));
  const std::vector<Row> rows = roll_up(network.graph, profile, group_by(o.by));
  std::optional<Measured> measured;
  HONE_TRY(check_used(o.timing, o.measure));
  if (o.measure) {
    HONE_TRY_ASSIGN(measured, measure(network, profile, o.timing));
  }
  HONE_TRY_ASSIGN(Outcome outcome, present(report_of(network, profile, rows, counted, measured, o), o.output, style));
  if (o.strict && !profile.unknown.empty()) {
    outcome.exit = 1;
    outcome.diagnostics = fmt::format("hone: --strict: {} unknown operator{}\n", profile.unknown.size(), profile.unknown.size() == 1 ? "" : "s");
  }
  return outcome;
}

}  // namespace

Command profile_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "profile";
  c.summary = "What a network costs: MACs, parameters, activations, peak memory";
  c.about = "Counts are exact integers of one forward pass, computed from shapes: nothing is run. FLOPs = 2 x MACs.";
  add_network(c, o->network);
  add_bindings(c, o->network);
  add_space(c, o->network.space);
  add_member(c, o->network);
  c.options.push_back({"--by", "GROUP", &o->by, "rows of the table: op (default), module, stage or node", {"op", "module", "stage", "node"}});
  c.options.push_back({"--convention", "NAME", &o->convention, "also count as another tool does: pycls, fvcore, timm, torchvision, ptflops, ptflops-hooks, ptflops-aten, elasticvit"});
  c.options.push_back({"--explain", "", &o->explain, "also show the formula behind the MACs of each kind of node, with its numbers"});
  c.options.push_back({"--measure", "", &o->measure, "also measure where the time goes: milliseconds, share, achieved GFLOP/s and FLOPs per byte of each row; a roofline chart with --html"});
  add_timing(c, o->timing, "of measuring (default: 8)");
  c.options.push_back({"--strict", "", &o->strict, "fail when an operator cannot be counted"});
  add_output(c, o->output, true, true);
  c.examples = {{"hone profile timm/resnet50", "a network of the zoo, by operator"},
                {"hone profile model.onnx --input 1x3x224x224 --by stage", "a file, with its unbound input shape, by stage"},
                {"hone profile pycls/RegNetX-400MF --convention pycls", "as the paper counts"},
                {"hone profile timm/vit_base_patch16_224 --html report.html", "a page with charts"},
                {"hone profile timm/efficientnet_b0 --measure --by stage", "where the time goes on this machine"}};
  c.run = [o](const TextStyle& style) { return run(*o, style); };
  return c;
}

}  // namespace hone::cli
