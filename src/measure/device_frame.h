// A block alone would be timed with its maps brought into the engine's layout and back, which can take longer than the
// block. So it is measured in a frame: a layer of three input channels makes its map, the block runs (several times where it
// can follow itself, each with weights of its own), and a mean over places ends it. The frame's own time is taken off.
#pragma once

#include <optional>

#include "measure/device_block.h"

namespace hone {

// Kind of the rows that hold frames: sizes rank, channels, length (side of a map, number of tokens).
inline constexpr std::string_view kFrameKind = "frame";

struct Framed {
  Graph graph;                 // frame and block; the block alone where it takes no frame
  int64_t repeats = 1;
  std::optional<Block> frame;  // none: the block takes an image, and only gets the mean behind it; or it takes several inputs
};
inline constexpr int64_t kRepeats = 3;

// `part` is typed: a block of an ElasticViT (block_graph) or a cut.
Result<Framed> in_frame(const Graph& part);
// The frame without a block.
Result<Graph> frame_graph(const Block& frame);

}  // namespace hone
