// Parametric objects: what the procedural set draws as photos and as strokes. Ten categories; within one, objects differ
// by continuous traits, so that telling two apart takes their proportions and details.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "formats/strokes.h"

namespace hone::procedural {

using Polygon = std::vector<Point>;

struct Color {
  double r = 0, g = 0, b = 0;  // linear-ish, 0 to 1
};
enum class Shade : uint8_t { flat, tube, dome, fade };  // how light runs over a part: even, across, round, downwards
enum class Texture : uint8_t { plain, wood, cloth, speckle, brick, scales };

// A filled outline; later parts cover earlier ones.
struct Part {
  Polygon outline;
  Color color;
  Shade shade = Shade::flat;
  double light = 1;  // of a flat part: its face to the light
  Texture texture = Texture::plain;
};
// A line that a hand would draw, where no part from `covered_from` on lies over it. It is drawn while the abstraction of
// the sketch is within [from, to].
struct Line {
  Polygon points;
  bool closed = false;
  size_t covered_from = 0;
  double from = 0, to = 1;
};
struct Object {
  std::vector<Part> parts;
  std::vector<Line> lines;
};

// Where an object lies in its category. `shape` moves proportions and may be disturbed a little without changing the
// object's kind; `choice` decides between forms; `look` colours. All in [0, 1].
struct Traits {
  std::array<double, 16> shape;
  std::array<double, 8> choice, look;
};

constexpr std::array<std::string_view, 10> kCategories{"chair", "table", "house", "lamp", "cup", "bottle", "fish", "boat", "car", "mushroom"};
// Of category kCategories[category]; coordinates have y down and no set scale.
Object make_object(size_t category, const Traits& traits);

}  // namespace hone::procedural
