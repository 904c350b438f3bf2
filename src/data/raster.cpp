#include "data/raster.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace hone {

namespace {

// The line's own integers, clipped to pixels in [1, side): steps that cannot be seen are skipped, not walked.
struct Canvas {
  uint8_t* pixels;
  int64_t side;

  void line(int64_t x0, int64_t y0, int64_t x1, int64_t y1) {
    const int64_t sx = x1 > x0 ? 1 : -1, sy = y1 > y0 ? 1 : -1, ax = std::abs(x1 - x0), ay = std::abs(y1 - y0);
    if (ax > ay) run(x0, sx, ax, y0, sy, ay, 1, side);
    else run(y0, sy, ay, x0, sx, ax, side, 1);
  }

 private:
  // Along the major axis from u (step su, n steps), the minor one following from v (step sv, m steps in all). After k
  // steps the minor axis has made floor((2 m k + n) / 2n).
  void run(int64_t u, int64_t su, int64_t n, int64_t v, int64_t sv, int64_t m, int64_t stride_u, int64_t stride_v) {
    int64_t k = su > 0 ? std::max<int64_t>(0, 1 - u) : std::max<int64_t>(0, u - (side - 1));
    const int64_t last = std::min(n, su > 0 ? side - 1 - u : u - 1);
    if (k > last) return;
    int64_t made = n == 0 ? 0 : (2 * m * k + n) / (2 * n);
    int64_t d = 2 * m * (k + 1) - n - 2 * n * made;
    for (; k <= last; ++k) {
      const int64_t at = v + sv * made;
      if (at > 0 && at < side) pixels[(u + su * k) * stride_u + at * stride_v] = 255;
      if (d >= 0) ++made, d -= 2 * n;
      d += 2 * m;
    }
  }
};

void dilate(uint8_t* pixels, int64_t side, std::vector<uint8_t>& before) {
  before.assign(pixels, pixels + side * side);
  for (int64_t y = 0; y < side; ++y) {
    const uint8_t *row = before.data() + y * side, *up = y > 0 ? row - side : row, *down = y + 1 < side ? row + side : row;
    uint8_t* out = pixels + y * side;
    for (int64_t x = 0; x < side; ++x) out[x] = static_cast<uint8_t>(row[x] | up[x] | down[x]);
    for (int64_t x = 1; x < side; ++x) out[x] = static_cast<uint8_t>(out[x] | row[x - 1]);
    for (int64_t x = 0; x + 1 < side; ++x) out[x] = static_cast<uint8_t>(out[x] | row[x + 1]);
  }
}

// Beyond this a coordinate is only "far outside"; products of two stay within 64 bits.
constexpr double kFar = 1 << 28;

int64_t to_pixel(double v, double frame, int side) {
  const double p = std::nearbyint(v / frame * side);
  return static_cast<int64_t>(std::clamp(std::isnan(p) ? -kFar : p, -kFar, kFar));
}

void invert(std::span<uint8_t> out) {
  for (uint8_t& v : out) v = static_cast<uint8_t>(255 - v);
}

// Ink of a line from a to b: full within `radius` of it, fading over the pixel beyond. Overlaps take the darker one.
void draw_capsule(uint8_t* pixels, int side, Point a, Point b, double radius, double strength) {
  const double reach = radius + 0.5;
  if (a.y > b.y) std::swap(a, b);
  const double dx = b.x - a.x, dy = b.y - a.y, square = dx * dx + dy * dy;
  const int top = static_cast<int>(std::clamp(std::floor(a.y - reach), 0.0, double(side))), bottom = static_cast<int>(std::clamp(std::ceil(b.y + reach), 0.0, double(side)));
  for (int y = top; y < bottom; ++y) {
    const double cy = y + 0.5;
    // The part of the line that this row can touch bounds the columns.
    double from = a.x, to = b.x;
    if (dy > 0) {
      from = a.x + dx * std::clamp((cy - reach - a.y) / dy, 0.0, 1.0);
      to = a.x + dx * std::clamp((cy + reach - a.y) / dy, 0.0, 1.0);
    }
    const int left = static_cast<int>(std::clamp(std::floor(std::min(from, to) - reach), 0.0, double(side)));
    const int right = static_cast<int>(std::clamp(std::ceil(std::max(from, to) + reach), 0.0, double(side)));
    uint8_t* row = pixels + static_cast<size_t>(y) * static_cast<size_t>(side);
    for (int x = left; x < right; ++x) {
      const double px = x + 0.5 - a.x, py = cy - a.y;
      const double t = square > 0 ? std::clamp((px * dx + py * dy) / square, 0.0, 1.0) : 0;
      const double ex = px - t * dx, ey = py - t * dy, e = ex * ex + ey * ey;
      if (e >= reach * reach) continue;
      const double cover = std::min(1.0, reach - std::sqrt(e)) * strength;
      row[x] = std::max(row[x], static_cast<uint8_t>(cover * 255 + 0.5));
    }
  }
}

template <class How>
std::vector<uint8_t> to_vector(const Sketch& sketch, const How& how) {
  std::vector<uint8_t> out(static_cast<size_t>(how.side) * static_cast<size_t>(how.side));
  rasterise(sketch, how, out);
  return out;
}

}  // namespace

