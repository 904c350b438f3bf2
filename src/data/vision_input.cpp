#include "data/vision_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "data/shuffle.h"

namespace hone {

VisionTransform vilt_transform(int size) { return {.size = size}; }
VisionTransform meter_transform(int size) {
  return {.fit = Fit::centre_crop, .size = size, .normalise = {{0.48145466f, 0.4578275f, 0.40821073f}, {0.26862954f, 0.26130258f, 0.27577711f}}};
}

Status check(const VisionTransform& t) {
  if (t.size < 1 || t.size > 4096) return fail(Code::usage, fmt::format("is {}, expected 1 to 4096", t.size), "transform.size");
  if (t.multiple < 1 || t.multiple > t.size) return fail(Code::usage, fmt::format("is {}, expected 1 to the size, {}", t.multiple, t.size), "transform.multiple");
  if (!(t.cap >= 1 && t.cap <= 16)) return fail(Code::usage, fmt::format("is {}, expected 1 to 16", t.cap), "transform.cap");
  for (const float s : t.normalise.std)
    if (!(s > 0)) return fail(Code::usage, fmt::format("is {}, expected more than 0", s), "transform.normalise.std");
  return {};
}

ImageSize fitted_size(const VisionTransform& t, ImageSize in) {
  if (t.fit != Fit::multiples) return {t.size, t.size};
  const double longest = std::trunc(t.cap * t.size);
  double scale = static_cast<double>(t.size) / std::min(in.width, in.height);
  double h = in.height < in.width ? t.size : scale * in.height, w = in.height < in.width ? scale * in.width : t.size;
  if (const double most = std::max(h, w); most > longest) {
    scale = longest / most;
    h *= scale;
    w *= scale;
  }
  // A strip thinner than half a multiple would vanish.
  const auto floored = [&](double v) { return std::max(static_cast<int>(v + 0.5) / t.multiple * t.multiple, t.multiple); };
  return {floored(w), floored(h)};
}

Image fit(const VisionTransform& t, const Image& image, uint64_t seed) {
  Image changed;
  const Image* from = &image;
  if (t.rand_augment.operations > 0) {
    Rng rng(derive_seed(seed, 1));
    rand_augment(changed = image, t.rand_augment, rng);
    from = &changed;
  }
  if (t.fit != Fit::centre_crop) {
    const ImageSize size = fitted_size(t, {image.width, image.height});
    return resize(*from, size.width, size.height, t.filter);
  }
  // As torchvision's Resize and CenterCrop: the longer side is cut to whole pixels, the window's corner rounded half to even.
  const bool wide = image.width > image.height;
  const int longer = static_cast<int>(static_cast<double>(int64_t{t.size} * std::max(image.width, image.height)) / std::min(image.width, image.height));
  const int w = wide ? longer : t.size, h = wide ? t.size : longer;
  const int left = static_cast<int>(std::nearbyint((w - t.size) / 2.0)), top = static_cast<int>(std::nearbyint((h - t.size) / 2.0));
  Image out;
  // Only the window is made, in the whole picture's coordinates.
  const double sx = static_cast<double>(image.width) / w, sy = static_cast<double>(image.height) / h;
  resize(*from, {sx * left, sy * top, sx * (left + t.size), sy * (top + t.size)}, t.size, t.size, t.filter, out);
  return out;
}

void place(const VisionTransform& t, const Image& image, int width, int height, float* out) {
  std::array<std::array<float, 256>, 3> value;
  for (size_t c = 0; c < 3; ++c)
    for (size_t v = 0; v < 256; ++v) value[c][v] = (static_cast<float>(v) / 255 - t.normalise.mean[c]) / t.normalise.std[c];
  const auto w = static_cast<size_t>(width), h = static_cast<size_t>(height), iw = static_cast<size_t>(image.width), ih = static_cast<size_t>(image.height);
  for (size_t y = 0; y < h; ++y) {
    const uint8_t* row = y < ih ? image.pixels.data() + 3 * iw * y : nullptr;
    if (t.layout == Layout::nhwc) {
      float* to = out + 3 * w * y;
      for (size_t x = 0; row && x < iw; ++x)
        for (size_t c = 0; c < 3; ++c) to[3 * x + c] = value[c][row[3 * x + c]];
      std::fill(to + (row ? 3 * iw : 0), to + 3 * w, 0.f);
      continue;
    }
    for (size_t c = 0; c < 3; ++c) {
      float* to = out + (c * h + y) * w;
      for (size_t x = 0; row && x < iw; ++x) to[x] = value[c][row[3 * x + c]];
      std::fill(to + (row ? iw : 0), to + w, 0.f);
    }
  }
}

std::vector<uint8_t> patch_mask(ImageSize valid, int width, int height, int patch) {
  std::vector<uint8_t> mask;
  for (int y = 0; y + patch <= height; y += patch)
    for (int x = 0; x + patch <= width; x += patch) mask.push_back(x < valid.width && y < valid.height);
  return mask;
}

}  // namespace hone
