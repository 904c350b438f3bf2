#include "cli/network.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "core/plugin.h"
#include "ir/infer.h"
#include "ir/recognise.h"
#include "methods/plugin_api.h"
#include "retrieval/trained.h"

namespace hone::cli {

namespace {

Result<Bindings> bindings(const NetworkOptions& options) {
  Bindings out;
  for (const std::string& text : options.inputs) {
    // A name may hold '=' or look like a shape; the shape is what follows the last '='.
    const size_t equals = text.rfind('=');
    const std::string name = equals == std::string::npos ? "" : text.substr(0, equals);
    const auto shape = parse_shape(equals == std::string::npos ? text : text.substr(equals + 1));
    if (!shape) return fail(Code::usage, fmt::format("'{}' is not a shape", text), "--input", "write [NAME=]1x3x224x224");
    if (!out.inputs.emplace(name, *shape).second)
      return fail(Code::usage, name.empty() ? "given twice without a name" : fmt::format("given twice for '{}'", name), "--input", "write NAME=1x3x224x224 for each input");
  }
  if (options.batch && *options.batch < 1) return fail(Code::usage, fmt::format("{} is not a batch size", *options.batch), "--batch", "it starts at 1");
  out.batch = options.batch;
  return out;
}

bool supernet_run(const std::string& net) {
  std::error_code ec;
  if (!std::filesystem::exists(std::filesystem::path(net) / "recipe.toml", ec)) return false;
  const auto task = task_of(net);
  return task && *task == "supernet";
}

Result<Network> member_of_run(const NetworkOptions& o) {
  methods::SupernetRequest request;
  request.run = o.net;
  request.calibration_batches = o.calibrated ? -1 : 0;
  HONE_TRY_ASSIGN(const auto opened, ask_plugin<methods::SupernetOpen>("hone_train", "hone_supernet_open", request));
  methods::Supernet& supernet = *opened;
  space::Member member = space::largest(supernet.space());
  if (o.member) {
    HONE_TRY_ASSIGN(member, space::read_member(supernet.space(), *o.member));
  }
  return supernet.network(member);
}

}  // namespace

void add_network(Command& command, NetworkOptions& options, std::string argument) {
  command.arguments.push_back({std::move(argument), &options.net, "a network's name such as timm/resnet50, an .onnx, .toml, .hone or .json file, a run directory, or RUN:FILE.json for a member of a supernet run"});
}

void add_bindings(Command& command, NetworkOptions& options) {
  command.options.push_back({"--input", "[NAME=]SHAPE", &options.inputs, "shape of an input, as in 1x3x224x224; the name may be left out of a network with one"});
  command.options.push_back({"--batch", "N", &options.batch, "batch size"});
  command.options.push_back({"--canvas", "SIDE", &options.canvas, "of a sketch run: its network at this canvas, the largest unless told"});
  command.options.push_back({"--raw", "", &options.raw, "a file's nodes as they are; else what exporters scatter is put together (LayerNormalization, Gelu, Attention): MACs, parameters and activations are the same"});
}

void add_member(Command& command, NetworkOptions& options) {
  command.options.push_back({"--arch", "FILE", &options.member, "of a supernet run: the member with this encoding (.json); the largest unless told"});
}

void add_space(Command& command, std::string& space) {
  command.options.push_back({"--space", "SPACE", &space, "of a .json encoding: a search space's name or .toml file; elasticvit unless told"});
}

Result<Network> open(const NetworkOptions& given) {
  NetworkOptions options = given;
  if (const auto named = member_name(given.net); named && supernet_run(named->run)) {
    if (given.member) return fail(Code::usage, "names a member, and NET names one too", "--arch", given.net);
    options.net = named->run;
    options.member = named->arch;
  }
  HONE_TRY_ASSIGN(const Bindings bound, bindings(options));
  if (options.canvas && *options.canvas < 1) return fail(Code::usage, fmt::format("{} is no side of a canvas", *options.canvas), "--canvas");
  const bool supernet = supernet_run(options.net);
  if (supernet && options.canvas) return fail(Code::usage, "only a sketch run has canvases, this run's task is 'supernet'", options.net, "leave --canvas out");
  if (options.member && !supernet) return fail(Code::usage, "picks a member of a supernet, and this is none", "--arch", "NET is a run directory of task supernet then");
  HONE_TRY_ASSIGN(Network network, supernet ? member_of_run(options) : open_net(options.net, options.canvas.value_or(0), options.space));
  // What is built from an Arch is typed already; only another shape needs inference.
  if (network.arch && bound.inputs.empty() && !bound.batch) return network;
  HONE_TRY_ASSIGN(Inferred inferred, infer(std::move(network.graph), bound));
  network.graph = network.arch || options.raw ? std::move(inferred.graph) : recognise(inferred.graph);
  return network;
}

}  // namespace hone::cli
