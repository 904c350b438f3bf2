// Sketches and photos with no download: parametric objects drawn both ways.
#pragma once

#include <string>

#include "data/sketch_photos.h"

namespace hone {

struct ProceduralSketches {
  uint64_t seed = 1;
  int64_t photos = 200;
  int64_t sketches_per_photo = 3;
  double test_share = 0.25;                     // of the photos, rounded; their sketches with them
  double abstraction_low = 0, abstraction_high = 0.9;  // each sketch draws its own in between
  std::vector<std::string> categories;          // empty: all ten
  int side = 256;                               // of the photos
};

// The same options give the same set, byte for byte, on one machine (libm rounds alike). Photos are rendered anew at every
// load, in a few milliseconds, from any thread. Of n photos each category has n / categories, one more for the first
// ones; sketch ids are "<photo id>-<k>", photo ids "<category>-<number>".
Result<SketchPhotoSet> procedural_sketch_photos(const ProceduralSketches& options = {});

// Names of all categories.
std::vector<std::string> procedural_categories();

}  // namespace hone
