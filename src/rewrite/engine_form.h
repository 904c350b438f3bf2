// The form of a network that inference engines run best: what training needs and inference does not is gone, and what an
// engine fuses stands as it looks for it. Same inputs, outputs and results up to rounding; nodes that stay keep their
// names, so that times and differences can be traced to the network. docs/engine.md has what each choice wins.
#pragma once

#include <string_view>

#include "ir/graph.h"

namespace hone {

struct EngineForm {
  // Batch norms into the layer before (rewrite/fold_bn.h).
  bool fold_batch_norms = true;
  // Scale and shift of a group norm into the convolutions without padding that read it, when nobody else does:
  // W (s x + t) + b = (W s) x + (W t + b).
  bool fold_norm_scales = true;
  // A group norm of one group, the N*C norm of ElasticViT, as LayerNormalization over C x H x W: engines that keep maps as
  // NHWC turn each map around twice to see groups of channels.
  bool norms_over_maps = true;
  // Heads out of a map as H W x heads x dim, then heads first, instead of heads x dim x H W, then turned; and the way back
  // likewise. An NHWC map is that already, so one transposition stays of three, and engines find the attention they fuse.
  bool heads_from_nhwc = true;
  // A dense layer of one row and at least this many weights becomes two, joined: OpenVINO has a matrix-vector product that
  // reads weights at memory speed, but not with an activation behind it. 0: never.
  int64_t split_rows_above = 0;
  // Lossy, so never by itself: dense layers of one row and at least this many weights keep them as 8-bit integers, a scale
  // for each output (the largest weight is 127). Such a layer takes as long as its weights take to read. 0: never.
  int64_t int8_rows_above = 0;
};

// The newest operator set whose operators OpenVINO and ONNX Runtime both map to single ones of their own.
inline constexpr int64_t kEngineOpset = 20;

// Weights of a dense layer from which on the two choices about rows are worth it: half a second-level cache of f32.
inline constexpr int64_t kWideRow = int64_t{1} << 18;

// What is best for an engine: "openvino", "onnxruntime"; for any other what both like.
EngineForm engine_form_for(std::string_view engine);

// `graph` must be typed, its parameters with contents.
Result<Graph> engine_form(const Graph& graph, const EngineForm& form);

}  // namespace hone
