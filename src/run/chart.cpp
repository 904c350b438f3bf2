#include "run/chart.h"

#include <fmt/format.h>

#include "run/format.h"
#include "run/page_style.h"

namespace hone {

namespace svg {

int column(const Table& table, std::string_view key) {
  for (size_t c = 0; c < table.columns.size(); ++c)
    if (table.columns[c].key == key) return static_cast<int>(c);
  return -1;
}

double text_width(std::string_view text, double font_size) { return 0.6 * font_size * static_cast<double>(display_width(text)); }

}  // namespace svg

std::string svg_chart(const Report& report, const Chart& chart, std::string_view id) {
  const Table* table = report.table(chart.table);
  if (!table) return "";
  svg::Parts parts;
  switch (chart.kind) {
    case Chart::Kind::bars: parts = svg::bars(*table, chart); break;
    case Chart::Kind::treemap: parts = svg::treemap(*table, chart); break;
    case Chart::Kind::lines: parts = svg::lines(*table, chart); break;
    case Chart::Kind::curves: parts = svg::curves(*table, chart); break;
    case Chart::Kind::scatter: parts = svg::scatter(*table, chart, chart.lines.empty() ? nullptr : report.table(chart.lines)); break;
    case Chart::Kind::histogram: parts = svg::histogram(*table, chart); break;
    case Chart::Kind::intervals: parts = svg::intervals(*table, chart); break;
  }
  if (parts.body.empty()) return "";
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" role=\"img\" width=\"100%\" height=\"{:.0f}\" "
      "aria-labelledby=\"{}-t {}-d\">\n<title id=\"{}-t\">{}</title><desc id=\"{}-d\">{}</desc>\n{}</svg>\n",
      parts.height, id, id, id, escape_html(chart.title), id, escape_html(chart.caption), parts.body);
}

std::string to_svg(const Report& report, const Chart& chart) {
  std::string text = svg_chart(report, chart, "chart");
  const size_t after = text.find(">\n");
  if (after == std::string::npos) return "";
  const size_t width = text.find("width=\"100%\"");
  text.insert(after + 2, "<style>" + page_style() + "</style>\n<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n");
  text.replace(width, 12, "width=\"860\"");
  return text;
}

}  // namespace hone
