#include "methods/distil/encoder.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>

#include "data/raster.h"
#include "ir/infer.h"
#include "rewrite/weights.h"
#include "zoo/catalog.h"

namespace hone::methods {

namespace {

constexpr int64_t kEmbedBatch = 32;  // pictures embedded at once without gradients

std::string canvas_name(int64_t canvas, const std::string& name) { return fmt::format("canvas.{}.{}", canvas, name); }

bool starts_with(const std::string& s, std::string_view start) { return s.compare(0, start.size(), start) == 0; }

}  // namespace

EncoderOptions read_encoder(Recipe& r, const std::string& key) {
  EncoderOptions o;
  o.net = r.text(key + ".net", "sketch/mobilenetv2", "NET: a network of the zoo or a file; its classifier is cut off");
  o.weights = r.text(key + ".weights", "", "checkpoint to start from (safetensors or .pth); empty: fresh from train.seed");
  o.pool = r.text(key + ".pool", "max", "what follows the features", {"max", "average"}) == "max" ? Pool::max : Pool::average;
  o.canvases = r.integers(key + ".canvases", {32, 64, 128, 256}, "sides of the sketch's picture, rising; photos have the last");
  o.canvas_norms = r.flag(key + ".canvas_norms", false, "BatchNorm of its own for every canvas below the largest");
  const bool half = starts_with(o.net, "coral/");
  o.style.mean = r.reals(key + ".mean", half ? std::vector<double>{0.5, 0.5, 0.5} : std::vector<double>{0.485, 0.456, 0.406}, "of the input's channels, red green blue, 0 to 1");
  o.style.deviation = r.reals(key + ".std", half ? std::vector<double>{0.5, 0.5, 0.5} : std::vector<double>{0.229, 0.224, 0.225}, "divides what is left");
  o.style.dark_on_white = r.text(key + ".ink", "dark", "strokes: dark on white, or white on black", {"dark", "white"}) == "dark";
  o.style.smooth = r.text(key + ".raster", "pixel", "pixel: the published rasteriser; smooth: anti-aliased", {"pixel", "smooth"}) == "smooth";
  o.style.width = r.real(key + ".line_width", 3, "smooth lines: width in 256ths of the frame", 0.1, 64);
  o.style.dilations = r.integer(key + ".dilations", 1, "pixel lines: width 1 + 2 x this, at every canvas", 0, 16);
  return o;
}

void draw(const Sketch& sketch, int64_t side, bool mirror, const InputStyle& style, float* out) {
  thread_local std::vector<uint8_t> ink;
  ink.resize(static_cast<size_t>(side * side));
  if (style.smooth) rasterise(sketch, SmoothRaster{static_cast<int>(side), style.width, 0, style.dark_on_white}, ink);
  else rasterise(sketch, PixelRaster{static_cast<int>(side), static_cast<int>(style.dilations), style.dark_on_white}, ink);
  float scale[3], shift[3];
  for (int c = 0; c < 3; ++c) scale[c] = static_cast<float>(1 / (255 * style.deviation[c])), shift[c] = static_cast<float>(-style.mean[c] / style.deviation[c]);
  for (int64_t y = 0; y < side; ++y)
    for (int64_t x = 0; x < side; ++x, out += 3) {
      const float v = ink[static_cast<size_t>(y * side + (mirror ? side - 1 - x : x))];
      for (int c = 0; c < 3; ++c) out[c] = v * scale[c] + shift[c];
    }
}

Result<Encoder> Encoder::make(const EncoderOptions& options, uint64_t seed) {
  Encoder e;
  e.options_ = options;
  if (options.canvases.empty()) return fail(Code::usage, "an encoder needs at least one canvas");
  if (!std::is_sorted(options.canvases.begin(), options.canvases.end()) || options.canvases.front() < 1 || options.canvases.back() > 4096)
    return fail(Code::usage, fmt::format("canvases must rise and lie between 1 and 4096; found {}", fmt::join(options.canvases, ", ")));
  if (options.style.mean.size() != 3 || options.style.deviation.size() != 3) return fail(Code::usage, "mean and std have three values, one a channel");
  HONE_TRY_ASSIGN(Network network, open_network(options.net));
  HONE_TRY_ASSIGN(e.graph_, embedding_network(std::move(network.graph), options.pool));
  if (e.graph_.inputs.size() != 1) return fail(Code::unsupported, fmt::format("an encoder has one input, a picture; this network has {}", e.graph_.inputs.size()), options.net);
  HONE_TRY_ASSIGN(e.graph_, e.at_canvas(options.canvases.back()));
  for (int64_t c : options.canvases)  // each canvas must suit the network: says so before hours of training
    if (auto ok = e.at_canvas(c); !ok) return fail(ok.error().code, fmt::format("{} cannot take a canvas of {}: {}", options.net, c, ok.error().message), ok.error().where, "choose other canvases");
  const Shape& out = e.graph_.value(e.graph_.outputs[0]).type.shape;
  e.dim_ = out.back();

  HONE_TRY_ASSIGN(e.program_, train::Program::compile(e.graph_));
  HONE_TRY_ASSIGN(e.params_, train::Params::of(e.graph_, seed));
  if (!options.weights.empty()) {
    HONE_TRY_ASSIGN(NamedTensors tensors, read_checkpoint(options.weights));
    HONE_TRY_ASSIGN(e.load_, e.params_.load(e.graph_, std::move(tensors), false, true));
    if (!e.load_.missing.empty() || !e.load_.mismatched.empty())
      return fail(Code::invalid, fmt::format("{} tensors of the network are not in the checkpoint, {} have another shape; the first: {}", e.load_.missing.size(), e.load_.mismatched.size(),
                                             e.load_.missing.empty() ? e.load_.mismatched[0] : e.load_.missing[0]),
                  options.weights, "check that network.net is the network of this checkpoint");
  }

  std::vector<std::string> norms;
  for (const Node& n : e.graph_.nodes)
    if (n.type == "BatchNormalization")
      for (size_t i = 1; i < n.inputs.size(); ++i) norms.push_back(e.graph_.value(n.inputs[i]).name);
  std::sort(norms.begin(), norms.end());
  for (const auto& slot : e.program_.state()) e.norm_slot_.push_back(std::binary_search(norms.begin(), norms.end(), slot.name));
  if (options.canvas_norms) {
    for (size_t k = 0; k + 1 < options.canvases.size(); ++k)
      for (size_t s = 0; s < e.norm_slot_.size(); ++s)
        if (e.norm_slot_[s]) {
          const train::Params::Entry* own = e.params_.find(e.program_.state()[s].name);
          HONE_TRY(e.params_.add(canvas_name(options.canvases[k], own->name), own->tensor.detach().clone(), own->buffer));
        }
  }
  return e;
}

Result<Graph> Encoder::at_canvas(int64_t canvas) const {
  const Value& input = graph_.value(graph_.inputs[0]);
  Bindings b;
  b.inputs[input.name] = {1, 3, canvas, canvas};
  HONE_TRY_ASSIGN(Inferred inferred, infer(graph_, b));
  return std::move(inferred.graph);
}

Result<Graph> Encoder::bound(int64_t canvas, const train::Params& params) const {
  HONE_TRY_ASSIGN(Graph g, at_canvas(canvas));
  NamedTensors tensors;
  std::map<std::string, Tensor> saved;
  for (auto& [name, tensor] : params.save()) saved.emplace(name, std::move(tensor));
  for (ValueId v : g.state()) {
    const std::string& name = g.value(v).name;
    const auto own = saved.find(canvas_name(canvas, name));
    const auto found = own != saved.end() ? own : saved.find(name);
    if (found != saved.end()) tensors.emplace_back(name, found->second);
  }
  HONE_TRY_ASSIGN(Bound bound, with_weights(std::move(g), tensors));
  return std::move(bound.graph);
}

Result<at::Tensor> Encoder::embed(const at::Tensor& images, int64_t canvas, const train::Params& params, const train::RunOptions& how) const {
  HONE_TRY_ASSIGN(std::vector<at::Tensor> state, params.bind(program_));
  if (options_.canvas_norms && canvas != side())
    for (size_t s = 0; s < state.size(); ++s)
      if (norm_slot_[s])
        if (const auto* own = params.find(canvas_name(canvas, program_.state()[s].name))) state[s] = own->tensor;
  HONE_TRY_ASSIGN(std::vector<at::Tensor> out, program_.run({images}, state, how));
  return out[0].to(at::kFloat);
}

Result<Embeddings> embed_sketches(const Encoder& encoder, const train::Params& params, const SketchPhotoSet& set, std::span<const uint32_t> items, int64_t canvas, bool mirror) {
  const torch::autograd::AutoGradMode no_grad(false);
  std::vector<at::Tensor> rows;
  for (size_t begin = 0; begin < items.size(); begin += kEmbedBatch) {
    const int64_t n = std::min<int64_t>(kEmbedBatch, static_cast<int64_t>(items.size() - begin));
    at::Tensor batch = at::empty({n, canvas, canvas, 3});
    float* p = batch.data_ptr<float>();
    at::parallel_for(0, n, 1, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) draw(set.items[items[begin + static_cast<size_t>(i)]].sketch, canvas, mirror, encoder.options().style, p + i * canvas * canvas * 3);
    });
    HONE_TRY_ASSIGN(at::Tensor out, encoder.embed(batch.permute({0, 3, 1, 2}).to(params.entries()[0].tensor.device()), canvas, params, {}));
    rows.push_back(out);
  }
  return rows.empty() ? Embeddings{0, encoder.dim(), {}} : to_embeddings(at::cat(rows));
}

Embeddings to_embeddings(const at::Tensor& rows) {
  const at::Tensor flat = rows.detach().to(at::kCPU, at::kFloat).contiguous();
  return {flat.size(0), flat.size(1), std::vector<float>(flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel())};
}

}  // namespace hone::methods
