// A page of photos with their sketches, to look at.
#pragma once

#include "data/sketch_photos.h"

namespace hone {

struct SheetOptions {
  int rows = 12, columns = 2;    // photos down and across
  int sketches = 3;              // beside each photo; fewer where it has fewer
  int side = 128;                // of a picture, in pixels
  std::vector<uint32_t> photos;  // which ones; empty: spread evenly over the set
};
// A photo that cannot be read is an error.
Result<Image> contact_sheet(const SketchPhotoSet& set, const SheetOptions& options = {});
// Sketches alone, spread evenly over those given; `photos` and `sketches` do not count.
Result<Image> contact_sheet(const std::vector<Sketch>& sketches, const SheetOptions& options = {});

}  // namespace hone
