// What charts with two axes share: ticks, grid, names of lines that do not overlap, legends.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "run/chart.h"
#include "run/format.h"

namespace hone::svg {

size_t series_color(size_t series) {
  static constexpr size_t kOrder[kSeriesColors] = {0, 1, 2, 3, 6, 4, 8, 7, 5};
  return kOrder[series % kSeriesColors];
}

double Axis::operator()(double v) const {
  if (log) return from + (std::log(v) - std::log(low)) / (std::log(high) - std::log(low)) * (to - from);
  return from + (v - low) / (high - low) * (to - from);
}

Axis make_axis(double low, double high, bool log, double from, double to) {
  if (log) return {low / 1.08, high * 1.05, true, from, to};
  double pad = (high - low) * 0.04;
  if (pad <= 0) pad = high != 0 ? std::fabs(high) * 0.1 : 1;
  // Counts, losses and shares begin at nought where that costs little of the picture.
  const double begin = low >= 0 && low - pad < (high - low) * 0.35 ? 0 : low - pad;
  return {begin, high + pad, false, from, to};
}

std::vector<double> linear_ticks(double low, double high, size_t at_most) {
  if (!std::isfinite(low) || !std::isfinite(high) || !(high > low) || at_most < 1) return {};
  const double raw = (high - low) / static_cast<double>(at_most), power = std::pow(10., std::floor(std::log10(raw)));
  for (const double s : {1., 2., 5., 10., 20., 50.}) {
    const double step = s * power, first = std::ceil(low / step - 1e-9), last = std::floor(high / step + 1e-9);
    if (!(last - first + 1 <= static_cast<double>(at_most))) continue;
    std::vector<double> out;
    for (double i = first; i <= last; ++i) out.push_back(i == 0 ? 0 : i * step);
    return out;
  }
  return {};
}

std::string tick_text(double v, Unit unit) {
  if (unit == Unit::share) return fmt::format("{:g} %", v * 100);
  const double a = std::fabs(v);
  if (a >= 1e15) return fmt::format("{:g}", v);
  static constexpr std::pair<double, const char*> kSteps[] = {{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}};
  for (auto [factor, suffix] : kSteps)
    if (a >= factor * 0.9999) return fmt::format("{:g}{}", v / factor, suffix);
  return fmt::format("{:g}", v);
}

namespace {
// Ticks of milliseconds are plain numbers, so the axis names the unit.
std::string axis_label(const Column& c) { return escape_html(c.label) + (c.unit == Unit::milliseconds ? ", ms" : ""); }
}  // namespace

std::string grid(const Frame& f, const Axis& ax, const Axis& ay, const Column& x, const Column& y) {
  // A logarithmic axis too short for two round positions is as good as a linear one.
  const auto ticks = [](const Axis& a, size_t n) {
    const std::vector<double> log = a.log ? log_ticks(a.low, a.high, n) : std::vector<double>();
    return log.size() > 1 ? log : linear_ticks(a.low, a.high, n);
  };
  std::string out;
  for (double t : ticks(ay, 7))
    out += fmt::format("<line class=\"grid\" x1=\"{:.2f}%\" x2=\"{:.2f}%\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
                       "<text class=\"tick\" text-anchor=\"end\" x=\"{:.2f}%\" dx=\"-6\" y=\"{:.1f}\">{}</text>\n",
                       f.left, f.right, ay(t), ay(t), f.left, ay(t) + 4, tick_text(t, y.unit));
  for (double t : ticks(ax, 6))
    out += fmt::format("<line class=\"grid\" x1=\"{:.2f}%\" x2=\"{:.2f}%\" y1=\"{}\" y2=\"{}\"/>"
                       "<text class=\"tick\" text-anchor=\"middle\" x=\"{:.2f}%\" y=\"{}\">{}</text>\n",
                       ax(t), ax(t), f.top, f.top + f.plot, ax(t), f.top + f.plot + 18, tick_text(t, x.unit));
  return out + fmt::format("<text class=\"axis\" x=\"0\" y=\"{}\">{}</text><text class=\"axis\" text-anchor=\"end\" x=\"{}%\" y=\"{}\">{}</text>\n",
                           f.top - 14, axis_label(y), f.right, f.top + f.plot + 38, axis_label(x));
}

void spread(std::vector<double*> heights, double gap, double limit) {
  std::stable_sort(heights.begin(), heights.end(), [](const double* a, const double* b) { return *a < *b; });
  for (size_t i = 1; i < heights.size(); ++i) *heights[i] = std::max(*heights[i], *heights[i - 1] + gap);
  for (size_t i = heights.size(); i-- > 0; limit = *heights[i] - gap) *heights[i] = std::min(*heights[i], limit);
}

std::string legend(const std::vector<std::string>& names, double y) {
  std::string out;
  double x = 0;
  for (size_t k = 0; k < names.size(); ++k) {
    out += fmt::format("<g class=\"series s{}\"><rect class=\"c{}\" x=\"{:.0f}\" y=\"{:.0f}\" width=\"11\" height=\"11\" rx=\"2\"/></g>"
                       "<text class=\"small\" x=\"{:.0f}\" y=\"{:.0f}\">{}</text>\n", series_color(k), series_color(k), x, y, x + 16, y + 10, escape_html(names[k]));
    x += 16 + text_width(names[k], 12) + 20;
  }
  return out;
}

}  // namespace hone::svg
