// Upright bars, one per row, stacked from the columns of `values`; with `shares` every bar is filled to the top.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "run/chart.h"
#include "run/format.h"

namespace hone::svg {

namespace {
constexpr Frame kFrame{58, 260, 46, 8, 99};
constexpr double kFilled = 0.78;      // of a bar's slot
constexpr size_t kMostLabels = 14;
}  // namespace

Parts histogram(const Table& table, const Chart& chart) {
  const int label = column(table, chart.label);
  std::vector<size_t> columns;
  std::vector<std::string> names;
  for (const std::string& key : chart.values)
    if (const int c = column(table, key); c >= 0) columns.push_back(static_cast<size_t>(c)), names.push_back(table.columns[static_cast<size_t>(c)].label);
  if (label < 0 || columns.empty() || table.rows.empty()) return {};
  const auto value = [&](const std::vector<Cell>& row, size_t c) {
    const double v = number(row[c]);
    return std::isfinite(v) ? std::max(0., v) : 0.;
  };
  double top = 0;
  for (const auto& row : table.rows) {
    double sum = 0;
    for (size_t c : columns) sum += value(row, c);
    top = std::max(top, sum);
  }
  if (!(top > 0)) return {};
  Frame f = kFrame;
  if (columns.size() == 1) f.top -= 22;
  const Axis ay{0, chart.shares ? 1 : top * 1.04, false, f.top + f.plot, f.top};
  const Unit unit = chart.shares ? Unit::share : table.columns[columns[0]].unit;

  Parts parts;
  parts.height = f.top + f.plot + f.bottom;
  if (columns.size() > 1) parts.body += legend(names, 2);
  for (double t : linear_ticks(ay.low, ay.high, 6))
    parts.body += fmt::format("<line class=\"grid\" x1=\"{:.2f}%\" x2=\"{:.2f}%\" y1=\"{:.1f}\" y2=\"{:.1f}\"/><text class=\"tick\" text-anchor=\"end\" x=\"{:.2f}%\" dx=\"-6\" y=\"{:.1f}\">{}</text>\n", f.left, f.right,
                              ay(t), ay(t), f.left, ay(t) + 4, tick_text(t, unit));
  const double slot = (f.right - f.left) / static_cast<double>(table.rows.size());
  const size_t every = (table.rows.size() + kMostLabels - 1) / kMostLabels;
  for (size_t r = 0; r < table.rows.size(); ++r) {
    const auto& row = table.rows[r];
    const std::string name = format_cell(row[static_cast<size_t>(label)], table.columns[static_cast<size_t>(label)].unit);
    double sum = 0, below = 0;
    for (size_t c : columns) sum += value(row, c);
    const double left = f.left + slot * (static_cast<double>(r) + (1 - kFilled) / 2);
    for (size_t k = 0; k < columns.size() && sum > 0; ++k) {
      const double v = value(row, columns[k]), drawn = chart.shares ? v / sum : v;
      if (!(v > 0)) continue;
      parts.body += fmt::format("<rect class=\"c{} stacked\" x=\"{:.2f}%\" y=\"{:.1f}\" width=\"{:.2f}%\" height=\"{:.1f}\"><title>{} {}, {}: {} ({:.1f} %)</title></rect>\n", series_color(k), left,
                                ay(below + drawn), slot * kFilled, ay(below) - ay(below + drawn), escape_html(table.columns[static_cast<size_t>(label)].label), escape_html(name), escape_html(names[k]),
                                format_cell(row[columns[k]], table.columns[columns[k]].unit), v / sum * 100);
      below += drawn;
    }
    if (r % every == 0)
      parts.body += fmt::format("<text class=\"tick\" text-anchor=\"middle\" x=\"{:.2f}%\" y=\"{:.0f}\">{}</text>\n", left + slot * kFilled / 2, f.top + f.plot + 18, escape_html(shorten(name, 14, "\u2026")));
  }
  parts.body += fmt::format("<text class=\"axis\" x=\"0\" y=\"{}\">{}</text><text class=\"axis\" text-anchor=\"end\" x=\"{}%\" y=\"{}\">{}</text>\n", f.top - 14,
                            chart.shares ? "share" : columns.size() == 1 ? escape_html(names[0]) : "", f.right, f.top + f.plot + 38, escape_html(table.columns[static_cast<size_t>(label)].label));
  return parts;
}

}  // namespace hone::svg
