#include "run/chart.h"

#include <gtest/gtest.h>

#include <numeric>

namespace hone {
namespace {

using svg::Rect;

TEST(Treemap, AreasAreProportionalAndTileTheRectangle) {
  const std::vector<double> weights = {60, 60, 40, 30, 20, 10, 5, 0.5};
  const Rect area{10, 20, 300, 200};
  const auto rects = svg::squarify(weights, area);
  ASSERT_EQ(rects.size(), weights.size());
  const double total = std::accumulate(weights.begin(), weights.end(), 0.);
  for (size_t i = 0; i < rects.size(); ++i) {
    EXPECT_NEAR(rects[i].w * rects[i].h, weights[i] / total * area.w * area.h, 1e-6);
    EXPECT_GE(rects[i].x, area.x - 1e-9);
    EXPECT_LE(rects[i].x + rects[i].w, area.x + area.w + 1e-9);
    EXPECT_GE(rects[i].y, area.y - 1e-9);
    EXPECT_LE(rects[i].y + rects[i].h, area.y + area.h + 1e-9);
    for (size_t j = 0; j < i; ++j) {
      const double w = std::min(rects[i].x + rects[i].w, rects[j].x + rects[j].w) - std::max(rects[i].x, rects[j].x);
      const double h = std::min(rects[i].y + rects[i].h, rects[j].y + rects[j].h) - std::max(rects[i].y, rects[j].y);
      EXPECT_TRUE(w <= 1e-9 || h <= 1e-9) << i << " overlaps " << j;
    }
  }
  EXPECT_LT(rects[0].w / rects[0].h, 2);  // squarish, not slices
}

TEST(LogTicks, AreRoundAndFew) {
  EXPECT_EQ(svg::log_ticks(1e8, 1e10, 7), (std::vector<double>{1e8, 2e8, 5e8, 1e9, 2e9, 5e9, 1e10}));
  EXPECT_EQ(svg::log_ticks(4e8, 1.7e9, 5), (std::vector<double>{5e8, 1e9}));
  EXPECT_TRUE(svg::log_ticks(0, 1, 5).empty());
  for (double high : {1.1, 3., 40., 1e5, 1e12, 1e300}) EXPECT_LE(svg::log_ticks(1, high, 6).size(), 6u) << high;
}

Report curves() {
  Report r;
  Table t{"curves", "", {{"strategy", "strategy"}, {"macs", "MACs", Unit::count}, {"acts", "activations", Unit::count}}};
  for (int s = 0; s < 10; ++s)
    for (int64_t k : {1, 2, 4}) t.rows.push_back({std::string("s") + std::to_string(s), k * 400000000, k * (s + 1) * 1000000});
  r.parts.push_back(t);
  r.parts.push_back(Chart{Chart::Kind::lines, "title", "", "curves", "", "strategy", {}, "macs", "acts"});
  return r;
}

TEST(Lines, NamesAtTheEndsDoNotOverlap) {
  const Report r = curves();
  const std::string text = svg_chart(r, std::get<Chart>(r.parts[1]), "c");
  std::vector<double> heights;
  const std::string mark = "dx=\"4\" y=\"";
  for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) heights.push_back(std::stod(text.substr(at + mark.size())));
  ASSERT_EQ(heights.size(), 10u);
  std::sort(heights.begin(), heights.end());
  for (size_t i = 1; i < heights.size(); ++i) EXPECT_GE(heights[i] - heights[i - 1], 14.9);
}

TEST(Chart, NothingToDrawIsNoChart) {
  Report r = curves();
  Chart chart = std::get<Chart>(r.parts[1]);
  chart.x = "nonsense";
  EXPECT_EQ(svg_chart(r, chart, "c"), "");
  EXPECT_EQ(to_svg(r, chart), "");
  chart.x = "macs";
  for (auto& row : std::get<Table>(r.parts[0]).rows) row[1] = int64_t{0};
  EXPECT_EQ(svg_chart(r, chart, "c"), "");
}

TEST(Chart, StandsAloneWithItsStyle) {
  const Report r = curves();
  const std::string svg = to_svg(r, std::get<Chart>(r.parts[1]));
  EXPECT_EQ(svg.compare(0, 4, "<svg"), 0);
  EXPECT_NE(svg.find("<style>"), std::string::npos);
  EXPECT_NE(svg.find("width=\"860\""), std::string::npos);
}

}  // namespace
}  // namespace hone
