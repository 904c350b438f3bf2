// The harness against a machine of the test's own: time passes when the test says so.
#include "measure/timing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <set>

#include "core/rng.h"

namespace hone {
namespace {

// A machine whose time only candidates move.
struct Machine {
  double wall = 0, cpu = 0;
  int64_t preempted = 0;
  double others = 0;  // processors that other processes keep busy
  double slow = 1;  // factor of everything that runs
  Rng rng{11};
  std::vector<std::string> visits;  // names in the order of running, repeats once

  TimingClock clock() {
    return {[this] { return wall; }, [this] { return cpu; }, [this] { return preempted; }, [this] { return others * wall; }};
  }
  void work(double ms) { wall += ms * slow, cpu += ms * slow; }
  // A run of about `ms` with a noise of `noise` (relative, uniform).
  Candidate candidate(const std::string& name, double ms, double noise = 0.01) {
    return {name, [this, name, ms, noise]() -> Status {
              if (visits.empty() || visits.back() != name) visits.push_back(name);
              work(ms * (1 + noise * (rng.uniform() - 0.5)));
              return {};
            }};
  }
};

TEST(Timing, MedianAndIntervalOfAQuietMachine) {
  Machine m;
  const auto r = measure({m.candidate("a", 5)}, {}, m.clock());
  ASSERT_TRUE(r);
  const Timing& t = r->timings[0];
  EXPECT_NEAR(t.median, 5, 0.01);
  EXPECT_LT(t.interval.low, t.median);
  EXPECT_GT(t.interval.high, t.median);
  EXPECT_NEAR(t.interval.high, 5, 0.05);
  EXPECT_TRUE(t.steady) << t.doubt;
  EXPECT_TRUE(t.warmed_up);
  EXPECT_EQ(t.basis, Basis::undisturbed);
  EXPECT_EQ(t.disturbed, 0);
  EXPECT_EQ(t.runs_per_group, 1);
  EXPECT_GE(t.rounds, 12);
  EXPECT_LT(r->seconds, 10);  // it was precise enough before the time was up
}

TEST(Timing, ATimeBesideBusyNeighboursIsInDoubt) {
  Machine m;
  m.others = 0.1;
  EXPECT_TRUE(measure({m.candidate("a", 5)}, {}, m.clock())->timings[0].steady);
  m.others = 0.8;
  const auto r = measure({m.candidate("a", 5)}, {}, m.clock());
  EXPECT_FALSE(r->timings[0].steady);
  EXPECT_EQ(r->timings[0].doubt, "other processes kept 0.8 processors busy");
}

TEST(Timing, WarmUpLastsUntilTheTimeSettles) {
  Machine m;
  int runs = 0;
  const Candidate falling{"falling", [&]() -> Status {
                            m.work(2 + 20 * std::exp(-runs++ / 10.0));
                            return {};
                          }};
  const auto r = measure({falling}, {}, m.clock());
  ASSERT_TRUE(r);
  EXPECT_TRUE(r->timings[0].warmed_up);
  EXPECT_NEAR(r->timings[0].median, 2, 0.02);
  EXPECT_NEAR(r->timings[0].p95, 2, 0.3);
}

TEST(Timing, WarmUpThatNeverSettlesEnds) {
  Machine m;
  double ms = 1;
  const Candidate rising{"rising", [&]() -> Status {
                           m.work(ms *= 1.05);
                           return {};
                         }};
  TimingOptions o;
  o.warm_up_seconds = 0.5;
  o.seconds = 0.1;
  o.max_rounds = o.min_rounds = 2;
  const auto r = measure({rising}, o, m.clock());
  ASSERT_TRUE(r);
  EXPECT_FALSE(r->timings[0].warmed_up);
  EXPECT_FALSE(r->timings[0].steady);
}

TEST(Timing, ShortRunsAreTimedInGroups) {
  Machine m;
  const auto r = measure({m.candidate("a", 0.003)}, {}, m.clock());
  ASSERT_TRUE(r);
  EXPECT_NEAR(static_cast<double>(r->timings[0].runs_per_group), 34, 1);
  EXPECT_NEAR(r->timings[0].median, 0.003, 1e-5);
}

TEST(Timing, RoundsVisitEveryCandidateInChangingOrder) {
  Machine m;
  TimingOptions o;
  o.min_rounds = o.max_rounds = 40;
  const auto r = measure({m.candidate("a", 5), m.candidate("b", 7), m.candidate("c", 6)}, o, m.clock());
  ASSERT_TRUE(r);
  for (const Timing& t : r->timings) EXPECT_EQ(t.rounds, 40);
  std::set<std::string> pairs;
  for (size_t i = 1; i < m.visits.size(); ++i) pairs.insert(m.visits[i - 1] + m.visits[i]);
  EXPECT_GE(pairs.size(), 6u);  // every one follows every other
}

TEST(Timing, RatioHoldsWhileTheMachineChangesItsSpeed) {
  Machine m;
  TimingOptions o;
  o.min_rounds = o.max_rounds = 60;
  int runs = 0;
  const auto wave = [&](Candidate c) {
    return Candidate{c.name, [&m, &runs, run = c.run]() -> Status {
                       m.slow = 1.5 + 0.5 * std::sin(runs++ / 150.0);
                       return run();
                     }};
  };
  const auto r = measure({wave(m.candidate("a", 5)), wave(m.candidate("b", 6))}, o, m.clock());
  ASSERT_TRUE(r);
  const TimeRatio ratio = time_ratio(*r, 0, 1);
  EXPECT_NEAR(ratio.ratio, 5 / 6., 0.01);
  EXPECT_EQ(ratio.verdict, TimeRatio::Verdict::faster);
  EXPECT_EQ(time_ratio(*r, 1, 0).verdict, TimeRatio::Verdict::slower);
  EXPECT_FALSE(r->timings[0].steady);  // the times themselves are not to be trusted
}

TEST(Timing, RefusesToRankInsideTheNoise) {
  Machine m;
  TimingOptions o;
  o.min_rounds = o.max_rounds = 30;
  const auto noisy = measure({m.candidate("a", 5, 0.6), m.candidate("b", 5.05, 0.6)}, o, m.clock());
  ASSERT_TRUE(noisy);
  EXPECT_EQ(time_ratio(*noisy, 0, 1).verdict, TimeRatio::Verdict::cannot_tell);
  // Half a percent apart without any noise is still less than another process would move them.
  const auto close = measure({m.candidate("a", 5, 0.0001), m.candidate("b", 5.025, 0.0001)}, o, m.clock());
  ASSERT_TRUE(close);
  EXPECT_EQ(time_ratio(*close, 0, 1).verdict, TimeRatio::Verdict::cannot_tell);
  const auto apart = measure({m.candidate("a", 5), m.candidate("b", 5.2)}, o, m.clock());
  ASSERT_TRUE(apart);
  EXPECT_EQ(time_ratio(*apart, 0, 1).verdict, TimeRatio::Verdict::faster);
}

TEST(Timing, PreemptedRunsCountForNothing) {
  Machine m;
  int runs = 0;
  const Candidate c{"a", [&]() -> Status {
                      m.work(4);
                      if (++runs % 3 == 0) m.wall += 6, ++m.preempted;
                      return {};
                    }};
  const auto r = measure({c}, {}, m.clock());
  ASSERT_TRUE(r);
  const Timing& t = r->timings[0];
  EXPECT_EQ(t.basis, Basis::undisturbed);
  EXPECT_DOUBLE_EQ(t.median, 4);
  EXPECT_DOUBLE_EQ(t.p95, 4);
  EXPECT_NEAR(static_cast<double>(t.disturbed) / static_cast<double>(t.groups), 1 / 3., 0.05);
}

TEST(Timing, CpuTimeStandsInWhereEveryRunIsPreempted) {
  Machine m;
  const Candidate c{"long", [&]() -> Status {
                      m.work(40 + 0.1 * m.rng.uniform());
                      m.wall += 30 * m.rng.uniform(), ++m.preempted;
                      return {};
                    }};
  const auto one = measure({c}, {}, m.clock());
  ASSERT_TRUE(one);
  EXPECT_EQ(one->timings[0].basis, Basis::cpu_time);
  EXPECT_NEAR(one->timings[0].median, 40.05, 0.05);
  EXPECT_TRUE(one->timings[0].steady);
  // CPU time says nothing about several threads: then the time on the clock is given, and doubted.
  TimingOptions o;
  o.one_thread = false;
  const auto several = measure({c}, o, m.clock());
  ASSERT_TRUE(several);
  EXPECT_EQ(several->timings[0].basis, Basis::all);
  EXPECT_GT(several->timings[0].median, 45);
  EXPECT_FALSE(several->timings[0].steady);
}

TEST(Timing, AComparisonUsesOneBasis) {
  Machine m;
  const Candidate disturbed{"long", [&]() -> Status {
                              m.work(40);
                              m.wall += 10, ++m.preempted;
                              return {};
                            }};
  const auto r = measure({m.candidate("quiet", 5), disturbed}, {}, m.clock());
  ASSERT_TRUE(r);
  EXPECT_EQ(r->timings[0].basis, r->timings[1].basis);
  EXPECT_NEAR(time_ratio(*r, 0, 1).ratio, 5 / 40., 0.01);
}

TEST(Timing, ADriftBetweenTheHalvesIsNamed) {
  Machine m;
  const Candidate c{"a", [&]() -> Status {
                      m.work(m.wall < 1000 ? 5 : 5.5);
                      return {};
                    }};
  TimingOptions o;
  o.min_rounds = o.max_rounds = 100;
  const auto r = measure({c}, o, m.clock());
  ASSERT_TRUE(r);
  EXPECT_NEAR(r->timings[0].drift, 0.1, 0.01);
  EXPECT_FALSE(r->timings[0].steady);
  EXPECT_NE(r->timings[0].doubt.find("10.0 %"), std::string::npos) << r->timings[0].doubt;
}

// Slow moods of the machine: two measurements of the same work agree within 3 %, or one of them says that it cannot tell.
TEST(Timing, TwoMeasurementsAgreeOrSaySo) {
  int agreed = 0, quiet_doubted = 0, moody_believed = 0, wrong = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    double medians[2];
    bool steady = true;
    for (int k = 0; k < 2; ++k) {
      Machine m;
      m.rng = Rng(seed * 2 + static_cast<uint64_t>(k));
      const double size = 0.1 * static_cast<double>(seed % 4);  // of the moods; every fourth machine has none
      double until = 0, mood = 1;
      const Candidate c{"a", [&]() -> Status {
                          if (m.wall >= until) until = m.wall + 400 * m.rng.uniform(), mood = 1 + size * m.rng.uniform();
                          m.work(5 * mood * (1 + 0.02 * m.rng.uniform()));
                          return {};
                        }};
      const auto r = measure({c}, {}, m.clock());
      ASSERT_TRUE(r);
      medians[k] = r->timings[0].median;
      steady = steady && r->timings[0].steady;
    }
    const bool same = std::fabs(medians[0] / medians[1] - 1) <= kRepeatable;
    agreed += same, wrong += steady && !same;
    (seed % 4 == 0 ? quiet_doubted : moody_believed) += (seed % 4 == 0) != steady;
  }
  EXPECT_LE(wrong, 4);           // of 200
  EXPECT_EQ(quiet_doubted, 0);
  EXPECT_GE(moody_believed, 5);  // saying "cannot tell" to everything would be no answer
  EXPECT_GE(agreed, 150);
}

TEST(Timing, ErrorsOfACandidateAreItsOwn) {
  Machine m;
  int runs = 0;
  const Candidate broken{"broken", [&]() -> Status {
                           m.work(1);
                           if (++runs > 50) return fail(Code::failed, "no more");
                           return {};
                         }};
  const auto r = measure({broken}, {}, m.clock());
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().message, "no more");
  EXPECT_EQ(r.error().where, "broken");
  EXPECT_FALSE(measure({}, {}, m.clock()));
  TimingOptions o;
  o.min_rounds = 5, o.max_rounds = 4;
  EXPECT_EQ(measure({m.candidate("a", 1)}, o, m.clock()).error().code, Code::usage);
}

TEST(Timing, TheMachineClockGoesForward) {
  const TimingClock clock = TimingClock::machine();
  const double wall = clock.wall_ms(), cpu = clock.cpu_ms();
  volatile double x = 1;
  while (clock.cpu_ms() - cpu < 1) x = x * 1.0001;
  EXPECT_GT(clock.wall_ms(), wall);
  EXPECT_GE(clock.preemptions(), 0);
}

}  // namespace
}  // namespace hone
