// Drawing inside a window of costs: the law, the window, floors, and windows without members.
#include "zoo/space_draw.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <map>
#include <unordered_map>

namespace hone::space {
namespace {

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// A few thousand members, transformers included.
Space tiny(Sharing sharing) {
  Space s;
  s.name = "tiny";
  s.resolutions = {16, 24};
  s.stem_stride = 1;
  s.sharing = sharing;
  s.classes = 5;
  s.head_width = 0;
  s.head_expand = 1;
  s.head_dim = 8;
  s.stages = {{"a", Block::mobile, 1, false, {1, 2}, {8, 16}, {1}, {3, 5}, {}, {}}, {"b", Block::mobile, 2, false, {1, 2}, {8, 16, 24}, {2}, {3}, {}, {}, {0, 1}}, {"c", Block::transformer, 2, true, {1, 2}, {16, 24}, {}, {}, {1, 2}, {1, 2}}};
  return s;
}

// Every member with the probability that sample() has for it, by brute force over the definition.
struct Enumerated {
  Member member;
  double probability;
};
std::vector<Enumerated> enumerate(const Space& s) {
  std::vector<Enumerated> all;
  for (int64_t r : s.resolutions) {
    Member m;
    m.resolution = static_cast<int32_t>(r);
    m.stages = static_cast<uint32_t>(s.stages.size());
    all.push_back({m, 1.0 / static_cast<double>(s.resolutions.size())});
  }
  for (size_t i = 0; i < s.stages.size(); ++i) {
    const StageChoices& c = s.stages[i];
    std::vector<BlockGenes> genes;
    if (c.block == Block::mobile) {
      for (int64_t e : c.expands)
        for (int64_t k : c.kernels)
          for (int64_t se : c.ses.empty() ? std::vector<int64_t>{0} : c.ses) genes.push_back({static_cast<uint8_t>(e), static_cast<uint8_t>(k), 0, 0, static_cast<uint8_t>(se)});
    } else {
      for (int64_t a : c.mlps)
        for (int64_t v : c.values) genes.push_back({0, 0, static_cast<uint8_t>(a), static_cast<uint8_t>(v)});
    }
    const double per_gene = 1 / static_cast<double>(genes.size());
    std::vector<Enumerated> next;
    for (const Enumerated& e : all) {
      std::vector<int64_t> widths;
      for (int64_t w : c.widths)
        if (i == 0 || s.widths_may_fall || w >= e.member.stage[i - 1].width) widths.push_back(w);
      for (int64_t d : c.depths)
        for (int64_t w : widths) {
          std::vector<Enumerated> open{{e.member, e.probability / static_cast<double>(c.depths.size() * widths.size())}};
          open[0].member.stage[i] = shared(w, d, {});
          for (int64_t j = 0; j < d; ++j) {
            std::vector<Enumerated> more;
            for (const Enumerated& o : open) {
              if (s.sharing == Sharing::stage && j > 0) {
                Enumerated x = o;
                x.member.stage[i].block[static_cast<size_t>(j)] = o.member.stage[i].block[0];
                more.push_back(x);
                continue;
              }
              for (const BlockGenes& g : genes) {
                Enumerated x = o;
                x.member.stage[i].block[static_cast<size_t>(j)] = g;
                x.probability *= per_gene;
                more.push_back(x);
              }
            }
            open = std::move(more);
          }
          next.insert(next.end(), open.begin(), open.end());
        }
    }
    all = std::move(next);
  }
  return all;
}

TEST(SpaceDraw, PartsAddUpToTheMember) {
  for (std::string_view name : preset_names()) {
    const Space s = open_space(std::string(name)).value();
    const CostTable table = CostTable::make(s).value();
    Rng rng(3);
    for (int i = 0; i < 200; ++i) {
      const Member m = sample(s, rng);
      Cost sum;
      for_each_part(s, m, [&](const Part& p) {
        const Cost c = table(p).value();
        sum.authors_macs += c.authors_macs, sum.macs += c.macs, sum.params += c.params, sum.acts += c.acts;
      });
      ASSERT_EQ(sum, table(m).value()) << name;
    }
  }
}

TEST(SpaceDraw, EnumerationIsTheSpace) {
  for (const Sharing sharing : {Sharing::stage, Sharing::block})
    for (const bool may_fall : {false, true}) {
      Space s = tiny(sharing);
      s.widths_may_fall = may_fall;
      const auto all = enumerate(s);
      EXPECT_EQ(static_cast<int64_t>(all.size()), size(s).value());
      double sum = 0;
      for (const Enumerated& e : all) {
        ASSERT_TRUE(check(s, e.member));
        sum += e.probability;
      }
      EXPECT_NEAR(sum, 1, 1e-9);
    }
}

// Draws follow the sampler's law conditioned on the window: chi-square over all members of the window, rare ones joined.
TEST(SpaceDraw, LawIsTheConditionalOne) {
  for (const Sharing sharing : {Sharing::stage, Sharing::block})
    for (const bool may_fall : {false, true}) {
      Space s = tiny(sharing);
      s.widths_may_fall = may_fall;
      const CostTable table = CostTable::make(s).value();
      const auto all = enumerate(s);
      for (const bool by_params : {false, true}) {
        const PartCost part = by_params ? part_params(table) : part_macs(table);
        auto cost = [&](const Member& m) { return static_cast<double>(by_params ? table(m)->params : table(m)->macs); };
        std::vector<double> costs;
        for (const Enumerated& e : all) costs.push_back(cost(e.member));
        std::vector<double> sorted = costs;
        std::sort(sorted.begin(), sorted.end());
        const double lo = sorted[sorted.size() / 3], hi = sorted[sorted.size() / 3 + 400];
        std::unordered_map<uint64_t, double> expected;
        double mass = 0;
        for (size_t i = 0; i < all.size(); ++i)
          if (costs[i] >= lo && costs[i] <= hi) mass += all[i].probability, expected[hash(all[i].member)] += all[i].probability;
        ASSERT_GE(expected.size(), 400u);
        const auto drawer = Drawer::make(s, part, lo, hi);
        ASSERT_TRUE(drawer) << drawer.error().text();
        EXPECT_GE(drawer->mass(), mass * (1 - 1e-9));
        Rng walks(3);
        EXPECT_NEAR(drawer->probability(walks, 20000) / mass, 1, 0.05);
        Rng rng(7);
        constexpr int kDraws = 60000;
        std::unordered_map<uint64_t, int> seen;
        for (int i = 0; i < kDraws; ++i) {
          double c = 0;
          const Member m = (*drawer)(rng, &c);
          ASSERT_TRUE(check(s, m));
          ASSERT_EQ(c, cost(m));
          ASSERT_GE(c, lo);
          ASSERT_LE(c, hi);
          ++seen[hash(m)];
        }
        double chi = 0, joined = 0, joined_seen = 0;
        int freedom = 0;
        for (const auto& [key, p] : expected) {
          const double e = kDraws * p / mass, n = seen[key];
          if (e < 8) {
            joined += e, joined_seen += n;
            continue;
          }
          chi += (n - e) * (n - e) / e;
          ++freedom;
        }
        if (joined > 8) chi += (joined_seen - joined) * (joined_seen - joined) / joined, ++freedom;
        ASSERT_GT(freedom, 100);
        // Five deviations of a chi-square of that many degrees of freedom.
        EXPECT_LT(chi, freedom - 1 + 5 * std::sqrt(2.0 * (freedom - 1))) << freedom;
        EXPECT_EQ(seen.size() > expected.size(), false);
      }
    }
}

TEST(SpaceDraw, ExtremesAreExact) {
  for (const Sharing sharing : {Sharing::stage, Sharing::block}) {
    const Space s = tiny(sharing);
    const CostTable table = CostTable::make(s).value();
    const Extremes e = extremes(s, part_macs(table));
    double least = 1e18, most = 0;
    for (const Enumerated& m : enumerate(s)) {
      const auto c = static_cast<double>(table(m.member)->macs);
      least = std::min(least, c), most = std::max(most, c);
    }
    EXPECT_EQ(e.least, least);
    EXPECT_EQ(e.most, most);
    EXPECT_EQ(static_cast<double>(table(e.cheapest)->macs), least);
    EXPECT_EQ(static_cast<double>(table(e.dearest)->macs), most);
  }
}

TEST(SpaceDraw, WindowsWithoutMembersNameTheNearestCosts) {
  const Space s = tiny(Sharing::stage);
  const CostTable table = CostTable::make(s).value();
  std::vector<double> costs;
  for (const Enumerated& e : enumerate(s)) costs.push_back(static_cast<double>(table(e.member)->macs));
  std::sort(costs.begin(), costs.end());
  costs.erase(std::unique(costs.begin(), costs.end()), costs.end());
  const PartCost part = part_macs(table);
  auto refusal = [&](double lo, double hi) {
    const auto d = Drawer::make(s, part, lo, hi);
    EXPECT_FALSE(d) << lo << " " << hi;
    return d ? Error{} : d.error();
  };
  Error e = refusal(0, costs.front() - 1);
  EXPECT_EQ(e.code, Code::budget_not_met);
  EXPECT_NE(e.hint.find(std::to_string(static_cast<int64_t>(costs.front()))), std::string::npos) << e.text();
  e = refusal(costs.back() + 1, costs.back() + 100);
  EXPECT_NE(e.hint.find(std::to_string(static_cast<int64_t>(costs.back()))), std::string::npos) << e.text();
  EXPECT_EQ(refusal(5, 4).code, Code::usage);
  EXPECT_EQ(refusal(0, -1).code, Code::usage);
  EXPECT_EQ(refusal(std::nan(""), 1).code, Code::usage);
  int gaps = 0;
  for (size_t i = costs.size() / 2; i + 1 < costs.size() && gaps < 20; i += 13) {
    if (costs[i + 1] - costs[i] < 3) continue;
    ++gaps;
    e = refusal(costs[i] + 1, costs[i + 1] - 1);
    EXPECT_NE(e.hint.find(std::to_string(static_cast<int64_t>(costs[i]))), std::string::npos) << e.text();
    EXPECT_NE(e.hint.find(std::to_string(static_cast<int64_t>(costs[i + 1]))), std::string::npos) << e.text();
    // And the narrowest window that holds something gives it.
    const auto d = Drawer::make(s, part, costs[i], costs[i]);
    ASSERT_TRUE(d) << d.error().text();
    Rng rng(1);
    double c = 0;
    (*d)(rng, &c);
    EXPECT_EQ(c, costs[i]);
  }
  EXPECT_GT(gaps, 3);
}

// Every level of the published space, not below its smallest network.
TEST(SpaceDraw, LevelsOfThePublishedSpace) {
  const Space& s = published_space();
  const CostTable table = CostTable::make(s).value();
  for (int64_t level : s.levels.at) {
    const auto drawer = level_drawer(s, table, level);
    ASSERT_TRUE(drawer) << level << drawer.error().text();
    const Space cut = above(s, smallest_of_level(s, level));
    Rng rng(5);
    for (int i = 0; i < 500; ++i) {
      const Member m = (*drawer)(rng);
      ASSERT_TRUE(check(cut, m));
      const int64_t cost = authors_macs(s, m);
      ASSERT_GE(cost, level);
      ASSERT_LE(cost, level + 20'000'000);
    }
  }
}

// The whole published space at 400 M: how often each resolution, depth and width occurs, against rejection.
TEST(SpaceDraw, MarginalsEqualRejection) {
  const Space& s = published_space();
  const CostTable table = CostTable::make(s).value();
  const double lo = 400e6, hi = 420e6;
  const auto drawer = Drawer::make(s, part_counted(s, table), lo, hi);
  ASSERT_TRUE(drawer);
  std::map<std::array<int32_t, 3>, std::array<double, 2>> counts;  // which gene, where, its value -> drawn, rejected
  auto add = [&](const Member& m, size_t column) {
    ++counts[{0, 0, m.resolution}][column];
    for (size_t i = 0; i < m.stages; ++i) {
      const Genes& g = m.stage[i];
      const auto stage = static_cast<int32_t>(i);
      ++counts[{1, stage, g.depth}][column];
      ++counts[{2, stage, g.width}][column];
      ++counts[{3, stage, g.block[0].expand + g.block[0].mlp}][column];
      ++counts[{4, stage, g.block[0].kernel + g.block[0].value}][column];
    }
  };
  Rng rng(21);
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) add((*drawer)(rng), 0);
  for (int accepted = 0; accepted < kDraws;) {
    const Member m = sample(s, rng);
    const auto c = static_cast<double>(table(m)->authors_macs);
    if (c < lo || c > hi) continue;
    add(m, 1);
    ++accepted;
  }
  EXPECT_GT(counts.size(), 100u);
  for (const auto& [key, n] : counts) EXPECT_LT(std::fabs(n[0] - n[1]), 5 * std::sqrt(n[0] + n[1] + 1)) << key[0] << " " << key[1] << " " << key[2];
}

TEST(SpaceDraw, SmallestOfLevels) {
  const Space& s = published_space();
  auto name = [&](int64_t level) {
    for (const Named& n : named_members())
      if (n.name.starts_with("min") && n.name != "min" && n.member == smallest_of_level(s, level * 1'000'000)) return std::string(n.name);
    return std::string();
  };
  EXPECT_EQ(name(100), "min1");
  EXPECT_EQ(name(200), "min1");
  EXPECT_EQ(name(220), "min1");
  EXPECT_EQ(name(221), "min2");
  EXPECT_EQ(name(300), "min2");
  EXPECT_EQ(name(400), "min2");
  for (int64_t level : {500, 700, 900, 1200}) EXPECT_EQ(name(level), "min3");
}

// A cost that is no count: milliseconds of an invented device.
TEST(SpaceDraw, RealCosts) {
  const Space s = open_space("ofa-mobilenetv3").value();
  const CostTable table = CostTable::make(s).value();
  const PartCost ms = [&](const Part& p) { return 0.05 + static_cast<double>(table(p)->macs) * 3.1e-8 + static_cast<double>(p.side) * 1e-3; };
  const Extremes e = extremes(s, ms);
  const double lo = e.least + 0.4 * (e.most - e.least), hi = lo + 0.2;
  const auto drawer = Drawer::make(s, ms, lo, hi);
  ASSERT_TRUE(drawer) << drawer.error().text();
  Rng rng(2);
  for (int i = 0; i < 500; ++i) {
    double c = 0, sum = 0;
    const Member m = (*drawer)(rng, &c);
    ASSERT_TRUE(check(s, m));
    for_each_part(s, m, [&](const Part& p) { sum += ms(p); });
    ASSERT_NEAR(c, sum, 1e-9);
    ASSERT_GE(c, lo);
    ASSERT_LE(c, hi);
  }
  EXPECT_FALSE(Drawer::make(s, [](const Part&) { return -1.0; }, 0, 1));
}

TEST(SpaceDraw, ADrawIsQuick) {
  const Space& s = published_space();
  const CostTable table = CostTable::make(s).value();
  for (int64_t level : {300, 500}) {
    const auto drawer = level_drawer(s, table, level * 1'000'000);
    ASSERT_TRUE(drawer);
    Rng rng(5);
    const double start = seconds();
    for (int i = 0; i < 2000; ++i) (void)(*drawer)(rng);
    EXPECT_LT((seconds() - start) / 2000, 500e-6);  // 50 on a quiet machine (bench/space_draw)
  }
}

}  // namespace
}  // namespace hone::space
