#include "methods/distil/encoder.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>

#include "formats/checkpoint.h"

namespace hone::methods {

namespace {

constexpr int64_t kEmbedBatch = 32;  // pictures embedded at once without gradients

}  // namespace

Result<Encoder> Encoder::make(const EncoderOptions& options, uint64_t seed) {
  Encoder e;
  e.options_ = options;
  HONE_TRY_ASSIGN(e.graph_, encoder_graph(options));
  const Shape& out = e.graph_.value(e.graph_.outputs[0]).type.shape;
  e.dim_ = out.back();

  HONE_TRY_ASSIGN(e.program_, compile(e.graph_));
  if (attends_over_a_grid(e.graph_))
    for (size_t k = 0; k + 1 < options.canvases.size(); ++k) {
      HONE_TRY_ASSIGN(const Graph smaller, at_canvas(options, e.graph_, options.canvases[k]));
      HONE_TRY_ASSIGN(e.at_[options.canvases[k]], compile(smaller));
    }
  HONE_TRY_ASSIGN(e.params_, train::Params::of(e.graph_, seed));
  e.params_.set_centred("*.relative_position_bias", 1);   // a smaller grid's table is the middle
  if (!options.weights.empty()) {
    HONE_TRY_ASSIGN(NamedTensors tensors, read_checkpoint(options.weights));
    HONE_TRY_ASSIGN(e.load_, e.params_.load(e.graph_, std::move(tensors), false, true));
    if (!e.load_.missing.empty() || !e.load_.mismatched.empty())
      return fail(Code::invalid, fmt::format("{} tensors of the network are not in the checkpoint, {} have another shape; the first: {}", e.load_.missing.size(), e.load_.mismatched.size(),
                                             e.load_.missing.empty() ? e.load_.mismatched[0] : e.load_.missing[0]),
                  options.weights, "check that network.net is the network of this checkpoint");
  }

  if (options.canvas_norms) {
    for (size_t k = 0; k + 1 < options.canvases.size(); ++k)
      for (size_t s = 0; s < e.program_.norm_slot.size(); ++s)
        if (e.program_.norm_slot[s]) {
          const train::Params::Entry* own = e.params_.find(e.program_.program.state()[s].name);
          HONE_TRY(e.params_.add(canvas_name(options.canvases[k], own->name), own->tensor.detach().clone(), own->buffer));
        }
  }
  return e;
}

Result<Encoder::AtCanvas> Encoder::compile(const Graph& graph) {
  AtCanvas out;
  HONE_TRY_ASSIGN(out.program, train::Program::compile(graph));
  const std::vector<std::string> norms = norm_parameters(graph);
  for (const auto& slot : out.program.state()) out.norm_slot.push_back(std::binary_search(norms.begin(), norms.end(), slot.name));
  return out;
}

Result<at::Tensor> Encoder::embed(const at::Tensor& images, int64_t canvas, const train::Params& params, const train::RunOptions& how) const {
  const auto own_program = at_.find(canvas);
  const auto& [program, norm_slot] = own_program == at_.end() ? program_ : own_program->second;
  HONE_TRY_ASSIGN(std::vector<at::Tensor> state, params.bind(program));
  if (options_.canvas_norms && canvas != side())
    for (size_t s = 0; s < state.size(); ++s)
      if (norm_slot[s])
        if (const auto* own = params.find(canvas_name(canvas, program.state()[s].name))) state[s] = own->tensor;
  HONE_TRY_ASSIGN(std::vector<at::Tensor> out, program.run({images}, state, how));
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

Result<Embeddings> embed_photos(const Encoder& encoder, const train::Params& params, const PhotoCache& photos, std::span<const uint32_t> which, bool mirror) {
  const torch::autograd::AutoGradMode no_grad(false);
  const int64_t side = photos.side();
  std::vector<at::Tensor> rows;
  for (size_t begin = 0; begin < which.size(); begin += kEmbedBatch) {
    const int64_t n = static_cast<int64_t>(std::min<size_t>(kEmbedBatch, which.size() - begin));
    at::Tensor batch = at::empty({n, side, side, 3});
    float* p = batch.data_ptr<float>();
    at::parallel_for(0, n, 1, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) photos.fill(which[begin + static_cast<size_t>(i)], {mirror}, encoder.options().style, p + i * side * side * 3);
    });
    HONE_TRY_ASSIGN(at::Tensor out, encoder.embed(batch.permute({0, 3, 1, 2}).to(params.entries()[0].tensor.device()), side, params, {}));
    rows.push_back(out);
  }
  return rows.empty() ? Embeddings{0, encoder.dim(), {}} : to_embeddings(at::cat(rows));
}

Embeddings to_embeddings(const at::Tensor& rows) {
  const at::Tensor flat = rows.detach().to(at::kCPU, at::kFloat).contiguous();
  return {flat.size(0), flat.size(1), std::vector<float>(flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel())};
}

}  // namespace hone::methods
