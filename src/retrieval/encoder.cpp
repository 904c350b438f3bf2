#include "retrieval/encoder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_map>

#include "cost/profile.h"
#include "ir/infer.h"
#include "zoo/catalog.h"

namespace hone {

InputStyle read_style(Recipe& r, const std::string& key, const std::string& net) {
  InputStyle o;
  const bool half = net.starts_with("coral/");
  o.mean = r.reals(key + ".mean", half ? std::vector<double>{0.5, 0.5, 0.5} : std::vector<double>{0.485, 0.456, 0.406}, "of the input's channels, red green blue, 0 to 1");
  o.deviation = r.reals(key + ".std", half ? std::vector<double>{0.5, 0.5, 0.5} : std::vector<double>{0.229, 0.224, 0.225}, "divides what is left");
  o.dark_on_white = r.text(key + ".ink", "dark", "strokes: dark on white, or white on black", {"dark", "white"}) == "dark";
  o.smooth = r.text(key + ".raster", "pixel", "pixel: the published rasteriser; smooth: anti-aliased", {"pixel", "smooth"}) == "smooth";
  o.width = r.real(key + ".line_width", 3, "smooth lines: width in 256ths of the frame", 0.1, 64);
  o.dilations = r.integer(key + ".dilations", 1, "pixel lines: width 1 + 2 x this, at every canvas", 0, 16);
  return o;
}

EncoderOptions read_encoder(Recipe& r, const std::string& key) {
  EncoderOptions o;
  o.net = r.text(key + ".net", "sketch/mobilenetv2", "NET: a network of the zoo or a file, or RUN:ARCH, a member of a supernet with its weights; its classifier is cut off");
  o.weights = r.text(key + ".weights", "", "checkpoint to start from (safetensors or .pth); empty: fresh from train.seed");
  o.pool = r.text(key + ".pool", "max", "what follows the features", {"max", "average"}) == "max" ? Pool::max : Pool::average;
  o.canvases = r.integers(key + ".canvases", {32, 64, 128, 256}, "sides of the sketch's picture, rising; photos have the last");
  o.canvas_norms = r.flag(key + ".canvas_norms", false, "BatchNorm of its own for every canvas below the largest");
  o.style = read_style(r, key, o.net);
  return o;
}

Result<Graph> encoder_graph(const EncoderOptions& options) {
  if (options.canvases.empty()) return fail(Code::usage, "an encoder needs at least one canvas");
  if (!std::is_sorted(options.canvases.begin(), options.canvases.end()) || options.canvases.front() < 1 || options.canvases.back() > 4096)
    return fail(Code::usage, fmt::format("canvases must rise and lie between 1 and 4096; found {}", fmt::join(options.canvases, ", ")));
  if (options.style.mean.size() != 3 || options.style.deviation.size() != 3) return fail(Code::usage, "mean and std have three values, one a channel");
  HONE_TRY_ASSIGN(Network network, open_network(options.net));
  HONE_TRY_ASSIGN(Graph graph, embedding_network(std::move(network.graph), options.pool));
  if (graph.inputs.size() != 1) return fail(Code::unsupported, fmt::format("an encoder has one input, a picture; this network has {}", graph.inputs.size()), options.net);
  HONE_TRY_ASSIGN(graph, at_canvas(options, graph, options.canvases.back()));
  for (int64_t c : options.canvases)  // each canvas must suit the network: says so before hours of training
    if (auto ok = at_canvas(options, graph, c); !ok) return fail(ok.error().code, fmt::format("{} cannot take a canvas of {}: {}", options.net, c, ok.error().message), ok.error().where, "choose other canvases");
  return graph;
}

namespace {

bool is_grid_table(std::string_view name) { return name.ends_with(".relative_position_bias"); }   // heads x rows x columns

// The middle of a table in its last two dimensions.
Tensor middle_of(const Tensor& table, const Shape& shape) {
  std::vector<std::byte> values;
  const int64_t rows = table.shape[1], columns = table.shape[2], top = (rows - shape[1]) / 2, left = (columns - shape[2]) / 2;
  for (int64_t head = 0; head < shape[0]; ++head)
    for (int64_t row = 0; row < shape[1]; ++row) {
      const std::byte* from = table.bytes.data + 4 * ((head * rows + top + row) * columns + left);
      values.insert(values.end(), from, from + 4 * shape[2]);
    }
  return Tensor{DType::f32, shape, Bytes::copy(values.data(), values.size()), {}};
}

bool holds_middle(const Tensor& table, const Shape& shape) {
  if (table.dtype != DType::f32 || table.shape.size() != 3 || shape.size() != 3 || !table.bytes.data || table.shape == shape) return false;
  for (size_t d = 0; d < 3; ++d)
    if (shape[d] < 1 || shape[d] > table.shape[d]) return false;
  return true;
}

}  // namespace

bool attends_over_a_grid(const Graph& encoder) {
  const auto state = encoder.state();
  return std::any_of(state.begin(), state.end(), [&](ValueId v) { return is_grid_table(encoder.value(v).name); });
}

Result<Graph> at_canvas(const EncoderOptions& options, const Graph& encoder, int64_t canvas, int64_t batch) {
  Bindings b;
  b.inputs[encoder.value(encoder.inputs[0]).name] = {batch, 3, canvas, canvas};
  if (attends_over_a_grid(encoder)) {
    HONE_TRY_ASSIGN(Network network, open_network(options.net));
    if (network.arch) {   // of a file's graph the grid cannot be changed: inference says so
      network.arch->resolution = canvas;
      HONE_TRY_ASSIGN(Graph other, build(*network.arch));
      HONE_TRY_ASSIGN(other, embedding_network(std::move(other), options.pool));
      HONE_TRY_ASSIGN(Inferred inferred, infer(std::move(other), b));
      return std::move(inferred.graph);
    }
  }
  HONE_TRY_ASSIGN(Inferred inferred, infer(encoder, b));
  return std::move(inferred.graph);
}

std::string canvas_name(int64_t canvas, const std::string& parameter) { return fmt::format("canvas.{}.{}", canvas, parameter); }

std::vector<std::string> norm_parameters(const Graph& graph) {
  std::vector<std::string> out;
  for (const Node& n : graph.nodes)
    if (n.type == "BatchNormalization")
      for (size_t i = 1; i < n.inputs.size(); ++i) out.push_back(graph.value(n.inputs[i]).name);
  std::sort(out.begin(), out.end());
  return out;
}

NamedTensors tensors_at(const Graph& graph, int64_t canvas, const NamedTensors& checkpoint) {
  std::unordered_map<std::string_view, const Tensor*> held;
  for (const auto& [name, tensor] : checkpoint) held.emplace(name, &tensor);
  NamedTensors out;
  for (ValueId v : graph.state()) {
    const std::string& name = graph.value(v).name;
    auto found = held.find(canvas_name(canvas, name));
    if (found == held.end()) found = held.find(name);
    if (found == held.end()) continue;
    const Shape& shape = graph.value(v).type.shape;
    out.emplace_back(name, is_grid_table(name) && holds_middle(*found->second, shape) ? middle_of(*found->second, shape) : *found->second);
  }
  return out;
}

SelectorOptions read_selector(Recipe& r, const std::string& key) {
  SelectorOptions o;
  o.hidden = r.integer(key + ".hidden", 128, "state of the GRU", 1, 4096);
  o.simplify = r.real(key + ".simplify", 2, "Ramer-Douglas-Peucker tolerance in 256ths of the frame", 0, 256);
  o.max_points = r.integer(key + ".max_points", 200, "longer sketches are simplified more", 2, 100000);
  return o;
}

Result<Graph> selector_graph(const SelectorOptions& options, int64_t canvases, int64_t points) {
  HONE_TRY_ASSIGN(Arch arch, find_arch("sketch/selector"));
  arch.stages[0].width = options.hidden;
  arch.head.classes = canvases;
  arch.options["points"] = points;
  return build(arch);
}

Result<int64_t> paper_flops(const Graph& graph) {
  HONE_TRY_ASSIGN(const Profile p, profile(graph));
  HONE_TRY_ASSIGN(const ConventionTotals c, convention(p, "ptflops"));
  return 2 * c.flops;
}

}  // namespace hone
