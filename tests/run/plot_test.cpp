// Charts with two axes and pictures: what is drawn is what the table says.
#include <gtest/gtest.h>

#include <cmath>

#include "run/chart.h"
#include "run/report_pictures.h"

namespace hone {
namespace {

// Values of an attribute of all elements that begin with `element`, in order.
std::vector<double> values(const std::string& svg, const std::string& element, const std::string& attribute) {
  std::vector<double> out;
  for (size_t at = svg.find("<" + element); at != std::string::npos; at = svg.find("<" + element, at + 1)) {
    const size_t end = svg.find('>', at), found = svg.find(" " + attribute + "=\"", at);
    if (found < end) out.push_back(std::stod(svg.substr(found + attribute.size() + 3)));
  }
  return out;
}
size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}
std::vector<std::pair<double, double>> points(const std::string& svg, const std::string& element, size_t nth) {
  size_t at = 0;
  for (size_t i = 0; i <= nth; ++i) at = svg.find("<" + element, at + 1);
  at = svg.find("points=\"", at) + 8;
  std::vector<std::pair<double, double>> out;
  const std::string text = svg.substr(at, svg.find('"', at) - at);
  for (size_t i = 0; i < text.size();) {
    size_t used = 0, second = 0;
    const double x = std::stod(text.substr(i), &used), y = std::stod(text.substr(i + used + 1), &second);
    out.emplace_back(x, y);
    i += used + second + 2;
  }
  return out;
}

Report report(Table table, Chart chart) {
  Report r;
  chart.table = table.key;
  r.parts.push_back(std::move(table));
  r.parts.push_back(std::move(chart));
  return r;
}
std::string draw(const Report& r) { return svg_chart(r, std::get<Chart>(r.parts[1]), "c"); }

TEST(LinearTicks, AreRoundAndFew) {
  EXPECT_EQ(svg::linear_ticks(0, 1, 6), (std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1}));
  EXPECT_EQ(svg::linear_ticks(-3, 7, 6), (std::vector<double>{-2, 0, 2, 4, 6}));
  for (const double high : {1e-9, 0.3, 1.0001, 17., 12345., 1e18}) {
    const auto ticks = svg::linear_ticks(0, high, 6);
    EXPECT_LE(ticks.size(), 6u) << high;
    EXPECT_GE(ticks.size(), 3u) << high;
  }
  EXPECT_TRUE(svg::linear_ticks(1, 1, 6).empty());
  EXPECT_TRUE(svg::linear_ticks(0, INFINITY, 6).empty());
}

TEST(Curves, LinesGoThroughTheValuesAndBandsAroundThem) {
  Table t{"t", "", {{"step", "step"}, {"loss", "loss"}, {"lo", "lo"}, {"hi", "hi"}, {"run", "run"}}};
  for (int i = 0; i <= 10; ++i)
    for (const char* run : {"a", "b"}) t.rows.push_back({int64_t{i}, (run[0] == 'a' ? 1.0 : 2.0) * i, i - 0.5, 2.0 * i + 0.5, std::string(run)});
  Chart c;
  c.kind = Chart::Kind::curves, c.x = "step", c.y = "loss", c.group = "run", c.low = "lo", c.high = "hi";
  const std::string svg = draw(report(t, c));
  EXPECT_EQ(count(svg, "<polyline"), 2u);
  EXPECT_EQ(count(svg, "class=\"band\""), 2u);
  const auto a = points(svg, "polyline", 0), b = points(svg, "polyline", 1);
  ASSERT_EQ(a.size(), 11u);
  for (size_t i = 0; i <= 10; ++i) {
    EXPECT_NEAR(a[i].first, 1000. * static_cast<double>(i) / 10, 0.11) << "steps fill the width";
    // Heights are linear: b is twice as far from the line's value at 0 as a.
    EXPECT_NEAR(b[0].second - b[i].second, 2 * (a[0].second - a[i].second), 0.31);
  }
  const auto band = points(svg, "polygon", 0);
  ASSERT_EQ(band.size(), 22u);
  EXPECT_LT(band[5].second, a[5].second);
  EXPECT_GT(band[16].second, a[5].second);
}

