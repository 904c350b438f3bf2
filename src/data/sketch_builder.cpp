#include "data/sketch_builder.h"

#include <algorithm>
#include <cmath>

namespace hone::procedural {

namespace {

Point3 minus(const Point3& a, const Point3& b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
Point3 cross(const Point3& a, const Point3& b) { return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x}; }
double dot(const Point3& a, const Point3& b) { return a.x * b.x + a.y * b.y + a.z * b.z; }

constexpr int kFaces[6][4] = {{3, 2, 6, 7}, {4, 7, 6, 5}, {2, 1, 5, 6}, {0, 3, 7, 4}, {1, 0, 4, 5}, {0, 1, 2, 3}};  // front, top, right, left, back, bottom; outward

}  // namespace

Box Box::between(Point3 b, double w0, double d0, Point3 t, double w1, double d1) {
  Box out;
  const auto ring = [&](size_t at, const Point3& c, double w, double d) {
    out.corner[at] = {c.x - w / 2, c.y, c.z - d / 2};
    out.corner[at + 1] = {c.x + w / 2, c.y, c.z - d / 2};
    out.corner[at + 2] = {c.x + w / 2, c.y, c.z + d / 2};
    out.corner[at + 3] = {c.x - w / 2, c.y, c.z + d / 2};
  };
  ring(0, b, w0, d0);
  ring(4, t, w1, d1);
  return out;
}
Box Box::upright(Point3 c, double w, double h, double d) { return between({c.x, c.y - h / 2, c.z}, w, d, {c.x, c.y + h / 2, c.z}, w, d); }

Polygon ellipse(Point c, double rx, double ry, double from, double to) {
  Polygon out;
  const int n = std::max(6, static_cast<int>(std::ceil(std::abs(to - from) / 0.17)));
  const bool whole = std::abs(std::abs(to - from) - 2 * M_PI) < 1e-9;
  for (int i = 0; i < n + (whole ? 0 : 1); ++i) {
    const double t = from + (to - from) * i / n;
    out.push_back({c.x + rx * std::cos(t), c.y + ry * std::sin(t)});
  }
  return out;
}

Polygon curve(const Polygon& p, bool closed) {
  Polygon out;
  const auto n = static_cast<int>(p.size());
  const auto at = [&](int i) -> const Point& { return closed ? p[static_cast<size_t>((i + n) % n)] : p[static_cast<size_t>(std::clamp(i, 0, n - 1))]; };
  for (int i = 0; i < (closed ? n : n - 1); ++i) {
    const Point &a = at(i - 1), &b = at(i), &c = at(i + 1), &d = at(i + 2);
    for (int k = 0; k < 8; ++k) {
      const double t = k / 8.0, t2 = t * t, t3 = t2 * t;
      const auto blend = [&](double pa, double pb, double pc, double pd) { return 0.5 * (2 * pb + (pc - pa) * t + (2 * pa - 5 * pb + 4 * pc - pd) * t2 + (3 * pb - pa - 3 * pc + pd) * t3); };
      out.push_back({blend(a.x, b.x, c.x, d.x), blend(a.y, b.y, c.y, d.y)});
    }
  }
  if (!closed) out.push_back(p.back());
  return out;
}

double Builder::depth_of(const Point3& p) const {
  const double z = -p.x * std::sin(yaw_) + p.z * std::cos(yaw_);
  return z * std::cos(pitch_) + p.y * std::sin(pitch_);
}
Point Builder::project(const Point3& p) const {
  const double x = p.x * std::cos(yaw_) + p.z * std::sin(yaw_), z = -p.x * std::sin(yaw_) + p.z * std::cos(yaw_);
  const double nearer = 1 + 0.08 * depth_of(p);  // a little perspective
  return {x * nearer, (-p.y * std::cos(pitch_) + z * std::sin(pitch_)) * nearer};
}

std::optional<std::pair<Polygon, double>> Builder::seen(const std::vector<Point3>& c) const {
  Polygon out;
  for (const Point3& p : c) out.push_back(project(p));
  double area = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    const Point &a = out[i], &b = out[(i + 1) % out.size()];
    area += a.x * b.y - b.x * a.y;
  }
  if (area >= -1e-9) return std::nullopt;  // turned away (y points down)
  const Point3 n = cross(minus(c[1], c[0]), minus(c[2], c[1]));
  const double size = std::sqrt(dot(n, n)), light = dot(n, {-0.35, 0.8, 0.5}) / (size > 0 ? size : 1);
  return std::pair{std::move(out), 0.62 + 0.42 * light};
}

