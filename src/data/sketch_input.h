// What sketches and photos look like to a network: pictures with normalised channels, and rows of points for a selector.
#pragma once

#include <cstdint>
#include <vector>

#include "data/resize.h"
#include "formats/strokes.h"

namespace hone {

// How pictures are made for a network. Channel values are (v / 255 - mean) / deviation, photos in RGB.
struct InputStyle {
  std::vector<double> mean, deviation;  // three each
  bool dark_on_white = true;            // ink on paper, or white strokes on black as in published code
  bool smooth = false;                  // anti-aliased lines instead of the published rasteriser
  double width = 3;                     // smooth: of a line, in 256ths of the frame
  int64_t dilations = 1;                // published rasteriser: lines are 1 + 2 * dilations pixels wide
};

// Value of a channel as a network sees it: v * scale + shift, in f32 everywhere.
struct ChannelMap {
  float scale[3], shift[3];
  explicit ChannelMap(const InputStyle& style);
};

// Picture of a sketch with three equal channels (before their normalisation), 3 * side * side floats.
// `mirror` flips it left to right.
void draw(const Sketch& sketch, int64_t side, bool mirror, const InputStyle& style, float* out, Layout layout = Layout::nhwc);
// The same of a photo, which must be side x side.
void photo_input(const Image& photo, bool mirror, const InputStyle& style, float* out, Layout layout = Layout::nhwc);

// The points that a canvas selector reads: simplified by Ramer-Douglas-Peucker with `tolerance` in 256ths of the frame, more
// where more than `max_points` are left; rows of five as stroke5() in raster.h.
std::vector<float> selector_rows(const Sketch& sketch, double tolerance, int64_t max_points);

}  // namespace hone