TEST(Curves, ManyPointsBecomeMeansWithTheirSpread) {
  Table t{"t", "", {{"step", "step"}, {"loss", "loss"}}};
  for (int64_t i = 0; i < 30000; ++i) t.rows.push_back({i, i % 2 ? 1.0 : 3.0});
  Chart c;
  c.kind = Chart::Kind::curves, c.x = "step", c.values = {"loss"};
  const std::string svg = draw(report(t, c));
  EXPECT_LT(svg.size(), 40000u);
  const auto line = points(svg, "polyline", 0), band = points(svg, "polygon", 0);
  ASSERT_EQ(line.size(), 300u);
  ASSERT_EQ(band.size(), 600u);
  for (size_t i = 0; i < 300; ++i) EXPECT_NEAR(line[i].second, (band[i].second + band[599 - i].second) / 2, 0.11);
}

TEST(Curves, WhatCannotBeDrawnIsLeftOut) {
  Table t{"t", "", {{"step", "step"}, {"loss", "loss"}}};
  t.rows = {{int64_t{1}, 0.5}, {int64_t{2}, std::monostate()}, {int64_t{3}, std::nan("")}, {int64_t{4}, -1.0}, {int64_t{5}, std::string("x")}, {int64_t{6}, 0.25}};
  Chart c;
  c.kind = Chart::Kind::curves, c.x = "step", c.y = "loss", c.log_y = true;
  EXPECT_EQ(points(draw(report(t, c)), "polyline", 0).size(), 2u);
  t.rows = {{int64_t{1}, 0.5}};  // a single point has no range
  EXPECT_EQ(draw(report(t, c)).find("nan"), std::string::npos);
  c.log_y = false;
  EXPECT_EQ(draw(report(t, c)).find("nan"), std::string::npos);
  t.rows = {{int64_t{1}, -0.5}};
  c.log_y = true;
  EXPECT_EQ(draw(report(t, c)), "");
}

Report methods(bool log) {
  Table t{"t", "", {{"name", "name"}, {"method", "method"}, {"flops", "FLOPs", Unit::count}, {"acc", "Acc@1", Unit::share}, {"lo", ""}, {"hi", ""}}};
  for (int k = 0; k < 6; ++k) t.rows.push_back({std::string("canvas ") + std::to_string(k), std::string(k % 2 ? "fixed" : "selector"), int64_t{1000000} << k, 0.4 + 0.02 * k, 0.39 + 0.02 * k, 0.42 + 0.02 * k});
  Chart c;
  c.kind = Chart::Kind::scatter, c.label = "name", c.group = "method", c.x = "flops", c.y = "acc", c.low = "lo", c.high = "hi", c.log_x = log;
  return report(t, c);
}

TEST(Scatter, PointsStandWhereTheTableSays) {
  const std::string svg = draw(methods(true));
  const auto x = values(svg, "circle", "cx"), y = values(svg, "circle", "cy");
  ASSERT_EQ(x.size(), 6u);
  for (size_t i = 1; i + 1 < 6; ++i) {
    EXPECT_NEAR(x[i + 1] - x[i], x[i] - x[i - 1], 0.02) << "doubling is one step on a logarithmic axis";
    EXPECT_NEAR(y[i + 1] - y[i], y[i] - y[i - 1], 0.21);
    EXPECT_LT(y[i], y[i - 1]);
  }
  const auto linear = values(draw(methods(false)), "circle", "cx");
  EXPECT_NEAR((linear[5] - linear[4]) / (linear[4] - linear[3]), 2, 0.02);
  EXPECT_EQ(count(svg, "class=\"error\""), 6u);
  const auto low = values(svg, "line class=\"error\"", "y1"), high = values(svg, "line class=\"error\"", "y2");
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR((y[i] - high[i]) / (low[i] - y[i]), 2, 0.1);
  EXPECT_EQ(count(svg, "class=\"thin\""), 0u);
  EXPECT_NE(svg.find("selector, canvas 0: 1.00 M FLOPs, 40.0 % (39.0 % to 42.0 %) Acc@1"), std::string::npos) << svg;
}

TEST(Scatter, AreasFollowAColumnAndLinesLieBehind) {
  Report r = methods(true);
  auto& table = std::get<Table>(r.parts[0]);
  Chart chart = std::get<Chart>(r.parts[1]);
  table.columns.push_back({"share", "share", Unit::share});
  for (size_t i = 0; i < table.rows.size(); ++i) table.rows[i].push_back(i == 0 ? 1.0 : 0.25);
  chart.size = "share", chart.lines = "roof";
  r.parts.push_back(Table{"roof", "", {{"name", ""}, {"x", ""}, {"y", ""}}, {{std::string("fit"), 1e6, 0.4}, {std::string("fit"), 3.2e7, 0.8}}});
  const std::string svg = svg_chart(r, chart, "x");
  const auto radius = values(svg, "circle", "r");
  ASSERT_EQ(radius.size(), 6u);
  EXPECT_NEAR(radius[0], 2 * radius[1], 0.01);
  EXPECT_EQ(count(svg, "class=\"thin\""), 1u);
  const auto x = values(svg, "circle", "cx"), line = values(svg, "line class=\"thin\"", "x1");
  EXPECT_NEAR(line[0], x[0], 0.011) << "one million on both";
  EXPECT_NE(svg.find(">fit</text>"), std::string::npos);
}

