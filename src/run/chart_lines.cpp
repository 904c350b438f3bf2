// Lines on two logarithmic axes, one per group, named at their ends.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/units.h"
#include "run/chart.h"
#include "run/format.h"

namespace hone::svg {

namespace {

constexpr double kTop = 28, kPlot = 340, kBottom = 44;           // pixels
constexpr double kLeft = 9, kRight = 77;                         // percent across where the plot begins and ends
constexpr double kLabelHeight = 15;                              // pixels between names at the line ends
constexpr size_t kColors = 9;

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // in the table's order
  double label_y = 0;
};

struct Axis {
  double low, high, from, to;  // log range onto [from, to]
  double operator()(double v) const { return from + (std::log(v) - std::log(low)) / (std::log(high) - std::log(low)) * (to - from); }
};

std::string tick_text(double v) {
  if (v >= 1e15 || v < 1) return fmt::format("{:g}", v);
  static constexpr std::pair<double, const char*> kSteps[] = {{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}};
  for (auto [factor, suffix] : kSteps)
    if (v >= factor * 0.9999) return fmt::format("{:g}{}", v / factor, suffix);
  return fmt::format("{:g}", v);
}

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
  const Axis ax{min_x / 1.06, max_x * 1.03, kLeft, kRight}, ay{min_y / 1.12, max_y * 1.08, kTop + kPlot, kTop};

  Parts parts;
  parts.height = kTop + kPlot + kBottom;
  for (double t : log_ticks(ay.low, ay.high, 7))
    parts.body += fmt::format("<line class=\"grid\" x1=\"{:.2f}%\" x2=\"{:.2f}%\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
                              "<text class=\"tick\" text-anchor=\"end\" x=\"{:.2f}%\" dx=\"-6\" y=\"{:.1f}\">{}</text>\n",
                              kLeft, kRight, ay(t), ay(t), kLeft, ay(t) + 4, tick_text(t));
  for (double t : log_ticks(ax.low, ax.high, 6))
    parts.body += fmt::format("<line class=\"grid\" x1=\"{:.2f}%\" x2=\"{:.2f}%\" y1=\"{}\" y2=\"{}\"/>"
                              "<text class=\"tick\" text-anchor=\"middle\" x=\"{:.2f}%\" y=\"{}\">{}</text>\n",
                              ax(t), ax(t), kTop, kTop + kPlot, ax(t), kTop + kPlot + 18, tick_text(t));
  parts.body += fmt::format("<text class=\"axis\" x=\"0\" y=\"14\">{}</text><text class=\"axis\" text-anchor=\"end\" x=\"{}%\" y=\"{}\">{}</text>\n",
                            escape_html(column_y.label), kRight, kTop + kPlot + 38, escape_html(column_x.label));

  // Names stand at the line ends, pushed apart from the top down, then back up where they ran off the plot.
  std::vector<Series*> by_height;
  for (Series& s : all) {
    s.label_y = ay(s.points.back().second);
    by_height.push_back(&s);
  }
  std::stable_sort(by_height.begin(), by_height.end(), [](const Series* a, const Series* b) { return a->label_y < b->label_y; });
  for (size_t i = 1; i < by_height.size(); ++i) by_height[i]->label_y = std::max(by_height[i]->label_y, by_height[i - 1]->label_y + kLabelHeight);
  double limit = kTop + kPlot;
  for (size_t i = by_height.size(); i-- > 0; limit = by_height[i]->label_y - kLabelHeight) by_height[i]->label_y = std::min(by_height[i]->label_y, limit);

  for (size_t k = 0; k < all.size(); ++k) {
    const Series& s = all[k];
    const size_t color = k % kColors;
    parts.body += fmt::format("<g class=\"series s{}\">", color);
    for (size_t i = 1; i < s.points.size(); ++i)
      parts.body += fmt::format("<line x1=\"{:.2f}%\" y1=\"{:.1f}\" x2=\"{:.2f}%\" y2=\"{:.1f}\"{}/>", ax(s.points[i - 1].first), ay(s.points[i - 1].second),
                                ax(s.points[i].first), ay(s.points[i].second), k >= kColors ? " stroke-dasharray=\"5 3\"" : "");
    for (const auto& [x, y] : s.points)
      parts.body += fmt::format("<circle cx=\"{:.2f}%\" cy=\"{:.1f}\" r=\"3.5\"><title>{}: {} {}, {} {}</title></circle>", ax(x), ay(y), escape_html(s.name),
                                format_cell(x, column_x.unit), escape_html(column_x.label), format_cell(y, column_y.unit), escape_html(column_y.label));
    const auto& [ex, ey] = s.points.back();
    parts.body += fmt::format("<line class=\"leader\" x1=\"{:.2f}%\" y1=\"{:.1f}\" x2=\"{:.2f}%\" y2=\"{:.1f}\"/>"
                              "<text x=\"{:.2f}%\" dx=\"4\" y=\"{:.1f}\">{}</text></g>\n",
                              ax(ex), ay(ey), kRight + 1.5, s.label_y, kRight + 1.5, s.label_y + 4, escape_html(s.name));
  }
  return parts;
}

}  // namespace hone::svg
