// Lines on two logarithmic axes, one per group, named at their ends.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "run/chart.h"
#include "run/format.h"

namespace hone::svg {

namespace {

constexpr Frame kFrame{28, 340, 44, 9, 77};
constexpr double kLabelHeight = 15;  // pixels between names at the line ends

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // in the table's order
  double label_y = 0;
};

}  // namespace

std::vector<double> log_ticks(double low, double high, size_t at_most) {
  if (!(low > 0) || !(high >= low) || !std::isfinite(high)) return {};
  static const std::vector<std::vector<double>> kSteps = {{1, 1.5, 2, 3, 4, 5, 6, 8}, {1, 2, 3, 5}, {1, 2, 5}, {1, 3}, {1}};
  std::vector<double> ticks;
  for (const auto& steps : kSteps) {
    ticks.clear();
    for (int e = static_cast<int>(std::floor(std::log10(low))); e <= static_cast<int>(std::ceil(std::log10(high))); ++e)
      for (double s : steps)
        if (const double v = s * std::pow(10., e); v >= low * (1 - 1e-9) && v <= high * (1 + 1e-9)) ticks.push_back(v);
    if (ticks.size() <= at_most) return ticks;
  }
  // Every second, third, ... power of ten.
  const size_t step = (ticks.size() + at_most - 1) / std::max<size_t>(1, at_most);
  std::vector<double> few;
  for (size_t i = 0; i < ticks.size(); i += step) few.push_back(ticks[i]);
  return few;
}

Parts lines(const Table& table, const Chart& chart) {
  const int cx = column(table, chart.x), cy = column(table, chart.y), cg = column(table, chart.group);
  if (cx < 0 || cy < 0) return {};
  const Column &column_x = table.columns[static_cast<size_t>(cx)], &column_y = table.columns[static_cast<size_t>(cy)];
  std::vector<Series> all;
  double min_x = INFINITY, max_x = 0, min_y = INFINITY, max_y = 0;
  for (const auto& row : table.rows) {
    const double x = number(row[static_cast<size_t>(cx)]), y = number(row[static_cast<size_t>(cy)]);
    if (!(x > 0) || !(y > 0) || !std::isfinite(x) || !std::isfinite(y)) continue;  // not on a logarithmic axis
    const std::string name = cg < 0 ? "" : format_cell(row[static_cast<size_t>(cg)], Unit::none);
    auto s = std::find_if(all.begin(), all.end(), [&](const Series& t) { return t.name == name; });
    if (s == all.end()) s = all.insert(all.end(), Series{name});
    s->points.emplace_back(x, y);
    min_x = std::min(min_x, x), max_x = std::max(max_x, x), min_y = std::min(min_y, y), max_y = std::max(max_y, y);
  }
  if (all.empty()) return {};
  const Frame& f = kFrame;
  const Axis ax{min_x / 1.06, max_x * 1.03, true, f.left, f.right}, ay{min_y / 1.12, max_y * 1.08, true, f.top + f.plot, f.top};

  Parts parts;
  parts.height = f.top + f.plot + f.bottom;
  parts.body = grid(f, ax, ay, column_x, column_y);
  std::vector<double*> heights;  // of the names at the line ends
  for (Series& s : all) {
    s.label_y = ay(s.points.back().second);
    heights.push_back(&s.label_y);
  }
  spread(heights, kLabelHeight, f.top + f.plot);
  for (size_t k = 0; k < all.size(); ++k) {
    const Series& s = all[k];
    const size_t color = k % kSeriesColors;
    parts.body += fmt::format("<g class=\"series s{}\">", color);
    for (size_t i = 1; i < s.points.size(); ++i)
      parts.body += fmt::format("<line x1=\"{:.2f}%\" y1=\"{:.1f}\" x2=\"{:.2f}%\" y2=\"{:.1f}\"{}/>", ax(s.points[i - 1].first), ay(s.points[i - 1].second),
                                ax(s.points[i].first), ay(s.points[i].second), k >= kSeriesColors ? " stroke-dasharray=\"5 3\"" : "");
    for (const auto& [x, y] : s.points)
      parts.body += fmt::format("<circle cx=\"{:.2f}%\" cy=\"{:.1f}\" r=\"3.5\"><title>{}: {} {}, {} {}</title></circle>", ax(x), ay(y), escape_html(s.name),
                                format_cell(x, column_x.unit), escape_html(column_x.label), format_cell(y, column_y.unit), escape_html(column_y.label));
    const auto& [ex, ey] = s.points.back();
    parts.body += fmt::format("<line class=\"leader\" x1=\"{:.2f}%\" y1=\"{:.1f}\" x2=\"{:.2f}%\" y2=\"{:.1f}\"/>"
                              "<text x=\"{:.2f}%\" dx=\"4\" y=\"{:.1f}\">{}</text></g>\n",
                              ax(ex), ay(ey), f.right + 1.5, s.label_y, f.right + 1.5, s.label_y + 4, escape_html(s.name));
  }
  return parts;
}

}  // namespace hone::svg
