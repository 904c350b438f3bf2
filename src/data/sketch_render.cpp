#include "data/sketch_render.h"

#include <algorithm>
#include <cmath>

#include "core/rng.h"
#include "data/sketch_builder.h"

namespace hone::procedural {

namespace {

uint32_t hash(int x, int y, uint32_t seed) {
  uint32_t h = static_cast<uint32_t>(x) * 0x9e3779b1u ^ static_cast<uint32_t>(y) * 0x85ebca77u ^ seed;
  h = (h ^ (h >> 15)) * 0x2c1b3c6du;
  h = (h ^ (h >> 12)) * 0x297a2d39u;
  return h ^ (h >> 15);
}
float lattice(int x, int y, uint32_t seed) { return static_cast<float>(hash(x, y, seed) & 0xffffff) * 0x1p-24f; }

// Value noise in [0, 1]: random numbers on a grid, smoothly between.
float noise(float x, float y, uint32_t seed) {
  const float fx = std::floor(x), fy = std::floor(y);
  const int ix = static_cast<int>(fx), iy = static_cast<int>(fy);
  float u = x - fx, v = y - fy;
  u = u * u * (3 - 2 * u);
  v = v * v * (3 - 2 * v);
  const float a = lattice(ix, iy, seed), b = lattice(ix + 1, iy, seed), c = lattice(ix, iy + 1, seed), d = lattice(ix + 1, iy + 1, seed);
  return a + (b - a) * u + (c - a) * v + (a - b - c + d) * u * v;
}

struct Surface {
  float cos, sin, period;  // of the grain
  uint32_t seed;
};
// How much darker or lighter the material is at a pixel.
float grain(Texture kind, float x, float y, const Surface& s) {
  const float u = (x * s.cos + y * s.sin) * s.period, v = (-x * s.sin + y * s.cos) * s.period;
  switch (kind) {
    case Texture::plain: return 0.98f + 0.04f * noise(u * 0.05f, v * 0.05f, s.seed);
    case Texture::wood: return 0.86f + 0.16f * std::abs(std::sin(v * 0.35f + 5 * noise(u * 0.02f, v * 0.08f, s.seed))) + 0.08f * noise(u * 0.1f, v * 1.2f, s.seed + 1);
    case Texture::cloth: return 0.93f + 0.06f * std::sin(u * 1.5f) * std::sin(v * 1.5f) + 0.08f * noise(u * 0.25f, v * 0.25f, s.seed);
    case Texture::speckle: return 0.95f + 0.08f * noise(u * 0.15f, v * 0.15f, s.seed) - (noise(u * 0.8f, v * 0.8f, s.seed + 1) > 0.86f ? 0.14f : 0.f);
    case Texture::brick: {
      const float row = std::floor(y / 6.f), bx = x / 13.f + 0.5f * (static_cast<int>(row) & 1), fy = y / 6.f - row, fx = bx - std::floor(bx);
      const bool joint = fy < 0.16f || fx < 0.08f;
      return joint ? 1.1f : 0.9f + 0.16f * lattice(static_cast<int>(std::floor(bx)), static_cast<int>(row), s.seed);
    }
    case Texture::scales: {
      const float row = std::floor(y / 6.f), bx = x / 8.f + 0.5f * (static_cast<int>(row) & 1), fy = y / 6.f - row, fx = bx - std::floor(bx) - 0.5f;
      return 0.88f + 0.2f * std::clamp(1.2f - fy - 2 * fx * fx, 0.f, 1.f) + 0.05f * lattice(static_cast<int>(std::floor(bx)), static_cast<int>(row), s.seed);
    }
  }
  return 1;
}

struct Pixel {
  float r, g, b;
};

// Covered share of every pixel in the outline's rows: four scanlines a row, exact along x (non-zero winding).
class Coverage {
 public:
  explicit Coverage(int side) : side_(side), row_(static_cast<size_t>(side) + 1) {}

  template <class Paint>
  void each(const Polygon& p, const Paint& paint) {
    double low = 1e30, high = -1e30;
    for (const Point& q : p) low = std::min(low, q.y), high = std::max(high, q.y);
    const int y0 = static_cast<int>(std::clamp(std::floor(low), 0.0, double(side_))), y1 = static_cast<int>(std::clamp(std::ceil(high), 0.0, double(side_)));
    for (int y = y0; y < y1; ++y) {
      std::fill(row_.begin(), row_.end(), 0.f);
      for (int k = 0; k < kLines; ++k) scan(p, y + (k + 0.5) / kLines);
      for (int x = 0; x < side_; ++x)
        if (const float c = std::min(1.f, row_[static_cast<size_t>(x)]); c > 0.002f) paint(x, y, c);
    }
  }

