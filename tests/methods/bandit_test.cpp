#include "methods/skip/bandit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "core/rng.h"
#include "methods/skip/choose.h"

namespace hone::methods {
namespace {

double sigmoid(double r) { return 1 / (1 + std::exp(-r)); }

// r_i += eta (R_j - b) p_i (1 - p_i), by hand, p frozen for the event.
TEST(Bandit, UpdateByHand) {
  Bandit b(4, {.skip = 2, .rate = 0.5});
  b.restore({0.2, -0.1, 0, 1}, 0);
  const std::vector<SkipNumbers> sets{{0, 1}, {0, 3}, {1, 2}};
  const std::vector<double> losses{0.5, 0.7, 1.5};
  const double r[] = {std::exp(-0.5), std::exp(-0.7), std::exp(-1.5)}, mean = (r[0] + r[1] + r[2]) / 3;
  const auto slope = [](double s) { return sigmoid(s) * (1 - sigmoid(s)); };
  const std::vector<double> rewards = b.update(sets, losses);
  for (size_t j = 0; j < 3; ++j) EXPECT_DOUBLE_EQ(rewards[j], r[j]);
  EXPECT_NEAR(b.scores()[0], 0.2 + 0.5 * slope(0.2) * ((r[0] - mean) + (r[1] - mean)), 1e-15);
  EXPECT_NEAR(b.scores()[1], -0.1 + 0.5 * slope(-0.1) * ((r[0] - mean) + (r[2] - mean)), 1e-15);
  EXPECT_NEAR(b.scores()[2], 0.5 * slope(0) * (r[2] - mean), 1e-15);
  EXPECT_NEAR(b.scores()[3], 1 + 0.5 * slope(1) * (r[1] - mean), 1e-15);
}

TEST(Bandit, ACandidateOfEverySetKeepsItsScore) {
  Bandit b(5, {.skip = 2});
  b.update({{0, 1}, {0, 2}, {0, 3}}, {0.3, 0.9, 2});
  EXPECT_NEAR(b.scores()[0], 0, 1e-15);
  EXPECT_EQ(b.scores()[4], 0);
}

// k = 1: what an event gives, weighted by 1 / (p (1 - p)), sums to zero.
TEST(Bandit, AnEventMovesScoresAroundTheirMean) {
  Bandit b(6, {.skip = 1, .rate = 0.7});
  b.restore({0.5, -1, 2, 0, 0.1, -0.4}, 0);
  const std::vector<double> before = b.scores();
  b.update({{0}, {2}, {5}}, {1, 0.2, 0.4});
  double sum = 0;
  for (size_t i = 0; i < 6; ++i) sum += (b.scores()[i] - before[i]) / (sigmoid(before[i]) * (1 - sigmoid(before[i])));
  EXPECT_NEAR(sum, 0, 1e-12);
}

TEST(Bandit, StandardRewardsDoNotKnowTheScaleOfTheLoss) {
  Bandit small(4, {.skip = 1, .reward = Reward::standard}), large = small;
  small.update({{0}, {1}, {2}}, {0.01, 0.02, 0.05});
  large.update({{0}, {1}, {2}}, {100, 200, 500});
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(small.scores()[i], large.scores()[i], 1e-9);
  EXPECT_GT(small.scores()[0], 0);
  small.update({{0}, {1}}, {3, 3});  // nothing to tell apart
  EXPECT_NEAR(small.scores()[0], large.scores()[0], 1e-9);
}

TEST(Bandit, ALossThatIsNoNumberChangesNothing) {
  Bandit b(4, {.skip = 1});
  EXPECT_TRUE(b.update({{0}, {1}}, {1, NAN}).empty());
  EXPECT_EQ(b.scores(), std::vector<double>(4, 0.0));
}

// Fixed losses of four arms: scores come to be ordered as the losses are.
TEST(Bandit, RanksArmsByLoss) {
  Bandit b(4, {.skip = 1, .every = 1, .rate = 1});
  const double loss[] = {0.9, 0.1, 0.5, 0.3};
  for (int64_t s = 0; s < 500; ++s) {
    const auto sets = b.draw_event(s);
    std::vector<double> losses;
    for (const auto& set : sets) losses.push_back(loss[set[0]]);
    b.update(sets, losses);
  }
  EXPECT_GT(b.scores()[1], b.scores()[3]);
  EXPECT_GT(b.scores()[3], b.scores()[2]);
  EXPECT_GT(b.scores()[2], b.scores()[0]);
  EXPECT_EQ(b.chosen(), SkipNumbers{1});
}

// Two modules without replacement: P({i, j}) = p_i p_j / s (1 / (s - p_i) + 1 / (s - p_j)), s the sum of p.
TEST(Bandit, DrawsByWeightWithoutReplacement) {
  Bandit b(3, {.skip = 2, .seed = 3});
  b.restore({2, 0, -2}, 0);
  const double p[] = {sigmoid(2), sigmoid(0), sigmoid(-2)}, s = p[0] + p[1] + p[2];
  std::map<SkipNumbers, double> seen;
  constexpr int kDraws = 40000;
  for (int i = 0; i < kDraws; ++i) seen[b.sample(i, 0)] += 1. / kDraws;
  for (const auto& [set, share] : seen) {
    ASSERT_EQ(set.size(), 2u);
    const double a = p[set[0]], c = p[set[1]], expected = a * c / s * (1 / (s - a) + 1 / (s - c));
    EXPECT_NEAR(share, expected, 0.01);
  }
  EXPECT_EQ(seen.size(), 3u);
}

TEST(Bandit, DrawsAreFunctionsOfSeedAndStep) {
  const Bandit a(12, {.skip = 4, .seed = 5}), b(12, {.skip = 4, .seed = 5}), c(12, {.skip = 4, .seed = 6});
  int same = 0;
  for (int64_t s = 0; s < 50; ++s) {
    EXPECT_EQ(a.sample(s, 1), b.sample(s, 1));
    EXPECT_EQ(a.draw_event(s), b.draw_event(s));
    same += a.sample(s, 0) == c.sample(s, 0);
  }
  EXPECT_LT(same, 10);
  EXPECT_NE(a.sample(0, 0), a.sample(0, 1));
}

// The counter also counts in the warm-up, so the first event comes with its end; then every `every` micro-batches.
TEST(Bandit, EventsOfThePaper) {
  Bandit b(12, {.skip = 4, .every = 10, .warmup = 25});
  std::vector<int64_t> events;
  for (int64_t s = 0; s < 60; ++s)
    if (b.step(s, 1)) events.push_back(s);
  EXPECT_EQ(events, (std::vector<int64_t>{25, 35, 45, 55}));
}

TEST(Bandit, FewSetsAreGuarded) {
  for (int64_t k : {0, 1, 2, 3}) {
    const Bandit b(3, {.skip = k, .compare = 5});
    const auto sets = b.draw_event(0);
    EXPECT_EQ(static_cast<int64_t>(sets.size()), count_sets(3, k, 5));
    EXPECT_EQ(std::set<SkipNumbers>(sets.begin(), sets.end()).size(), sets.size());
  }
  Bandit certain(20, {.skip = 2, .compare = 3});
  std::vector<double> scores(20, -800);
  scores[3] = scores[7] = 800;
  certain.restore(scores, 0);
  const auto sets = certain.draw_event(0);
  EXPECT_EQ(std::set<SkipNumbers>(sets.begin(), sets.end()).size(), 3u);
  EXPECT_EQ(sets[0], (SkipNumbers{3, 7}));
}

TEST(Bandit, TheRampOfLlava) {
  const Bandit b(32, {.skip = 4, .ramp = 100});
  EXPECT_EQ(b.skip_at(0), 1);
  EXPECT_EQ(b.skip_at(25), 2);
  EXPECT_EQ(b.skip_at(99), 4);
  EXPECT_EQ(b.skip_at(100), 4);
  EXPECT_EQ(b.sample(30, 0).size(), 2u);
}

// Planted redundancy: k modules cost nothing, each of the others 0.02 to 0.08, and a batch adds noise to all of its sets and a
// little to each. Events as of NLVR2 in the paper: 86,373 pairs, micro-batches of 64, two epochs after the warm-up.
double found(int64_t k, bool random, int seeds) {
  int hits = 0;
  for (int seed = 0; seed < seeds; ++seed) {
    constexpr int64_t kModules = 12, kPerEpoch = 86373 / 64;
    Rng rng(1000 + static_cast<uint64_t>(seed));
    std::vector<double> cost(kModules);
    for (double& c : cost) c = 0.02 + 0.06 * rng.uniform();
    const SkipNumbers planted = random_choice(kModules, k, static_cast<uint64_t>(seed) + 77).set;
    for (int64_t i : planted) cost[static_cast<size_t>(i)] = 0;
    SkipNumbers chosen;
    if (random) {
      chosen = random_choice(kModules, k, static_cast<uint64_t>(seed)).set;
    } else {
      Bandit b(kModules, {.skip = k, .warmup = kPerEpoch, .seed = static_cast<uint64_t>(seed)});
      for (int64_t s = 0; s < 3 * kPerEpoch; ++s) {
        if (!b.step(s, 1)) continue;
        const auto sets = b.draw_event(s);
        const double batch = 0.05 * (rng.uniform() - 0.5);
        std::vector<double> losses;
        for (const auto& set : sets) {
          double l = 0.6 + batch + 0.02 * (rng.uniform() - 0.5);
          for (int64_t i : set) l += cost[static_cast<size_t>(i)];
          losses.push_back(l);
        }
        b.update(sets, losses);
      }
      chosen = b.chosen();
    }
    hits += chosen == planted;
  }
  return hits;
}

TEST(Bandit, FindsPlantedModules) {
  for (int64_t k : {1, 2, 4}) {
    EXPECT_GE(found(k, false, 20), 19) << k;
    EXPECT_LE(found(k, true, 20), 8) << k;
  }
}

TEST(Choose, DropOneGreedyAndExhaustive) {
  // 0 and 1 stand in for each other: each alone costs nothing, both together much.
  const double cost[] = {0, 0, 0.2, 0.3, 1};
  int asked = 0;
  const LossOf loss = [&](const SkipNumbers& set) -> Result<double> {
    ++asked;
    double l = 0;
    for (int64_t i : set) l += cost[i];
    if (std::find(set.begin(), set.end(), 0) != set.end() && std::find(set.begin(), set.end(), 1) != set.end()) l += 5;
    return l;
  };
  EXPECT_EQ(drop_one_choice(5, 2, loss)->set, (SkipNumbers{0, 1}));
  EXPECT_EQ(asked, 5);
  EXPECT_EQ(greedy_choice(5, 2, loss)->set, (SkipNumbers{0, 2}));
  const auto all = *exhaustive_choice(5, 2, loss);
  EXPECT_EQ(all.set, (SkipNumbers{0, 2}));
  EXPECT_EQ(all.evaluations, 10);
  EXPECT_EQ(exhaustive_choice(30, 15, loss).error().code, Code::usage);
  EXPECT_EQ(smallest_choice({3, 1, 2}, 2).set, (SkipNumbers{1, 2}));
  EXPECT_EQ(count_sets(12, 4, 1000), 495);
}

TEST(Choose, RandomSetsAreUniform) {
  std::map<SkipNumbers, int> seen;
  for (uint64_t s = 0; s < 6000; ++s) ++seen[random_choice(4, 2, s).set];
  EXPECT_EQ(seen.size(), 6u);
  for (const auto& [set, n] : seen) EXPECT_NEAR(n, 1000, 150);
}

}  // namespace
}  // namespace hone::methods
