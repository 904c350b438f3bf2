#include "data/sketch_hand.h"

#include <algorithm>
#include <cmath>

#include "data/sketch_builder.h"
#include "data/sketch_render.h"
#include "data/simplify.h"

namespace hone::procedural {

namespace {

double gauss(Rng& rng) { return rng.uniform() + rng.uniform() + rng.uniform() + rng.uniform() - 2; }  // variance 1/3: near enough

bool inside(const Polygon& p, const Point& q) {
  bool in = false;
  for (size_t i = 0, j = p.size() - 1; i < p.size(); j = i++)
    if ((p[i].y > q.y) != (p[j].y > q.y) && q.x < (p[j].x - p[i].x) * (q.y - p[i].y) / (p[j].y - p[i].y) + p[i].x) in = !in;
  return in;
}

// Well inside: lines along the edge of what lies over them are seen.
bool covered(const Polygon& p, const Point& q, double margin) {
  for (const Point& d : {Point{0, 0}, Point{margin, 0}, Point{-margin, 0}, Point{0, margin}, Point{0, -margin}})
    if (!inside(p, {q.x + d.x, q.y + d.y})) return false;
  return true;
}

// Points at equal steps along a line.
Polygon walk(const Polygon& points, bool closed, double step) {
  Polygon out{points.front()};
  double left = step;
  for (size_t i = 1; i < points.size() + (closed ? 1 : 0); ++i) {
    Point a = points[i - 1];
    const Point b = points[i % points.size()];
    for (double length = std::hypot(b.x - a.x, b.y - a.y); length >= left; length = std::hypot(b.x - a.x, b.y - a.y)) {
      a = {a.x + (b.x - a.x) * left / length, a.y + (b.y - a.y) * left / length};
      out.push_back(a);
      left = step;
    }
    left -= std::hypot(b.x - a.x, b.y - a.y);
  }
  const Point end = closed ? points.front() : points.back();
  if (std::hypot(end.x - out.back().x, end.y - out.back().y) > step * 0.3) out.push_back(end);
  return out;
}

struct Visible {
  Polygon points;
  double length = 0;
  bool whole = false;  // a closed outline that nothing covers
};

double length_of(const Polygon& p) {
  double sum = 0;
  for (size_t i = 1; i < p.size(); ++i) sum += std::hypot(p[i].x - p[i - 1].x, p[i].y - p[i - 1].y);
  return sum;
}

void add_visible(const Object& object, const Line& line, double step, std::vector<Visible>& out) {
  const Polygon points = walk(line.points, line.closed, step);
  std::vector<Visible> runs(1);
  bool hidden_somewhere = false;
  for (const Point& p : points) {
    bool hidden = false;
    for (size_t k = line.covered_from; k < object.parts.size() && !hidden; ++k) hidden = covered(object.parts[k].outline, p, step);
    hidden_somewhere = hidden_somewhere || hidden;
    if (!hidden) runs.back().points.push_back(p);
    else if (!runs.back().points.empty()) runs.emplace_back();
  }
  // A closed outline that starts in view and was covered in between: its last run goes on into its first.
  if (line.closed && hidden_somewhere && runs.size() > 1 && !runs.back().points.empty() && runs.front().points.front() == points.front()) {
    runs.back().points.insert(runs.back().points.end(), runs.front().points.begin(), runs.front().points.end());
    runs.front().points = std::move(runs.back().points);
    runs.pop_back();
  }
  for (Visible& v : runs) {
    v.length = length_of(v.points);
    v.whole = line.closed && !hidden_somewhere;
    if (v.points.size() >= 2 && v.length > 2.5 * step) out.push_back(std::move(v));
  }
}

// One stroke out of a visible run: from where the hand starts, in the direction it takes, smooth where it hurries.
Stroke draw(Visible v, double abstraction, double unit, Rng& rng) {
  Polygon& p = v.points;
  if (v.whole) {
    p.pop_back();
    std::rotate(p.begin(), p.begin() + static_cast<ptrdiff_t>(rng.below(p.size())), p.end());
    p.push_back(p.front());
    const auto extra = static_cast<ptrdiff_t>(static_cast<double>(p.size()) * (0.06 * gauss(rng) - 0.01));  // past the start, or short of it
    for (ptrdiff_t i = 0; i < std::min(extra, static_cast<ptrdiff_t>(p.size()) / 4); ++i) p.push_back(p[static_cast<size_t>(i) + 1]);
    for (ptrdiff_t i = 0; i < -extra && p.size() > 4; ++i) p.pop_back();
  }
  if (rng.uniform() < 0.4) std::reverse(p.begin(), p.end());
  const int rounds = static_cast<int>(1 + 5 * abstraction * rng.uniform());
  for (int k = 0; k < rounds; ++k)
    for (size_t i = 1; i + 1 < p.size(); ++i) p[i] = {(p[i - 1].x + 2 * p[i].x + p[i + 1].x) / 4, (p[i - 1].y + 2 * p[i].y + p[i + 1].y) / 4};
  // Wobble: a few slow waves along the stroke, both ways, and a shift, stretch and turn of the whole.
  const double size = std::max(v.length, 1e-9), strength = unit * (0.007 + 0.022 * abstraction) * std::min(1.0, 0.25 + size / unit);
  double phase[6], power[6];
  for (int i = 0; i < 6; ++i) phase[i] = 6.283 * rng.uniform(), power[i] = gauss(rng);
  const Point shift{strength * gauss(rng), strength * gauss(rng)};
  Point middle;
  for (const Point& q : p) middle = {middle.x + q.x / static_cast<double>(p.size()), middle.y + q.y / static_cast<double>(p.size())};
  const double turn = (0.015 + 0.05 * abstraction) * gauss(rng), sx = 1 + (0.02 + 0.06 * abstraction) * gauss(rng), sy = 1 + (0.02 + 0.06 * abstraction) * gauss(rng);
  const double waves = 1.0 + 2.2 * size / unit;
  Stroke out;
  for (size_t i = 0; i < p.size(); ++i) {
    const double t = static_cast<double>(i) / static_cast<double>(p.size());
    double dx = 0, dy = 0;
    for (int k = 0; k < 3; ++k) {
      dx += power[k] * std::sin(6.283 * t * waves * (k + 1) * 0.5 + phase[k]) / (k + 1);
      dy += power[k + 3] * std::sin(6.283 * t * waves * (k + 1) * 0.5 + phase[k + 3]) / (k + 1);
    }
    const double x = (p[i].x - middle.x) * sx, y = (p[i].y - middle.y) * sy;
    out.push_back({middle.x + x - turn * y + shift.x + strength * 0.7 * dx, middle.y + y + turn * x + shift.y + strength * 0.7 * dy});
  }
  return out;
}

}  // namespace

std::vector<Stroke> draw_strokes(const Object& object, double abstraction, Rng& rng) {
  const Box2 box = bounds(object);
  const double unit = std::max(box.high.x - box.low.x, box.high.y - box.low.y), step = unit / 90;
  std::vector<Visible> lines;
  for (const Line& line : object.lines) {
    if (abstraction < line.from || abstraction > line.to || line.points.size() < 2) continue;
    const bool forgotten = rng.uniform() < 0.02 + 0.12 * abstraction * (1.3 - line.to);
    if (forgotten && length_of(line.points) < unit * 0.7) continue;
    std::vector<Visible> runs;
    add_visible(object, line, step, runs);
    for (Visible& v : runs) {
      if (v.length < unit * 0.07 * abstraction) continue;  // too small to bother
      // Long outlines are put together from several strokes by careful hands.
      if (v.length > unit * 1.2 && rng.uniform() < 0.45 * (1 - abstraction)) {
        const size_t cut = v.points.size() / 3 + rng.below(v.points.size() / 3 + 1);
        Visible rest;
        rest.points.assign(v.points.begin() + static_cast<ptrdiff_t>(cut), v.points.end());
        v.points.resize(cut + 1);
        v.whole = false;
        rest.length = length_of(rest.points);
        v.length = length_of(v.points);
        lines.push_back(std::move(rest));
      }
      lines.push_back(std::move(v));
    }
  }
  // Large things first, more or less.
  std::vector<std::pair<double, size_t>> order;
  for (size_t i = 0; i < lines.size(); ++i) order.emplace_back(-lines[i].length * (1 + 0.5 * gauss(rng)), i);
  std::sort(order.begin(), order.end());
  Sketch sketch;
  for (const auto& [key, i] : order) sketch.strokes.push_back(draw(std::move(lines[i]), abstraction, unit, rng));
  if (sketch.strokes.empty()) {  // everything was forgotten: the outline of the first part is not
    Polygon outline = object.parts.front().outline;
    outline.push_back(outline.front());
    sketch.strokes.push_back(std::move(outline));
  }
  // The whole a little leaning and stretched.
  const double lean = (0.01 + 0.03 * abstraction) * gauss(rng), wide = 1 + (0.03 + 0.05 * abstraction) * gauss(rng);
  for (Stroke& s : sketch.strokes)
    for (Point& p : s) p = {p.x * wide + lean * p.y, p.y - lean * p.x};
  sketch = fit(std::move(sketch));
  // A pen reports fewer points where it runs straight.
  sketch = simplify(sketch, 0.35 + 0.5 * abstraction);
  return sketch.strokes;
}

}  // namespace hone::procedural
