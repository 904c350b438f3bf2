// Pictures as ViLT and METER take them (data/resize.h resizes, byte for byte as Pillow does).
//
//   ViLT   short side to `size`, long side at most cap x size, both floored to multiples of 32, bicubic; (v - 0.5) / 0.5.
//          Pictures of a batch differ in size: smaller ones are padded with zeros at the right and bottom, and the
//          valid part is kept beside them. (dandelin/ViLT, vilt/transforms/utils.py MinMaxResize)
//   METER  short side to `size`, bicubic, centre cut of size x size; CLIP's mean and deviation.
//          (zdou0830/METER, meter/transforms/transform.py clip_transform)
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/error.h"
#include "data/image_ops.h"
#include "data/resize.h"

namespace hone {

enum class Fit : uint8_t {
  multiples,    // ViLT's
  centre_crop,  // METER's
  stretch,      // the whole picture, its sides scaled separately
};

struct VisionTransform {
  Fit fit = Fit::multiples;
  int size = 384;
  int multiple = 32;                // multiples: of what both sides are
  double cap = 1333.0 / 800;        // multiples: long side at most int(cap * size)
  Filter filter = Filter::bicubic;
  Normalise normalise = {{0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}};
  Layout layout = Layout::nchw;
  RandAugment rand_augment = {.list = RandAugmentList::vilt};  // before the resize; 2 operations of magnitude 9 in training
};
VisionTransform vilt_transform(int size = 384);
VisionTransform meter_transform(int size = 384);

// An error that names the option whose value makes no sense.
Status check(const VisionTransform& transform);

// The size that a picture of this size gets, before padding.
ImageSize fitted_size(const VisionTransform& transform, ImageSize size);

// The resized (and cut, and with rand_augment.operations augmented) picture in 8 bits. `seed` matters to augmentation alone.
Image fit(const VisionTransform& transform, const Image& image, uint64_t seed = 0);

// Normalised floats of a fitted picture into a field of 3 * width * height floats, zeros beyond the picture.
// The picture must not be larger than the field.
void place(const VisionTransform& transform, const Image& fitted, int width, int height, float* out);

// Which patches of a width x height field hold picture, row by row: 1 where a patch's upper left pixel is inside `valid`.
std::vector<uint8_t> patch_mask(ImageSize valid, int width, int height, int patch);

}  // namespace hone
