// Photos of a set, decoded once and kept at the side that the networks take.
#pragma once

#include <cstdint>
#include <map>
#include <span>

#include "core/error.h"
#include "data/sketch_input.h"
#include "data/sketch_photos.h"

namespace hone {

class PhotoCache {
 public:
  // Decodes and resizes these photos of the set on `threads` threads. A photo that cannot be read is an error that names it.
  static Result<PhotoCache> load(const SketchPhotoSet& set, std::span<const uint32_t> photos, int64_t side, int threads);

  int64_t side() const { return side_; }
  // Normalised picture, channels last, 3 * side * side floats. `crop` is the share of the side that is shown (1: all),
  // from the offsets x and y in 0..1 of what is left over.
  struct View {
    bool mirror = false;
    double crop = 1, x = 0.5, y = 0.5;
  };
  void fill(uint32_t photo, const View& view, const InputStyle& style, float* out) const;
  const Image& image(uint32_t photo) const { return images_.at(photo); }

 private:
  int64_t side_ = 0;
  std::map<uint32_t, Image> images_;
};

}  // namespace hone
