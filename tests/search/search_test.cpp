// Searches on fitness that is known: planted optima, fronts against exhaustive search, killing and going on, damaged archives.
#include "search/search.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "search/plan.h"
#include "search/search_report.h"

namespace hone::search {
namespace {

using namespace space;
namespace fs = std::filesystem;

class Search : public testing::Test {
 protected:
  void SetUp() override {
    folder = (fs::temp_directory_path() / ("hone_search_" + std::to_string(getpid()) + "_" + testing::UnitTest::GetInstance()->current_test_info()->name())).string();
    fs::remove_all(folder);
  }
  void TearDown() override { fs::remove_all(folder); }
  std::string folder;
};

std::string bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// Nearness to a member, gene by gene.
double nearness(const Space& s, const Member& a, const Member& b) {
  double far = std::fabs(std::log(static_cast<double>(a.resolution) / b.resolution));
  for (size_t i = 0; i < a.stages; ++i) {
    const Genes &x = a.stage[i], &y = b.stage[i];
    far += std::fabs(std::log(static_cast<double>(x.width) / y.width)) + 0.1 * std::abs(x.depth - y.depth);
    for (int32_t j = 0; j < std::min(x.depth, y.depth); ++j) {
      const BlockGenes &p = x.block[static_cast<size_t>(j)], &q = y.block[static_cast<size_t>(j)];
      far += 0.02 * (std::abs(p.expand - q.expand) + std::abs(p.kernel - q.kernel) + std::abs(p.mlp - q.mlp) + std::abs(p.value - q.value));
    }
  }
  (void)s;
  return 1 / (1 + far);
}

Fitness planted(const Space& s, const Member& optimum) {
  return [&s, optimum](const Member& m) -> Result<methods::MemberScore> {
    const double a = nearness(s, m, optimum);
    return methods::MemberScore{a, 1 - a, 1000};
  };
}

// Grows with cost, and differs between members of equal cost.
Fitness plausible(const CostTable& table) {
  return [&table](const Member& m) -> Result<methods::MemberScore> {
    const auto c = table(m).value();
    const double noise = static_cast<double>(hash(m) % 1000) / 1000;
    const double a = 0.5 + 0.1 * std::log(static_cast<double>(c.macs) / 3e5) + 0.05 * noise;
    return methods::MemberScore{a, 1 - a, 1000};
  };
}

SearchOptions small_search(Method method, const std::string& budget) {
  SearchOptions o;
  o.method = method;
  o.budget = budget;
  o.population = 48;
  o.generations = 12;
  o.parents = 24;
  o.mutations = o.crossovers = 24;
  return o;
}

TEST_F(Search, EvolutionFindsAPlantedOptimum) {
  const Space s = published_space();
  const std::string budget = "macs<=320M";
  const auto plan_options = small_search(Method::evolution, budget);
  const Plan plan = Plan::make(s, plan_options).value();
  Rng rng(77);
  const Member optimum = plan.constraint.draw(rng, plan.fullness).value();
  Scorer scorer{s, "test", {planted(s, optimum)}, {}};
  SearchOptions o = plan_options;
  o.generations = 40;
  const auto evolution = run_search(scorer, o, folder);
  ASSERT_TRUE(evolution) << evolution.error().text();
  o.method = Method::random;
  const auto random = run_search(scorer, o, folder);
  ASSERT_TRUE(random) << random.error().text();
  auto best = [](const SearchResult& r) { return r.entries[static_cast<size_t>(r.ranked[0])].score.accuracy; };
  EXPECT_EQ(random->entries.size(), 48u + 40 * 48);
  EXPECT_GT(best(*evolution), 0.6);
  EXPECT_GT(best(*evolution), best(*random) + 0.1);
  // What a bank holds is where the search starts: with the optimum in it nothing else is best.
  scorer.bank = {optimum};
  o.method = Method::evolution;
  o.generations = 1;
  o.seed = 5;
  const auto banked = run_search(scorer, o, folder);
  ASSERT_TRUE(banked);
  EXPECT_EQ(banked->entries[static_cast<size_t>(banked->ranked[0])].origin, "bank");
  EXPECT_EQ(best(*banked), 1);
}

TEST_F(Search, EveryEntryKeepsBudgetWindowFloorAndRule) {
  const Space s = published_space();
  Scorer scorer{s, "test", {planted(s, largest(s))}, {}};
  SearchOptions o = small_search(Method::evolution, "macs<=520M,params<14M");
  o.generations = 6;
  const auto r = run_search(scorer, o, folder);
  ASSERT_TRUE(r) << r.error().text();
  const Space cut = above(s, smallest_of_level(s, 500'000'000));
  std::set<uint64_t> seen;
  std::set<std::string> origins;
  for (const Entry& e : r->entries) {
    EXPECT_TRUE(check(cut, e.member));
    EXPECT_LE(e.cost.counts.macs, 520'000'000);
    EXPECT_LT(e.cost.counts.params, 14'000'001);
    const double full = std::max(static_cast<double>(e.cost.counts.macs) / 520e6, static_cast<double>(e.cost.counts.params) / 14e6);
    EXPECT_GE(full, 1 - 20.0 / 520);
    EXPECT_NE(e.member.resolution, 160);
    EXPECT_TRUE(seen.insert(hash(e.member)).second);
    origins.insert(e.origin);
    EXPECT_EQ(e.parents.size(), e.origin == "mutation" ? 1u : e.origin == "crossover" ? 2u : 0u);
    for (const int64_t p : e.parents) EXPECT_LT(p, e.index);
  }
  EXPECT_EQ(origins, (std::set<std::string>{"crossover", "drawn", "mutation"}));
}

TEST_F(Search, TheFrontNearsThatOfExhaustiveSearch) {
  const Space s = open_space("demo").value();
  const CostTable table = CostTable::make(s).value();
  const Scorer scorer{s, "test", {plausible(table)}, {}};
  const auto all = run_search(scorer, small_search(Method::exhaustive, ""), folder);
  ASSERT_TRUE(all) << all.error().text();
  EXPECT_EQ(static_cast<int64_t>(all->entries.size()), size(s).value());
  // Brute force over the definition of dominance.
  std::set<int64_t> expected;
  for (const Entry& a : all->entries) {
    bool dominated = false;
    for (const Entry& b : all->entries)
      dominated |= b.score.accuracy >= a.score.accuracy && b.cost.counts.macs <= a.cost.counts.macs && (b.score.accuracy > a.score.accuracy || b.cost.counts.macs < a.cost.counts.macs);
    if (!dominated) expected.insert(a.index);
  }
  EXPECT_EQ(std::set<int64_t>(all->front.begin(), all->front.end()), expected);
  EXPECT_EQ(all->ended, "every member within the budget");

  SearchOptions o = small_search(Method::front, "");
  o.generations = 18;  // 912 of 2916 members
  const auto front = run_search(scorer, o, folder);
  ASSERT_TRUE(front) << front.error().text();
  EXPECT_LE(front->entries.size(), 912u);
  // Area beneath the front, over the logarithm of cost.
  auto area = [&](const SearchResult& r) {
    double sum = 0;
    for (size_t i = 0; i < r.front.size(); ++i) {
      const Entry& e = r.entries[static_cast<size_t>(r.front[i])];
      const double next = i + 1 < r.front.size() ? static_cast<double>(r.entries[static_cast<size_t>(r.front[i + 1])].cost.counts.macs) : 3.4e6;
      sum += e.score.accuracy * std::log(next / static_cast<double>(e.cost.counts.macs));
    }
    return sum;
  };
  EXPECT_GT(area(*front), 0.985 * area(*all));
  EXPECT_GT(front->front.size(), 15u);
  // Random search of as many evaluations comes less near.
  o.method = Method::random;
  o.evaluations = 912;
  const auto random = run_search(scorer, o, folder);
  ASSERT_TRUE(random);
  EXPECT_GT(area(*front), area(*random));
}

// Wilson's interval: 81 of 263 gives 0.2553 to 0.3662 (Newcombe 1998, table I); the ends stay within 0 and 1.
TEST(SearchReport, IntervalOfAShare) {
  const auto [low, high] = interval(81.0 / 263, 263);
  EXPECT_NEAR(low, 0.2553, 5e-5);
  EXPECT_NEAR(high, 0.3662, 5e-5);
  EXPECT_NEAR(interval(0, 10).first, 0, 1e-12);
  EXPECT_NEAR(interval(0, 10).second, 0.2775, 5e-5);
  EXPECT_DOUBLE_EQ(interval(1, 10).second, 1);
  EXPECT_EQ(interval(0.5, 0), (std::pair<double, double>{0, 1}));
}

TEST(Nsga, StandingsAreThoseOfTheDefinition) {
  // Two fronts: (0.9, 9) (0.8, 5) (0.5, 1) and (0.7, 6) (0.4, 2); equal points share a rank.
  const std::vector<Standing> s = standings({{0.9, 9}, {0.7, 6}, {0.8, 5}, {0.5, 1}, {0.4, 2}, {0.8, 5}});
  const int ranks[] = {0, 1, 0, 0, 1, 0};
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(s[i].rank, ranks[i]) << i;
  EXPECT_TRUE(std::isinf(s[0].crowding) && std::isinf(s[3].crowding) && std::isinf(s[1].crowding) && std::isinf(s[4].crowding));
  EXPECT_FALSE(std::isinf(s[2].crowding));
  Rng rng(1);
  std::vector<Point> points;
  for (int i = 0; i < 200; ++i) points.push_back({std::floor(20 * rng.uniform()), std::floor(20 * rng.uniform())});
  const auto standing = standings(points);
  for (size_t i = 0; i < points.size(); ++i) {
    int rank = -1;  // one more than the worst rank that dominates it
    for (size_t j = 0; j < points.size(); ++j)
      if (points[j].accuracy >= points[i].accuracy && points[j].cost <= points[i].cost && (points[j].accuracy > points[i].accuracy || points[j].cost < points[i].cost)) rank = std::max(rank, standing[j].rank);
    EXPECT_EQ(standing[i].rank, rank + 1);
  }
}

TEST_F(Search, GoesOnWhereItWasKilled) {
  const Space s = open_space("small-vit").value();
  const CostTable table = CostTable::make(s).value();
  const SearchOptions o = small_search(Method::evolution, "macs<20M");
  const auto whole = run_search({s, "test", {plausible(table)}, {}}, o, folder + "/whole");
  ASSERT_TRUE(whole) << whole.error().text();
  const std::string expected = bytes(whole->path);
  for (const int workers : {1, 3}) {
    const std::string path = folder + "/killed" + std::to_string(workers) + "/" + fs::path(whole->path).filename().string();
    int kills = 0;
    bool done = false;
    for (int round = 0; round < 200 && !done; ++round) {
      const pid_t child = fork();
      if (child == 0) {
        auto slow = [&](const Member& m) {
          usleep(300);
          return plausible(table)(m);
        };
        Scorer scorer{s, "test", {}, {}};
        for (int i = 0; i < workers; ++i) scorer.workers.emplace_back(slow);
        const auto r = run_search(scorer, o, fs::path(path).parent_path().string());
        _exit(r ? 0 : 1);
      }
      // Until it has got further, and a little more.
      const size_t before = bytes(path).size();
      for (int i = 0; i < 20000 && bytes(path).size() <= before && waitpid(child, nullptr, WNOHANG) == 0; ++i) usleep(1000);
      usleep(9000 * static_cast<useconds_t>(round % 5));
      kill(child, SIGKILL);
      int status = 0;
      done = waitpid(child, &status, 0) < 0 || WIFEXITED(status);  // ended by itself
      if (done) break;
      ++kills;
      // As a crash of the machine may leave it: half a line.
      if (kills % 3 == 0) std::ofstream(path, std::ios::app | std::ios::binary) << "{\"n\":7,\"accu";
    }
    EXPECT_TRUE(done);
    EXPECT_GT(kills, 1);
    EXPECT_TRUE(bytes(path) == expected) << workers << " workers: the archive differs from that of a search in one go";
  }
}

// Training that goes on may leave the best weights and change the banks, of which the first population is made.
TEST_F(Search, OtherBanksAreAnotherSearch) {
  const Space s = *open_space("demo");
  Rng rng(5);
  const Member optimum = sample(s, rng);
  SearchOptions o;
  o.budget = "macs<1M";
  o.population = 8;
  o.generations = 1;
  o.mutations = o.crossovers = 2;
  const auto draw = Constraint::make(s, "macs<1M");
  Scorer scorer{s, "w", {planted(s, optimum)}, {draw->draw(rng, 0.95).value()}};
  const auto first = run_search(scorer, o, folder);
  ASSERT_TRUE(first) << first.error().text();
  scorer.bank = {draw->draw(rng, 0.95).value(), draw->draw(rng, 0.95).value()};
  const auto second = run_search(scorer, o, folder);
  ASSERT_TRUE(second) << second.error().text();
  EXPECT_NE(first->path, second->path);
  EXPECT_EQ(second->found, 0u);
  EXPECT_EQ(second->entries[1].origin, "bank");
  // Random search asks no bank.
  o.method = Method::random;
  o.evaluations = 5;
  const auto with = run_search(scorer, o, folder);
  scorer.bank.clear();
  const auto without = run_search(scorer, o, folder);
  ASSERT_TRUE(with && without);
  EXPECT_EQ(with->path, without->path);
}

TEST_F(Search, WorkersGiveTheSameArchive) {
  const Space s = open_space("demo").value();
  const CostTable table = CostTable::make(s).value();
  const SearchOptions o = small_search(Method::front, "");
  std::atomic<int> calls = 0;
  auto counted = [&](const Member& m) {
    ++calls;
    return plausible(table)(m);
  };
  const auto one = run_search({s, "test", {counted}, {}}, o, folder + "/one");
  const int of_one = calls.exchange(0);
  const auto many = run_search({s, "test", {counted, counted, counted, counted}, {}}, o, folder + "/many");
  ASSERT_TRUE(one && many);
  EXPECT_EQ(calls, of_one);
  EXPECT_TRUE(bytes(one->path) == bytes(many->path));
  // Asked again, nothing is scored anew.
  calls = 0;
  const auto again = run_search({s, "test", {counted}, {}}, o, folder + "/one");
  ASSERT_TRUE(again);
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(again->found, one->entries.size());
  EXPECT_EQ(again->front, one->front);
  // Other weights are another search.
  const auto trained = run_search({s, "later", {counted}, {}}, o, folder + "/one");
  ASSERT_TRUE(trained);
  EXPECT_NE(trained->path, one->path);
  EXPECT_GT(calls, 0);
}

TEST_F(Search, ErrorsOfTheFitnessStopAndCanBeGoneOnFrom) {
  const Space s = open_space("demo").value();
  const CostTable table = CostTable::make(s).value();
  const SearchOptions o = small_search(Method::evolution, "macs<1M");
  int left = 30;
  auto failing = [&](const Member& m) -> Result<methods::MemberScore> {
    if (left-- == 0) return fail(Code::io, "the data are gone");
    return plausible(table)(m);
  };
  const auto broken = run_search({s, "test", {failing}, {}}, o, folder);
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().message, "the data are gone");
  const auto rest = run_search({s, "test", {plausible(table)}, {}}, o, folder);
  ASSERT_TRUE(rest) << rest.error().text();
  EXPECT_EQ(rest->found, 30u);
  // A score that is no number is the worst there is.
  SearchOptions other = o;
  other.seed = 3;
  const auto nan = run_search({s, "test", {[&](const Member& m) -> Result<methods::MemberScore> { return m.stage[1].depth == 1 ? methods::MemberScore{NAN, NAN, 1} : *plausible(table)(m); }}, {}}, other, folder);
  ASSERT_TRUE(nan) << nan.error().text();
  for (const int64_t i : nan->front) EXPECT_NE(nan->entries[static_cast<size_t>(i)].member.stage[1].depth, 1);
}

TEST_F(Search, DamagedAndForeignArchivesAreRefused) {
  const Space s = open_space("demo").value();
  const CostTable table = CostTable::make(s).value();
  const SearchOptions o = small_search(Method::evolution, "macs<1M");
  const Scorer scorer{s, "test", {plausible(table)}, {}};
  const auto r = run_search(scorer, o, folder);
  ASSERT_TRUE(r);
  const std::string good = bytes(r->path);
  const auto read = read_archive(r->path);
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->header, r->header);
  ASSERT_EQ(read->entries.size(), r->entries.size());
  EXPECT_EQ(read->entries.back().score.accuracy, r->entries.back().score.accuracy);
  auto write = [&](const std::string& text) { std::ofstream(r->path, std::ios::binary) << text; };
  // One byte of a line in the middle.
  std::string text = good;
  const size_t line = text.find("\"n\":5,");
  text[text.find("accuracy\":0.", line) + 12] ^= 1;
  write(text);
  for (const Status& status : {Status(run_search(scorer, o, folder).map([](const auto&) {})), Status(read_archive(r->path).map([](const auto&) {}))}) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::invalid);
    EXPECT_NE(status.error().where.find(".jsonl:7"), std::string::npos) << status.error().text();
    EXPECT_NE(status.error().message.find("checksum"), std::string::npos);
  }
  // A line too few, and a file of something else.
  const size_t begin = good.find("{\"n\":5,"), end = good.find('\n', begin) + 1;
  write(good.substr(0, begin) + good.substr(end));
  EXPECT_NE(run_search(scorer, o, folder).error().message.find("number 6, expected 5"), std::string::npos);
  for (const std::string other : {"hello\n", "{}\n", "\n", "[1,2]\n"}) {
    write(other);
    EXPECT_FALSE(run_search(scorer, o, folder)) << other;
    EXPECT_FALSE(read_archive(r->path)) << other;
  }
  // Scores that do not repeat: the same search with another fitness leaves the archive's path.
  write(good);
  SearchOptions changed = o;
  changed.seed = 9;
  const auto foreign = run_search(scorer, changed, folder);
  ASSERT_TRUE(foreign);
  fs::copy_file(foreign->path, r->path, fs::copy_options::overwrite_existing);
  EXPECT_NE(run_search(scorer, o, folder).error().message.find("another search"), std::string::npos);
  // Held by someone.
  write(good);
  const auto held = Archive::open(r->path, r->header);
  ASSERT_TRUE(held);
  EXPECT_NE(run_search(scorer, o, folder).error().message.find("another process"), std::string::npos);
}

