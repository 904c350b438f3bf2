// hone skip list, hone skip apply: the modules of a network that can be left out, and the network without some of them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

#include "cli/commands.h"
#include "cli/network.h"
#include "cli/timing_options.h"
#include "core/file.h"
#include "cost/profile.h"
#include "formats/onnx_write.h"
#include "ir/text.h"
#include "measure/node_profile.h"
#include "rewrite/adapters.h"
#include "rewrite/skip_set.h"
#include "rewrite/weights.h"
#include "run/format.h"

namespace hone::cli {

namespace {

struct Options {
  NetworkOptions network;
  std::string variant, set;
  std::optional<std::string> adapters, replace, convention, file;
  std::optional<int64_t> seed, reduction, rank, prompts, hidden, replace_hidden, groups;
  bool measure = false;
  TimingFlags timing;
  Output output;
};

constexpr double kSeconds = 8;  // of --measure

// Milliseconds of each candidate within one inference of the network: its engine nodes' share of the whole.
struct Times {
  std::vector<double> ms;
  double whole = 0;
  Facts machine;
  std::optional<Note> load;
};

Result<Times> measure(const Graph& graph, const std::vector<SkipCandidate>& candidates, const TimingFlags& flags) {
  HONE_TRY_ASSIGN(const EngineOptions options, engine_options(flags));
  HONE_TRY_ASSIGN(const TimingOptions timing, timing_options(flags, kSeconds));
  HONE_TRY_ASSIGN(Engine* const engine, open_engine(flags.engine));
  const MachineWatch watch;
  HONE_TRY_ASSIGN(const Pinned pinned, Pinned::to(options.threads));
  HONE_TRY_ASSIGN(const Profile costs, profile(graph));
  HONE_TRY_ASSIGN(const Graph filled, with_fresh_weights(graph, 0));
  HONE_TRY_ASSIGN(const NodeProfile measured, measure_nodes(*engine, filled, costs, options, timing));
  std::vector<size_t> owner(graph.nodes.size(), candidates.size());
  for (size_t i = 0; i < candidates.size(); ++i)
    for (const SkipPass& pass : candidates[i].passes)
      for (NodeId n : pass.nodes) owner[n] = i;
  Times out;
  out.ms.resize(candidates.size() + 1);
  for (const NodeTiming& node : measured.nodes) out.ms[node.lead == kNoNode ? candidates.size() : owner[node.lead]] += node.ms * measured.scale();
  out.ms.pop_back();
  out.whole = measured.whole.median;
  const MachineLoad load = watch.finish();
  out.machine = machine_facts(load, pinned, *engine, options);
  out.load = load_note(load);
  return out;
}

Result<Outcome> list(Options& o, const TextStyle& style) {
  HONE_TRY_ASSIGN(const Network network, open(o.network));
  HONE_TRY_ASSIGN(const auto candidates, skip_candidates(network.graph, o.variant));
  std::optional<Times> times;
  HONE_TRY(check_used(o.timing, o.measure));
  if (o.measure) {
    HONE_TRY_ASSIGN(times, measure(network.graph, candidates, o.timing));
  }
  Report report;
  report.command = "skip list";
  report.title = network.name;
  report.subtitle = fmt::format("{} {} that can be skipped", candidates.size(), candidates.size() == 1 ? "module" : "modules");
  report.parts.push_back(Facts{"", "", {{"network", "", network.name}}, false, kJson});
  Table table{"candidates", "Candidates", {{"index", "index"}, {"module", "module"}, {"macs", "MACs", Unit::count}, {"params", "parameters", Unit::count}, {"shape", "shape", Unit::shape}}, {}};
  if (times) {
    table.columns.push_back({"ms", "time", Unit::milliseconds});
    table.columns.push_back({"time_share", "of the time", Unit::share, true});
  }
  for (size_t i = 0; i < candidates.size(); ++i) {
    const SkipCandidate& c = candidates[i];
    table.rows.push_back({static_cast<int64_t>(i), c.module, c.macs, c.params, network.graph.values[c.passes[0].output].type.shape});
    if (times) table.rows.back().insert(table.rows.back().end(), {times->ms[i], times->ms[i] / times->whole});
  }
  report.parts.push_back(std::move(table));
  if (times) {
    report.parts.push_back(Facts{"time", "Time", {{"ms", "whole network", times->whole, Unit::milliseconds}}});
    report.parts.push_back(times->machine);
    if (times->load) report.parts.push_back(*times->load);
  }
  return present(report, o.output, style);
}

struct Cost {
  int64_t macs = 0, params = 0, flops = 0;  // flops: in the convention asked for
};
Result<Cost> cost_of(const Graph& graph, const std::optional<std::string>& name) {
  HONE_TRY_ASSIGN(const Profile p, profile(graph));
  Cost c{p.totals.macs, p.totals.params, p.totals.macs};
  if (name) {
    HONE_TRY_ASSIGN(const ConventionTotals totals, convention(p, *name));
    c.flops = totals.flops;
  }
  return c;
}

// ONNX holds weights, so those that the network lacks (the adapters', or all) are drawn; graph text holds none.
Status write(const Graph& graph, const std::string& path, const Options& o) {
  if (path.ends_with(".hone")) return write_file(path, print(graph), o.output.force);
  OnnxOptions options;
  options.force = o.output.force;
  HONE_TRY_ASSIGN(const Graph filled, with_fresh_weights(graph, static_cast<uint64_t>(o.seed.value_or(0))));
  return write_onnx(filled, path, options);
}

// What the command line says of adapters, over what a set file says.
Status read_adapters(const Options& o, Adapters& a) {
  if (o.adapters == "identity") a = kIdentity;
  else if (o.adapters) a.keep = *parse_keep(*o.adapters);
  if (o.replace) a.replace = *parse_replace(*o.replace);
  for (const auto& [flag, given, value] : {std::tuple{"--reduction", o.reduction, &a.reduction}, {"--rank", o.rank, &a.rank}, {"--prompts", o.prompts, &a.prompts}, {"--hidden", o.hidden, &a.hidden},
                                          {"--replace-hidden", o.replace_hidden, &a.replace_hidden}, {"--groups", o.groups, &a.groups}}) {
    if (given && (*given < 1 || *given > 65536)) return fail(Code::usage, fmt::format("{} is not a number from 1 to 65536", *given), flag);
    if (given) *value = *given;
  }
  return {};
}

int64_t updated(const Graph& graph, bool norms) {
  int64_t n = 0;
  for (ValueId v : graph.state()) {
    const Value& value = graph.values[v];
    if (value.kind == ValueKind::parameter && is_adapter(value.name) && (norms || value.name.find("adapter_layer_norm") == std::string::npos)) n += element_count(value.type.shape).value_or(0);
  }
  return n;
}

Result<Outcome> apply(Options& o, const TextStyle& style) {
  std::optional<SkipSet> from;
  Adapters adapters;
  if (names_skip_set(o.set)) {
    HONE_TRY_ASSIGN(from, read_skip_set(o.set));
    adapters = from->adapters;
    const auto named = [](const std::string& variant) { return variant.empty() ? std::string("fusion") : variant; };
    if (!o.variant.empty() && o.variant != named(from->variant)) return fail(Code::usage, fmt::format("the set's variant is {}", named(from->variant)), o.set, "leave --variant out");
    o.variant = from->variant;
  }
  HONE_TRY(read_adapters(o, adapters));
  std::vector<int64_t> set;
  if (!from) {
    HONE_TRY_ASSIGN(set, parse_skip_set(o.set));
  }
  if (o.file && !o.file->ends_with(".hone") && !o.file->ends_with(".onnx")) return fail(Code::usage, "no kind of network file has this ending", *o.file, "endings: .onnx .hone");
  if (o.seed && *o.seed < 0) return fail(Code::usage, fmt::format("{} is no seed, expected a whole number from 0", *o.seed), "--seed");
  if (o.file) HONE_TRY(check_writable(*o.file, o.output.force));
  HONE_TRY_ASSIGN(const Network network, open(o.network));
  HONE_TRY_ASSIGN(const auto candidates, skip_candidates(network.graph, o.variant));
  if (from) {
    HONE_TRY_ASSIGN(set, place_skip_set(*from, candidates, network.name));
  }
  HONE_TRY_ASSIGN(const Graph skipped, apply_skips(network.graph, candidates, set, adapters));
  HONE_TRY_ASSIGN(const Cost before, cost_of(network.graph, o.convention));
  HONE_TRY_ASSIGN(const Cost after, cost_of(skipped, o.convention));
  const Cost difference{after.macs - before.macs, after.params - before.params, after.flops - before.flops};
  const double percent = before.flops == 0 ? 0 : 100 * static_cast<double>(difference.flops) / static_cast<double>(before.flops);

  Report report;
  report.command = "skip apply";
  report.title = network.name;
  report.subtitle = fmt::format("without {} of {} modules, kept ones with {}, skipped ones become {}", set.size(), candidates.size(), adapters.keep == Keep::none ? "nothing" : fmt::format("{} adapters", name(adapters.keep)), adapters.replace == Replace::identity ? "their input" : adapters.replace == Replace::adapter ? "an adapter" : "a propagation adapter");
  std::vector<std::string> modules;
  for (int64_t i : set) modules.push_back(candidates[static_cast<size_t>(i)].module);
  report.parts.push_back(Facts{"", "", {{"network", "", network.name}, {"variant", "", o.variant}, {"set", "", set}, {"modules", "", modules}}, false, kJson});
  report.parts.push_back(Facts{"adapters", "", {{"keep", "", std::string(name(adapters.keep))}, {"replace", "", std::string(name(adapters.replace))},
                                                {"params", "", updated(skipped, true)}, {"params_without_norms", "", updated(skipped, false)}}, false, kJson});
  for (const auto& [key, c] : {std::pair{"before", before}, {"after", after}, {"difference", difference}}) {
    Facts facts{key, "", {{"macs", "", c.macs}, {"params", "", c.params}}, false, kJson};
    if (std::string_view(key) == "difference") facts.facts.push_back({"percent", "", percent});
    report.parts.push_back(std::move(facts));
    if (o.convention) report.parts.push_back(Facts{std::string(key) + ".convention", "", {{"name", "", *o.convention}, {"flops", "", c.flops}}, false, kJson});
  }
  Table table{"totals", "", {{"name", ""}, {"before", "before", Unit::count}, {"after", "after", Unit::count}, {"difference", "difference", Unit::signed_count}}, {}, false, kText | kHtml | kCsv};
  table.rows.push_back({"MACs", before.macs, after.macs, difference.macs});
  table.rows.push_back({"parameters", before.params, after.params, difference.params});
  if (const int64_t n = updated(skipped, true)) table.rows.push_back({"of them in adapters", int64_t{0}, n, n});
  if (o.convention) table.rows.push_back({"FLOPs, " + *o.convention, before.flops, after.flops, difference.flops});
  report.parts.push_back(std::move(table));
  if (!modules.empty()) report.parts.push_back(Note{Note::Level::info, fmt::format("left out: {}", fmt::join(modules, ", "))});
  report.parts.push_back(Note{Note::Level::info, fmt::format("{:+.2f} % {}", percent, o.convention ? "in convention " + *o.convention : "MACs")});

  HONE_TRY_ASSIGN(Outcome outcome, present(report, o.output, style));
  if (o.file) {
    HONE_TRY(write(skipped, *o.file, o));
    outcome.diagnostics += fmt::format("wrote {}\n", *o.file);
  }
  return outcome;
}

void add_common(Command& c, Options& o) {
  add_network(c, o.network);
  c.options.push_back({"--variant", "NAME", &o.variant, "candidates: fusion (default) or global of METER, attention of any network", {"fusion", "global", "attention"}});
  add_bindings(c, o.network);
  add_space(c, o.network.space);
}

}  // namespace

Command skip_list_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "skip list";
  c.summary = "The modules of a network that can be skipped";
  c.about = "A candidate is a module whose output has the type of its input and is joined with it by an addition inside the module.";
  add_common(c, *o);
  c.options.push_back({"--measure", "", &o->measure, "measure the time of each module within the network"});
  add_timing(c, o->timing, "of measuring, 8 unless told");
  add_output(c, o->output, true, true);
  c.examples = {{"hone skip list meter/base-384 --variant global", "the 24 layers of METER that DAS chooses from"}, {"hone skip list timm/resnet50", "the blocks of a ResNet that keep the shape"}};
  c.run = [o](const TextStyle& style) { return list(*o, style); };
  return c;
}

