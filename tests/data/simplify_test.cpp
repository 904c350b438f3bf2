#include "data/simplify.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

namespace hone {
namespace {

Sketch sketch_of(std::vector<Stroke> strokes) {
  Sketch s;
  s.id = "s";
  s.strokes = std::move(strokes);
  return s;
}

// The recursion as the textbooks write it.
Stroke reference(const Stroke& s, double epsilon) {
  if (s.size() < 3) return s;
  double farthest = 0;
  size_t at = 0;
  const Point a = s.front(), b = s.back();
  for (size_t i = 1; i + 1 < s.size(); ++i) {
    const double along = std::hypot(b.x - a.x, b.y - a.y);
    const double d = along == 0 ? std::hypot(s[i].x - a.x, s[i].y - a.y) : std::abs((b.x - a.x) * (a.y - s[i].y) - (b.y - a.y) * (a.x - s[i].x)) / along;
    if (d > farthest) farthest = d, at = i;
  }
  if (!(farthest > epsilon)) return {a, b};
  Stroke left = reference(Stroke(s.begin(), s.begin() + static_cast<ptrdiff_t>(at) + 1), epsilon);
  const Stroke right = reference(Stroke(s.begin() + static_cast<ptrdiff_t>(at), s.end()), epsilon);
  left.insert(left.end(), right.begin() + 1, right.end());
  return left;
}

TEST(Simplify, DistanceMustBeMoreThanEpsilon) {
  const Stroke s{{0, 0}, {5, 2}, {10, 0}};
  EXPECT_EQ(simplify(s, 2.0).size(), 2u);
  EXPECT_EQ(simplify(s, 1.999).size(), 3u);
}

TEST(Simplify, ClosedStrokeMeasuresToItsPoint) {
  const Stroke square{{0, 0}, {10, 0}, {10, 10}, {0, 10}, {0, 0}};
  EXPECT_EQ(simplify(square, 3), square);
  EXPECT_EQ(simplify(square, 15), (Stroke{{0, 0}, {0, 0}}));
}

TEST(Simplify, KeepsShortStrokesAndIdentity) {
  Sketch s = sketch_of({{{1, 1}}, {{2, 2}, {3, 3}}});
  s.label = "l";
  s.frame = 100;
  const Sketch out = simplify(s, 50);
  EXPECT_EQ(out.strokes, s.strokes);
  EXPECT_EQ(out.id, "s");
  EXPECT_EQ(out.label, "l");
  EXPECT_EQ(out.frame, 100);
}

rc::Gen<Stroke> strokes() {
  return rc::gen::map(rc::gen::nonEmpty(rc::gen::container<std::vector<std::pair<int, int>>>(rc::gen::pair(rc::gen::inRange(0, 256), rc::gen::inRange(0, 256)))), [](const auto& points) {
    Stroke s;
    for (const auto& [x, y] : points) s.push_back({x + 0.25 * (y % 3), double(y)});
    return s;
  });
}

RC_GTEST_PROP(Simplify, EqualsTheRecursion, ()) {
  const Stroke s = *strokes();
  const double epsilon = *rc::gen::inRange(0, 400) / 10.0;
  RC_ASSERT(simplify(s, epsilon) == reference(s, epsilon));
}

RC_GTEST_PROP(SimplifyTo, SmallestEpsilonWithinTheBound, ()) {
  const Sketch s = sketch_of({*strokes(), *strokes()});
  const size_t bound = static_cast<size_t>(*rc::gen::inRange(1, 40));
  const Sketch out = simplify_to(s, bound);
  RC_ASSERT(out.points() <= bound);
  RC_ASSERT(out.points() >= 1);
  if (s.points() <= bound) RC_ASSERT(out.strokes == s.strokes);
  if (s.points() <= bound || out.strokes.size() < s.strokes.size()) return;
  // Every epsilon that leaves fewer or as many points leaves no more than this one does.
  for (double epsilon = 0; epsilon < 400; epsilon += 0.5)
    if (const Sketch other = simplify(s, epsilon); other.points() <= bound) RC_ASSERT(other.points() <= out.points());
}

TEST(SimplifyTo, ShortestStrokesGoWhenEndsAreTooMany) {
  const Sketch s = sketch_of({{{0, 0}, {100, 0}}, {{0, 0}, {1, 0}}, {{5, 5}, {60, 5}}});
  const Sketch out = simplify_to(s, 4);
  EXPECT_EQ(out.strokes, (std::vector<Stroke>{s.strokes[0], s.strokes[2]}));
  EXPECT_EQ(simplify_to(s, 0).points(), 1u);
}

}  // namespace
}  // namespace hone
