#include "data/raster.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace hone {
namespace {

Sketch sketch_of(std::vector<Stroke> strokes, double frame = 256) {
  Sketch s;
  s.strokes = std::move(strokes);
  s.frame = frame;
  return s;
}

std::vector<std::string> lines(const std::vector<uint8_t>& pixels, int side) {
  std::vector<std::string> out;
  for (int y = 0; y < side; ++y) {
    out.emplace_back();
    for (int x = 0; x < side; ++x) out.back() += pixels[static_cast<size_t>(y * side + x)] ? '#' : '.';
  }
  return out;
}

// Walks every step of the line, as the published code does.
std::vector<uint8_t> reference(const Sketch& s, int side) {
  std::vector<uint8_t> out(static_cast<size_t>(side * side));
  for (const Stroke& stroke : s.strokes) {
    long x0 = std::lrint(stroke[0].x / s.frame * side), y0 = std::lrint(stroke[0].y / s.frame * side);
    for (const Point& p : stroke) {
      const long x1 = std::lrint(p.x / s.frame * side), y1 = std::lrint(p.y / s.frame * side);
      long dx = std::abs(x1 - x0), dy = std::abs(y1 - y0);
      const long sx = x1 > x0 ? 1 : -1, sy = y1 > y0 ? 1 : -1;
      const bool wide = dx > dy;
      if (!wide) std::swap(dx, dy);
      long d = 2 * dy - dx, v = 0;
      for (long u = 0; u <= dx; ++u) {
        const long x = wide ? x0 + sx * u : x0 + sx * v, y = wide ? y0 + sy * v : y0 + sy * u;
        if (x > 0 && x < side && y > 0 && y < side) out[static_cast<size_t>(y * side + x)] = 255;
        if (d >= 0) ++v, d -= 2 * dx;
        d += 2 * dy;
      }
      x0 = x1;
      y0 = y1;
    }
  }
  return out;
}

TEST(PixelRaster, LineAndDilation) {
  const Sketch s = sketch_of({{{2, 2}, {5, 3}}}, 8);
  EXPECT_EQ(lines(rasterise(s, PixelRaster{.side = 8, .dilations = 0}), 8), (std::vector<std::string>{"........", "........", "..##....", "....##..", "........", "........", "........", "........"}));
  EXPECT_EQ(lines(rasterise(s, PixelRaster{.side = 8, .dilations = 1}), 8), (std::vector<std::string>{"........", "..##....", ".#####..", "..#####.", "....##..", "........", "........", "........"}));
}

TEST(PixelRaster, FirstRowAndColumnStayEmptyAndHalvesGoToEven) {
  EXPECT_EQ(lines(rasterise(sketch_of({{{0, 0}, {3, 0}}, {{0, 3}}}, 4), PixelRaster{.side = 4, .dilations = 0}), 4), (std::vector<std::string>(4, "....")));
  // 1.5 and 2.5 both round to 2.
  EXPECT_EQ(lines(rasterise(sketch_of({{{1.5, 2.5}}}, 4), PixelRaster{.side = 4, .dilations = 0}), 4)[2], "..#.");
}

TEST(PixelRaster, DarkOnWhiteIsTheNegative) {
  const Sketch s = sketch_of({{{2, 2}, {5, 3}}}, 8);
  auto light = rasterise(s, PixelRaster{.side = 8});
  for (uint8_t& v : light) v = static_cast<uint8_t>(255 - v);
  EXPECT_EQ(rasterise(s, PixelRaster{.side = 8, .dark_on_white = true}), light);
}

RC_GTEST_PROP(PixelRaster, ClippingChangesNothing, ()) {
  const auto points = *rc::gen::container<std::vector<std::pair<int, int>>>(4, rc::gen::pair(rc::gen::inRange(-900, 900), rc::gen::inRange(-900, 900)));
  Stroke stroke;
  for (const auto& [x, y] : points) stroke.push_back({x / 3.0, y / 3.0});
  const Sketch s = sketch_of({stroke});
  for (const int side : {16, 64, 200}) RC_ASSERT(rasterise(s, PixelRaster{.side = side, .dilations = 0}) == reference(s, side));
}

TEST(PixelRaster, AbsurdCoordinatesEndQuickly) {
  for (const double far : {1e9, 1e300, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    const Sketch s = sketch_of({{{-far, 3}, {far, far}, {7, -far}}});
    EXPECT_EQ(rasterise(s, PixelRaster{.side = 32}).size(), 1024u);
    EXPECT_EQ(rasterise(s, SmoothRaster{.side = 32}).size(), 1024u);
  }
}

TEST(SmoothRaster, InkIsTheAreaOfTheLine) {
  for (const Stroke& line : {Stroke{{50, 128}, {200, 128}}, Stroke{{60, 60}, {180, 190}}, Stroke{{128, 40}, {131, 210}}})
    for (const double width : {1.0, 3.0, 8.0}) {
      const auto pixels = rasterise(sketch_of({line}), SmoothRaster{.side = 256, .width = width});
      const double ink = std::accumulate(pixels.begin(), pixels.end(), 0.0) / 255;
      const double length = std::hypot(line[1].x - line[0].x, line[1].y - line[0].y), area = length * width + M_PI * width * width / 4;
      EXPECT_NEAR(ink / area, 1, 0.06) << width;
    }
}

TEST(SmoothRaster, ThinLinesFadeInsteadOfVanishing) {
  const Sketch s = sketch_of({{{40, 128}, {220, 128}}});
  const auto pixels = rasterise(s, SmoothRaster{.side = 32, .width = 3});  // 0.375 pixels
  const double ink = std::accumulate(pixels.begin(), pixels.end(), 0.0) / 255;
  EXPECT_NEAR(ink, 180.0 / 8 * 0.375, 1.0);
  EXPECT_LE(*std::max_element(pixels.begin(), pixels.end()), 97);
}

TEST(Stroke5, AbsoluteRowsAndPenStates) {
  const Sketch s = sketch_of({{{0, 64}, {128, 256}}, {{32, 32}}, {{64, 64}, {96, 0}}});
  EXPECT_EQ(stroke5(s), (std::vector<float>{0, .25, 1, 0, 0, .5, 1, 0, 1, 0, .125, .125, 0, 1, 0, .25, .25, 1, 0, 0, .375, 0, 0, 0, 1}));
}

TEST(Stroke5, OffsetsOverTheirDeviation) {
  const Sketch s = sketch_of({{{10, 10}, {14, 10}}, {{14, 16}}});
  EXPECT_EQ(stroke5(s, {.offsets = true, .divisor = 2}), (std::vector<float>{0, 0, 1, 0, 0, 2, 0, 0, 1, 0, 0, 3, 0, 0, 1}));
  const std::vector<Sketch> all{s};
  EXPECT_DOUBLE_EQ(offset_deviation(all), std::sqrt((16 + 36) / 4.0 - 2.5 * 2.5));
  EXPECT_EQ(offset_deviation({}), 1);
}

}  // namespace
}  // namespace hone
