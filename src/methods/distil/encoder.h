// An encoder of photos and sketches: any network, cut to its features and pooled to the unit sphere (rewrite/embed.h), with
// what its input looks like. Sketches may come at several canvas sizes; photos always come at the largest.
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/sketch_photos.h"
#include "retrieval/embeddings.h"
#include "rewrite/embed.h"
#include "run/recipe.h"
#include "train/params.h"
#include "train/program.h"

namespace hone::methods {

// How pictures are made for a network. Channel values are (v / 255 - mean) / deviation, photos in RGB.
struct InputStyle {
  std::vector<double> mean, deviation;  // three each
  bool dark_on_white = true;            // ink on paper, or white strokes on black as in published code
  bool smooth = false;                  // anti-aliased lines instead of the published rasteriser
  double width = 3;                     // smooth: of a line, in 256ths of the frame
  int64_t dilations = 1;                // published rasteriser: lines are 1 + 2 * dilations pixels wide
};

struct EncoderOptions {
  std::string net;                      // NET
  std::string weights;                  // checkpoint to start from; "" : fresh
  Pool pool = Pool::max;
  std::vector<int64_t> canvases;        // rising; the last is the photos' side
  bool canvas_norms = false;            // BatchNorm of its own for each canvas below the largest
  InputStyle style;
};

// Asks the recipe for table `key` ("network"). Mean and deviation default to those the network was trained with.
EncoderOptions read_encoder(Recipe& recipe, const std::string& key);

// Picture of a sketch, C x side x side with C = 3, written to `out` (3 * side * side floats, channels last).
// `mirror` flips it left to right.
void draw(const Sketch& sketch, int64_t side, bool mirror, const InputStyle& style, float* out);

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

  // Graph at one canvas, typed: for counting.
  Result<Graph> at_canvas(int64_t canvas) const;
  // The encoder for export at a canvas, its parameters inside.
  Result<Graph> bound(int64_t canvas, const train::Params& params) const;

  // Images B x 3 x side x side -> B x dim, rows of length 1. `canvas` picks the norms where canvases have their own.
  Result<at::Tensor> embed(const at::Tensor& images, int64_t canvas, const train::Params& params, const train::RunOptions& how) const;

 private:
  EncoderOptions options_;
  Graph graph_;
  train::Program program_;
  train::Params params_;
  train::Params::LoadReport load_;
  std::vector<bool> norm_slot_;  // by state slot: belongs to a BatchNorm
  int64_t dim_ = 0;
};

// Flat sketches and photos to embeddings, in batches, without gradients. `items` and `photos` index the set.
Result<Embeddings> embed_sketches(const Encoder& encoder, const train::Params& params, const SketchPhotoSet& set, std::span<const uint32_t> items, int64_t canvas, bool mirror = false);

Embeddings to_embeddings(const at::Tensor& rows);

}  // namespace hone::methods
