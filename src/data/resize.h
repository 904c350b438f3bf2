// Antialiased resizing of 8-bit pictures, and their way into a float batch.
//
// Results equal Pillow's Image.resize (and so torchvision's Resize on such pictures) byte for byte: a separable filter
// whose support grows with the reduction, weights in 22-bit fixed point, rounded to 8 bits after either pass,
// horizontal first. Pixel centres lie at half-integers.
#pragma once

#include <array>
#include <cstdint>

#include "formats/image.h"

namespace hone {

// Rows of RGB within a picture that must outlive the view.
struct ImageView {
  const uint8_t* pixels = nullptr;
  int width = 0, height = 0;
  int64_t stride = 0;  // bytes from row to row

  ImageView() = default;
  ImageView(const uint8_t* p, int w, int h, int64_t s) : pixels(p), width(w), height(h), stride(s) {}
  ImageView(const Image& image) : ImageView(image.pixels.data(), image.width, image.height, int64_t{3} * image.width) {}
  const uint8_t* row(int y) const { return pixels + y * stride; }
};

// The rectangle as a picture of its own: a filter reads nothing outside it. Cut to what lies within `image`.
ImageView crop(const ImageView& image, int x, int y, int width, int height);

enum class Filter : uint8_t { bilinear, bicubic };  // triangle; Keys' cubic with a = -0.5

// Part of a picture in its own coordinates; edges may lie between pixels.
struct Region {
  double left = 0, top = 0, right = 0, bottom = 0;
};

// `region` of `image` as width x height pixels. The filter reads beyond the region where the picture goes on (unlike
// after crop()). The region is cut to the picture; an empty one, or a size below 1, gives an empty picture.
void resize(const ImageView& image, const Region& region, int width, int height, Filter filter, Image& out);
Image resize(const Image& image, int width, int height, Filter filter = Filter::bilinear);

// (value / 255 - mean) / std of every channel. The default is ImageNet's, red first.
struct Normalise {
  std::array<float, 3> mean = {0.485f, 0.456f, 0.406f};
  std::array<float, 3> std = {0.229f, 0.224f, 0.225f};
};
enum class Layout : uint8_t { nhwc, nchw };  // nhwc: what PyTorch calls channels_last

// 3 * width * height floats at `out`.
void to_floats(const ImageView& image, const Normalise& normalise, Layout layout, float* out);

}  // namespace hone
