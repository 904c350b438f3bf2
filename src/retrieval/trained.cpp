#include "retrieval/trained.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "core/file.h"
#include "data/vision_input.h"
#include "ir/infer.h"
#include "rewrite/adapters.h"
#include "rewrite/embed.h"
#include "rewrite/skip_set.h"
#include "rewrite/weights.h"
#include "run/manifest.h"

namespace hone {

namespace {

namespace fs = std::filesystem;

struct OpenRun {
  RunDir dir;
  Recipe recipe;
  std::string task;
};

Result<OpenRun> open_run(const std::string& path) {
  HONE_TRY_ASSIGN(RunDir dir, RunDir::open(path));
  HONE_TRY_ASSIGN(const std::string text, dir.recipe());
  HONE_TRY_ASSIGN(Recipe recipe, Recipe::parse(text, dir.file("recipe.toml")));
  std::string task = recipe.text("task", "", "");
  return OpenRun{std::move(dir), std::move(recipe), std::move(task)};
}

// The network that a recipe names: a member of a supernet, or a copy of a stage table, lies in the run itself.
std::string network_of(const std::string& name, const RunDir& run) {
  std::error_code ec;
  return fs::exists(run.file(kStartNetwork), ec) ? run.file(kStartNetwork) : kept_or_located(name, kKeptNetwork, run.path());
}
// What a file says of where its network came from: the recipe's name for what the run has a copy of.
std::string recorded(const std::string& name, const std::string& net) {
  const fs::path file = fs::path(net).filename();
  return file == kStartNetwork || file == kKeptNetwork ? name : net;
}
std::string at_resolution(const std::string& net, int64_t resolution) {
  return resolution > 0 && fs::path(net).filename() != kStartNetwork ? fmt::format("{}@{}", net, resolution) : net;
}

Status read_weights(const RunDir& dir, std::string& checkpoint, std::string& sha256, NamedTensors& tensors) {
  HONE_TRY_ASSIGN(checkpoint, checkpoint_of(dir));
  HONE_TRY_ASSIGN(sha256, file_checksum(checkpoint));
  HONE_TRY_ASSIGN(tensors, read_checkpoint(checkpoint));
  return {};
}

Result<Graph> with_tensors(Graph graph, const NamedTensors& tensors, const std::string& checkpoint) {
  auto bound = with_weights(std::move(graph), tensors);
  if (!bound) {
    if (bound.error().where.empty()) bound.error().where = checkpoint;
    return fail(std::move(bound).error());
  }
  return std::move(bound->graph);
}

std::string numbers_text(const std::vector<double>& v) { return fmt::format("{:.6g}", fmt::join(v, " ")); }

void mark(Graph& graph, const OpenRun& run, const std::string& network, const std::string& sha256) {
  graph.metadata["hone.task"] = run.task;
  graph.metadata["hone.run"] = run.dir.path();
  graph.metadata["hone.network"] = network;
  graph.metadata["hone.checkpoint.sha256"] = sha256;
  if (const auto manifest = read_manifest(run.dir)) {
    graph.metadata["hone.seed"] = std::to_string(manifest->seed);
    for (const DataFacts& d : manifest->data) graph.metadata["hone.data." + d.name + ".checksum"] = d.checksum;
  }
  // How good it was on the photos or pictures that were held back.
  if (const auto text = read_file(run.dir.file("result.json"))) {
    const auto result = nlohmann::json::parse(*text, nullptr, false);
    if (result.is_object() && result.contains("best") && result["best"].is_object())
      for (const auto& [metric, value] : result["best"].items())
        if (value.is_number()) graph.metadata["hone.best." + metric] = value.dump();
  }
}

Result<Network> sketch_net(const OpenRun& run, int64_t canvas) {
  HONE_TRY_ASSIGN(const SketchRun sketch, open_sketch_run(run.dir.path()));
  const auto& canvases = sketch.options.canvases;
  if (canvas == 0) canvas = sketch.side();
  if (std::find(canvases.begin(), canvases.end(), canvas) == canvases.end())
    return fail(Code::usage, fmt::format("the run has no canvas of {}", canvas), run.dir.path(), fmt::format("its canvases: {}", fmt::join(canvases, ", ")));
  HONE_TRY_ASSIGN(Graph graph, sketch.at(canvas));
  mark(graph, run, sketch.net, sketch.sha256);
  const InputStyle& style = sketch.options.style;
  graph.metadata["hone.canvas"] = std::to_string(canvas);
  graph.metadata["hone.input.mean"] = numbers_text(style.mean);
  graph.metadata["hone.input.std"] = numbers_text(style.deviation);
  graph.metadata["hone.input.ink"] = style.dark_on_white ? "dark" : "white";
  graph.metadata["hone.input.raster"] = style.smooth ? fmt::format("smooth, width {:.6g}/256", style.width) : fmt::format("pixel, {} dilations", style.dilations);
  return Network{run.dir.path(), std::move(graph), std::nullopt};
}

Result<Network> selector_net(const OpenRun& run) {
  HONE_TRY_ASSIGN(const SelectorRun selector, open_selector_run(run.dir.path()));
  HONE_TRY_ASSIGN(Graph graph, selector.at(100));
  mark(graph, run, "sketch/selector", selector.sha256);
  graph.metadata["hone.canvases"] = fmt::format("{}", fmt::join(selector.canvases, " "));
  return Network{run.dir.path(), std::move(graph), std::nullopt};
}

// How many classes a checkpoint's classifier has: a tensor that differs from the network's in its first dimension alone, where
// the network has its own number of classes, belongs to the classifier.
int64_t classes_of(const Graph& graph, int64_t classes, const NamedTensors& tensors) {
  std::unordered_map<std::string_view, const Shape*> held;
  for (const auto& [name, tensor] : tensors) held.emplace(name, &tensor.shape);
  for (ValueId v : graph.state()) {
    const Shape& own = graph.value(v).type.shape;
    const auto found = held.find(graph.value(v).name);
    if (found == held.end() || own.empty() || own[0] != classes || found->second->size() != own.size() || (*found->second)[0] == classes) continue;
    if (std::equal(own.begin() + 1, own.end(), found->second->begin() + 1)) return (*found->second)[0];
  }
  return classes;
}

Result<Network> classify_net(OpenRun& run) {
  Recipe& r = run.recipe;
  const std::string name = r.text("network.name", "timm/resnet18", ""), net = network_of(name, run.dir);
  const int64_t resolution = r.integer("network.resolution", 0, "", 0, 4096);
  std::string checkpoint, sha256;
  NamedTensors tensors;
  HONE_TRY(read_weights(run.dir, checkpoint, sha256, tensors));
  HONE_TRY_ASSIGN(Network network, open_network(at_resolution(net, resolution)));
  if (network.arch) {
    network.arch->head.classes = classes_of(network.graph, network.arch->head.classes, tensors);
    HONE_TRY_ASSIGN(network.graph, build(*network.arch));
  }
  HONE_TRY_ASSIGN(network.graph, with_tensors(std::move(network.graph), tensors, checkpoint));
  mark(network.graph, run, recorded(name, net), sha256);
  network.graph.metadata["hone.input.mean"] = numbers_text(r.reals("data.mean", {0.485, 0.456, 0.406}, ""));
  network.graph.metadata["hone.input.std"] = numbers_text(r.reals("data.std", {0.229, 0.224, 0.225}, ""));
  network.name = run.dir.path();
  return network;
}

// A skip run: the network without the modules of the run's skip_set.json, its linear adapters merged into the weights.
Result<Network> skip_net(OpenRun& run) {
  Recipe& r = run.recipe;
  const std::string name = r.text("network.name", "", ""), net = network_of(name, run.dir);
  const int64_t resolution = r.integer("network.resolution", 0, "", 0, 4096);
  HONE_TRY_ASSIGN(const SkipSet set, read_skip_set(run.dir.file(kSkipSetFile)));
  std::string checkpoint, sha256;
  NamedTensors tensors;
  HONE_TRY(read_weights(run.dir, checkpoint, sha256, tensors));
  HONE_TRY_ASSIGN(Network network, open_network(at_resolution(net, resolution)));
  const bool questions = !r.text("questions.path", "", "").empty();
  if (network.arch && questions) {  // the data decided its texts
    network.arch->options["text_length"] = r.integer("questions.text_length", 24, "", 4, 512);
    network.arch->options["text_mask"] = true;
    for (const auto& [tensor, value] : tensors) {
      if (tensor.ends_with("word_embeddings.weight") && !value.shape.empty()) network.arch->options["vocabulary"] = value.shape[0];
      if (tensor == "token4classifier") network.arch->options["classifier_token"] = true;
    }
    HONE_TRY_ASSIGN(network.graph, build(*network.arch));
  }
  if (network.arch) {
    network.arch->head.classes = classes_of(network.graph, network.arch->head.classes, tensors);
    HONE_TRY_ASSIGN(network.graph, build(*network.arch));
  } else {
    HONE_TRY_ASSIGN(Inferred inferred, infer(std::move(network.graph)));
    network.graph = std::move(inferred.graph);
  }
  std::string input = "data";  // table of the pictures' mean and deviation
  if (!r.text("sketches.path", "", "").empty()) {
    HONE_TRY_ASSIGN(network.graph, embedding_network(std::move(network.graph), r.text("network.pool", "average", "") == "max" ? Pool::max : Pool::average));
    input = "network";
  }
  HONE_TRY_ASSIGN(const auto candidates, skip_candidates(network.graph, set.variant));
  HONE_TRY_ASSIGN(const auto numbers, place_skip_set(set, candidates, name));
  HONE_TRY_ASSIGN(Graph skipped, apply_skips(network.graph, candidates, numbers, set.adapters));
  HONE_TRY_ASSIGN(skipped, with_tensors(std::move(skipped), tensors, checkpoint));
  HONE_TRY_ASSIGN(Merged merged, merge_adapters(skipped));
  network.graph = std::move(merged.graph);
  mark(network.graph, run, recorded(name, net), sha256);
  network.graph.metadata["hone.skipped"] = fmt::format("{}", fmt::join(set.modules, " "));
  if (questions) {
    const Normalise n = (network.arch && network.arch->family == "meter" ? meter_transform() : vilt_transform()).normalise;
    network.graph.metadata["hone.input.mean"] = numbers_text({n.mean.begin(), n.mean.end()});
    network.graph.metadata["hone.input.std"] = numbers_text({n.std.begin(), n.std.end()});
  } else {
    network.graph.metadata["hone.input.mean"] = numbers_text(r.reals(input + ".mean", {0.485, 0.456, 0.406}, ""));
    network.graph.metadata["hone.input.std"] = numbers_text(r.reals(input + ".std", {0.229, 0.224, 0.225}, ""));
  }
  network.arch.reset();  // no longer what the table says
  network.name = run.dir.path();
  return network;
}

}  // namespace

std::optional<MemberName> member_name(const std::string& net) {
  const size_t colon = net.rfind(':');
  if (colon == std::string::npos || colon == 0 || !(net.ends_with(".json") || net.ends_with(".toml"))) return std::nullopt;
  return MemberName{net.substr(0, colon), net.substr(colon + 1)};
}

Result<std::string> task_of(const std::string& path) {
  HONE_TRY_ASSIGN(const OpenRun run, open_run(path));
  return run.task;
}

Result<std::string> checkpoint_of(const RunDir& run) {
  std::error_code ec;
  for (const char* name : {"checkpoints/best.safetensors", "checkpoints/last.safetensors"})
    if (fs::exists(run.file(name), ec)) return run.file(name);
  return fail(Code::not_found, "the run has no checkpoint yet", run.path(), "train it first: hone train RECIPE " + run.path());
}

Result<Graph> SketchRun::at(int64_t canvas, int64_t batch) const {
  HONE_TRY_ASSIGN(Graph g, at_canvas(options, graph, canvas, batch));
  const NamedTensors own = tensors_at(g, canvas, tensors);
  return with_tensors(std::move(g), own, checkpoint);
}

Result<SketchRun> open_sketch_run(const std::string& path) {
  HONE_TRY_ASSIGN(OpenRun run, open_run(path));
  if (run.task != "sketch") return fail(Code::usage, fmt::format("a sketch run is needed, this run's task is '{}'", run.task), path, "train one with a recipe of recipes/sketch");
  SketchRun out;
  out.path = path;
  out.data = read_sketch_data(run.recipe);
  if (out.data.path != "procedural") out.data.path = located(out.data.path, path);
  out.options = read_encoder(run.recipe, "network");
  out.net = out.options.net;
  out.options.net = network_of(out.options.net, run.dir);
  HONE_TRY_ASSIGN(out.graph, encoder_graph(out.options));
  HONE_TRY(read_weights(run.dir, out.checkpoint, out.sha256, out.tensors));
  return out;
}

Result<Graph> SelectorRun::at(int64_t points) const {
  HONE_TRY_ASSIGN(Graph g, selector_graph(options, static_cast<int64_t>(canvases.size()), points));
  return with_tensors(std::move(g), tensors, checkpoint);
}

Result<SelectorRun> open_selector_run(const std::string& path) {
  HONE_TRY_ASSIGN(OpenRun run, open_run(path));
  if (run.task != "canvas") return fail(Code::usage, fmt::format("a selector's run is needed, this run's task is '{}'", run.task), path, "train one with recipes/sketch/selector.toml");
  SelectorRun out;
  out.path = path;
  out.encoder = located(run.recipe.text("encoder.run", "", ""), path);
  out.options = read_selector(run.recipe, "selector");
  HONE_TRY_ASSIGN(OpenRun encoder, open_run(out.encoder));
  out.canvases = read_encoder(encoder.recipe, "network").canvases;
  HONE_TRY(read_weights(run.dir, out.checkpoint, out.sha256, out.tensors));
  return out;
}

Result<Network> open_net(const std::string& net, int64_t canvas, const std::string& space) {
  std::error_code ec;
  const bool directory = fs::is_directory(net, ec);
  if (!directory || !fs::exists(fs::path(net) / "recipe.toml", ec)) {
    if (canvas != 0) return fail(Code::usage, "only a sketch run has canvases", net, "leave --canvas out");
    if (directory) return fail(Code::usage, "a folder is a network only when it is a run directory, with a recipe.toml", net, "hone runs lists those beneath a folder");
    return open_network(net, space);
  }
  if (!space.empty()) return fail(Code::usage, "says which space an encoding is of, and this is a run", "--space " + space);
  HONE_TRY_ASSIGN(OpenRun run, open_run(net));
  if (run.task == "sketch") return sketch_net(run, canvas);
  if (canvas != 0) return fail(Code::usage, fmt::format("only a sketch run has canvases, this run's task is '{}'", run.task), net, "leave --canvas out");
  if (run.task == "canvas") return selector_net(run);
  if (run.task == "classify") return classify_net(run);
  if (run.task == "skip") return skip_net(run);
  return fail(Code::unsupported, fmt::format("a run of task '{}' is no network", run.task), net);
}

}  // namespace hone
