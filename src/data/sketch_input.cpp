#include "data/sketch_input.h"

#include "data/raster.h"
#include "data/simplify.h"

namespace hone {

namespace {

// value(x, y, channel) to a picture of either layout.
template <class Value>
void fill(int64_t side, const ChannelMap& map, float* out, Layout layout, const Value& value) {
  const int64_t plane = side * side, step = layout == Layout::nhwc ? 3 : 1, channel = layout == Layout::nhwc ? 1 : plane;
  for (int64_t y = 0; y < side; ++y)
    for (int64_t x = 0; x < side; ++x, out += step)
      for (int c = 0; c < 3; ++c) out[c * channel] = static_cast<float>(value(x, y, c)) * map.scale[c] + map.shift[c];
}

}  // namespace

ChannelMap::ChannelMap(const InputStyle& style) {
  for (size_t c = 0; c < 3; ++c) {
    scale[c] = static_cast<float>(1 / (255 * style.deviation[c]));
    shift[c] = static_cast<float>(-style.mean[c] / style.deviation[c]);
  }
}

void draw(const Sketch& sketch, int64_t side, bool mirror, const InputStyle& style, float* out, Layout layout) {
  thread_local std::vector<uint8_t> ink;
  ink.resize(static_cast<size_t>(side * side));
  if (style.smooth) rasterise(sketch, SmoothRaster{static_cast<int>(side), style.width, 0, style.dark_on_white}, ink);
  else rasterise(sketch, PixelRaster{static_cast<int>(side), static_cast<int>(style.dilations), style.dark_on_white}, ink);
  fill(side, ChannelMap(style), out, layout, [&](int64_t x, int64_t y, int) { return ink[static_cast<size_t>(y * side + (mirror ? side - 1 - x : x))]; });
}

void photo_input(const Image& photo, bool mirror, const InputStyle& style, float* out, Layout layout) {
  const int64_t side = photo.width;
  const uint8_t* pixels = photo.pixels.data();
  fill(side, ChannelMap(style), out, layout, [&](int64_t x, int64_t y, int c) { return pixels[3 * (y * side + (mirror ? side - 1 - x : x)) + c]; });
}

std::vector<float> selector_rows(const Sketch& sketch, double tolerance, int64_t max_points) {
  Sketch simple = simplify(sketch, tolerance * sketch.frame / 256);
  if (static_cast<int64_t>(simple.points()) > max_points) simple = simplify_to(simple, static_cast<size_t>(max_points));
  return stroke5(simple);
}

}  // namespace hone