TEST_F(Search, BadOptionsAndBudgetsAreRefusedBeforeAnythingIsScored) {
  const Space s = published_space();
  const Scorer scorer{s, "test", {[](const Member&) -> Result<methods::MemberScore> {
    ADD_FAILURE();
    return fail(Code::failed, "scored");
  }}, {}};
  EXPECT_EQ(run_search(scorer, small_search(Method::evolution, "macs<30M"), folder).error().code, Code::budget_not_met);
  EXPECT_EQ(run_search(scorer, small_search(Method::evolution, "mcas<300M"), folder).error().code, Code::usage);
  EXPECT_EQ(run_search(scorer, small_search(Method::exhaustive, ""), folder).error().code, Code::usage);
  SearchOptions o = small_search(Method::evolution, "macs<300M");
  o.population = 0;
  EXPECT_EQ(run_search(scorer, o, folder).error().message, "population is 0, expected 1 to 1000000");
  o = small_search(Method::evolution, "");
  o.variation.gene = 1.5;
  EXPECT_EQ(run_search(scorer, o, folder).error().code, Code::usage);
}

// In short searches, over several seeds: screened children are better ones.
TEST_F(Search, PredictorsLearnAndHelp) {
  const Space s = published_space();
  auto base = small_search(Method::evolution, "macs<=320M");
  base.generations = 3;
  const Plan plan = Plan::make(s, base).value();
  Rng rng(78);
  const Member optimum = plan.constraint.draw(rng, plan.fullness).value();
  const Scorer scorer{s, "test", {planted(s, optimum)}, {}};
  std::map<PredictorKind, double> best;
  for (const PredictorKind kind : {PredictorKind::none, PredictorKind::ridge, PredictorKind::mlp})
    for (const int64_t seed : {1, 2}) {
      SearchOptions o = base;
      o.predictor = kind;
      o.seed = seed;
      const auto r = run_search(scorer, o, folder);
      ASSERT_TRUE(r) << r.error().text();
      best[kind] += r->entries[static_cast<size_t>(r->ranked[0])].score.accuracy / 2;
      if (kind == PredictorKind::none) continue;
      ASSERT_TRUE(r->hold_out);
      EXPECT_EQ(r->hold_out->n, r->entries.size());
      EXPECT_GT(r->hold_out->spearman, 0.7) << name(kind);
      EXPECT_LT(r->hold_out->mean_abs, 0.7 * r->hold_out->spread) << name(kind);
    }
  EXPECT_GT(best[PredictorKind::ridge], best[PredictorKind::none]);
  EXPECT_GT(best[PredictorKind::mlp], best[PredictorKind::none]);
}