Command skip_apply_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "skip apply";
  c.summary = "A network without some of its modules, and what that saves";
  c.about = "Kept candidates get small adapters, skipped ones an adapter in their place, or nothing; docs/skipping.md says what each kind is.";
  add_common(c, *o);
  c.options.push_back({"--set", "LIST|FILE", &o->set, "what is left out: numbers of skip list, as in 2,4,8,9, or a search's run, or its skip-set file (.json); nothing unless told"});
  c.options.push_back({"--adapters", "KIND", &o->adapters, "of kept candidates, das unless told; identity: none there and nothing in place of skipped ones",
                       {"das", "houlsby", "scaled", "lora", "linear", "before", "prompt", "deep-prompt", "none", "identity"}});
  c.options.push_back({"--replace", "KIND", &o->replace, "in place of skipped candidates, adapter unless told", {"adapter", "identity", "propagate"}});
  c.options.push_back({"--reduction", "N", &o->reduction, "bottleneck of adapters: the width over N, 8 unless told"});
  c.options.push_back({"--hidden", "N", &o->hidden, "bottleneck of kept candidates' adapters, in place of --reduction"});
  c.options.push_back({"--replace-hidden", "N", &o->replace_hidden, "bottleneck in place of skipped ones; as wide as what it displaces unless told"});
  c.options.push_back({"--groups", "N", &o->groups, "groups of the up-projections, 1 unless told"});
  c.options.push_back({"--rank", "N", &o->rank, "of lora, 4 unless told"});
  c.options.push_back({"--prompts", "N", &o->prompts, "learnt tokens of prompt and deep-prompt, 200 unless told"});
  c.options.push_back({"--convention", "NAME", &o->convention, "percentages of this convention's FLOPs instead of MACs"});
  c.options.push_back({"-o,--output", "FILE", &o->file, "write the network: .onnx with its weights, those that it lacks drawn from a seed, or .hone, graph text without"});
  c.options.push_back({"--seed", "S", &o->seed, "seed of fresh weights in .onnx, 0 unless told"});
  add_output(c, o->output, true, true);
  c.examples = {{"hone skip apply meter/base-384 --set 2,4,8,9 --convention fvcore", "the DAS paper's METER: 12 % less work"},
                {"hone skip apply timm/resnet50 --set 3 --adapters identity -o small.onnx", "a ResNet without one block"}};
  c.run = [o](const TextStyle& style) { return apply(*o, style); };
  return c;
}

}  // namespace hone::cli
