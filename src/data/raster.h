// Sketches as pictures and as sequences: what the networks see.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "formats/strokes.h"

namespace hone {

// One channel, row-major, side * side bytes; 255 is ink, or 0 with `dark_on_white`.

// Thin lines as in published FG-SBIR code (rasterize.py of Baseline_FGSBIR), to the pixel: coordinates are rounded
// (p / frame * side, halves to even), joined by integer lines (Bresenham 1965, ties step), and row 0 and column 0 are
// never drawn; then each of `dilations` sets the four neighbours of every ink pixel, so lines are 1 + 2 * dilations wide.
struct PixelRaster {
  int side = 256;
  int dilations = 1;
  bool dark_on_white = false;
};
void rasterise(const Sketch& sketch, const PixelRaster& how, std::span<uint8_t> out);
std::vector<uint8_t> rasterise(const Sketch& sketch, const PixelRaster& how);

// Anti-aliased lines with round ends. `width` is in units of a 256 frame whatever the sketch's own, so that lines keep
// their share of the canvas at any side; thinner than a pixel they are drawn a pixel wide and as much lighter.
// `pixel_width` > 0 states the width in pixels instead.
struct SmoothRaster {
  int side = 256;
  double width = 3;
  double pixel_width = 0;
  bool dark_on_white = false;
};
void rasterise(const Sketch& sketch, const SmoothRaster& how, std::span<uint8_t> out);
std::vector<uint8_t> rasterise(const Sketch& sketch, const SmoothRaster& how);

// Rows of five per point: x, y, and one-hot pen state after the point: down, stroke ends, sketch ends (Ha and Eck 2017,
// with the last real row marked as the end). Size is 5 * sketch.points().
struct FiveColumns {
  bool offsets = false;  // differences to the point before (the first row is 0, 0) instead of absolute coordinates
  double divisor = 0;    // what coordinates are divided by; 0: the frame, so that absolute ones lie in [0, 1]
};
std::vector<float> stroke5(const Sketch& sketch, const FiveColumns& how = {});

// Standard deviation of all differences between neighbouring points of these sketches, x and y together: the divisor
// that sketch-rnn calls scale factor. 1 where there is no spread.
double offset_deviation(std::span<const Sketch> sketches);

}  // namespace hone
