// Points with names and error bars, a colour per group: accuracy against cost.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "run/chart.h"
#include "run/format.h"

namespace hone::svg {

namespace {

constexpr Frame kFrame{58, 340, 46, 8, 98};
constexpr double kAssumedWidth = 860;  // pixels, for placing names; the chart itself fits any width
constexpr double kFont = 12, kRadius = 4.5, kLeastRadius = 2.5, kMostRadius = 16;

struct Point {
  double x, y, low, high;
  std::string label;
  size_t series = 0;
  double radius = kRadius;
};
struct Box {
  double x, y, w, h;
  double overlap(const Box& o) const { return std::max(0., std::min(x + w, o.x + o.w) - std::max(x, o.x)) * std::max(0., std::min(y + h, o.y + o.h) - std::max(y, o.y)); }
};

// Where a name stands: right, left, above or below its point, wherever it covers the least.
struct Place {
  const char* anchor;
  double dx, dy;
  Box box(double x, double y, double width) const {
    const double left = *anchor == 's' ? x + dx : *anchor == 'e' ? x + dx - width : x - width / 2;
    return {left, y + dy - kFont, width, kFont + 3};
  }
};
constexpr Place kPlaces[] = {{"start", 9, 4}, {"end", -9, 4}, {"middle", 0, -9}, {"middle", 0, 19}, {"start", 7, -7}, {"start", 7, 16}, {"end", -7, -7}, {"end", -7, 16}};

// The same place beside a larger point.
Place moved(Place place, double radius) {
  const double by = std::max(0., radius - kRadius);
  place.dx += place.dx > 0 ? by : place.dx < 0 ? -by : 0;
  if (place.dx == 0) place.dy += place.dy > 0 ? by : -by;
  return place;
}

// Lines behind the points, by name.
struct Behind {
  std::string name;
  std::vector<std::pair<double, double>> points;
};
std::vector<Behind> lines_of(const Table* table, bool log_x, bool log_y) {
  std::vector<Behind> out;
  if (!table) return out;
  const int cx = column(*table, "x"), cy = column(*table, "y"), cn = column(*table, "name");
  if (cx < 0 || cy < 0) return out;
  for (const auto& row : table->rows) {
    const double x = number(row[static_cast<size_t>(cx)]), y = number(row[static_cast<size_t>(cy)]);
    if (!std::isfinite(x) || !std::isfinite(y) || (log_x && !(x > 0)) || (log_y && !(y > 0))) continue;
    const std::string name = cn < 0 ? "" : format_cell(row[static_cast<size_t>(cn)], Unit::none);
    if (out.empty() || out.back().name != name) out.push_back({name, {}});
    out.back().points.emplace_back(x, y);
  }
  return out;
}

}  // namespace

Parts scatter(const Table& table, const Chart& chart, const Table* lines) {
  const int cx = column(table, chart.x), cy = column(table, chart.y), cg = column(table, chart.group), cn = column(table, chart.label), cl = column(table, chart.low), ch = column(table, chart.high), cs = column(table, chart.size);
  if (cx < 0 || cy < 0) return {};
  const Column &column_x = table.columns[static_cast<size_t>(cx)], &column_y = table.columns[static_cast<size_t>(cy)];
  std::vector<std::string> names;
  std::vector<Point> points;
  double min_x = INFINITY, max_x = -INFINITY, min_y = INFINITY, max_y = -INFINITY;
  for (const auto& row : table.rows) {
    const Cell &x = row[static_cast<size_t>(cx)], &y = row[static_cast<size_t>(cy)];
    if (!is_number(x) || !is_number(y)) continue;
    Point p{number(x), number(y), number(y), number(y), cn < 0 ? "" : format_cell(row[static_cast<size_t>(cn)], table.columns[static_cast<size_t>(cn)].unit)};
    if (!std::isfinite(p.x) || !std::isfinite(p.y) || (chart.log_x && !(p.x > 0)) || (chart.log_y && !(p.y > 0))) continue;
    if (cl >= 0 && is_number(row[static_cast<size_t>(cl)]) && std::isfinite(number(row[static_cast<size_t>(cl)]))) p.low = number(row[static_cast<size_t>(cl)]);
    if (ch >= 0 && is_number(row[static_cast<size_t>(ch)]) && std::isfinite(number(row[static_cast<size_t>(ch)]))) p.high = number(row[static_cast<size_t>(ch)]);
    if (chart.log_y && !(p.low > 0)) p.low = p.y;
    if (cs >= 0) p.radius = number(row[static_cast<size_t>(cs)]);
    const std::string name = cg < 0 ? "" : format_cell(row[static_cast<size_t>(cg)], Unit::none);
    p.series = static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    if (p.series == names.size()) names.push_back(name);
    min_x = std::min(min_x, p.x), max_x = std::max(max_x, p.x);
    min_y = std::min({min_y, p.y, p.low}), max_y = std::max({max_y, p.y, p.high});
    points.push_back(std::move(p));
  }
  if (points.empty()) return {};
  // Areas: the largest is kMostRadius.
  double largest = 0;
  for (const Point& p : points) largest = std::max(largest, p.radius);
  if (cs >= 0)
    for (Point& p : points) p.radius = largest > 0 ? std::max(kLeastRadius, kMostRadius * std::sqrt(std::max(0., p.radius) / largest)) : kRadius;
  const std::vector<Behind> behind = lines_of(lines, chart.log_x, chart.log_y);
  for (const Behind& line : behind)
    for (const auto& [x, y] : line.points) min_x = std::min(min_x, x), max_x = std::max(max_x, x), min_y = std::min(min_y, y), max_y = std::max(max_y, y);
  Frame f = kFrame;
  const bool named = names.size() > 1 || !names[0].empty();
  if (!named) f.top -= 22;
  const Axis ay = make_axis(min_y, max_y, chart.log_y, f.top + f.plot, f.top);
  Axis ax = make_axis(min_x, max_x, chart.log_x, f.left, f.right);
  if (chart.log_x) ax.low = min_x / std::pow(max_x / min_x, 0.06) / 1.08, ax.high = max_x * std::pow(max_x / min_x, 0.06) * 1.08;

  Parts parts;
  parts.height = f.top + f.plot + f.bottom;
  if (named) parts.body += legend(names, 2);
  parts.body += grid(f, ax, ay, column_x, column_y);
  const auto px = [&](double x) { return ax(x) / 100 * kAssumedWidth; };
  std::vector<Box> taken;
  for (const Point& p : points) {
    taken.push_back({px(p.x) - p.radius - 1, ay(p.y) - p.radius - 1, 2 * p.radius + 2, 2 * p.radius + 2});
    if (p.high > p.low) taken.push_back({px(p.x) - 2, ay(p.high), 4, ay(p.low) - ay(p.high)});
  }
  for (const Behind& line : behind) {
    parts.body += "<g class=\"series s8\">";
    for (size_t i = 1; i < line.points.size(); ++i)
      parts.body += fmt::format("<line class=\"thin\" x1=\"{:.2f}%\" y1=\"{:.1f}\" x2=\"{:.2f}%\" y2=\"{:.1f}\"/>", ax(line.points[i - 1].first), ay(line.points[i - 1].second), ax(line.points[i].first), ay(line.points[i].second));
    if (!line.name.empty()) {
      // Named at its right end, above it.
      const auto& [x, y] = line.points.back();
      const double width = text_width(line.name, kFont);
      taken.push_back({px(x) - width, ay(y) - 6 - kFont, width, kFont + 3});
      parts.body += fmt::format("<text class=\"small\" text-anchor=\"end\" x=\"{:.2f}%\" y=\"{:.1f}\">{}</text>", ax(x), ay(y) - 6, escape_html(line.name));
    }
    parts.body += "</g>\n";
  }
  // Lines first, so that points lie on them.
  if (chart.connect)
    for (size_t k = 0; k < names.size(); ++k) {
      std::vector<const Point*> line;
      for (const Point& p : points)
        if (p.series == k) line.push_back(&p);
      std::stable_sort(line.begin(), line.end(), [](const Point* a, const Point* b) { return a->x < b->x; });
      for (size_t i = 1; i < line.size(); ++i)
        parts.body += fmt::format("<g class=\"series s{}\"><line class=\"thin\" x1=\"{:.2f}%\" y1=\"{:.1f}\" x2=\"{:.2f}%\" y2=\"{:.1f}\"/></g>\n", series_color(k), ax(line[i - 1]->x), ay(line[i - 1]->y),
                                  ax(line[i]->x), ay(line[i]->y));
    }
  for (const Point& p : points) {
    const std::string color = fmt::format("{}", series_color(p.series));
    const std::string spread_text = p.high > p.low ? fmt::format(" ({} to {})", format_cell(p.low, column_y.unit), format_cell(p.high, column_y.unit)) : "";
    parts.body += "<g class=\"series s" + color + "\">";
    if (p.high > p.low)
      parts.body += fmt::format("<line class=\"error\" x1=\"{0:.2f}%\" x2=\"{0:.2f}%\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>", ax(p.x), ay(p.low), ay(p.high));
    parts.body += fmt::format("<circle cx=\"{:.2f}%\" cy=\"{:.1f}\" r=\"{:.4g}\"{}><title>{}{}{}{} {}, {}{} {}</title></circle>", ax(p.x), ay(p.y), p.radius, cs >= 0 ? " fill-opacity=\".55\"" : "", escape_html(names[p.series]),
                              p.label.empty() || names[p.series].empty() ? "" : ", ", escape_html(p.label), p.label.empty() && names[p.series].empty() ? "" : ":", format_cell(p.x, column_x.unit) + " " + escape_html(column_x.label),
                              format_cell(p.y, column_y.unit), spread_text, escape_html(column_y.label));
    if (!p.label.empty()) {
      const double width = text_width(p.label, kFont);
      Place best = kPlaces[0];
      double least = INFINITY;
      for (const Place& place : kPlaces) {
        const Box box = moved(place, p.radius).box(px(p.x), ay(p.y), width);
        double cost = 0;
        for (const Box& t : taken) cost += box.overlap(t);
        cost += 40 * (std::max(0., box.x + box.w - kAssumedWidth) + std::max(0., px(ax.low) - box.x) + std::max(0., f.top - box.y) + std::max(0., box.y + box.h - f.top - f.plot));
        if (cost < least - 1e-9) least = cost, best = moved(place, p.radius);
      }
      taken.push_back(best.box(px(p.x), ay(p.y), width));
      parts.body += fmt::format("<text class=\"small\" text-anchor=\"{}\" x=\"{:.2f}%\" dx=\"{}\" y=\"{:.1f}\">{}</text>", best.anchor, ax(p.x), best.dx, ay(p.y) + best.dy, escape_html(p.label));
    }
    parts.body += "</g>\n";
  }
  return parts;
}

}  // namespace hone::svg
