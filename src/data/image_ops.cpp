#include "data/image_ops.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>

namespace hone {

namespace {

using Table = std::array<uint8_t, 256>;

void look_up(Image& image, const Table& table) {
  for (uint8_t& v : image.pixels) v = table[v];
}
template <class F>
void map(Image& image, F&& f) {
  Table table;
  for (int v = 0; v < 256; ++v) table[static_cast<size_t>(v)] = static_cast<uint8_t>(std::clamp(static_cast<int>(f(v)), 0, 255));
  look_up(image, table);
}

uint8_t grey(const uint8_t* p) { return static_cast<uint8_t>((p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 0x8000) >> 16); }

// from + factor * (to - from) as ImageEnhance blends: single precision, cut and not rounded.
uint8_t blend(uint8_t from, uint8_t to, float factor) {
  return static_cast<uint8_t>(std::clamp(static_cast<float>(from) + factor * static_cast<float>(to - from), 0.0f, 255.0f));
}

using Histogram = std::array<int64_t, 256>;
std::array<Histogram, 3> histograms(const Image& image) {
  std::array<Histogram, 3> out{};
  for (size_t i = 0; i < image.pixels.size(); ++i) ++out[i % 3][image.pixels[i]];
  return out;
}
void look_up(Image& image, const std::array<Table, 3>& tables) {
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = tables[i % 3][image.pixels[i]];
}

}  // namespace

void brightness(Image& image, double factor) {
  map(image, [&](int v) { return blend(0, static_cast<uint8_t>(v), static_cast<float>(factor)); });
}

void contrast(Image& image, double factor) {
  uint64_t sum = 0;
  for (size_t i = 0; i + 2 < image.pixels.size(); i += 3) sum += grey(&image.pixels[i]);
  if (image.pixels.empty()) return;
  const auto mean = static_cast<uint8_t>(static_cast<double>(sum) / static_cast<double>(image.pixels.size() / 3) + 0.5);
  map(image, [&](int v) { return blend(mean, static_cast<uint8_t>(v), static_cast<float>(factor)); });
}

void saturation(Image& image, double factor) {
  for (size_t i = 0; i + 2 < image.pixels.size(); i += 3) {
    const uint8_t g = grey(&image.pixels[i]);
    for (size_t c = 0; c < 3; ++c) image.pixels[i + c] = blend(g, image.pixels[i + c], static_cast<float>(factor));
  }
}

void sharpness(Image& image, double factor) {
  // Smoothed by (1 1 1; 1 5 1; 1 1 1) / 13; the border is left as it is.
  const std::vector<uint8_t> in = image.pixels;
  const int row = 3 * image.width;
  for (int y = 1; y + 1 < image.height; ++y)
    for (int x = 3; x + 3 < row; ++x) {
      const uint8_t* p = in.data() + static_cast<size_t>(y) * static_cast<size_t>(row) + x;
      int sum = 4 * p[0];
      for (int dy = -1; dy <= 1; ++dy) sum += p[dy * row - 3] + p[dy * row] + p[dy * row + 3];
      const auto smooth = static_cast<uint8_t>((2 * sum + 13) / 26);
      image.pixels[static_cast<size_t>(p - in.data())] = blend(smooth, p[0], static_cast<float>(factor));
    }
}

void hue(Image& image, double shift) {
  const double turn = 6 * (shift - std::floor(shift));
  for (size_t i = 0; i + 2 < image.pixels.size(); i += 3) {
    uint8_t* p = &image.pixels[i];
    const int high = std::max({p[0], p[1], p[2]}), low = std::min({p[0], p[1], p[2]}), range = high - low;
    if (range == 0) continue;
    double h = high == p[0] ? static_cast<double>(p[1] - p[2]) / range : high == p[1] ? 2 + static_cast<double>(p[2] - p[0]) / range : 4 + static_cast<double>(p[0] - p[1]) / range;
    h = std::fmod(h + turn + 6, 6);
    // Each channel is a trapezoid over the circle, a third of a turn apart.
    for (int c = 0; c < 3; ++c) {
      const double d = std::abs(std::fmod(h - 2 * c + 9, 6) - 3);  // distance from the channel's own hue
      p[c] = static_cast<uint8_t>(std::lround(low + range * std::clamp(2 - d, 0.0, 1.0)));
    }
  }
}

void posterize(Image& image, int bits) {
  const int mask = 0xff & ~((1 << (8 - std::clamp(bits, 0, 8))) - 1);
  map(image, [&](int v) { return v & mask; });
}
void solarize(Image& image, int threshold) {
  map(image, [&](int v) { return v < threshold ? v : 255 - v; });
}
void solarize_add(Image& image, int add, int threshold) {
  map(image, [&](int v) { return v < threshold ? v + add : v; });
}
void invert(Image& image) {
  map(image, [](int v) { return 255 - v; });
}

void autocontrast(Image& image) {
  const auto counts = histograms(image);
  std::array<Table, 3> tables;
  for (size_t c = 0; c < 3; ++c) {
    int low = 0, high = 255;
    while (low < 255 && counts[c][static_cast<size_t>(low)] == 0) ++low;
    while (high > 0 && counts[c][static_cast<size_t>(high)] == 0) --high;
    const double scale = high > low ? 255.0 / (high - low) : 1, offset = high > low ? -low * scale : 0;
    for (int v = 0; v < 256; ++v) tables[c][static_cast<size_t>(v)] = static_cast<uint8_t>(std::clamp(static_cast<int>(v * scale + offset), 0, 255));
  }
  look_up(image, tables);
}

void equalize(Image& image) {
  const auto counts = histograms(image);
  std::array<Table, 3> tables;
  for (size_t c = 0; c < 3; ++c) {
    int64_t sum = 0, last = 0;
    for (int64_t n : counts[c]) {
      sum += n;
      if (n > 0) last = n;
    }
    const int64_t step = (sum - last) / 255;
    int64_t at = step / 2;
    for (size_t v = 0; v < 256; ++v) {
      tables[c][v] = static_cast<uint8_t>(step == 0 ? static_cast<int64_t>(v) : std::min<int64_t>(at / step, 255));
      at += counts[c][v];
    }
  }
  look_up(image, tables);
}

void flip(Image& image) {
  for (int y = 0; y < image.height; ++y) {
    uint8_t* left = image.pixels.data() + static_cast<size_t>(y) * 3 * static_cast<size_t>(image.width);
    for (uint8_t* right = left + 3 * (image.width - 1); left < right; left += 3, right -= 3) std::swap_ranges(left, left + 3, right);
  }
}

void transform(Image& image, const Affine& m) {
  const std::vector<uint8_t> in = image.pixels;
  uint8_t* out = image.pixels.data();
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x, out += 3) {
      const double u = m.a * (x + 0.5) + m.b * (y + 0.5) + m.c, v = m.d * (x + 0.5) + m.e * (y + 0.5) + m.f;
      if (u >= 0 && v >= 0 && u < image.width && v < image.height)
        std::memcpy(out, in.data() + 3 * (static_cast<size_t>(v) * static_cast<size_t>(image.width) + static_cast<size_t>(u)), 3);
      else
        std::memset(out, 0, 3);
    }
}

Affine shear_x(double amount) { return {1, amount, 0, 0, 1, 0}; }
Affine shear_y(double amount) { return {1, 0, 0, amount, 1, 0}; }
Affine translate(double x, double y) { return {1, 0, x, 0, 1, y}; }
Affine rotation(double degrees, int width, int height) {
  const double t = -degrees * std::numbers::pi / 180, cos = std::cos(t), sin = std::sin(t), cx = width / 2.0, cy = height / 2.0;
  return {cos, sin, cx - cos * cx - sin * cy, -sin, cos, cy + sin * cx - cos * cy};
}

double normal(Rng& rng) {
  const double u = 1 - rng.uniform(), v = rng.uniform();  // u in (0, 1]
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
}

}  // namespace hone
