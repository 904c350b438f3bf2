// Timing of short pieces of work on a machine that others use too.
//
// Candidates are visited in rounds, in a random order each time, so that whatever slows the machine for a while slows all
// of them alike. A visit runs its candidate once untimed where another one has just used the caches, then a few timed
// groups of runs. A group during which the kernel took the processor away is disturbed and counts for nothing; a visit's
// value is the median of its undisturbed groups. Medians, intervals and ratios are then taken over the visits' values.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "measure/statistics.h"

namespace hone {

struct Candidate {
  std::string name;
  std::function<Status()> run;  // one unit of work, such as one inference
};

struct TimingOptions {
  double seconds = 10;        // of timed rounds, all candidates together; the last round is finished
  double min_seconds = 2;     // precision alone does not end a measurement before: a machine keeps a mood for that long
  int64_t min_rounds = 12;    // at least, whatever `seconds` says
  int64_t max_rounds = 1000;
  double precision = 0.005;   // rounds end when every median's interval is at most this wide to either side (relative)
  double confidence = 0.95;
  double visit_ms = 20;       // timed work of a visit; one run at least
  double group_ms = 0.1;      // short runs are timed in groups of about this length
  double warm_up_seconds = 3; // a candidate's warm-up ends here when its time has not settled before
  bool one_thread = true;     // the work keeps one thread busy: CPU time can stand in for time on the clock
  uint64_t seed = 1;          // of the order of visits
  std::function<void(double share)> progress;  // from 0 to 1; may be empty
};

// What measure() asks the machine; tests give it a machine of their own.
struct TimingClock {
  std::function<double()> wall_ms;         // never goes back
  std::function<double()> cpu_ms;          // of the whole process
  std::function<int64_t()> preemptions;    // involuntary context switches of the whole process so far
  std::function<double()> others_ms;       // processor time of everything else so far, other guests of the host included; may be empty

  static TimingClock machine();
};

// What the figures of a timing are made of.
enum class Basis : uint8_t {
  undisturbed,  // time on the clock of undisturbed groups
  cpu_time,     // too few of those: CPU time of all groups (one thread only)
  all,          // too few of those and several threads: time on the clock of all groups, others' work included
};
std::string_view name(Basis basis);  // "undisturbed", "cpu time", "all runs"

// Of one candidate; milliseconds per run.
struct Timing {
  std::string name;
  Basis basis = Basis::undisturbed;
  double median = 0;
  Interval interval;           // of the median
  double p95 = 0;              // of groups
  double fastest = 0;
  double spread = 0;           // interquartile range of the groups over their median
  double drift = 0;            // median of the second half of the rounds over that of the first, minus 1
  bool steady = false;         // whether another measurement can be expected within kRepeatable of this one
  std::string doubt;           // why not, in a few words; "" when steady
  int64_t rounds = 0, runs = 0, groups = 0, disturbed = 0;  // disturbed: of the groups
  int64_t runs_per_group = 1;
  bool warmed_up = false;      // false: its time was still moving when the warm-up ended
  std::vector<double> series;  // one value a round; NaN for a round without an undisturbed group
};
inline constexpr double kRepeatable = 0.03;
// Processors that others keep busy while a time still counts as steady. Even on a core of its own, work shares caches,
// memory and often the core's units with what runs beside it, and at another hour something else runs there.
inline constexpr double kQuiet = 0.15;

// Time of candidate `a` over that of `b`, from their values in the same rounds.
struct TimeRatio {
  double ratio = 0;
  Interval interval;
  enum class Verdict : uint8_t { faster, slower, cannot_tell } verdict = Verdict::cannot_tell;  // of a
};
std::string_view name(TimeRatio::Verdict verdict);

struct Measurement {
  std::vector<Timing> timings;  // in the order of the candidates; all of one basis
  double confidence = 0.95;
  double seconds = 0;           // that the rounds took
};

// Ratios within this of 1 are never ranked: another process places its memory elsewhere and moves by about as much.
inline constexpr double kIndistinguishable = 0.01;

// Fails with the error of a candidate, without candidates, and with options that make no sense.
Result<Measurement> measure(const std::vector<Candidate>& candidates, const TimingOptions& options = {},
                            const TimingClock& clock = TimingClock::machine());

// Cannot tell: when the interval includes 1 or comes within kIndistinguishable of it, or when either timing is in doubt and
// the interval comes within kRepeatable.
TimeRatio time_ratio(const Measurement& measurement, size_t a, size_t b);

}  // namespace hone
