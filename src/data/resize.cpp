#include "data/resize.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "data/resize_kernels.h"

namespace hone {

namespace {

using kernels::Taps;

double weight(Filter filter, double x) {
  x = std::abs(x);
  if (filter == Filter::bilinear) return x < 1 ? 1 - x : 0;
  constexpr double a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

void make_taps(int input, double from, double to, int output, Filter filter, Taps& taps) {
  const double scale = (to - from) / output, stretch = std::max(scale, 1.0);
  const double support = (filter == Filter::bilinear ? 1.0 : 2.0) * stretch;
  taps.stride = static_cast<int>(std::ceil(support)) * 2 + 1;
  taps.first.resize(static_cast<size_t>(output));
  taps.count.resize(static_cast<size_t>(output));
  taps.weights.resize(static_cast<size_t>(output) * static_cast<size_t>(taps.stride));
  std::vector<double> w(static_cast<size_t>(taps.stride));
  for (int i = 0; i < output; ++i) {
    const double centre = from + (i + 0.5) * scale;
    const int first = std::max(static_cast<int>(centre - support + 0.5), 0);
    const int count = std::min(static_cast<int>(centre + support + 0.5), input) - first;
    double sum = 0;
    for (int k = 0; k < count; ++k) sum += w[static_cast<size_t>(k)] = weight(filter, (k + first - centre + 0.5) / stretch);
    taps.first[static_cast<size_t>(i)] = first;
    taps.count[static_cast<size_t>(i)] = count;
    int32_t* fixed = taps.weights.data() + static_cast<size_t>(i) * static_cast<size_t>(taps.stride);
    for (int k = 0; k < count; ++k) fixed[k] = static_cast<int32_t>(std::lround(w[static_cast<size_t>(k)] / sum * (1 << kernels::kPrecision)));
  }
}

void scale_planes(const uint8_t* from, int width, const float* factor, const float* offset, float* to, size_t plane) {
  for (int c = 0; c < 3; ++c, to += plane)
    for (int x = 0; x < width; ++x) to[x] = static_cast<float>(from[3 * x + c]) * factor[c] + offset[c];
}

// Memory that a thread keeps from picture to picture.
struct Scratch {
  Taps across, down;
  std::vector<int32_t> line;
  std::vector<uint8_t> middle;
};

}  // namespace

ImageView crop(const ImageView& image, int x, int y, int width, int height) {
  const int left = std::clamp(x, 0, image.width), top = std::clamp(y, 0, image.height);
  const int64_t right = std::clamp<int64_t>(int64_t{x} + width, left, image.width), bottom = std::clamp<int64_t>(int64_t{y} + height, top, image.height);
  return {image.pixels + top * image.stride + int64_t{3} * left, static_cast<int>(right - left), static_cast<int>(bottom - top), image.stride};
}

void resize(const ImageView& image, const Region& region, int width, int height, Filter filter, Image& out) {
  const double left = std::clamp<double>(region.left, 0, image.width), right = std::clamp<double>(region.right, 0, image.width);
  const double top = std::clamp<double>(region.top, 0, image.height), bottom = std::clamp<double>(region.bottom, 0, image.height);
  if (!(left < right && top < bottom) || width < 1 || height < 1) {
    out = {};
    return;
  }
  out.width = width;
  out.height = height;
  const size_t row = size_t{3} * static_cast<size_t>(width);
  out.pixels.resize(row * static_cast<size_t>(height));

  if (width == image.width && height == image.height && left == 0 && top == 0 && right == width && bottom == height) {
    for (int y = 0; y < height; ++y) std::copy_n(image.row(y), row, out.pixels.data() + row * static_cast<size_t>(y));
    return;
  }

  const kernels::Resizing& kernels = kernels::best();
  thread_local Scratch s;
  make_taps(image.width, left, right, width, filter, s.across);
  make_taps(image.height, top, bottom, height, filter, s.down);
  // Only the rows that the second pass reads.
  const int first = s.down.first.front(), rows = s.down.end() - first;
  const size_t pitch = row + 16;
  s.line.resize(size_t{16} * static_cast<size_t>(image.width));
  s.middle.resize(pitch * (static_cast<size_t>(rows) + 1));  // the last row takes what four rows at a time have too many
  for (int y = 0; y < rows; y += 4) {
    const uint8_t* from[4];
    uint8_t* to[4];
    for (int r = 0; r < 4; ++r) {
      from[r] = image.row(first + std::min(y + r, rows - 1));
      to[r] = s.middle.data() + pitch * static_cast<size_t>(std::min(y + r, rows));
    }
    kernels.across(from, s.across, width, s.line.data(), to);
  }
  for (int y = 0; y < height; ++y) {
    const size_t i = static_cast<size_t>(y);
    kernels.down(s.middle.data() + pitch * static_cast<size_t>(s.down.first[i] - first), pitch, s.down.weights_of(y), s.down.count[i], row, out.pixels.data() + i * row);
  }
}

Image resize(const Image& image, int width, int height, Filter filter) {
  Image out;
  resize(image, {0, 0, static_cast<double>(image.width), static_cast<double>(image.height)}, width, height, filter, out);
  return out;
}

void to_floats(const ImageView& image, const Normalise& normalise, Layout layout, float* out) {
  float factor[3], offset[3];
  for (size_t c = 0; c < 3; ++c) {
    factor[c] = 1 / (255 * normalise.std[c]);
    offset[c] = -normalise.mean[c] / normalise.std[c];
  }
  const size_t width = static_cast<size_t>(image.width), plane = width * static_cast<size_t>(image.height);
  for (int y = 0; y < image.height; ++y) {
    if (layout == Layout::nhwc) kernels::best().scale(image.row(y), image.width, factor, offset, out + 3 * width * static_cast<size_t>(y));
    else scale_planes(image.row(y), image.width, factor, offset, out + width * static_cast<size_t>(y), plane);
  }
}

}  // namespace hone
