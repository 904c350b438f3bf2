// Variation keeps to the space; the odometer visits every member once.
#include "search/operators.h"

#include <gtest/gtest.h>

#include <cmath>
#include <unordered_set>

namespace hone::search {
namespace {

using namespace space;

TEST(Operators, ChildrenBreakNoRuleButThatOfWidths) {
  for (const std::string_view name : preset_names()) {
    Space s = open_space(std::string(name)).value();
    s.widths_may_fall = true;
    if (name == "demo") s.stages[1].se = false, s.stages[1].ses = {0, 1};
    Rng rng(5);
    for (int i = 0; i < 300; ++i) {
      const Member a = sample(s, rng), b = sample(s, rng);
      const Member m = mutate(s, a, {}, rng), c = cross(s, a, b, rng);
      ASSERT_TRUE(check(s, m)) << name << check(s, m).error().text();
      ASSERT_TRUE(check(s, c)) << name << check(s, c).error().text();
    }
  }
}

// How often each gene changes, against the probabilities: a gene of n choices that is redrawn changes from a value that is not
// the smallest with 1 - random / n.
TEST(Operators, MutationHasThePublishedProbabilities) {
  const Space s = published_space();
  const Member m = largest(s);
  Rng rng(6);
  constexpr int kDraws = 40000;
  const Variation v;
  int resolution = 0, depth = 0, width = 0, kernel = 0, smallest_resolution = 0;
  for (int i = 0; i < kDraws; ++i) {
    const Member x = mutate(s, m, v, rng);
    resolution += x.resolution != m.resolution;
    smallest_resolution += x.resolution == s.resolutions.front();
    depth += x.stage[6].depth != m.stage[6].depth;
    width += x.stage[0].width != m.stage[0].width;
    kernel += x.stage[1].block[0].kernel != m.stage[1].block[0].kernel;
  }
  auto near = [&](int n, double p) { EXPECT_NEAR(n / static_cast<double>(kDraws), p, 5 * std::sqrt(p * (1 - p) / kDraws)); };
  near(resolution, 0.2 * (1 - 0.45 / 6));
  near(smallest_resolution, 0.2 * (0.55 + 0.45 / 6));
  near(depth, 0.4 * (1 - 0.45 / 6));
  near(width, 0.2 * (1 - 0.45 / 2));
  near(kernel, 0.2 * (1 - 0.45 / 2));
}

TEST(Operators, CrossoverTakesEachListFromOneParent) {
  const Space s = published_space();
  const Member a = smallest(s), b = largest(s);
  Rng rng(7);
  int from_a = 0;
  for (int i = 0; i < 2000; ++i) {
    const Member c = cross(s, a, b, rng);
    const bool widths = c.stage[0].width == a.stage[0].width;
    from_a += widths;
    for (size_t k = 0; k < c.stages; ++k) ASSERT_EQ(c.stage[k].width, (widths ? a : b).stage[k].width);
    const bool depths = c.stage[0].depth == a.stage[0].depth;
    for (size_t k = 0; k < c.stages; ++k) ASSERT_EQ(c.stage[k].depth, (depths ? a : b).stage[k].depth);
    const bool mlps = c.stage[3].block[0].mlp == a.stage[3].block[0].mlp;
    for (size_t k = 3; k < c.stages; ++k) ASSERT_EQ(c.stage[k].block[0].mlp, (mlps ? a : b).stage[k].block[0].mlp);
  }
  EXPECT_NEAR(from_a, 1000, 120);
}

TEST(Operators, OdometerVisitsEveryMemberOnce) {
  Space s = open_space("demo").value();
  s.stages[1].se = false, s.stages[1].ses = {0, 1};
  for (const Sharing sharing : {Sharing::stage, Sharing::block}) {
    s.sharing = sharing;
    if (sharing == Sharing::block) s.stages[1].expands = {2}, s.stages[2].mlps = {2}, s.levels = {};
    std::unordered_set<uint64_t> seen;
    int64_t n = 0;
    for_each_member(s, [&](const Member& m) {
      EXPECT_TRUE(check(s, m));
      seen.insert(hash(m));
      ++n;
      return true;
    });
    EXPECT_EQ(n, size(s).value());
    EXPECT_EQ(static_cast<int64_t>(seen.size()), n);
  }
}

}  // namespace
}  // namespace hone::search
