#include "measure/timing.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/rng.h"
#include "measure/machine.h"

namespace hone {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kBlocks = 16;            // stretches of a series that its interval comes from
constexpr int64_t kGroupsOfVisit = 64;    // at most
constexpr double kEnough = 0.5;           // share of rounds with an undisturbed group that figures may rest upon
constexpr double kSettled = 0.02;         // two windows of a warm-up agree within this
constexpr double kTooLong = 100;          // runs of this many milliseconds settle by two agreeing runs

struct Group {
  double wall = 0, cpu = 0;  // milliseconds per run
  bool disturbed = false;
};

// A candidate while it is measured.
struct Work {
  const Candidate* candidate = nullptr;
  int64_t runs_per_group = 1, groups_per_visit = 1;
  bool warmed_up = false;
  std::vector<std::vector<Group>> visits;  // by round
};

Status run(const Candidate& c, int64_t times) {
  for (int64_t i = 0; i < times; ++i)
    if (auto done = c.run(); !done) {
      Error error = std::move(done).error();
      if (error.where.empty()) error.where = c.name;
      return fail(std::move(error));
    }
  return {};
}

Result<Group> timed(const Candidate& c, int64_t runs, const TimingClock& clock) {
  const int64_t preempted = clock.preemptions();
  const double cpu = clock.cpu_ms(), wall = clock.wall_ms();
  HONE_TRY(run(c, runs));
  const double n = static_cast<double>(runs);
  const double wall_spent = clock.wall_ms() - wall, cpu_spent = clock.cpu_ms() - cpu;
  return Group{wall_spent / n, cpu_spent / n, clock.preemptions() != preempted};
}

// Runs until two windows of runs in a row take the same time, and sets how many runs a group and a visit have.
Status warm_up(Work& work, const TimingOptions& o, const TimingClock& clock) {
  HONE_TRY(run(*work.candidate, 1));  // first runs allocate
  const double begin = clock.wall_ms();
  std::vector<double> times;
  size_t window = 4;
  for (;;) {
    HONE_TRY_ASSIGN(const Group g, timed(*work.candidate, 1, clock));
    times.push_back(o.one_thread ? std::min(g.wall, g.cpu > 0 ? g.cpu : g.wall) : g.wall);
    if (times.size() == 1 && times[0] > kTooLong) window = 1;
    if (times.size() >= 2 * window && times.size() % window == 0) {
      const std::span<const double> all = times;
      const double last = median({all.end() - static_cast<ptrdiff_t>(window), all.end()});
      const double before = median({all.end() - static_cast<ptrdiff_t>(2 * window), all.end() - static_cast<ptrdiff_t>(window)});
      // Short runs fill some milliseconds before their windows are believed.
      work.warmed_up = std::fabs(last - before) <= kSettled * before;
      if (work.warmed_up && (window == 1 || clock.wall_ms() - begin >= o.visit_ms)) break;
      if (times.size() >= 8 * window) window *= 2;
    }
    if (clock.wall_ms() - begin > o.warm_up_seconds * 1000) break;
  }
  const size_t tail = std::max<size_t>(1, times.size() / 2);
  const double run_ms = std::max(1e-6, median({times.end() - static_cast<ptrdiff_t>(tail), times.end()}));
  work.runs_per_group = std::max<int64_t>(1, static_cast<int64_t>(std::ceil(o.group_ms / run_ms)));
  const double group_ms = run_ms * static_cast<double>(work.runs_per_group);
  work.groups_per_visit = std::clamp<int64_t>(std::llround(o.visit_ms / group_ms), 1, kGroupsOfVisit);
  return {};
}

// Median of a visit's groups by `basis`; NaN when none counts.
double visit_value(const std::vector<Group>& visit, Basis basis) {
  std::vector<double> values;
  for (const Group& g : visit)
    if (basis != Basis::undisturbed || !g.disturbed) values.push_back(basis == Basis::cpu_time ? g.cpu : g.wall);
  return median(std::move(values));
}

std::vector<double> finite(std::span<const double> series) {
  std::vector<double> out;
  for (double v : series)
    if (std::isfinite(v)) out.push_back(v);
  return out;
}

Interval series_interval(std::span<const double> series, double confidence) {
  return median_interval(block_medians(series, kBlocks), confidence);
}

bool precise(const Work& w, Basis basis, const TimingOptions& o) {
  std::vector<double> series;
  for (const auto& visit : w.visits) series.push_back(visit_value(visit, basis));
  series = finite(series);
  if (static_cast<int64_t>(series.size()) < o.min_rounds) return false;
  const Interval i = series_interval(series, o.confidence);
  const double middle = median(series);
  return i.confidence >= o.confidence && i.high - middle <= o.precision * middle && middle - i.low <= o.precision * middle;
}

Basis choose_basis(const std::vector<Work>& all, bool one_thread) {
  for (const Work& w : all) {
    const auto good = std::count_if(w.visits.begin(), w.visits.end(), [](const auto& v) { return std::isfinite(visit_value(v, Basis::undisturbed)); });
    if (static_cast<double>(good) < kEnough * static_cast<double>(w.visits.size())) return one_thread ? Basis::cpu_time : Basis::all;
  }
  return Basis::undisturbed;
}

Timing summarise(const Work& w, Basis basis, const TimingOptions& o, double others) {
  Timing t;
  t.name = w.candidate->name;
  t.basis = basis;
  t.runs_per_group = w.runs_per_group;
  t.warmed_up = w.warmed_up;
  t.rounds = static_cast<int64_t>(w.visits.size());
  std::vector<double> groups;
  for (const auto& visit : w.visits) {
    t.series.push_back(visit_value(visit, basis));
    for (const Group& g : visit) {
      ++t.groups;
      t.disturbed += g.disturbed;
      if (basis != Basis::undisturbed || !g.disturbed) groups.push_back(basis == Basis::cpu_time ? g.cpu : g.wall);
    }
  }
  t.runs = t.groups * t.runs_per_group;
  const std::vector<double> good = finite(t.series);
  t.median = median(good);
  t.interval = series_interval(good, o.confidence);
  t.p95 = quantile(groups, 0.95);
  t.fastest = *std::min_element(groups.begin(), groups.end());
  t.spread = (quantile(groups, 0.75) - quantile(groups, 0.25)) / t.median;
  const auto half = good.begin() + static_cast<ptrdiff_t>(good.size() / 2);
  t.drift = good.size() < 2 ? 0 : median({half, good.end()}) / median({good.begin(), half}) - 1;

  const auto percent = [](double share) { return fmt::format("{:.1f} %", share * 100); };
  // Two medians of this width each differ by at most kRepeatable as often as the interval holds.
  const double width = std::max(t.interval.high - t.median, t.median - t.interval.low) / t.median;
  if (t.interval.confidence < o.confidence) t.doubt = fmt::format("only {} rounds count", good.size());
  else if (std::fabs(t.drift) > kRepeatable) t.doubt = fmt::format("the halves of the measurement differ by {}", percent(std::fabs(t.drift)));
  else if (width > kRepeatable / std::sqrt(2.)) t.doubt = fmt::format("the median is known to {} only", percent(width));
  else if (others > kQuiet) t.doubt = fmt::format("other processes kept {:.1f} processors busy", others);
  else if (basis == Basis::all) t.doubt = "other processes took the processors during most runs";
  t.steady = t.doubt.empty();
  return t;
}

double timespec_ms(clockid_t id) {
  timespec t{};
  ::clock_gettime(id, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

}  // namespace

TimingClock TimingClock::machine() {
  return {[] { return timespec_ms(CLOCK_MONOTONIC); }, [] { return timespec_ms(CLOCK_PROCESS_CPUTIME_ID); },
          [] {
            rusage usage{};
            ::getrusage(RUSAGE_SELF, &usage);
            return static_cast<int64_t>(usage.ru_nivcsw);
          },
          [] {
            const ProcessorTime t = processor_time();
            return (t.busy + t.stolen - t.own) * 1000;
          }};
}

std::string_view name(Basis basis) {
  switch (basis) {
    case Basis::undisturbed: return "undisturbed";
    case Basis::cpu_time: return "cpu time";
    default: return "all runs";
  }
}

std::string_view name(TimeRatio::Verdict verdict) {
  switch (verdict) {
    case TimeRatio::Verdict::faster: return "faster";
    case TimeRatio::Verdict::slower: return "slower";
    default: return "cannot tell";
  }
}

Result<Measurement> measure(const std::vector<Candidate>& candidates, const TimingOptions& o, const TimingClock& clock) {
  if (candidates.empty()) return fail(Code::usage, "nothing to measure");
  if (!(o.seconds >= 0) || o.min_rounds < 1 || o.max_rounds < o.min_rounds || !(o.confidence > 0 && o.confidence < 1) || !(o.visit_ms > 0) || !(o.group_ms > 0))
    return fail(Code::usage, "the options of a measurement contradict each other", {}, "at least one round, seconds of 0 or more, a confidence between 0 and 1");
  std::vector<Work> all(candidates.size());
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].candidate = &candidates[i];
    HONE_TRY(warm_up(all[i], o, clock));
  }