void rasterise(const Sketch& sketch, const PixelRaster& how, std::span<uint8_t> out) {
  std::fill(out.begin(), out.end(), uint8_t{0});
  Canvas canvas{out.data(), how.side};
  for (const Stroke& s : sketch.strokes) {
    if (s.empty()) continue;
    int64_t x = to_pixel(s[0].x, sketch.frame, how.side), y = to_pixel(s[0].y, sketch.frame, how.side);
    if (s.size() == 1) canvas.line(x, y, x, y);
    for (size_t i = 1; i < s.size(); ++i) {
      const int64_t to_x = to_pixel(s[i].x, sketch.frame, how.side), to_y = to_pixel(s[i].y, sketch.frame, how.side);
      canvas.line(x, y, to_x, to_y);
      x = to_x;
      y = to_y;
    }
  }
  std::vector<uint8_t> before;
  for (int i = 0; i < how.dilations; ++i) dilate(out.data(), how.side, before);
  if (how.dark_on_white) invert(out);
}

void rasterise(const Sketch& sketch, const SmoothRaster& how, std::span<uint8_t> out) {
  std::fill(out.begin(), out.end(), uint8_t{0});
  const double width = how.pixel_width > 0 ? how.pixel_width : how.width / 256 * how.side;
  const double radius = std::max(width, 1.0) / 2, strength = std::clamp(width, 0.0, 1.0);
  const auto place = [&](const Point& p) {
    const double x = p.x / sketch.frame * how.side, y = p.y / sketch.frame * how.side;
    return Point{std::isfinite(x) ? std::clamp(x, -kFar, kFar) : -kFar, std::isfinite(y) ? std::clamp(y, -kFar, kFar) : -kFar};
  };
  for (const Stroke& s : sketch.strokes) {
    if (s.size() == 1) draw_capsule(out.data(), how.side, place(s[0]), place(s[0]), radius, strength);
    for (size_t i = 1; i < s.size(); ++i) draw_capsule(out.data(), how.side, place(s[i - 1]), place(s[i]), radius, strength);
  }
  if (how.dark_on_white) invert(out);
}

std::vector<uint8_t> rasterise(const Sketch& sketch, const PixelRaster& how) { return to_vector(sketch, how); }
std::vector<uint8_t> rasterise(const Sketch& sketch, const SmoothRaster& how) { return to_vector(sketch, how); }

std::vector<float> stroke5(const Sketch& sketch, const FiveColumns& how) {
  const double divisor = how.divisor != 0 ? how.divisor : sketch.frame;
  std::vector<float> out;
  out.reserve(5 * sketch.points());
  Point before;
  for (size_t i = 0; i < sketch.strokes.size(); ++i) {
    const Stroke& s = sketch.strokes[i];
    for (size_t j = 0; j < s.size(); ++j) {
      if (out.empty()) before = s[j];
      const Point p = how.offsets ? Point{s[j].x - before.x, s[j].y - before.y} : s[j];
      before = s[j];
      const bool stroke_ends = j + 1 == s.size(), sketch_ends = stroke_ends && i + 1 == sketch.strokes.size();
      out.insert(out.end(), {static_cast<float>(p.x / divisor), static_cast<float>(p.y / divisor), stroke_ends ? 0.f : 1.f, stroke_ends && !sketch_ends ? 1.f : 0.f, sketch_ends ? 1.f : 0.f});
    }
  }
  return out;
}

double offset_deviation(std::span<const Sketch> sketches) {
  double sum = 0, squares = 0, n = 0;
  for (const Sketch& sketch : sketches) {
    const Point* before = nullptr;
    for (const Stroke& s : sketch.strokes)
      for (const Point& p : s) {
        if (before)
          for (const double d : {p.x - before->x, p.y - before->y}) sum += d, squares += d * d, ++n;
        before = &p;
      }
  }
  const double variance = n > 0 ? squares / n - (sum / n) * (sum / n) : 0;
  return variance > 0 ? std::sqrt(variance) : 1;
}

}  // namespace hone
