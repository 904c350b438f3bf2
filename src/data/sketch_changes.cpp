#include "data/sketch_changes.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace hone {

Sketch changed(const Sketch& sketch, const SketchChanges& how, Rng& rng) {
  const auto either_way = [&](double most) { return most * (2 * rng.uniform() - 1); };
  // The same draws whatever is switched on: a run with one change more differs in that change alone.
  const double angle = either_way(how.rotate) * std::numbers::pi / 180, sx = 1 + either_way(how.scale), sy = 1 + either_way(how.scale);
  const double dx = either_way(how.shift) * sketch.frame, dy = either_way(how.shift) * sketch.frame, centre = sketch.frame / 2;
  const double c = std::cos(angle), s = std::sin(angle);
  size_t longest = 0;
  for (size_t i = 0; i < sketch.strokes.size(); ++i)
    if (sketch.strokes[i].size() > sketch.strokes[longest].size()) longest = i;
  Sketch out{sketch.id, sketch.label, {}, sketch.frame};
  for (size_t i = 0; i < sketch.strokes.size(); ++i) {
    if (rng.uniform() < how.drop && i != longest) continue;
    Stroke& stroke = out.strokes.emplace_back(sketch.strokes[i]);
    if (how.rotate == 0 && how.scale == 0 && how.shift == 0) continue;
    for (Point& p : stroke) {
      const double x = (p.x - centre) * sx, y = (p.y - centre) * sy;
      p = {std::clamp(c * x - s * y + centre + dx, 0.0, sketch.frame), std::clamp(s * x + c * y + centre + dy, 0.0, sketch.frame)};
    }
  }
  return out;
}

}  // namespace hone
