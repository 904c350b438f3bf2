#include "retrieval/embeddings.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "core/rng.h"

namespace hone {
namespace {

Embeddings line(std::vector<float> values) { return {static_cast<int64_t>(values.size()), 1, std::move(values)}; }

TEST(Ranks, TheTrueItemCountsItselfAndTiesCountAgainstUs) {
  const std::vector<uint32_t> truth = {0, 1, 2};
  // Query 0 sits on item 0; query 1 is as far from item 0 as from item 1; query 2 is nearest to the others.
  EXPECT_EQ(*ranks(line({0, 1, 0}), line({0, 2, 9}), truth), (std::vector<int64_t>{1, 2, 3}));
  // A gallery of equal vectors: the worst rank, not the best.
  EXPECT_EQ(*ranks(line({5}), line({1, 1, 1, 1}), std::vector<uint32_t>{2}), (std::vector<int64_t>{4}));
}

TEST(Ranks, RefusesWhatCannotBeRanked) {
  EXPECT_NE(ranks(line({0}), line({0, 1}), std::vector<uint32_t>{2}).error().message.find("not in the gallery"), std::string::npos);
  EXPECT_FALSE(ranks(line({0}), line({0, NAN}), std::vector<uint32_t>{0}));
  EXPECT_FALSE(ranks(line({0}), {1, 2, {0, 1}}, std::vector<uint32_t>{0}));
}

RC_GTEST_PROP(Ranks, AgreeWithTheSortedGallery, ()) {
  Rng rng(*rc::gen::arbitrary<uint64_t>());
  Embeddings q{4, 7, {}}, g{9, 7, {}};
  for (int i = 0; i < 28; ++i) q.values.push_back(static_cast<float>(rng.uniform()));
  for (int i = 0; i < 63; ++i) g.values.push_back(static_cast<float>(rng.uniform()));
  std::vector<uint32_t> truth;
  for (int i = 0; i < 4; ++i) truth.push_back(static_cast<uint32_t>(rng.below(9)));
  const auto r = ranks(q, g, truth);
  RC_ASSERT(r.has_value());
  for (int64_t i = 0; i < 4; ++i) {
    const auto sorted = nearest(q.row(i), g, 9);
    RC_ASSERT(sorted[static_cast<size_t>((*r)[static_cast<size_t>(i)] - 1)].item == truth[static_cast<size_t>(i)]);
  }
}

TEST(Measures, OfKnownRanks) {
  const std::vector<int64_t> r = {1, 2, 6, 11};
  EXPECT_DOUBLE_EQ(acc_at(r, 1), 0.25);
  EXPECT_DOUBLE_EQ(acc_at(r, 5), 0.5);
  EXPECT_DOUBLE_EQ(acc_at(r, 10), 0.75);
  EXPECT_DOUBLE_EQ(mean_reciprocal_rank(r), (1 + 0.5 + 1.0 / 6 + 1.0 / 11) / 4);
}

TEST(Measures, MeanAveragePrecisionByHand) {
  // In order of distance: relevant, not, relevant -> (1/1 + 2/3) / 2; the second query has no relevant item.
  const std::vector<std::string> queries = {"cup", "boat"}, gallery = {"cup", "hat", "cup"};
  EXPECT_DOUBLE_EQ(*mean_average_precision(line({0, 0}), line({1, 2, 3}), queries, gallery), (1 + 2.0 / 3) / 2);
  // A tie: the relevant item is put behind the other one.
  EXPECT_DOUBLE_EQ(*mean_average_precision(line({0}), line({1, -1}), std::vector<std::string>{"cup"}, std::vector<std::string>{"cup", "hat"}), 0.5);
}

TEST(Bootstrap, CoversTheTruthAndSeesADifference) {
  Rng rng(3);
  int covered = 0;
  for (int trial = 0; trial < 60; ++trial) {
    std::vector<std::vector<double>> a(3), b(3);
    for (int s = 0; s < 3; ++s)
      for (int q = 0; q < 200; ++q) {
        a[s].push_back(rng.uniform() < 0.6);
        b[s].push_back(rng.uniform() < 0.5);
      }
    const Interval i = *paired_bootstrap(a, b, 7, 400);
    EXPECT_LE(i.low, i.mean);
    EXPECT_GE(i.high, i.mean);
    covered += i.low <= 0.1 && 0.1 <= i.high;
  }
  EXPECT_GE(covered, 50);
  const std::vector<std::vector<double>> same = {{1, 0, 1, 1}};
  const Interval none = *paired_bootstrap(same, same, 1, 200);
  EXPECT_EQ(none.mean, 0);
  EXPECT_EQ(none.low, 0);  // paired: the same queries are drawn on both sides
  EXPECT_EQ(none.high, 0);
  EXPECT_FALSE(paired_bootstrap({{1, 0}}, {{1}}, 1));
}

}  // namespace
}  // namespace hone