TEST(Intervals, BarsAndTheirEndsShareAScale) {
  Table t{"t", "", {{"name", "name"}, {"ms", "median", Unit::milliseconds}, {"lo", ""}, {"hi", ""}}, {{std::string("a"), 4.0, 3.0, 8.0}, {std::string("<b>"), 2.0, 2.0, 2.0}}};
  Chart c;
  c.kind = Chart::Kind::intervals, c.label = "name", c.values = {"ms"}, c.low = "lo", c.high = "hi";
  const std::string svg = draw(report(t, c));
  const auto width = values(svg, "rect class=\"c0\"", "width"), from = values(svg, "line class=\"whisker\"", "x1"), to = values(svg, "line class=\"whisker\"", "x2");
  ASSERT_EQ(width.size(), 2u);
  EXPECT_NEAR(width[0], 2 * width[1], 0.02);
  ASSERT_EQ(from.size(), 3u) << "a point has no interval";
  EXPECT_NEAR(from[0] / width[0], 3 / 4., 0.001);
  EXPECT_NEAR(to[0] / width[0], 2, 0.001);
  EXPECT_NE(svg.find("4.00 ms (3.00 ms to 8.00 ms)"), std::string::npos) << svg;
  EXPECT_EQ(svg.find("<b>"), std::string::npos);
}

TEST(Histogram, StacksAddUp) {
  Table t{"t", "", {{"strokes", "strokes"}, {"a", "32"}, {"b", "64"}}, {{std::string("0-9"), int64_t{3}, int64_t{1}}, {std::string("10-19"), int64_t{0}, int64_t{2}}, {std::string("none"), int64_t{0}, int64_t{0}}}};
  Chart c;
  c.kind = Chart::Kind::histogram, c.label = "strokes", c.values = {"a", "b"};
  const auto counts = values(draw(report(t, c)), "rect class=\"c", "height");
  ASSERT_EQ(counts.size(), 2u + 3u) << "two of the legend, three bars";
  EXPECT_NEAR(counts[2] / counts[3], 3, 0.02);
  EXPECT_NEAR(counts[4] / counts[3], 2, 0.02);
  c.shares = true;
  const std::string svg = draw(report(t, c));
  const auto shares = values(svg, "rect class=\"c", "height");
  EXPECT_NEAR(shares[2] + shares[3], shares[4], 0.11);
  EXPECT_NE(svg.find("strokes 0-9, 32: 3 (75.0 %)"), std::string::npos);
  for (auto& row : t.rows) row[1] = row[2] = int64_t{0};
  EXPECT_EQ(draw(report(t, c)), "");
}

TEST(Base64, OfTheRfc) {  // RFC 4648, 10
  for (const auto& [text, code] : std::vector<std::pair<std::string, std::string>>{{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}})
    EXPECT_EQ(base64(text), code);
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

TEST(Pictures, StandInThePageWithTheirMarks) {
  const std::string png = "\x89PNG\r\n\x1a\nrest";
  Report r;
  r.parts.push_back(Pictures{"Found <photos>", "caption", {{"query 1", {{png, "sketch", Picture::Mark::query}, {"\xff\xd8\xff\xe0", "0.2 & more", Picture::Mark::hit}, {"GIF89a", "0.3", Picture::Mark::miss}}}}, 64});
  const std::string html = to_html(r);
  EXPECT_NE(html.find("<h2>Found &lt;photos&gt;</h2>"), std::string::npos);
  EXPECT_NE(html.find("src=\"data:image/png;base64," + base64(png) + "\""), std::string::npos);
  EXPECT_NE(html.find("<li class=\"hit\"><img alt=\"hit: 0.2 &amp; more\" src=\"data:image/jpeg;base64,/9j/4A==\">"), std::string::npos) << html;
  EXPECT_NE(html.find("<li class=\"miss\"><div class=\"none\"></div>"), std::string::npos) << "neither PNG nor JPEG";
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(to_text(r).find("photos"), std::string::npos);
  EXPECT_EQ(pictures_html({}), "");
}

}  // namespace
}  // namespace hone
