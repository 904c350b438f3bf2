// Levels, banks, preference and losses of supernet training, without a network.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "methods/supernet/losses.h"
#include "methods/supernet/sampler.h"
#include "supernet_space.h"

using namespace hone;
using namespace hone::methods;

namespace {

TEST(LevelWalk, IsUniformInTheLongRunAndMovesOneLevelAtMost) {
  Rng rng(1);
  std::vector<int64_t> visits(8, 0);
  size_t at = 0;
  constexpr int64_t kSteps = 400'000;
  for (int64_t i = 0; i < kSteps; ++i) {
    const size_t before = at;
    at = next_level(at, 8, rng);
    ASSERT_LE(before > at ? before - at : at - before, 1u);
    ++visits[at];
  }
  for (const int64_t n : visits) EXPECT_NEAR(static_cast<double>(n) / kSteps, 0.125, 0.01);
  EXPECT_EQ(next_level(0, 1, rng), 0u);
}

TEST(LevelWalk, Modes) {
  Rng rng(2);
  size_t at = 0;
  const auto step = levels_of_step(LevelMode::adjacent_step, 8, 3, at, rng);
  EXPECT_EQ(step, (std::vector<size_t>(3, at)));
  at = 1;
  std::vector<size_t> seen;
  for (int i = 0; i < 4; ++i) seen.push_back(levels_of_step(LevelMode::cyclic, 4, 2, at, rng)[1]);
  EXPECT_EQ(seen, (std::vector<size_t>{0, 3, 2, 1}));
  at = 4;
  for (int i = 0; i < 200; ++i) {
    size_t last = at;
    for (const size_t level : levels_of_step(LevelMode::adjacent, 8, 3, at, rng)) {
      EXPECT_LE(last > level ? last - level : level - last, 1u);
      last = level;
    }
  }
  std::vector<int> far(8, 0);
  for (int i = 0; i < 4000; ++i)
    for (const size_t level : levels_of_step(LevelMode::random, 8, 2, at, rng)) ++far[level];
  for (const int n : far) EXPECT_NEAR(n, 1000, 150);
}

TEST(ExploitSchedule, RisesAtTheMarks) {
  const ExploitSchedule published;
  const std::pair<double, double> expected[] = {{0, 0.20}, {98, 0.20}, {99, 0.35}, {198, 0.35}, {199, 0.50}, {299, 0.65}, {399, 0.80}, {499, 0.95}, {599, 1.10}, {609, 1.10}};
  for (const auto& [epoch, q] : expected) EXPECT_NEAR(exploit_probability(published, epoch), q, 1e-12) << epoch;
}

TEST(SmallestMembers, ServeTheLevelsOfTheAuthors) {
  const space::Space& s = space::published_space();
  std::map<int64_t, std::string> expected = {{100, "min1"}, {200, "min1"}, {300, "min2"}, {400, "min2"}, {500, "min3"}, {700, "min3"}, {900, "min3"}, {1200, "min3"}};
  ASSERT_EQ(s.levels.at.size(), expected.size());
  for (const auto& [level, name] : expected)
    for (const auto& named : space::named_members())
      if (named.name == name) {
        EXPECT_EQ(space::smallest_of_level(s, level * 1'000'000), named.member) << level;
      }
}

space::Member member(int i) {
  const space::Space s = test::tiny_space();
  Rng rng(static_cast<uint64_t>(i));
  return space::sample(s, rng);
}

TEST(Bank, KeepsTheBest) {
  Bank bank{3, {}};
  EXPECT_FALSE(bank.best());
  EXPECT_TRUE(offer(bank, member(1), -2));
  EXPECT_TRUE(bank.filling());    // 1 of 3 is less than half
  EXPECT_TRUE(offer(bank, member(2), -3));
  EXPECT_FALSE(bank.filling());
  EXPECT_TRUE(bank.ready());      // 2 of 3 is more than half
  EXPECT_TRUE(offer(bank, member(3), -1));
  EXPECT_FALSE(offer(bank, member(4), -3)) << "as good as the worst is not strictly better";
  EXPECT_FALSE(offer(bank, member(4), NAN));
  EXPECT_TRUE(offer(bank, member(4), -1.5));
  ASSERT_EQ(bank.entries.size(), 3u);
  EXPECT_EQ(bank.entries[1].member, member(4)) << "in the place of the worst";
  EXPECT_EQ(bank.best()->member, member(3));
  EXPECT_TRUE(offer(bank, member(3), -5)) << "a member that is there gets its new quality";
  EXPECT_EQ(bank.entries.size(), 3u);
  EXPECT_EQ(bank.best()->member, member(4));
}

TEST(Bank, DrawsBySoftmaxOfQuality) {
  Bank bank{3, {}};
  offer(bank, member(1), std::log(0.1));
  offer(bank, member(2), std::log(0.3));
  offer(bank, member(3), std::log(0.6));
  Rng rng(9);
  const auto shares = [&](BankDraw how, double temperature) {
    std::vector<double> n(3, 0);
    for (int i = 0; i < 30000; ++i) {
      const space::Member& m = draw(bank, how, temperature, rng);
      for (size_t k = 0; k < 3; ++k)
        if (m == bank.entries[k].member) n[k] += 1.0 / 30000;
    }
    return n;
  };
  const auto expect = [](const std::vector<double>& got, const std::vector<double>& want) {
    for (size_t k = 0; k < 3; ++k) EXPECT_NEAR(got[k], want[k], 0.015);
  };
  expect(shares(BankDraw::weighted, 1), {0.1, 0.3, 0.6});
  expect(shares(BankDraw::weighted, 0.5), {0.01 / 0.46, 0.09 / 0.46, 0.36 / 0.46});
  expect(shares(BankDraw::uniform, 1), {1.0 / 3, 1.0 / 3, 1.0 / 3});
  expect(shares(BankDraw::best, 1), {0, 0, 1});
}

TEST(Preference, ScoresOfTheAuthorsCode) {
  const space::Space& s = space::published_space();
  std::map<std::string, space::Member> named;
  for (const auto& n : space::named_members()) named.emplace(n.name, n.member);
  // spec of the published counter: anchor = smallest member, anchor = T1; MMACs
  const std::vector<std::tuple<const char*, double, double>> rows = {{"T1", -15.5791, 0}, {"T2", -12.0340, 23.0435}, {"S1", -5.6595, 48.4086}, {"S2", -5.8192, 75.3153}, {"M", -9.6894, 82.9713},
                                                                     {"L1", -7.6908, 102.6161}, {"L1.5", -44.6674, 72.0783}, {"L2", -107.8287, 1.3921}, {"L3", -115.6060, -1.7439}};
  for (const auto& [name, min, t1] : rows) {
    EXPECT_NEAR(static_cast<double>(space::preference_score(s, named.at(name), space::smallest(s))) / 1e6, min, 1e-4) << name;
    EXPECT_NEAR(static_cast<double>(space::preference_score(s, named.at(name), named.at("T1"))) / 1e6, t1, 1e-4) << name;
  }
}

SamplerOptions options(uint64_t seed = 4) {
  SamplerOptions o;
  o.small_capacity = 6;
  o.seed = seed;
  return o;
}

TEST(Sampler, DrawsFromTheLevelOfTheStep) {
  auto sampler = Sampler::make(test::tiny_space(), options());
  ASSERT_TRUE(sampler) << sampler.error().text();
  for (int64_t step = 0; step < 100; ++step) {
    const auto plan = sampler->plan(step, 0);
    ASSERT_EQ(plan.size(), 4u);
    for (size_t i = 0; i < 3; ++i) {
      const int64_t level = sampler->levels()[sampler->level()], cost = sampler->cost(plan[i].member);
      EXPECT_GE(cost, level);
      EXPECT_LE(cost, level + sampler->space().levels.window);
      EXPECT_EQ(plan[i].role, Role::drawn);
    }
    EXPECT_EQ(plan[3].role, Role::smallest);
    EXPECT_EQ(plan[3].member, space::smallest(sampler->space()));
  }
}

// Fills the banks as training does: quality is a function of the member.
std::vector<std::vector<Drawn>> plans(Sampler& sampler, int64_t from, int64_t to, double epoch) {
  std::vector<std::vector<Drawn>> out;
  for (int64_t step = from; step < to; ++step) {
    out.push_back(sampler.plan(step, epoch, step % 10 == 9));
    for (const Drawn& d : out.back())
      if (d.role == Role::drawn) sampler.report(d, -static_cast<double>(space::hash(d.member) % 1000) / 1000);
  }
  return out;
}

void expect_same(const std::vector<std::vector<Drawn>>& a, const std::vector<std::vector<Drawn>>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t k = 0; k < a[i].size(); ++k) {
      EXPECT_EQ(a[i][k].member, b[i][k].member) << i;
      EXPECT_EQ(a[i][k].explored, b[i][k].explored) << i;
    }
}

