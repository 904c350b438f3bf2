// From a picture to its place in a float batch: crop, flip, colour, RandAugment, erasing. A Transform is a value; what it
// does to a picture is a function of the picture and a seed (data/shuffle.h) and of nothing else.
#pragma once

#include <cstdint>

#include "data/image_ops.h"
#include "data/resize.h"

namespace hone {

enum class Crop : uint8_t {
  centre,          // shorter side to `resize`, then the middle
  random_resized,  // a random part of random shape (Szegedy et al. 2015), resized
  padded,          // picture resized to the crop's size when it is not yet, padded by black, cut at random (He et al. 2015)
  stretch,         // the whole picture, its sides scaled separately
};

struct Transform {
  int width = 224, height = 224;    // of the result
  Crop crop = Crop::centre;
  int resize = 256;                 // centre: shorter side before the cut
  double min_area = 0.08, max_area = 1, min_ratio = 3.0 / 4, max_ratio = 4.0 / 3;  // random_resized
  int padding = 4;                  // padded: pixels at either side
  Filter filter = Filter::bilinear;
  // Let the JPEG decoder reduce by 2, 4 or 8 as long as the part stays larger than the result. Faster; results differ a
  // little from those of the full picture.
  bool reduce_on_decode = true;
  double flip = 0;                  // probability
  double brightness = 0, contrast = 0, saturation = 0, hue = 0;  // colour jitter: factor in 1 +- value, turn in +- value; in random order
  RandAugment rand_augment;
  double erase = 0;                 // probability of random erasing (Zhong et al. 2017)
  double erase_min_area = 0.02, erase_max_area = 1.0 / 3, erase_min_ratio = 0.3, erase_max_ratio = 1 / 0.3;
  bool erase_with_noise = false;    // else with the mean: zero after normalisation
  Normalise normalise;
  Layout layout = Layout::nhwc;
};

// The usual ones.
Transform evaluation_transform(int size);   // shorter side to size * 8 / 7, centre
Transform training_transform(int size);     // random_resized, flip 1/2
Transform small_image_transform(int size);  // padded by size / 8, flip 1/2

// An error that names the option whose value makes no sense, as in `transform.flip`.
Status check(const Transform& transform);

// The part of a picture of this size that the seed chooses, in pixels of the full picture.
Region choose_part(const Transform& transform, ImageSize size, uint64_t seed);

// What to ask of the decoder for that part: 0, or the shorter side that suffices.
int sufficient_side(const Transform& transform, ImageSize size, const Region& part);

// `part` is in pixels of a picture of size `full`, of which `image` is the whole, perhaps reduced. Writes
// 3 * width * height floats at `out`. `scratch` is working memory to be used again.
void apply(const Transform& transform, const Image& image, ImageSize full, const Region& part, uint64_t seed, Image& scratch, float* out);

// All of it from the bytes of a file.
Status load_transformed(const Transform& transform, std::span<const std::byte> bytes, const std::string& source, uint64_t seed, float* out);

}  // namespace hone
