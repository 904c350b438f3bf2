// Charts as SVG fragments. Positions across are percentages and heights are pixels, so a chart fits any width without
// shrinking its text. Colours are CSS variables that page_style() defines for light and dark.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "run/report.h"

namespace hone {

// An <svg> element for a chart of `report`; "" when its table or columns are missing or there is nothing to draw.
// `id` makes the ids inside unique in a page.
std::string svg_chart(const Report& report, const Chart& chart, std::string_view id);

namespace svg {

struct Rect {
  double x, y, w, h;
};
// Squarified treemap (Bruls, Huizing, van Wijk 2000): one rectangle per weight, in order, filling `area`.
// Weights must fall and be positive.
std::vector<Rect> squarify(const std::vector<double>& weights, Rect area);

// Round positions 1, 2, 5 x 10^k inside [low, high] of a logarithmic axis; every power of ten when 1-2-5 is too many.
std::vector<double> log_ticks(double low, double high, size_t at_most);

struct Parts {
  std::string body;   // elements
  double height = 0;  // pixels
};
Parts bars(const Table& table, const Chart& chart);
Parts treemap(const Table& table, const Chart& chart);
Parts lines(const Table& table, const Chart& chart);
Parts curves(const Table& table, const Chart& chart);
Parts scatter(const Table& table, const Chart& chart, const Table* lines = nullptr);
Parts intervals(const Table& table, const Chart& chart);
Parts histogram(const Table& table, const Chart& chart);

// ---- charts with two axes ----

inline constexpr size_t kSeriesColors = 9;  // series colours of page_style()
size_t series_color(size_t series);         // neighbours are of different hues

// Where the plot lies: pixels down, percent across.
struct Frame {
  double top, plot, bottom, left, right;
};
// Values [low, high] onto positions [from, to].
struct Axis {
  double low, high;
  bool log;
  double from, to;
  double operator()(double v) const;
};
Axis make_axis(double low, double high, bool log, double from, double to);  // with some air around the values
std::vector<double> linear_ticks(double low, double high, size_t at_most);  // multiples of 1, 2, 5 x 10^k
std::string tick_text(double v, Unit unit = Unit::none);
std::string grid(const Frame& frame, const Axis& ax, const Axis& ay, const Column& x, const Column& y);
std::string legend(const std::vector<std::string>& names, double y);
// Pushes heights apart until they are `gap` from each other and none is below `limit`.
void spread(std::vector<double*> heights, double gap, double limit);

// Column index by key, or -1.
int column(const Table& table, std::string_view key);
double text_width(std::string_view text, double font_size);  // an estimate for a sans-serif face

}  // namespace svg
}  // namespace hone
