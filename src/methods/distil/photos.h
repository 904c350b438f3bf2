// Photos of a set, decoded once and kept at the side that the networks take.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "core/error.h"
#include "core/rng.h"
#include "data/sketch_photos.h"
#include "methods/distil/encoder.h"

namespace hone::methods {

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

// Embeddings of photos, in their order.
Result<Embeddings> embed_photos(const Encoder& encoder, const train::Params& params, const PhotoCache& photos, std::span<const uint32_t> which, bool mirror = false);

// Variations of a sketch as a hand might draw it again; every field 0: the sketch as it is. Coordinates stay in the frame.
struct SketchChanges {
  double rotate = 0;        // up to so many degrees either way
  double scale = 0;         // side lengths by up to this share either way
  double shift = 0;         // up to this share of the frame either way
  double drop = 0;          // chance that a stroke is left out; the longest always stays
};
Sketch changed(const Sketch& sketch, const SketchChanges& how, Rng& rng);

}  // namespace hone::methods
