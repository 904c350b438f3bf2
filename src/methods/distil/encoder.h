// The encoder of retrieval/encoder.h in libtorch: with parameters that train.
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/photo_cache.h"
#include "data/sketch_photos.h"
#include "retrieval/embeddings.h"
#include "retrieval/encoder.h"
#include "train/params.h"
#include "train/program.h"

namespace hone::methods {

class Encoder {
 public:
  // Fresh parameters come from `seed`; `options.weights` replace what they match, and `load` says what.
  static Result<Encoder> make(const EncoderOptions& options, uint64_t seed);

  const EncoderOptions& options() const { return options_; }
  const Graph& graph() const { return graph_; }  // at the largest canvas, batch 1
  train::Params& params() { return params_; }
  const train::Params& params() const { return params_; }
  const train::Params::LoadReport& load_report() const { return load_; }
  int64_t dim() const { return dim_; }
  int64_t side() const { return options_.canvases.back(); }

  // Images B x 3 x side x side -> B x dim, rows of length 1. `canvas` picks the norms where canvases have their own.
  Result<at::Tensor> embed(const at::Tensor& images, int64_t canvas, const train::Params& params, const train::RunOptions& how) const;

 private:
  EncoderOptions options_;
  Graph graph_;
  struct AtCanvas {
    train::Program program;
    std::vector<bool> norm_slot;  // by state slot: belongs to a BatchNorm
  };
  static Result<AtCanvas> compile(const Graph& graph);
  AtCanvas program_;                         // at the largest canvas; takes any other where the network does
  std::map<int64_t, AtCanvas> at_;           // of a network whose attention is over a grid of one size: by smaller canvas
  train::Params params_;
  train::Params::LoadReport load_;
  int64_t dim_ = 0;
};

// Flat sketches and photos to embeddings, in batches, without gradients. `items` and `photos` index the set.
Result<Embeddings> embed_sketches(const Encoder& encoder, const train::Params& params, const SketchPhotoSet& set, std::span<const uint32_t> items, int64_t canvas, bool mirror = false);

// Embeddings of photos, in their order.
Result<Embeddings> embed_photos(const Encoder& encoder, const train::Params& params, const PhotoCache& photos, std::span<const uint32_t> which, bool mirror = false);

Embeddings to_embeddings(const at::Tensor& rows);

}  // namespace hone::methods