 private:
  static constexpr int kLines = 4;
  void scan(const Polygon& p, double y) {
    crossings_.clear();
    for (size_t i = 0; i < p.size(); ++i) {
      const Point &a = p[i], &b = p[i + 1 == p.size() ? 0 : i + 1];
      if ((a.y <= y) == (b.y <= y)) continue;
      crossings_.emplace_back(a.x + (b.x - a.x) * (y - a.y) / (b.y - a.y), a.y <= y ? 1 : -1);
    }
    std::sort(crossings_.begin(), crossings_.end());
    int winding = 0;
    for (size_t i = 0; i + 1 < crossings_.size(); ++i) {
      winding += crossings_[i].second;
      if (winding != 0) span(crossings_[i].first, crossings_[i + 1].first);
    }
  }
  void span(double from, double to) {
    const double a = std::clamp(from, 0.0, double(side_)), b = std::clamp(to, 0.0, double(side_));
    for (int x = static_cast<int>(a); x < b; ++x)
      row_[static_cast<size_t>(x)] += static_cast<float>((std::min(b, x + 1.0) - std::max(a, double(x))) / kLines);
  }

  int side_;
  std::vector<float> row_;
  std::vector<std::pair<double, int>> crossings_;
};

// Wall and floor, or a studio's sweep, in quiet colours.
void background(std::vector<Pixel>& out, int side, double horizon, Rng& rng) {
  const Color wall = hue(rng.uniform(), 0.04 + 0.22 * rng.uniform(), 0.68 + 0.3 * rng.uniform()), ground = hue(rng.uniform(), 0.05 + 0.28 * rng.uniform(), 0.5 + 0.42 * rng.uniform());
  const auto seed = static_cast<uint32_t>(rng.next());
  const int form = static_cast<int>(rng.below(4));  // 0, 1 studio; 2 boards; 3 plain floor
  const double soft = form < 2 ? 40 : 1.5, light_x = rng.uniform(), scale = side / 256.0;
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      const double down = std::clamp((y - horizon) / (soft * scale) + 0.5, 0.0, 1.0), far = std::hypot(double(x) / side - light_x, double(y) / side - 0.25);
      double k = 1.04 - 0.28 * far * far;
      const auto fx = static_cast<float>(x / scale), fy = static_cast<float>(y / scale);
      k *= 0.97 + 0.06 * noise(fx * 0.03f, fy * 0.03f, seed);
      if (form == 2 && down > 0.5) {
        const double depth = (y - horizon) / side + 0.12, u = (double(x) / side - 0.5) / depth * 0.9 + 40;
        k *= (u - std::floor(u) < 0.03 ? 0.82 : 0.95 + 0.08 * lattice(static_cast<int>(u), 0, seed)) * (0.97 + 0.06 * noise(static_cast<float>(u * 9), fy * 0.12f, seed));
      }
      const auto channel = [&](double a, double b) { return static_cast<float>(mix(a, b, down) * k); };
      out[static_cast<size_t>(y * side + x)] = {channel(wall.r, ground.r), channel(wall.g, ground.g), channel(wall.b, ground.b)};
    }
}

void shadow(std::vector<Pixel>& out, int side, Point centre, double rx, double ry, double strength) {
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      const double d = std::hypot((x - centre.x) / rx, (y - centre.y) / ry);
      if (d >= 1) continue;
      const auto k = static_cast<float>(1 - strength * (1 - d) * (1 - d) * (1 + 2 * d));
      Pixel& p = out[static_cast<size_t>(y * side + x)];
      p = {p.r * k, p.g * k, p.b * k};
    }
}

void paint(std::vector<Pixel>& out, int side, const Part& part, const Polygon& outline, double light_x, const Surface& surface, Coverage& coverage) {
  Point low{1e30, 1e30}, high{-1e30, -1e30};
  for (const Point& q : outline) low = {std::min(low.x, q.x), std::min(low.y, q.y)}, high = {std::max(high.x, q.x), std::max(high.y, q.y)};
  const double cx = (low.x + high.x) / 2, cy = (low.y + high.y) / 2, rx = std::max(1.0, (high.x - low.x) / 2), ry = std::max(1.0, (high.y - low.y) / 2);
  const auto scale = static_cast<float>(256.0 / side);
  coverage.each(outline, [&](int x, int y, float cover) {
    double light = part.light, gloss = 0;
    const double u = std::clamp((x + 0.5 - cx) / rx, -1.0, 1.0), v = std::clamp((y + 0.5 - cy) / ry, -1.0, 1.0);
    if (part.shade == Shade::tube) {
      const double nz = std::sqrt(1 - u * u), n = u * light_x + nz * 0.75;
      light = 0.52 + 0.55 * std::max(0.0, n);
      gloss = 0.16 * std::pow(std::max(0.0, std::cos((u - light_x * 0.8) * 2.2)), 24);
    } else if (part.shade == Shade::dome) {
      const double q = std::min(1.0, 0.9 * (u * u + v * v)), nz = std::sqrt(1 - q), n = 0.6 * u * light_x - 0.5 * v + 0.7 * nz;
      light = 0.55 + 0.5 * std::max(0.0, n);
      gloss = 0.2 * std::exp(-((u - 0.45 * light_x) * (u - 0.45 * light_x) + (v + 0.5) * (v + 0.5)) * 22);
    } else if (part.shade == Shade::fade) {
      light = 1.02 - 0.2 * v + 0.06 * u * light_x;
    }
    const double k = light * static_cast<double>(grain(part.texture, static_cast<float>(x) * scale, static_cast<float>(y) * scale, surface));
    Pixel& p = out[static_cast<size_t>(y * side + x)];
    const auto blend = [&](float under, double color) { return under + (static_cast<float>(color * k + gloss) - under) * cover; };
    p = {blend(p.r, part.color.r), blend(p.g, part.color.g), blend(p.b, part.color.b)};
  });
}

}  // namespace

