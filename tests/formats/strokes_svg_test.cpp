#include <gtest/gtest.h>

#include <cmath>

#include "formats/strokes_read.h"

namespace hone {
namespace {

std::vector<Stroke> path(std::string_view data, double tolerance = 0.01) {
  auto out = parse_svg_path(data, tolerance, "p");
  EXPECT_TRUE(out.has_value()) << (out ? "" : out.error().text());
  return out ? *out : std::vector<Stroke>();
}
std::string error_of(std::string_view data) {
  const auto out = parse_svg_path(data, 0.01, "p");
  return out ? "" : out.error().text();
}
Sketch svg(const std::string& body, const std::string& head = "viewBox=\"0 0 100 100\"") {
  auto out = read_svg_strokes("<?xml version=\"1.0\"?>\n<!DOCTYPE svg [<!ENTITY a \"b\">]>\n<!-- <path d=\"M0 0L1 1\"/> -->\n<svg " + head + ">" + body + "</svg>\n", "f.svg");
  EXPECT_TRUE(out.has_value()) << (out ? "" : out.error().text());
  return out ? *out : Sketch();
}
void expect_near(const Point& a, const Point& b, double tolerance = 1e-9) {
  EXPECT_NEAR(a.x, b.x, tolerance);
  EXPECT_NEAR(a.y, b.y, tolerance);
}

TEST(SvgPath, LinesAbsoluteAndRelative) {
  const std::vector<Stroke> want{{{1, 2}, {3, 4}, {5, 4}, {5, 1}, {1, 2}}};
  EXPECT_EQ(path("M1,2L3,4H5V1Z"), want);
  EXPECT_EQ(path("m1 2l2 2h2v-3z"), want);
  EXPECT_EQ(path("M 1 2 3 4 H5 V1 Z"), want);       // pairs after M are lines
  EXPECT_EQ(path("M1 2L3 4 5 4L5.0e0,1L.1e1+2"), want);  // numbers as short as they may be written
}

TEST(SvgPath, SubpathsAreStrokesAndZReturns) {
  EXPECT_EQ(path("M0 0L1 0L1 1zl0 2M5 5l1 1"), (std::vector<Stroke>{{{0, 0}, {1, 0}, {1, 1}, {0, 0}}, {{0, 0}, {0, 2}}, {{5, 5}, {6, 6}}}));
  EXPECT_EQ(path("M0 0M3 3"), std::vector<Stroke>());
}

TEST(SvgPath, CubicsStayWithinToleranceOfTheCurve) {
  const auto strokes = path("M0 0C0 100 100 100 100 0", 0.05);
  ASSERT_EQ(strokes.size(), 1u);
  EXPECT_GT(strokes[0].size(), 20u);
  // Every point of the curve is near a chord.
  for (double t = 0; t <= 1; t += 0.001) {
    const double u = 1 - t;
    const Point q{3 * u * t * t * 100 + t * t * t * 100, 3 * u * u * t * 100 + 3 * u * t * t * 100};
    double best = 1e9;
    for (size_t i = 1; i < strokes[0].size(); ++i) {
      const Point a = strokes[0][i - 1], b = strokes[0][i];
      const double dx = b.x - a.x, dy = b.y - a.y, s = std::clamp(((q.x - a.x) * dx + (q.y - a.y) * dy) / (dx * dx + dy * dy), 0.0, 1.0);
      best = std::min(best, std::hypot(q.x - a.x - s * dx, q.y - a.y - s * dy));
    }
    ASSERT_LE(best, 0.05);
  }
}

TEST(SvgPath, SmoothCommandsMirrorTheControlPoint) {
  EXPECT_EQ(path("M0 0C0 10 10 10 10 0S20 -10 20 0"), path("M0 0C0 10 10 10 10 0C10 -10 20 -10 20 0"));
  EXPECT_EQ(path("M0 0c0 10 10 10 10 0s10 -10 10 0"), path("M0 0C0 10 10 10 10 0S20 -10 20 0"));
  EXPECT_EQ(path("M0 0L5 5S20 -10 20 0"), path("M0 0L5 5C5 5 20 -10 20 0"));  // nothing to mirror
  EXPECT_EQ(path("M0 0Q5 10 10 0T20 0"), path("M0 0Q5 10 10 0Q15 -10 20 0"));
  EXPECT_EQ(path("M0 0q5 10 10 0t10 0"), path("M0 0Q5 10 10 0T20 0"));
  expect_near(path("M0 0Q5 10 10 0", 1e9)[0].back(), {10, 0});
}

TEST(SvgPath, ArcsLieOnTheirEllipse) {
  for (const char* flags : {"0 0", "0 1", "1 0", "1 1"}) {
    const auto strokes = path(std::string("M30 50A20 20 0 ") + flags + " 50 30", 0.001);
    const bool large = flags[0] == '1', sweep = flags[2] == '1';
    const Point centre = large != sweep ? Point{50, 50} : Point{30, 30};
    double length = 0;
    for (size_t i = 0; i < strokes[0].size(); ++i) {
      EXPECT_NEAR(std::hypot(strokes[0][i].x - centre.x, strokes[0][i].y - centre.y), 20, 0.006);
      if (i > 0) length += std::hypot(strokes[0][i].x - strokes[0][i - 1].x, strokes[0][i].y - strokes[0][i - 1].y);
    }
    EXPECT_NEAR(length, 20 * M_PI / 2 * (large ? 3 : 1), 0.05) << flags;
    expect_near(strokes[0].back(), {50, 30});
  }
  // Radii too small are scaled up: a half circle; flags may stand without separators.
  const auto scaled = path("M0 0a1 1 0 0110 0", 0.001), turned = path("M0 0A10 5 90 0 1 10 0", 0.001);
  for (const Point& p : scaled[0]) EXPECT_NEAR(std::hypot(p.x - 5, p.y), 5, 0.002);
  // A turned ellipse.
  for (const Point& p : turned[0]) EXPECT_NEAR(std::pow((p.x - 5) / 5, 2) + std::pow(p.y / 10, 2), 1, 0.002);
  EXPECT_EQ(path("M0 0A0 5 0 0 1 10 0"), (std::vector<Stroke>{{{0, 0}, {10, 0}}}));
}

TEST(SvgPath, ErrorsNameTheCharacter) {
  EXPECT_EQ(error_of("L1 1"), "p: path data: a path starts with M at character 1");
  EXPECT_EQ(error_of("M1 1 L 2"), "p: path data: a number is expected at character 8");
  EXPECT_EQ(error_of("M1 1 X"), "p: path data: a number is expected at character 5");
  EXPECT_EQ(error_of("M1 1A1 1 0 2 0 3 3"), "p: path data: an arc's flag is expected at character 11");
  EXPECT_EQ(error_of("M1 1z 3"), "p: path data: a command is expected at character 6");
  EXPECT_NE(error_of("M1 inf"), "");
  EXPECT_NE(error_of("M1e308 0l1e308 0"), "");
}

TEST(Svg, NestedTransformsApplyInnermostFirst) {
  // As in TU-Berlin's files: translate, scale, translate.
  const Sketch s = svg("<g transform=\"translate(10,20) scale(2) translate(-1 -2)\"><path id=\"0\" d=\"M1 2L3 4\"/></g>");
  EXPECT_EQ(s.strokes, (std::vector<Stroke>{{{10, 20}, {14, 24}}}));
  EXPECT_EQ(s.frame, 100);
  const Sketch turned = svg("<g transform='rotate(90)'><g transform='matrix(1 0 0 1 5 0)'><line x1='0' y1='0' x2='1' y2='0'/></g></g>");
  expect_near(turned.strokes[0][0], {0, 5});
  expect_near(turned.strokes[0][1], {0, 6});
  const Sketch about = svg("<line transform='rotate(180, 10 10)' x1='10' y1='0' x2='10' y2='10'/>");
  expect_near(about.strokes[0][0], {10, 20});
  const Sketch skewed = svg("<line transform='skewX(45)' x1='0' y1='0' x2='0' y2='7'/><line transform='skewY(45)' x1='0' y1='0' x2='7' y2='0'/>");
  expect_near(skewed.strokes[0][1], {7, 7});
  expect_near(skewed.strokes[1][1], {7, 7});
}

TEST(Svg, ShapesInDocumentOrder) {
  const Sketch s = svg(
      "<polyline points='0,0 1,0 1,1'/><polygon points='0 0 1 0 1 1'/><rect x='1' y='2' width='3' height='4'/>"
      "<circle cx='50' cy='50' r='10'/><defs><path d='M0 0L9 9'/></defs><path d=''/><polyline points=' '/>");
  ASSERT_EQ(s.strokes.size(), 4u);
  EXPECT_EQ(s.strokes[0], (Stroke{{0, 0}, {1, 0}, {1, 1}}));
  EXPECT_EQ(s.strokes[1], (Stroke{{0, 0}, {1, 0}, {1, 1}, {0, 0}}));
  EXPECT_EQ(s.strokes[2], (Stroke{{1, 2}, {4, 2}, {4, 6}, {1, 6}, {1, 2}}));
  for (const Point& p : s.strokes[3]) EXPECT_NEAR(std::hypot(p.x - 50, p.y - 50), 10, 0.01);
}

TEST(Svg, FrameIsTheLargerSideOfTheCanvas) {
  const Sketch wide = svg("<path d='M10 20L650 500'/>", "viewBox='10 20 640 480'");
  EXPECT_EQ(wide.frame, 640);
  EXPECT_EQ(wide.strokes[0], (Stroke{{0, 80}, {640, 560}}));
  EXPECT_EQ(svg("<path d='M0 0L1 1'/>", "width='64px' height='64'").frame, 64);
  const Sketch fitted = svg("<path d='M0 0L10 20'/>", "width='100%' height='100%'");
  EXPECT_EQ(fitted.frame, 256);
  EXPECT_EQ(fitted.strokes[0], (Stroke{{80.5, 33}, {175.5, 223}}));
}

TEST(Svg, ErrorsNameTheLine) {
  const auto error = [](const std::string& text) {
    const auto s = read_svg_strokes(text, "f.svg");
    return s ? "" : s.error().text();
  };
  EXPECT_EQ(error("<svg>\n<g>\n</svg>"), "f.svg:3: 'svg' is closed, but 'g' is open");
  EXPECT_EQ(error("<svg>\n<path d='M'/></svg>"), "f.svg:2: path data: a number is expected at character 1");
  EXPECT_EQ(error("<svg>\n\n<use href='#a'/></svg>"), "f.svg:3: 'use' draws another element again, which is not read (expand it in a drawing program)");
  EXPECT_EQ(error("<svg><g transform='turn(3)'/></svg>"), "f.svg:1: transform 'turn(3)' is not understood");
  EXPECT_EQ(error("<svg><g transform='scale(3'/></svg>"), "f.svg:1: transform 'scale(3' is not understood");
  EXPECT_EQ(error("<svg><path d=M0/></svg>"), "f.svg:1: attribute 'd' has no value in quotes");
  EXPECT_EQ(error("<html/>"), "f.svg:1: 'html' stands outside of <svg>");
  EXPECT_EQ(error("<!-- "), "f.svg:1: '<!--' has no end");
  EXPECT_NE(error("<svg>"), "");
}

}  // namespace
}  // namespace hone
