// Curves over steps: one line per group or per column, with bands. Lines are polylines in a nested <svg> that stretches
// across, so that a chart of a thousand points still fits any width.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "run/chart.h"
#include "run/format.h"

namespace hone::svg {

namespace {

constexpr Frame kFrame{36, 300, 46, 8, 78};  // right of it the names of the lines
constexpr double kLabelHeight = 15;
constexpr size_t kLongestName = 18;  // letters that fit beside the plot, with a number
constexpr size_t kMostPoints = 300;  // of one line; more are averaged, and their spread is shown as a band
constexpr double kAcross = 1000;     // units of the nested picture's width

struct Point {
  double x, y, low, high;
};
struct Series {
  std::string name;
  std::vector<Point> points;
  bool band = false;
  double label_y = 0;
};

// Means of runs of points with their least and greatest value.
void thin(Series& s) {
  if (s.points.size() <= kMostPoints) return;
  std::vector<Point> few;
  for (size_t k = 0; k < kMostPoints; ++k) {
    const size_t begin = k * s.points.size() / kMostPoints, end = (k + 1) * s.points.size() / kMostPoints;
    Point mean{0, 0, INFINITY, -INFINITY};
    for (size_t i = begin; i < end; ++i) {
      const Point& p = s.points[i];
      mean.x += p.x / static_cast<double>(end - begin);
      mean.y += p.y / static_cast<double>(end - begin);
      mean.low = std::min(mean.low, p.low), mean.high = std::max(mean.high, p.high);
    }
    few.push_back(mean);
  }
  s.points = std::move(few);
  s.band = true;
}

}  // namespace

Parts curves(const Table& table, const Chart& chart) {
  const int cx = column(table, chart.x), cg = column(table, chart.group), cl = column(table, chart.low), ch = column(table, chart.high);
  std::vector<int> ys;
  for (const std::string& key : chart.values)
    if (const int c = column(table, key); c >= 0) ys.push_back(c);
  if (const int c = column(table, chart.y); c >= 0) ys.push_back(c);
  if (cx < 0 || ys.empty()) return {};
  const Column& column_x = table.columns[static_cast<size_t>(cx)];
  Column column_y = table.columns[static_cast<size_t>(ys[0])];
  if (ys.size() > 1) column_y.label = "";  // the lines carry their columns' names

  std::vector<Series> all;
  for (const int cy : ys)
    for (const auto& row : table.rows) {
      const Cell &x = row[static_cast<size_t>(cx)], &y = row[static_cast<size_t>(cy)];
      if (!is_number(x) || !is_number(y)) continue;
      Point p{number(x), number(y), number(y), number(y)};
      if (!std::isfinite(p.x) || !std::isfinite(p.y) || (chart.log_x && !(p.x > 0)) || (chart.log_y && !(p.y > 0))) continue;
      std::string name = ys.size() > 1 ? table.columns[static_cast<size_t>(cy)].label : "";
      if (cg >= 0) name += (name.empty() ? "" : ", ") + format_cell(row[static_cast<size_t>(cg)], Unit::none);
      auto s = std::find_if(all.begin(), all.end(), [&](const Series& t) { return t.name == name; });
      if (s == all.end()) s = all.insert(all.end(), Series{name});
      if (cl >= 0 && ch >= 0 && is_number(row[static_cast<size_t>(cl)]) && is_number(row[static_cast<size_t>(ch)])) {
        const double low = number(row[static_cast<size_t>(cl)]), high = number(row[static_cast<size_t>(ch)]);
        if (std::isfinite(low) && std::isfinite(high) && (!chart.log_y || low > 0)) p.low = low, p.high = high, s->band = true;
      }
      s->points.push_back(p);
    }
  if (all.empty()) return {};
  double min_x = INFINITY, max_x = -INFINITY, min_y = INFINITY, max_y = -INFINITY;
  for (Series& s : all) {
    std::stable_sort(s.points.begin(), s.points.end(), [](const Point& a, const Point& b) { return a.x < b.x; });
    thin(s);
    for (const Point& p : s.points) {
      min_x = std::min(min_x, p.x), max_x = std::max(max_x, p.x);
      min_y = std::min(min_y, p.low), max_y = std::max(max_y, p.high);
    }
  }
  const Frame& f = kFrame;
  const Axis ay = make_axis(min_y, max_y, chart.log_y, f.top + f.plot, f.top);
  Axis ax = make_axis(min_x, max_x, chart.log_x, f.left, f.right);
  if (!chart.log_x && max_x > min_x) ax.low = min_x < max_x * 0.1 && min_x >= 0 ? 0 : min_x, ax.high = max_x;  // steps fill the width
  Axis inner_x = ax, inner_y = ay;
  inner_x.from = 0, inner_x.to = kAcross, inner_y.from = f.plot, inner_y.to = 0;

  Parts parts;
  parts.height = f.top + f.plot + f.bottom;
  parts.body = grid(f, ax, ay, column_x, column_y);
  parts.body += fmt::format("<svg x=\"{}%\" y=\"{}\" width=\"{}%\" height=\"{}\" viewBox=\"0 0 {} {}\" preserveAspectRatio=\"none\">\n", f.left, f.top, f.right - f.left, f.plot, kAcross, f.plot);
  std::vector<double*> heights;
  for (size_t k = 0; k < all.size(); ++k) {
    Series& s = all[k];
    s.label_y = ay(s.points.back().y);
    heights.push_back(&s.label_y);
    parts.body += fmt::format("<g class=\"series s{}\">", series_color(k));
    if (s.band) {
      std::string outline;
      for (const Point& p : s.points) outline += fmt::format("{:.1f},{:.1f} ", inner_x(p.x), inner_y(p.high));
      for (size_t i = s.points.size(); i-- > 0;) outline += fmt::format("{:.1f},{:.1f} ", inner_x(s.points[i].x), inner_y(s.points[i].low));
      parts.body += fmt::format("<polygon class=\"band\" points=\"{}\"/>", outline);
    }
    std::string path;
    for (const Point& p : s.points) path += fmt::format("{:.1f},{:.1f} ", inner_x(p.x), inner_y(p.y));
    parts.body += fmt::format("<polyline points=\"{}\"{}><title>{}</title></polyline></g>\n", path, k >= kSeriesColors ? " stroke-dasharray=\"5 3\"" : "", escape_html(s.name));
  }
  parts.body += "</svg>\n";
  spread(heights, kLabelHeight, f.top + f.plot);
  for (size_t k = 0; k < all.size(); ++k) {
    const Series& s = all[k];
    const Point& end = s.points.back();
    const std::string text = column_y.unit == Unit::none ? fmt::format("{:.3g}", end.y) : format_cell(end.y, column_y.unit);
    const std::string shown = s.name.empty() ? text : shorten(s.name, kLongestName, "\u2026") + " " + text;
    parts.body += fmt::format("<g class=\"series s{}\"><circle cx=\"{:.2f}%\" cy=\"{:.1f}\" r=\"3.5\"><title>{}: {} {}, {}</title></circle>"
                              "<line class=\"leader\" x1=\"{:.2f}%\" y1=\"{:.1f}\" x2=\"{:.2f}%\" y2=\"{:.1f}\"/>"
                              "<text x=\"{:.2f}%\" dx=\"4\" y=\"{:.1f}\">{}</text></g>\n",
                              series_color(k), ax(end.x), ay(end.y), escape_html(s.name), format_cell(end.x, column_x.unit), escape_html(column_x.label), text, ax(end.x), ay(end.y), f.right + 1.5,
                              s.label_y, f.right + 1.5, s.label_y + 4, escape_html(shown));
  }
  return parts;
}

}  // namespace hone::svg
