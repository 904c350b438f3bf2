// hone skip list, hone skip apply: the modules of a network that can be left out, and the network without some of them.
#include "rewrite/skip.h"

#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/network.h"
#include "core/file.h"
#include "cost/profile.h"
#include "formats/onnx_write.h"
#include "ir/text.h"
#include "rewrite/weights.h"
#include "run/format.h"

namespace hone::cli {

namespace {

struct Options {
  NetworkOptions network;
  std::string variant, set, adapters = "das";
  std::optional<std::string> convention, file;
  std::optional<int64_t> seed;
  Output output;
};

Result<Outcome> list(Options& o, const TextStyle& style) {
  HONE_TRY_ASSIGN(const Network network, open(o.network));
  HONE_TRY_ASSIGN(const auto candidates, skip_candidates(network.graph, o.variant));
  Report report;
  report.command = "skip list";
  report.title = network.name;
  report.subtitle = fmt::format("{} modules that can be skipped", candidates.size());
  report.parts.push_back(Facts{"", "", {{"network", "", network.name}}, false, kJson});
  Table table{"candidates", "Candidates", {{"index", "index"}, {"module", "module"}, {"macs", "MACs", Unit::count}, {"params", "parameters", Unit::count}, {"shape", "shape", Unit::shape}}, {}};
  for (size_t i = 0; i < candidates.size(); ++i) {
    const SkipCandidate& c = candidates[i];
    table.rows.push_back({static_cast<int64_t>(i), c.module, c.macs, c.params, network.graph.values[c.output].type.shape});
  }
  report.parts.push_back(std::move(table));
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

Result<Outcome> apply(Options& o, const TextStyle& style) {
  HONE_TRY_ASSIGN(const auto set, parse_skip_set(o.set));
  if (o.file && !o.file->ends_with(".hone") && !o.file->ends_with(".onnx")) return fail(Code::usage, "no kind of network file has this ending", *o.file, "endings: .onnx .hone");
  if (o.seed && *o.seed < 0) return fail(Code::usage, fmt::format("{} is no seed, expected a whole number from 0", *o.seed), "--seed");
  if (o.file) HONE_TRY(check_writable(*o.file, o.output.force));
  HONE_TRY_ASSIGN(const Network network, open(o.network));
  HONE_TRY_ASSIGN(const auto candidates, skip_candidates(network.graph, o.variant));
  HONE_TRY_ASSIGN(const Graph skipped, apply_skips(network.graph, candidates, set, o.adapters == "das" ? Adapters::das : Adapters::identity));
  HONE_TRY_ASSIGN(const Cost before, cost_of(network.graph, o.convention));
  HONE_TRY_ASSIGN(const Cost after, cost_of(skipped, o.convention));
  const Cost difference{after.macs - before.macs, after.params - before.params, after.flops - before.flops};
  const double percent = before.flops == 0 ? 0 : 100 * static_cast<double>(difference.flops) / static_cast<double>(before.flops);

  Report report;
  report.command = "skip apply";
  report.title = network.name;
  report.subtitle = fmt::format("without {} of {} modules, adapters: {}", set.size(), candidates.size(), o.adapters);
  report.parts.push_back(Facts{"", "", {{"network", "", network.name}, {"set", "", set}}, false, kJson});
  for (const auto& [key, c] : {std::pair{"before", before}, {"after", after}, {"difference", difference}}) {
    Facts facts{key, "", {{"macs", "", c.macs}, {"params", "", c.params}}, false, kJson};
    if (std::string_view(key) == "difference") facts.facts.push_back({"percent", "", percent});
    report.parts.push_back(std::move(facts));
    if (o.convention) report.parts.push_back(Facts{std::string(key) + ".convention", "", {{"name", "", *o.convention}, {"flops", "", c.flops}}, false, kJson});
  }
  Table table{"totals", "", {{"name", ""}, {"before", "before", Unit::count}, {"after", "after", Unit::count}, {"difference", "difference", Unit::signed_count}}, {}, false, kText | kHtml | kCsv};
  table.rows.push_back({"MACs", before.macs, after.macs, difference.macs});
  table.rows.push_back({"parameters", before.params, after.params, difference.params});
  if (o.convention) table.rows.push_back({"FLOPs, " + *o.convention, before.flops, after.flops, difference.flops});
  report.parts.push_back(std::move(table));
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
  c.options.push_back({"--variant", "NAME", &o.variant, "candidates of METER: fusion (default) or global", {"fusion", "global"}});
  add_bindings(c, o.network);
}

}  // namespace

Command skip_list_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "skip list";
  c.summary = "The modules of a network that can be skipped";
  c.about = "A candidate is a module whose output has the type of its input and is joined with it by an addition inside the module.";
  add_common(c, *o);
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
  c.about = "With das, kept candidates get parallel adapters and skipped ones an adapter in their place (ViLT and METER); with identity, skipped modules become their input.";
  add_common(c, *o);
  c.options.push_back({"--set", "LIST", &o->set, "numbers of skip list, as in 2,4,8,9"});
  c.options.push_back({"--adapters", "KIND", &o->adapters, "das (default) or identity", {"das", "identity"}});
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
