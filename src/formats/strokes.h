// Sketches as strokes, whatever file they came from.
//
// Coordinates: x to the right, y down, in a square of side `frame`. A point may lie outside the frame only when the file
// says so; rasterisers clip.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"
#include "ir/types.h"

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

// Centred in `frame`, its larger side scaled to `side`: the published frame of QMUL's sets. Sketches from files that do
// not say how large their canvas was come out like this.
Sketch fit(Sketch sketch, double side = 190, double frame = 256);

// Every sketch of a file, told apart by its first bytes (QuickDraw .bin by its name): QMUL coordinate pickles, QuickDraw
// .ndjson (raw, simplified) and .bin, stroke-3 and stroke-5 in .npy and .npz, SVG, Omniglot strokes. strokes_read.h says
// how each is understood. A folder gives the sketches of all such files below it, in order of their names, labelled by
// the folder that they lie in. A sketch without strokes is returned as such. Coordinates are finite.
Result<std::vector<Sketch>> read_strokes(const std::string& path);
Result<std::vector<Sketch>> parse_strokes(const Bytes& file, const std::string& source);

}  // namespace hone
