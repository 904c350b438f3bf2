// hone zoo: the networks that have a name; one network's tensors or stage table.
#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/network.h"
#include "cost/profile.h"
#include "retrieval/trained.h"
#include "zoo/catalog.h"

namespace hone::cli {

namespace {

struct Options {
  std::optional<std::string> net;
  std::string space;
  bool tensors = false, arch = false, names = false;
  Output output;
};

Result<Outcome> list(const Options& o, const TextStyle& style) {
  Table table{"networks", "", {{"name", "name"}, {"family", "family"}, {"resolution", "resolution"}, {"params", "parameters", Unit::count}, {"macs", "MACs", Unit::count}}};
  for (const Arch& arch : catalog()) {
    HONE_TRY_ASSIGN(const Graph graph, build(arch));
    HONE_TRY_ASSIGN(const Profile profile, hone::profile(graph));
    table.rows.push_back({arch.name, arch.family, arch.resolution, profile.totals.params, profile.totals.macs});
  }
  Report report;
  report.command = "zoo";
  report.title = fmt::format("{} networks", table.rows.size());
  report.subtitle = "NAME@RES builds one at another resolution";
  report.parts.push_back(std::move(table));
  return present(report, o.output, style);
}

Result<Outcome> tensors(const std::string& net, const Options& o) {
  HONE_TRY_ASSIGN(const Network network, open_net(net, 0, o.space));
  if (!o.output.json) return Outcome{tensor_manifest(network.graph)};
  // The lines of the manifest, in its order.
  Table table{"tensors", "", {{"name", "name"}, {"shape", "shape", Unit::shape}}};
  std::vector<std::pair<std::string, Shape>> rows;
  for (ValueId id : network.graph.state()) rows.emplace_back(network.graph.value(id).name, network.graph.value(id).type.shape);
  std::sort(rows.begin(), rows.end());
  for (auto& [name, shape] : rows) table.rows.push_back({name, shape});
  Report report;
  report.command = "zoo";
  report.parts.push_back(Facts{"", "", {{"network", "network", network.name}}});
  report.parts.push_back(std::move(table));
  return Outcome{to_json(report)};
}

Result<Outcome> run(const Options& o, const TextStyle& style) {
  if (!o.net) {
    if (o.names) {
      std::string lines;
      for (const Arch& arch : catalog()) lines += arch.name + "\n";
      return Outcome{lines};
    }
    if (o.tensors || o.arch) return fail(Code::usage, "--tensors and --arch need a network", {}, "as in: hone zoo timm/resnet50 --tensors");
    return list(o, style);
  }
  if (o.tensors == o.arch) return fail(Code::usage, "say what to print of " + *o.net, {}, "--tensors or --arch; its costs are printed by: hone profile " + *o.net);
  if (o.tensors) return tensors(*o.net, o);
  if (o.output.json) return fail(Code::usage, "an arch is printed as TOML only", "--json", "leave --json out");
  HONE_TRY_ASSIGN(const Network network, open_net(*o.net, 0, o.space));
  if (!network.arch) return fail(Code::failed, "is a graph; it has no arch", *o.net);
  return Outcome{print_arch(*network.arch)};
}

}  // namespace

Command zoo_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "zoo";
  c.summary = "The networks that hone knows by name";
  c.arguments.push_back({"NET", &o->net, "one network: with --tensors or --arch", false});
  c.options.push_back({"--tensors", "", &o->tensors, "print its state dict: one line a tensor, name and shape, sorted"});
  c.options.push_back({"--arch", "", &o->arch, "print its arch: the stage table as TOML"});
  add_space(c, o->space);
  c.options.push_back({"--names", "", &o->names, "print the names only"});
  add_output(c, o->output, true, false);
  c.examples = {{"hone zoo", "every network, with parameters and MACs"},
                {"hone zoo timm/resnet50 --tensors", "the tensors of its checkpoint"},
                {"hone zoo pycls/RegNetY-400MF --arch > arch.toml", "a stage table to edit; the file is a NET"}};
  c.run = [o](const TextStyle& style) { return run(*o, style); };
  return c;
}

}  // namespace hone::cli
