// Shapes that objects are built of: boxes seen from above and aside, bodies of revolution, and flat outlines.
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "data/sketch_objects.h"

namespace hone::procedural {

struct Point3 {
  double x = 0, y = 0, z = 0;  // y up, z towards the viewer
};
// Eight corners: bottom then top, each around from the left back.
struct Box {
  std::array<Point3, 8> corner;
  static Box upright(Point3 centre, double width, double height, double depth);
  // Between two horizontal rectangles, for legs that lean and backs that tilt.
  static Box between(Point3 bottom, double width0, double depth0, Point3 top, double width1, double depth1);
};

Polygon ellipse(Point centre, double rx, double ry, double from = 0, double to = 6.283185307179586);
// Catmull-Rom through the points.
Polygon curve(const Polygon& through, bool closed);

class Builder {
 public:
  Builder(double yaw, double pitch) : yaw_(yaw), pitch_(pitch) {}

  // 3D: collected, then painted from back to front by `finish`.
  struct Solid {
    Color color;
    Texture texture = Texture::plain;
    double to = 1;            // lines are drawn up to this abstraction
    bool slender = false;     // drawn as one line in abstract sketches
  };
  void box(const Box& box, const Solid& how);
  // A flat convex face in space, in front of what it lies on.
  void face(const std::vector<Point3>& corners, const Solid& how, double lift = 0.02);
  Object finish();

  Point project(const Point3& p) const;

 private:
  struct Item {
    std::vector<std::pair<Polygon, double>> faces;  // outline, light
    std::vector<std::pair<Polygon, bool>> lines;
    Polygon spine;
    Solid how;
    double depth;
  };
  double depth_of(const Point3& p) const;
  std::optional<std::pair<Polygon, double>> seen(const std::vector<Point3>& corners) const;
  double yaw_, pitch_;
  std::vector<Item> items_;
};

// 2D: painted in order.
struct Painter {
  Object object;
  void fill(Polygon outline, Color color, Shade shade = Shade::flat, Texture texture = Texture::plain, double light = 1);
  void line(Polygon points, bool closed, double to = 1, double from = 0);  // lies on what was painted so far
  void shape(const Polygon& outline, Color color, Shade shade, Texture texture = Texture::plain, double to = 1, double light = 1);  // both
  // Profile of (height downwards, radius) from top to bottom, turned about x; `tilt` is how far ellipses open.
  void turned(double x, const std::vector<Point>& profile, double tilt, Color color, Texture texture = Texture::plain, double to = 1, bool open_top = false, Color inside = {});
};

inline double mix(double a, double b, double t) { return a + (b - a) * t; }
Color hue(double turn, double saturation, double value);
inline Color scaled(Color c, double k) { return {c.r * k, c.g * k, c.b * k}; }

}  // namespace hone::procedural