TEST(Sampler, GoesOnFromItsSavedState) {
  auto whole = Sampler::make(test::tiny_space(), options()), first = Sampler::make(test::tiny_space(), options()), second = Sampler::make(test::tiny_space(), options());
  ASSERT_TRUE(whole && first && second);
  plans(*whole, 0, 150, 0);
  plans(*first, 0, 150, 0);
  ASSERT_TRUE(second->load(first->save()));
  EXPECT_EQ(second->save(), whole->save());
  expect_same(plans(*second, 150, 250, 0), plans(*whole, 150, 250, 0));
}

TEST(Sampler, ExploitsOnceABankIsHalfFull) {
  auto sampler = Sampler::make(test::tiny_space(), options());
  ASSERT_TRUE(sampler);
  for (const auto& plan : plans(*sampler, 0, 3, 1000))   // q above 1, and nothing in the banks yet
    for (size_t i = 0; i < 3; ++i)
      if (!sampler->banks()[plan[i].level].ready()) {
        EXPECT_TRUE(plan[i].explored);
      }
  plans(*sampler, 3, 400, 0);
  for (const Bank& bank : sampler->banks()) EXPECT_EQ(bank.entries.size(), bank.capacity);
  for (const auto& plan : plans(*sampler, 400, 420, 1000))
    for (size_t i = 0; i < 3; ++i) EXPECT_FALSE(plan[i].explored) << "always, when q is above 1";
}