  Rng rng(o.seed);
  std::vector<size_t> order(all.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const double begin = clock.wall_ms(), others_begin = clock.others_ms ? clock.others_ms() : 0;
  double elapsed = 0;
  int64_t next_check = o.min_rounds;
  for (int64_t round = 0; round < o.max_rounds; ++round) {
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
    for (size_t i : order) {
      Work& w = all[i];
      if (all.size() > 1) HONE_TRY(run(*w.candidate, 1));  // its data back into the caches
      std::vector<Group>& visit = w.visits.emplace_back();
      for (int64_t g = 0; g < w.groups_per_visit; ++g) {
        HONE_TRY_ASSIGN(const Group group, timed(*w.candidate, w.runs_per_group, clock));
        visit.push_back(group);
      }
    }
    elapsed = (clock.wall_ms() - begin) / 1000;
    if (o.progress) o.progress(std::min(1., std::max(elapsed / std::max(o.seconds, 1e-9), static_cast<double>(round + 1) / static_cast<double>(o.max_rounds))));
    if (round + 1 < o.min_rounds) continue;
    if (elapsed >= o.seconds) break;
    // Looking at the precision after every round would stop at the first lucky one; a quarter more rounds between looks.
    if (round + 1 < next_check || elapsed < o.min_seconds) continue;
    next_check = round + 1 + std::max<int64_t>(1, (round + 1) / 4);
    const Basis basis = choose_basis(all, o.one_thread);
    if (std::all_of(all.begin(), all.end(), [&](const Work& w) { return precise(w, basis, o); })) break;
  }

  Measurement m;
  m.confidence = o.confidence;
  m.seconds = elapsed;
  const Basis basis = choose_basis(all, o.one_thread);
  const double others = clock.others_ms && elapsed > 0 ? (clock.others_ms() - others_begin) / (elapsed * 1000) : 0;
  for (const Work& w : all) m.timings.push_back(summarise(w, basis, o, others));
  return m;
}

TimeRatio time_ratio(const Measurement& m, size_t a, size_t b) {
  const Timing &first = m.timings[a], &second = m.timings[b];
  std::vector<double> ratios;
  for (size_t i = 0; i < first.series.size(); ++i)
    if (const double r = first.series[i] / second.series[i]; std::isfinite(r)) ratios.push_back(r);
  TimeRatio out;
  out.ratio = median(ratios);
  out.interval = series_interval(ratios, m.confidence);
  if (out.interval.confidence < m.confidence) return out;
  const double margin = first.steady && second.steady ? kIndistinguishable : kRepeatable;
  if (out.interval.high < 1 - margin) out.verdict = TimeRatio::Verdict::faster;
  if (out.interval.low > 1 + margin) out.verdict = TimeRatio::Verdict::slower;
  return out;
}

}  // namespace hone
