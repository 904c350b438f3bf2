// An encoder of photos and sketches: any network, cut to its features and pooled to the unit sphere (rewrite/embed.h), with
// what its input looks like; and the selector that picks a sketch's canvas. What they are, without what trains or runs them.
//
// Sketches may come at several canvas sizes; photos always come at the largest. With `canvas_norms` each canvas below the
// largest has BatchNorms of its own: the parameter NAME stands in a checkpoint as canvas.SIDE.NAME.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/sketch_input.h"
#include "formats/checkpoint.h"
#include "ir/graph.h"
#include "rewrite/embed.h"
#include "run/recipe.h"

namespace hone {

struct EncoderOptions {
  std::string net;                      // NET
  std::string weights;                  // checkpoint to start from; "" : fresh
  Pool pool = Pool::max;
  std::vector<int64_t> canvases;        // rising; the last is the photos' side
  bool canvas_norms = false;            // BatchNorm of its own for each canvas below the largest
  InputStyle style;
};
// What pictures look like to network `net`, from table `key` of the recipe.
InputStyle read_style(Recipe& recipe, const std::string& key, const std::string& net);
// Asks the recipe for table `key` ("network"). Mean and deviation default to those the network was trained with.
EncoderOptions read_encoder(Recipe& recipe, const std::string& key);

// The encoder at its largest canvas, batch 1, typed. Errors: canvases that do not rise, a network that has several inputs or
// cannot take one of the canvases.
Result<Graph> encoder_graph(const EncoderOptions& options);
// The same for other pictures: N x 3 x canvas x canvas. Members of search spaces attend over a grid of one size: such a network is
// built anew, and reads the middle of the largest canvas's position tables.
Result<Graph> at_canvas(const EncoderOptions& options, const Graph& encoder, int64_t canvas, int64_t batch = 1);
bool attends_over_a_grid(const Graph& encoder);

std::string canvas_name(int64_t canvas, const std::string& parameter);
// Names of the values that BatchNorms read besides their input, sorted.
std::vector<std::string> norm_parameters(const Graph& graph);
// Those of a checkpoint's tensors that `graph` reads at a canvas, under its names and as much of them as it reads.
NamedTensors tensors_at(const Graph& graph, int64_t canvas, const NamedTensors& checkpoint);

// The canvas selector (zoo: sketch/selector): one GRU layer over rows x, y, pen down, stroke ends, sketch ends; the last state
// through one linear layer to a logit per canvas.
struct SelectorOptions {
  int64_t hidden = 128;
  double simplify = 2;       // Ramer-Douglas-Peucker tolerance, in 256ths of the frame
  int64_t max_points = 200;  // longer sketches are simplified more
};
SelectorOptions read_selector(Recipe& recipe, const std::string& key);
// For a number of points, typed.
Result<Graph> selector_graph(const SelectorOptions& options, int64_t canvases, int64_t points);

// 2 x the ptflops count of a graph: the convention that the paper's figures are printed in (docs/counting.md).
Result<int64_t> paper_flops(const Graph& graph);

}  // namespace hone