TEST(Sampler, PrefersWidthOverDepth) {
  SamplerOptions with = options(), without = options();
  without.prefer_width = false;
  auto a = Sampler::make(test::tiny_space(), with), b = Sampler::make(test::tiny_space(), without);
  ASSERT_TRUE(a && b);
  const auto mean_score = [](Sampler& s) {
    plans(s, 0, 400, 0);
    double sum = 0;
    int n = 0;
    for (int64_t step = 400; step < 600; ++step)
      for (const Drawn& d : s.plan(step, 0))
        if (d.explored) {
          const BankEntry* best = s.banks()[0].best();
          sum += static_cast<double>(space::preference_score(s.space(), d.member, d.level == 0 ? space::smallest(s.space()) : best->member));
          ++n;
        }
    return sum / n;
  };
  EXPECT_LT(mean_score(*a), mean_score(*b));
}

TEST(Sampler, SandwichOfLargestDrawsAndSmallest) {
  SamplerOptions o = options();
  o.levels = false;
  o.members = 2;
  auto sampler = Sampler::make(test::tiny_space(), o);
  ASSERT_TRUE(sampler);
  const auto plan = sampler->plan(0, 0);
  ASSERT_EQ(plan.size(), 4u);
  EXPECT_EQ(plan[0].role, Role::largest);
  EXPECT_EQ(plan[0].member, space::largest(sampler->space()));
  EXPECT_EQ(plan[3].member, space::smallest(sampler->space()));
}

TEST(Sampler, SaysWhichLevelHasNoMember) {
  space::Space s = test::tiny_space();
  s.levels.window = 1;
  const auto sampler = Sampler::make(s, options());
  ASSERT_FALSE(sampler);
  EXPECT_NE(sampler.error().text().find("2000000"), std::string::npos) << sampler.error().text();
}

TEST(Sampler, RefusesAForeignState) {
  auto sampler = Sampler::make(test::tiny_space(), options());
  ASSERT_TRUE(sampler);
  for (const char* text : {"", "[]", "{}", R"({"level": 9, "banks": [[], [], [], []]})", R"({"level": 0, "banks": [[]]})", R"({"level": 0, "banks": [[["x"]], [], [], []]})",
                           R"({"level": 0, "banks": [[["0x1p+0", [99]]], [], [], []]})"})
    EXPECT_FALSE(sampler->load(text)) << text;
}

TEST(AlphaDivergence, VectorsOfTheAuthorsCode) {
  const auto loss = [](std::vector<double> p, std::vector<double> z, AlphaDivergence how = {}) {
    const auto row = [](const std::vector<double>& v) { return at::tensor(v, at::kDouble).unsqueeze(0); };
    return alpha_divergence(row(z), row(p), how).item<double>();
  };
  EXPECT_NEAR(loss({.7, .2, .1}, {.2, .1, -.3}), -1.161108, 1e-6);                        // left is larger
  EXPECT_NEAR(loss({.7, .2, .1}, {.2, .1, -.3}, {1, 1, 5}), 0.990828, 1e-6);               // right alone
  EXPECT_NEAR(loss({.02, .03, .95}, {2, 1, -2}), 4.156563, 1e-6);                          // right is larger
  EXPECT_NEAR(loss({.02, .03, .95}, {2, 1, -2}, {-1, -1, 5}), -2.616573, 1e-6);            // left alone
}

// The surrogate's gradient is that of the divergence: of KL(p | q) it is softmax - p.
TEST(AlphaDivergence, GradientOfKullbackLeibler) {
  const at::Tensor z = at::tensor(std::vector<double>{.2, .1, -.3}, at::kDouble).unsqueeze(0).set_requires_grad(true), p = at::tensor(std::vector<double>{.7, .2, .1}, at::kDouble).unsqueeze(0);
  alpha_divergence(z, p, {1, 1, 5}).backward();
  EXPECT_TRUE(at::allclose(z.grad(), z.detach().softmax(1) - p));
}

TEST(SoftCrossEntropy, IsTheLabelLossOnOneHot) {
  const at::Tensor z = at::randn({4, 5}), y = at::tensor(std::vector<int64_t>{0, 3, 2, 4});
  const at::Tensor hot = at::one_hot(y, 5).to(at::kFloat);
  EXPECT_NEAR(soft_cross_entropy(z, hot).item<double>(), at::cross_entropy_loss(z, y).item<double>(), 1e-6);
  EXPECT_NEAR(soft_cross_entropy(z, smoothed(hot, 0.1)).item<double>(), at::cross_entropy_loss(z, y, {}, at::Reduction::Mean, -100, 0.1).item<double>(), 1e-6);
}

}  // namespace