void Builder::box(const Box& b, const Solid& how) {
  Item item;
  item.how = how;
  item.depth = 0;
  for (const Point3& p : b.corner) item.depth += depth_of(p) / 8;
  std::vector<std::pair<int, int>> drawn;
  for (const auto& face : kFaces) {
    auto visible = seen({b.corner[face[0]], b.corner[face[1]], b.corner[face[2]], b.corner[face[3]]});
    if (!visible) continue;
    item.faces.push_back(*visible);
    // Each edge once: the first face whole, of the others what is new.
    Polygon chain;
    for (int k = 0; k < 4; ++k) {
      const std::pair<int, int> edge = std::minmax(face[k], face[(k + 1) % 4]);
      if (std::find(drawn.begin(), drawn.end(), edge) == drawn.end()) {
        drawn.push_back(edge);
        if (chain.empty()) chain.push_back(project(b.corner[face[k]]));
        chain.push_back(project(b.corner[face[(k + 1) % 4]]));
      } else if (!chain.empty()) {
        item.lines.emplace_back(std::exchange(chain, {}), false);
      }
    }
    if (!chain.empty()) item.lines.emplace_back(std::move(chain), false);
  }
  Point3 low, high;
  for (size_t i = 0; i < 8; ++i) {
    Point3& p = i < 4 ? low : high;
    p = {p.x + b.corner[i].x / 4, p.y + b.corner[i].y / 4, p.z + b.corner[i].z / 4};
  }
  item.spine = {project(high), project(low)};
  items_.push_back(std::move(item));
}

void Builder::face(const std::vector<Point3>& c, const Solid& how, double lift) {
  auto visible = seen(c);
  if (!visible) return;
  Item item;
  item.how = how;
  item.depth = lift;
  for (const Point3& p : c) item.depth += depth_of(p) / static_cast<double>(c.size());
  item.lines.emplace_back(visible->first, true);
  item.faces.push_back(std::move(*visible));
  items_.push_back(std::move(item));
}

Object Builder::finish() {
  std::stable_sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) { return a.depth < b.depth; });
  Object out;
  for (const Item& item : items_) {
    for (const auto& [outline, light] : item.faces) out.parts.push_back({outline, item.how.color, Shade::flat, light, item.how.texture});
    for (const auto& [points, closed] : item.lines) out.lines.push_back({points, closed, out.parts.size(), 0, item.how.slender ? std::min(item.how.to, 0.65) : item.how.to});
    if (item.how.slender) out.lines.push_back({item.spine, false, out.parts.size(), 0.65, item.how.to});
  }
  return out;
}

void Painter::fill(Polygon outline, Color color, Shade shade, Texture texture, double light) { object.parts.push_back({std::move(outline), color, shade, light, texture}); }
void Painter::line(Polygon points, bool closed, double to, double from) { object.lines.push_back({std::move(points), closed, object.parts.size(), from, to}); }
void Painter::shape(const Polygon& outline, Color color, Shade shade, Texture texture, double to, double light) {
  fill(outline, color, shade, texture, light);
  line(outline, true, to);
}

void Painter::turned(double x, const std::vector<Point>& profile, double tilt, Color color, Texture texture, double to, bool open_top, Color inside) {
  // Down the right side, round the front of the bottom, up the left, round the back of the top.
  Polygon outline;
  const Point top = profile.front(), bottom = profile.back();
  for (const Point& p : profile) outline.push_back({x + p.y, p.x});
  for (const Point& p : ellipse({x, bottom.x}, bottom.y, bottom.y * tilt, 0, M_PI)) outline.push_back(p);
  for (auto it = profile.rbegin(); it != profile.rend(); ++it) outline.push_back({x - it->y, it->x});
  for (const Point& p : ellipse({x, top.x}, top.y, top.y * tilt, M_PI, 2 * M_PI)) outline.push_back(p);
  shape(outline, color, Shade::tube, texture, to);
  const Polygon rim = ellipse({x, top.x}, top.y, top.y * tilt);
  if (open_top) {
    fill(rim, inside, Shade::fade);
    line(rim, true, to);
  } else if (top.y * tilt > 0.015) {
    fill(rim, scaled(color, 1.12), Shade::fade, texture);
    line(ellipse({x, top.x}, top.y, top.y * tilt, 0, M_PI), false, std::min(to, 0.7));
  }
}

Color hue(double turn, double saturation, double value) {
  const auto channel = [&](double n) {
    const double k = std::fmod(n + 6 * turn, 6.0);
    return value - value * saturation * std::clamp(std::min(k, 4 - k), 0.0, 1.0);
  };
  return {channel(5), channel(3), channel(1)};
}

}  // namespace hone::procedural
