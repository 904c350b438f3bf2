// The canvas-size selector: a policy that reads a sketch's strokes and picks the side of the picture that it is drawn at
// (Sain et al., "Sketch Down the FLOPs", CVPR 2025; spec of the sketch method, section 3).
//
// Network (zoo: sketch/selector): one GRU layer over rows x, y, pen down, stroke ends, sketch ends; the last state through one
// linear layer to a logit per canvas. Sequences keep their own lengths: nothing is padded.
#pragma once

#include <ATen/ATen.h>

#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "formats/strokes.h"
#include "retrieval/encoder.h"
#include "train/params.h"

namespace hone::methods {

class Selector {
 public:
  static Result<Selector> make(const SelectorOptions& options, int64_t canvases, uint64_t seed);

  train::Params& params() { return params_; }
  const train::Params& params() const { return params_; }
  // The graph for a number of points, typed: for counting and export.
  Result<Graph> graph(int64_t points) const;
  // Multiply-adds and FLOPs in the paper's convention for one sketch of that many points.
  int64_t flops(int64_t points) const { return flops_fixed_ + flops_point_ * points; }

  // Rows of the network's input, points x 5.
  at::Tensor rows(const Sketch& sketch) const;
  // Logits, sketches x canvases.
  at::Tensor logits(std::span<const at::Tensor> sketches, const train::Params& params) const;

 private:
  SelectorOptions options_;
  int64_t canvases_ = 0, flops_fixed_ = 0, flops_point_ = 0;
  train::Params params_;
};

}  // namespace hone::methods
