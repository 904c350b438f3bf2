// Sketches as strokes, whatever file they came from.
//
// Coordinates: x to the right, y down, in a square of side `frame`. A point may lie outside the frame only when the file
// says so; rasterisers clip.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"

namespace hone {

struct Point {
  double x = 0, y = 0;
  bool operator==(const Point&) const = default;
};
using Stroke = std::vector<Point>;  // pen down from the first point to the last; never empty

struct Sketch {
  std::string id;      // the file's own key; unique within a set
  std::string label;   // category, or the photo that it shows; may be empty
  std::vector<Stroke> strokes;
  double frame = 256;

  size_t points() const {
    size_t n = 0;
    for (const Stroke& s : strokes) n += s.size();
    return n;
  }
};

}  // namespace hone