// A linear law is found exactly, a curved one nearly; noise cannot be predicted.
TEST(Predictor, HoldOutErrorIsHonest) {
  Rng rng(4);
  std::vector<std::vector<double>> x;
  std::vector<double> linear, noise;
  for (int i = 0; i < 200; ++i) {
    x.push_back({rng.uniform(), 10 * rng.uniform(), 3});
    linear.push_back(0.3 + 0.1 * x.back()[0] - 0.02 * x.back()[1]);
    noise.push_back(rng.uniform());
  }
  for (const PredictorKind kind : {PredictorKind::ridge, PredictorKind::mlp}) {
    const HoldOut a = hold_out(kind, x, linear), b = hold_out(kind, x, noise);
    EXPECT_EQ(a.n, 200u);
    EXPECT_LT(a.mean_abs, 0.1 * a.spread) << name(kind);
    EXPECT_GT(a.spearman, 0.98);
    EXPECT_GT(b.mean_abs, 0.9 * b.spread) << name(kind);
    EXPECT_LT(std::fabs(b.spearman), 0.3);
  }
  EXPECT_EQ(hold_out(PredictorKind::ridge, {{1.0}, {2.0}}, {1, 2}).n, 0u);
}

// The best are scored again by other pictures: the ranking stays, and of a front both ends come along.
TEST_F(Search, RetestsTheBestAndRanksNobodyAnew) {
  const Space s = *open_space("demo");
  Rng rng(5);
  const Member optimum = sample(s, rng);
  SearchOptions o;
  o.method = Method::random;
  o.evaluations = 40;
  o.budget = "macs<2M";
  const Scorer scorer{s, "w", {planted(s, optimum)}, {}};
  auto result = run_search(scorer, o, folder);
  ASSERT_TRUE(result) << result.error().text();
  const std::vector<int64_t> ranked = result->ranked;
  const Fitness other = [](const Member&) -> Result<methods::MemberScore> { return methods::MemberScore{0.25, 1.5, 400}; };
  ASSERT_TRUE(retest(*result, other, 10));
  EXPECT_EQ(result->ranked, ranked);
  ASSERT_EQ(result->retests.size(), 10u);
  for (size_t i = 0; i < 10; ++i) EXPECT_EQ(result->retests[i].index, ranked[i]);
  const Report report = search_report(*result, "run");
  const Table* table = report.table("retest");
  ASSERT_TRUE(table);
  EXPECT_EQ(table->rows.size(), 10u);
  EXPECT_EQ(std::get<double>(table->rows[0][1]), 0.25);
  EXPECT_EQ(std::get<double>(table->rows[0][4]), result->entries[static_cast<size_t>(ranked[0])].score.accuracy);

  o.method = Method::front;
  o.budget.clear();
  o.population = 20;
  o.generations = 2;
  o.mutations = o.crossovers = 10;
  auto front = run_search(scorer, o, folder);
  ASSERT_TRUE(front) << front.error().text();
  ASSERT_GT(front->front.size(), 2u);
  ASSERT_TRUE(retest(*front, other, 2));
  ASSERT_EQ(front->retests.size(), 2u);
  EXPECT_EQ(front->retests[0].index, front->front.front());
  EXPECT_EQ(front->retests[1].index, front->front.back());
  EXPECT_EQ(to_retest(*front, 1000).size(), front->front.size());   // what a progress bar counts to
  const Fitness fails = [](const Member&) -> Result<methods::MemberScore> { return fail(Code::failed, "no pictures"); };
  EXPECT_FALSE(retest(*front, fails, 1));
}

}  // namespace
}  // namespace hone::search
