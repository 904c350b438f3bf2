#include "data/simplify.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace hone {

namespace {

constexpr double kAlways = std::numeric_limits<double>::infinity();

double distance(const Point& p, const Point& a, const Point& b) {
  const double dx = b.x - a.x, dy = b.y - a.y;
  if (dx == 0 && dy == 0) return std::hypot(p.x - a.x, p.y - a.y);
  return std::abs(dx * (a.y - p.y) - dy * (a.x - p.x)) / std::hypot(dx, dy);
}

double length(const Stroke& s) {
  double sum = 0;
  for (size_t i = 1; i < s.size(); ++i) sum += std::hypot(s[i].x - s[i - 1].x, s[i].y - s[i - 1].y);
  return sum;
}

Stroke keep_above(const Stroke& stroke, const std::vector<double>& value, double epsilon) {
  Stroke out;
  for (size_t i = 0; i < stroke.size(); ++i)
    if (value[i] > epsilon) out.push_back(stroke[i]);
  return out;
}

Sketch without_strokes(const Sketch& s) {
  Sketch out;
  out.id = s.id;
  out.label = s.label;
  out.frame = s.frame;
  out.strokes.reserve(s.strokes.size());
  return out;
}

}  // namespace

std::vector<double> significance(const Stroke& stroke, double floor) {
  std::vector<double> value(stroke.size(), 0);
  if (stroke.empty()) return value;
  value.front() = value.back() = kAlways;
  // A part is split only when all parts around it were: its point lasts no longer than theirs.
  struct Part {
    size_t first, last;
    double bound;
  };
  std::vector<Part> open{{0, stroke.size() - 1, kAlways}};
  while (!open.empty()) {
    const Part part = open.back();
    open.pop_back();
    double farthest = 0;
    size_t at = part.first;
    for (size_t i = part.first + 1; i < part.last; ++i)
      if (const double d = distance(stroke[i], stroke[part.first], stroke[part.last]); d > farthest) farthest = d, at = i;
    if (!(farthest > floor)) continue;
    value[at] = std::min(farthest, part.bound);
    open.push_back({part.first, at, value[at]});
    open.push_back({at, part.last, value[at]});
  }
  return value;
}

Stroke simplify(const Stroke& stroke, double epsilon) { return keep_above(stroke, significance(stroke, epsilon), epsilon); }

Sketch simplify(const Sketch& sketch, double epsilon) {
  Sketch out = without_strokes(sketch);
  for (const Stroke& s : sketch.strokes) out.strokes.push_back(simplify(s, epsilon));
  return out;
}

Sketch simplify_to(const Sketch& sketch, size_t max_points) {
  max_points = std::max<size_t>(max_points, 1);
  if (sketch.points() <= max_points) return sketch;
  std::vector<std::vector<double>> values;
  std::vector<double> inner;  // of all points that an epsilon can remove
  size_t ends = 0;
  for (const Stroke& s : sketch.strokes) {
    values.push_back(significance(s));
    for (double v : values.back()) v == kAlways ? void(++ends) : inner.push_back(v);
  }
  double epsilon = kAlways;
  if (ends < max_points) {
    // The largest value that must go; all of its equals go with it.
    const auto nth = inner.begin() + static_cast<ptrdiff_t>(max_points - ends);
    std::nth_element(inner.begin(), nth, inner.end(), std::greater<>());
    epsilon = *nth;
  } else {
    epsilon = std::numeric_limits<double>::max();
  }
  Sketch out = without_strokes(sketch);
  for (size_t i = 0; i < sketch.strokes.size(); ++i) out.strokes.push_back(keep_above(sketch.strokes[i], values[i], epsilon));
  size_t points = out.points();
  if (points <= max_points) return out;
  std::vector<size_t> order(out.strokes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return length(sketch.strokes[a]) < length(sketch.strokes[b]); });
  for (size_t i : order) {
    if (points <= max_points) break;
    Stroke& s = out.strokes[i];
    points -= s.size();
    s.clear();
    if (points == 0) s.assign(1, sketch.strokes[i].front()), points = 1;  // something always remains
  }
  std::erase_if(out.strokes, [](const Stroke& s) { return s.empty(); });
  return out;
}

}  // namespace hone
