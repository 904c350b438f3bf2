// hone export: a network as ONNX, with weights.
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "cli/model_card.h"
#include "cli/network.h"
#include "core/file.h"
#include "core/units.h"
#include "cost/profile.h"
#include "formats/checkpoint.h"
#include "formats/onnx_read.h"
#include "formats/onnx_write.h"
#include "ir/infer.h"
#include "retrieval/trained.h"
#include "rewrite/engine_form.h"
#include "rewrite/fold_bn.h"
#include "rewrite/weights.h"
#include "zoo/elasticvit_checkpoint.h"

namespace hone::cli {

namespace {

struct Options {
  NetworkOptions network;
  std::optional<std::string> out, weights, layout, card, arch, engine;
  std::optional<int64_t> opset, seed;
  bool fold = false, int8 = false, external = false, bgr = false;
  Output output;
};

// What the written file costs when it is read again must be what was exported.
Status check_file(const std::string& path, const Profile& exported) {
  HONE_TRY_ASSIGN(Graph graph, read_onnx(path));
  HONE_TRY_ASSIGN(const Inferred inferred, infer(std::move(graph)));
  HONE_TRY_ASSIGN(const Profile profile, hone::profile(inferred.graph));
  if (profile.totals.macs != exported.totals.macs)
    return fail(Code::failed, fmt::format("was written, but reads back with {} MACs where {} were exported", format_exact(profile.totals.macs), format_exact(exported.totals.macs)), path);
  return {};
}

// The network that --arch describes, under the shapes asked for, and what NET holds for it: tensors by name.
Result<Network> with_arch(const Network& net, const Options& o, NamedTensors& held) {
  NetworkOptions other = o.network;
  other.net = *o.arch;
  if (!o.arch->ends_with(".json")) other.space.clear();
  HONE_TRY_ASSIGN(Network network, open(other));
  if (!network.arch) return fail(Code::usage, "has no stage table", *o.arch, "--arch takes an arch.toml, as hone scale writes");
  if (net.arch && net.arch->family != network.arch->family)
    return fail(Code::usage, fmt::format("is of family {}, {} of family {}", network.arch->family, net.name, net.arch->family), *o.arch, "--arch describes a variant of NET; export it by itself with: hone export " + *o.arch);
  for (ValueId id : net.graph.state())
    if (const Value& value = net.graph.value(id); value.data && value.data->has_data()) held.emplace_back(value.name, *value.data);
  return network;
}

Result<Outcome> run(const Options& o, const TextStyle& style) {
  if (!o.out) return fail(Code::usage, "say where to write: -o OUT.onnx", {}, "as in: hone export timm/resnet50 -o resnet50.onnx");
  if (o.seed && *o.seed < 0) return fail(Code::usage, fmt::format("{} is no seed, expected a whole number from 0", *o.seed), "--seed");
  if (o.bgr && !o.weights) return fail(Code::usage, "tells the channel order that --weights were trained on, and there are none", "--bgr");
  if (o.layout && !o.weights) return fail(Code::usage, "tells how --weights are stored, and there are none", "--weights-layout");
  if (o.int8 && !o.engine) return fail(Code::usage, "is a choice of an engine's form", "--int8-rows", "give --for openvino or --for onnxruntime, too");
  HONE_TRY(check_writable(*o.out, o.output.force));
  if (o.card) HONE_TRY(check_card(*o.card, o.output.force));
  NetworkOptions asked = o.network;
  asked.calibrated = true;
  const auto task = task_of(o.network.net);
  const bool supernet = task && *task == "supernet";
  if (supernet) asked.member = o.arch;
  HONE_TRY_ASSIGN(Network network, open(asked));
  const auto seed = static_cast<uint64_t>(o.seed.value_or(0));
  std::vector<std::string> unused;
  std::string matched;
  NamedTensors tensors;
  if (o.arch && !supernet) {
    HONE_TRY_ASSIGN(network, with_arch(network, o, tensors));
  }
  if (o.weights) {
    HONE_TRY_ASSIGN(tensors, read_checkpoint(*o.weights));
    if (o.layout.value_or("hone") == "authors") {
      if (!network.arch || network.arch->family != "elasticvit") return fail(Code::usage, "is the layout of ElasticViT's supernet, and NET is no member of it", "--weights-layout authors");
      auto taken = space::from_authors(network.graph, tensors);
      if (!taken) {
        taken.error().where = *o.weights + ": " + taken.error().where;
        return fail(std::move(taken).error());
      }
      tensors = std::move(*taken);
    }
  }
  const bool tensors_given = !tensors.empty() || (o.arch && supernet);
  const std::string source = o.weights.value_or(o.network.net);
  if (!tensors.empty()) {
    Renamed renamed = to_names_of(network.graph, std::move(tensors));
    matched = std::move(renamed.how);
    auto bound = with_weights(std::move(network.graph), renamed.tensors);
    if (!bound) {
      if (bound.error().where.empty()) bound.error().where = source;
      return fail(std::move(bound).error());
    }
    network.graph = std::move(bound->graph);
    unused = std::move(bound->unused);
    // What a run says of its own checkpoint is not true of another.
    if (o.weights) std::erase_if(network.graph.metadata, [](const auto& entry) { return entry.first == "hone.checkpoint.sha256" || entry.first.starts_with("hone.best."); });
    if (o.bgr) {
      HONE_TRY_ASSIGN(network.graph, with_reversed_channels(std::move(network.graph)));
    }
  }
  bool fresh = false;  // is there anything that a node reads and nobody has given?
  std::vector<bool> read(network.graph.values.size());
  for (const Node& node : network.graph.nodes)
    for (ValueId v : node.inputs)
      if (v != kNoValue) read[v] = true;
  for (ValueId id : network.graph.state()) {
    const Value& value = network.graph.value(id);
    fresh = fresh || (read[id] && (!value.data || !value.data->has_data()));
  }
  HONE_TRY_ASSIGN(Graph graph, with_fresh_weights(std::move(network.graph), seed));
  int64_t folded = 0, kept = 0;
  OnnxOptions options;
  if (o.engine) {
    EngineForm form = engine_form_for(*o.engine);
    if (o.int8) form.int8_rows_above = kWideRow;
    HONE_TRY_ASSIGN(graph, engine_form(graph, form));
    options.opset = kEngineOpset;
  } else if (o.fold) {
    HONE_TRY_ASSIGN(Folded result, fold_batch_norm(graph));
    graph = std::move(result.graph);
    folded = result.folded, kept = result.kept;
  }
  HONE_TRY_ASSIGN(const Profile exported, profile(graph));
  if (o.opset) options.opset = *o.opset;
  options.external_data = o.external;
  options.force = o.output.force;
  HONE_TRY(write_onnx(graph, *o.out, options));
  HONE_TRY(check_file(*o.out, exported));
  if (o.card) HONE_TRY(write_card(*o.card, o.output.force, network.name, *o.out, graph, exported));

  std::error_code ec;
  const auto size = [&](const std::string& path) {
    const auto bytes = std::filesystem::file_size(path, ec);
    return ec ? int64_t{0} : static_cast<int64_t>(bytes);
  };
  Report report;
  report.command = "export";
  report.title = network.name;
  report.subtitle = "-> " + *o.out;
  Facts facts{"", "",
              {{"network", "", network.name, Unit::none, "", kJson},
               {"file", "", *o.out, Unit::none, "", kJson},
               {"opset", "opset", options.opset},
               {"bytes", "file", size(*o.out), Unit::bytes},
               {"weights", "weights", std::string(fresh ? "fresh" : !tensors_given ? "the network's own" : source), Unit::none, fresh ? fmt::format("seed {}", seed) : ""},
               {"macs", "MACs", exported.totals.macs, Unit::count, "read back and equal"},
               {"params", "parameters", exported.totals.params, Unit::count}}};
  if (o.arch) facts.facts.push_back({"arch", "stage table", *o.arch});
  if (const auto sha = graph.metadata.find("hone.checkpoint.sha256"); sha != graph.metadata.end()) facts.facts.push_back({"checkpoint", "SHA-256 of its checkpoint", sha->second});
  if (fresh) facts.facts.push_back({"seed", "", static_cast<int64_t>(seed), Unit::none, "", kJson});
  if (o.engine) facts.facts.push_back({"for", "form", *o.engine});
  if (o.fold && !o.engine) {
    facts.facts.push_back({"bn_folded", "batch norms folded", folded});
    facts.facts.push_back({"bn_kept", "batch norms kept", kept});
  }
  report.parts.push_back(std::move(facts));
  if (o.bgr) report.parts.push_back(Note{Note::Level::info, "the first convolution's input channels were reversed: the file takes RGB images"});
  if (!matched.empty()) report.parts.push_back(Note{Note::Level::info, matched});
  if (!unused.empty())
    report.parts.push_back(Note{Note::Level::info, fmt::format("{} tensors of {} are not part of the network: {}{}", unused.size(), source, unused[0], unused.size() > 1 ? ", ..." : "")});
  return present(report, o.output, style);
}

}  // namespace

Command export_command() {
  auto o = std::make_shared<Options>();
  o->network.raw = true;
  Command c;
  c.name = "export";
  c.summary = "A network as an ONNX file";
  c.about = "Weights that the network has stay; those it lacks are drawn from a seed. The file holds the weights, unless they are over 2 GB or --external-data says otherwise. It is read back and its MACs compared before the command ends well.";
  add_network(c, o->network);
  add_space(c, o->network.space);
  c.options.push_back({"-o,--output", "OUT.onnx", &o->out, "the file to write"});
  c.options.push_back({"--weights", "FILE", &o->weights, "a .safetensors, .pt or .pth checkpoint; names of another library are translated, or matched by order and shape"});
  c.options.push_back({"--weights-layout", "NAME", &o->layout, "hone (default); authors: --weights are ElasticViT's supernet as its authors store it, of which NET, a member, takes its slices", {"hone", "authors"}});
  c.options.push_back({"--arch", "FILE", &o->arch, "build this stage table, a variant of NET's own (arch.toml), with NET's weights or those of --weights; of a supernet run, the member with this encoding (.json)"});
  c.options.push_back({"--bgr", "", &o->bgr, "the weights were trained on BGR images, as pycls does: reverse the first convolution's input channels, so that the file takes RGB"});
  c.options.push_back({"--input", "[NAME=]SHAPE", &o->network.inputs, "shape of an input, as in 1x3x224x224"});
  c.options.push_back({"--batch", "N", &o->network.batch, "batch size"});
  c.options.push_back({"--canvas", "SIDE", &o->network.canvas, "of a sketch run: its network at this canvas, the largest unless told"});
  c.options.push_back({"--opset", "N", &o->opset, "operator set, 17 unless told"});
  c.options.push_back({"--fold-bn", "", &o->fold, "fold batch norms into the layers before them"});
  c.options.push_back({"--for", "ENGINE", &o->engine, "in the form that this engine runs best, batch norms folded (docs/engine.md); opset 20 unless told", {"openvino", "onnxruntime"}});
  c.options.push_back({"--int8-rows", "", &o->int8, "with --for: weights of big dense layers of one row as 8-bit integers; results change in the second digit"});
  c.options.push_back({"--external-data", "", &o->external, "weights in a file of their own, OUT.onnx.data"});
  c.options.push_back({"--card", "FILE", &o->card, "also write what it takes, gives, costs and comes from: .md or .json"});
  c.options.push_back({"--seed", "S", &o->seed, "seed of fresh weights, 0 unless told"});
  add_output(c, o->output, false, false);
  c.options.push_back({"--force", "", &o->output.force, "overwrite the file if it exists"});
  c.examples = {{"hone export timm/resnet50 -o resnet50.onnx", "fresh weights of seed 0"},
                {"hone export pycls/RegNetY-400MF --fold-bn --opset 20 -o regnet.onnx", "for inference, in a newer operator set"},
                {"hone export elasticvit/S1 --for openvino -o s1.onnx", "as OpenVINO runs it best"},
                {"hone export big.toml -o big.onnx", "what hone scale has written"},
                {"hone export runs/student --canvas 64 -o student-64.onnx", "what a run has trained, with its norms of that canvas"}};
  c.run = [o](const TextStyle& style) { return run(*o, style); };
  return c;
}

}  // namespace hone::cli
