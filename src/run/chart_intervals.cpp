// Horizontal bars from nought with the interval in which the true value lies.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "run/chart.h"
#include "run/format.h"

namespace hone::svg {

namespace {
constexpr double kLabel = 20, kBar = 14, kRowGap = 12;
constexpr double kBarsAcross = 78;  // percent of the width for the longest bar with its interval; the number stands in the rest
}  // namespace

Parts intervals(const Table& table, const Chart& chart) {
  const int label = column(table, chart.label), low = column(table, chart.low), high = column(table, chart.high);
  const int value = chart.values.empty() ? -1 : column(table, chart.values[0]);
  if (label < 0 || value < 0) return {};
  const auto at = [](const std::vector<Cell>& row, int c, double otherwise) {
    return c >= 0 && is_number(row[static_cast<size_t>(c)]) && std::isfinite(number(row[static_cast<size_t>(c)])) ? number(row[static_cast<size_t>(c)]) : otherwise;
  };
  double most = 0;
  for (const auto& row : table.rows) {
    const double v = at(row, value, 0);
    most = std::max({most, v, at(row, high, v)});
  }
  if (!(most > 0)) return {};
  const Column& of = table.columns[static_cast<size_t>(value)];
  Parts parts;
  double y = 0;
  for (const auto& row : table.rows) {
    const double v = at(row, value, 0);
    if (!(v > 0)) continue;
    const double from = std::clamp(at(row, low, v), 0., v), to = std::max(v, at(row, high, v));
    const auto across = [&](double x) { return x / most * kBarsAcross; };
    const std::string name = escape_html(format_cell(row[static_cast<size_t>(label)], table.columns[static_cast<size_t>(label)].unit));
    const std::string text = format_cell(v, of.unit), range = to > from ? fmt::format("{} to {}", format_cell(from, of.unit), format_cell(to, of.unit)) : "";
    const double middle = y + kLabel + kBar / 2;
    parts.body += fmt::format("<text class=\"label\" x=\"0\" y=\"{:.0f}\">{}</text>\n<g class=\"series s0\"><title>{}, {}: {}{}</title><rect class=\"c0\" y=\"{:.0f}\" width=\"{:.2f}%\" height=\"{}\" rx=\"2\"/>", y + 14, name,
                              name, escape_html(of.label), text, range.empty() ? "" : " (" + range + ")", y + kLabel, std::max(across(v), 0.15), kBar);
    if (!range.empty()) {
      parts.body += fmt::format("<line class=\"whisker\" x1=\"{0:.2f}%\" x2=\"{1:.2f}%\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>", across(from), across(to), middle);
      for (double end : {from, to}) parts.body += fmt::format("<line class=\"whisker\" x1=\"{0:.2f}%\" x2=\"{0:.2f}%\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>", across(end), middle - 4, middle + 4);
    }
    parts.body += fmt::format("</g><text class=\"tiny\" x=\"{:.2f}%\" dx=\"8\" y=\"{:.1f}\">{}</text>\n", across(to), middle + 4, text);
    y += kLabel + kBar + kRowGap;
  }
  parts.height = y - kRowGap + 4;
  return parts;
}

}  // namespace hone::svg