Box2 bounds(const Object& object) {
  Box2 b{{1e30, 1e30}, {-1e30, -1e30}};
  for (const Part& part : object.parts)
    for (const Point& p : part.outline) b = {{std::min(b.low.x, p.x), std::min(b.low.y, p.y)}, {std::max(b.high.x, p.x), std::max(b.high.y, p.y)}};
  return b;
}

Image render_photo(const Object& object, uint64_t seed, int side) {
  Rng rng(seed);
  const Box2 box = bounds(object);
  const double w = box.high.x - box.low.x, h = box.high.y - box.low.y, fill = (0.6 + 0.18 * rng.uniform()) * side, scale = fill / std::max(w, h);
  const Point centre{side * (0.5 + 0.08 * (rng.uniform() - 0.5)), side * (0.51 + 0.06 * (rng.uniform() - 0.5))};
  const auto place = [&](const Point& p) { return Point{centre.x + (p.x - (box.low.x + box.high.x) / 2) * scale, centre.y + (p.y - (box.low.y + box.high.y) / 2) * scale}; };
  const double foot = centre.y + h * scale / 2, light_x = (rng.uniform() < 0.5 ? -1 : 1) * (0.25 + 0.4 * rng.uniform());

  std::vector<Pixel> pixels(static_cast<size_t>(side) * static_cast<size_t>(side));
  background(pixels, side, foot - side * (0.03 + 0.12 * rng.uniform()), rng);
  shadow(pixels, side, {centre.x - light_x * w * scale * 0.12, foot - side * 0.012}, w * scale * 0.62, std::max(side * 0.035, w * scale * 0.11), 0.5);
  Coverage coverage(side);
  Polygon outline;
  for (size_t i = 0; i < object.parts.size(); ++i) {
    const Part& part = object.parts[i];
    outline.clear();
    for (const Point& p : part.outline) outline.push_back(place(p));
    const double turn = part.texture == Texture::wood || part.texture == Texture::cloth ? 0.5 * (rng.uniform() - 0.5) : 0;
    const Surface surface{static_cast<float>(std::cos(turn)), static_cast<float>(std::sin(turn)), 0.8f + 0.4f * static_cast<float>(rng.uniform()), static_cast<uint32_t>(rng.next())};
    // A darker rim, half a pixel out, sets neighbouring parts of one colour apart.
    paint(pixels, side, part, outline, light_x, surface, coverage);
    if (part.shade == Shade::flat)
      for (size_t k = 0; k < outline.size(); ++k) {
        const Point a = outline[k], b = outline[(k + 1) % outline.size()];
        const double length = std::hypot(b.x - a.x, b.y - a.y);
        if (length < 2) continue;
        const double nx = -(b.y - a.y) / length * 0.35, ny = (b.x - a.x) / length * 0.35;
        const Polygon edge{{a.x - nx, a.y - ny}, {b.x - nx, b.y - ny}, {b.x + nx, b.y + ny}, {a.x + nx, a.y + ny}};
        coverage.each(edge, [&](int x, int y, float cover) {
          Pixel& p = pixels[static_cast<size_t>(y * side + x)];
          const float q = 1 - 0.22f * cover;
          p = {p.r * q, p.g * q, p.b * q};
        });
      }
  }

  const double exposure = 0.92 + 0.16 * rng.uniform(), warm = 0.04 * (rng.uniform() - 0.5), sigma = 2 + 3 * rng.uniform();
  const auto grain_seed = static_cast<uint32_t>(rng.next());
  Image image{side, side, std::vector<uint8_t>(3 * pixels.size())};
  for (size_t i = 0; i < pixels.size(); ++i) {
    const int x = static_cast<int>(i) % side, y = static_cast<int>(i) / side;
    const double shared = 2.0 * lattice(x, y, grain_seed) - 1;
    const double values[3] = {pixels[i].r * (1 + warm), pixels[i].g, pixels[i].b * (1 - warm)};
    for (int c = 0; c < 3; ++c)
      image.pixels[3 * i + static_cast<size_t>(c)] = static_cast<uint8_t>(std::clamp(values[c] * exposure * 255 + sigma * (shared + 0.6 * (2.0 * lattice(x, y, grain_seed + 1 + static_cast<uint32_t>(c)) - 1)), 0.0, 255.0) + 0.5);
  }
  return image;
}

}  // namespace hone::procedural
