// Horizontal bars: per row one thin bar per column, its length the share of the column's sum, so that columns of
// different units (MACs, parameters, activations) compare.
#include <fmt/format.h>

#include <algorithm>

#include "run/chart.h"
#include "run/format.h"

namespace hone::svg {

namespace {
constexpr double kLegend = 30, kLabel = 20, kBar = 9, kBarGap = 3, kRowGap = 12;
constexpr double kLeastShare = 0.0005;
constexpr double kBarsAcross = 74;  // percent of the width for a full bar; numbers stand in the rest
}  // namespace

Parts bars(const Table& table, const Chart& chart) {
  const int label = column(table, chart.label);
  std::vector<size_t> columns;
  std::vector<double> sums;
  double longest = 0;
  for (const std::string& key : chart.values) {
    const int c = column(table, key);
    if (c < 0) continue;
    double sum = 0, top = 0;
    for (const auto& row : table.rows) {
      sum += std::max(0., number(row[static_cast<size_t>(c)]));
      top = std::max(top, number(row[static_cast<size_t>(c)]));
    }
    if (sum <= 0) continue;
    columns.push_back(static_cast<size_t>(c));
    sums.push_back(sum);
    longest = std::max(longest, top / sum);
  }
  if (label < 0 || columns.empty()) return {};

  Parts parts;
  double y = 0;
  if (columns.size() > 1) {
    double x = 0;
    for (size_t k = 0; k < columns.size(); ++k) {
      const std::string& text = table.columns[columns[k]].label;
      parts.body += fmt::format("<rect class=\"c{}\" x=\"{:.0f}\" y=\"4\" width=\"11\" height=\"11\" rx=\"2\"/>"
                                "<text class=\"small\" x=\"{:.0f}\" y=\"14\">{}</text>\n", k, x, x + 16, escape_html(text));
      x += 16 + text_width(text, 12) + 22;
    }
    y = kLegend;
  }
  for (const auto& row : table.rows) {
    double most = 0;
    for (size_t k = 0; k < columns.size(); ++k) most = std::max(most, number(row[columns[k]]) / sums[k]);
    if (most < kLeastShare) continue;  // nothing to see; the table has it
    const std::string name = format_cell(row[static_cast<size_t>(label)], table.columns[static_cast<size_t>(label)].unit);
    parts.body += fmt::format("<text class=\"label\" x=\"0\" y=\"{:.0f}\">{}</text>\n", y + 14, escape_html(name));
    y += kLabel;
    for (size_t k = 0; k < columns.size(); ++k) {
      const Cell& cell = row[columns[k]];
      const Column& column = table.columns[columns[k]];
      const double share = std::max(0., number(cell)) / sums[k];
      const double across = share / longest * kBarsAcross;
      const std::string text = format_cell(cell, column.unit);
      parts.body += fmt::format(
          "<g><title>{}, {}: {} ({:.1f} %)</title><rect class=\"c{}\" y=\"{:.0f}\" width=\"{:.2f}%\" height=\"{:.0f}\" rx=\"2\"/>"
          "<text class=\"tiny\" x=\"{:.2f}%\" dx=\"6\" y=\"{:.0f}\">{} \u00B7 {:.1f} %</text></g>\n",
          escape_html(name), escape_html(column.label), text, share * 100, k, y, std::max(across, 0.15), kBar, across, y + kBar - 0.5, text, share * 100);
      y += kBar + kBarGap;
    }
    y += kRowGap;
  }
  parts.height = y - kRowGap + 4;
  return parts;
}

}  // namespace hone::svg
