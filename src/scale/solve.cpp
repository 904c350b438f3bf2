// The budget solver: one-dimensional search over the factor.
//
// Every rounded number of a network grows with the factor, so the networks of a strategy form a sequence, and cost grows
// along it except for small steps back where widths are made to fit group widths. So: bracket the place where the cost
// crosses the budget, narrow the bracket by bisection, then list every distinct network around the crossing and compare
// them exactly.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <unordered_map>

#include "scale/closed_form.h"
#include "scale/scale.h"

namespace hone {

namespace {

constexpr double kSmallest = 1.0 / (1 << 24), kLargest = 1 << 24;  // factors that are tried
constexpr double kBracket = 1.1, kMargin = 1.05;                   // width of the bracket, and what is listed beyond it
constexpr double kSameFactor = 1e-6;                               // boundaries between networks are found this well
constexpr size_t kNeighbours = 2;                                  // compared on each side where counting is slow

// What a network costs in the budget's quantities; nothing for one that cannot be built.
struct Candidate {
  Arch arch;
  std::optional<Amounts> totals;
};

struct Segment {  // factors that give one network
  double begin = 0, end = 0;
  Candidate* candidate = nullptr;
};

class Search {
 public:
  Search(const Arch& base, const Strategy& strategy, const Budget& budget, Rounding rounding, const LatencyOf& latency)
      : base_(base), strategy_(strategy), budget_(budget), rounding_(rounding), latency_(latency) {
    for (const Limit& l : budget.limits) needs_memory_ = needs_memory_ || l.quantity == Quantity::memory;
    needs_latency_ = latency_limit(budget) != nullptr;
  }

  Result<Solution> run() {
    if (needs_latency_ && !latency_) return fail(Code::failed, "nothing tells the latency of a network", budget_.text, "a device table: hone device build");
    HONE_TRY_ASSIGN(const Amounts base, totals_of(base_));
    budget_ = resolve(budget_, base);
    HONE_TRY(scale_one(1).map([](const Arch&) {}));  // says what is wrong with the strategy, the family or the rounding
    slow_ = needs_memory_ || needs_latency_ || !closed_form(base_);

    double low = 1, high = 1;
    if (!bracket(low, high)) return at_the_end(low < kSmallest ? kSmallest : kLargest);
    while (high > low * kBracket) {
      const double middle = std::sqrt(low * high);
      (excess(middle) > 1 ? high : low) = middle;
    }
    // Growth that ends where networks become too large to count has met no bound.
    if (high > 1 && !counted(candidate(high))) return at_the_end(kLargest, low);
    const std::vector<Segment> segments = list(low / kMargin, high * kMargin);
    const auto [from, to] = worth_counting(segments);
    const Segment* best = nullptr;
    for (size_t i = from; i < to; ++i) {
      const Amounts* t = counted(segments[i].candidate);
      if (!t) continue;
      if (!best || better(*t, *best->candidate->totals)) best = &segments[i];
    }
    // On a tie nothing is gained by changing the network.
    Candidate* same = candidate(1);
    if (const Amounts* t = counted(same))
      if (!best || !better(*best->candidate->totals, *t)) return finish(1, 1, *same);
    if (!best) return fail(Code::failed, "no network near the budget can be built", base_.name);
    return finish(best->begin, best->end, *best->candidate);
  }

 private:
  Result<Arch> scale_one(double factor) const {
    HONE_TRY_ASSIGN(const Factors f, scaling_factors(strategy_, factor));
    return apply_factors(base_, f, rounding_);
  }

  Result<Amounts> totals_of(const Arch& arch) {
    HONE_TRY_ASSIGN(const ArchCost cost, count(arch));
    Amounts t;
    t.macs = cost.macs;
    t.params = cost.params;
    t.acts = cost.acts;
    if (needs_memory_) {
      HONE_TRY_ASSIGN(t.peak_activation_bytes, memory_of(arch));
    }
    if (needs_latency_) {
      HONE_TRY_ASSIGN(const double ms, latency_(arch));
      t.latency_ns = std::llround(std::clamp(ms, 0.0, 1e9) * 1e6);
    }
    return t;
  }

  // Networks that differ in depth alone mostly share one peak.
  Result<int64_t> memory_of(const Arch& arch) {
    const Arch shallow = shallowest_of_equal_peak(arch);
    for (const auto& [known, bytes] : peaks_)
      if (known == shallow) return bytes;
    HONE_TRY_ASSIGN(const int64_t bytes, peak_memory(shallow));
    peaks_.emplace_back(shallow, bytes);
    return bytes;
  }

  // Networks met so far; the addresses stay. Totals are filled in by counted().
  Candidate* candidate(double factor) {
    auto arch = scale_one(factor);
    if (!arch) return nullptr;
    const auto [first, last] = by_numbers_.equal_range(hash(*arch));
    for (auto it = first; it != last; ++it)
      if (it->second->arch == *arch) return it->second;
    const size_t key = hash(*arch);
    return by_numbers_.emplace(key, &seen_.emplace_back(Candidate{std::move(*arch), std::nullopt}))->second;
  }
  // Of the numbers that scaling can change.
  static size_t hash(const Arch& a) {
    size_t h = 0;
    auto mix = [&h](int64_t v) { h = (h ^ static_cast<size_t>(v)) * 0x100000001b3; };
    for (const Stage& s : a.stages)
      for (int64_t v : {s.depth, s.width, s.group_width, s.heads}) mix(v);
    for (int64_t v : {a.stem.width, a.head.width, a.resolution, a.test_resolution}) mix(v);
    return h;
  }
  const Amounts* counted(Candidate* c) {
    if (!c || std::find(impossible_.begin(), impossible_.end(), c) != impossible_.end()) return nullptr;
    if (!c->totals) {
      if (auto t = totals_of(c->arch))
        c->totals = *t;
      else
        impossible_.push_back(c);
    }
    return c->totals ? &*c->totals : nullptr;
  }

  // How far over its tightest limit the network at `factor` is: 1 is just within. A network that cannot be built counts
  // as over when it is larger than the input, as under when it is smaller.
  double excess(double factor) {
    const Amounts* t = counted(candidate(factor));
    return t ? excess(*t) : factor > 1 ? INFINITY : 0;
  }
  double excess(const Amounts& t) const {
    double worst = 0;
    for (const Limit& l : budget_.limits) worst = std::max(worst, static_cast<double>(amount_of(t, l.quantity)) / l.amount);
    return worst;
  }

  // A first guess of the factor from the growth of the idealised stage (scale/strategy.h) and the base's tightest limit.
  double guess() {
    const Amounts* t = counted(candidate(1));
    if (!t) return 1;
    const Growth g = growth(strategy_);
    const double sum = strategy_.d + strategy_.w + strategy_.r;
    const double memory = sum > 0 ? (strategy_.w / 2 + strategy_.r) / sum : 0;  // one map: width * resolution^2
    double out = excess(1) > 1 ? 1 : 1e4;
    for (const Limit& l : budget_.limits) {
      const double grows = l.quantity == Quantity::macs ? g.macs : l.quantity == Quantity::params ? g.params : l.quantity == Quantity::memory ? memory : g.acts;  // run time follows activations
      const double wish = l.amount / static_cast<double>(std::max<int64_t>(1, amount_of(*t, l.quantity)));
      if (grows > 0) out = std::min(out, std::pow(wish, 1 / grows));
    }
    return std::clamp(out, 1e-4, 1e4);
  }

  // Two factors around the place where the cost crosses the budget, from the guess outward in growing steps. False when
  // there is no such place; then `low` or `high` is the end that was reached.
  bool bracket(double& low, double& high) {
    double step = 1.15;
    low = high = guess();
    if (excess(low) > 1) {
      for (; low >= kSmallest; step = std::min(2.0, step * 1.2)) {
        high = low;
        low /= step;
        if (excess(low) <= 1) return true;
      }
      return false;
    }
    for (; high <= kLargest; step = std::min(2.0, step * 1.2)) {
      low = high;
      high *= step;
      if (excess(high) > 1) return true;
    }
    return false;
  }

  // Distinct networks between two factors, in order.
  std::vector<Segment> list(double low, double high) {
    std::vector<Segment> out{{low, high, candidate(low)}};
    split(low, candidate(low), high, candidate(high), out);
    std::erase_if(out, [](const Segment& s) { return !s.candidate; });
    return out;
  }
  void split(double a, Candidate* at_a, double b, Candidate* at_b, std::vector<Segment>& out) {
    if (at_a == at_b) return;
    if (b <= a * (1 + kSameFactor)) {
      out.back().end = a;
      out.push_back({b, b, at_b});
      return;
    }
    const double middle = std::sqrt(a * b);
    Candidate* at_middle = candidate(middle);
    split(a, at_a, middle, at_middle, out);
    out.back().end = middle;
    split(middle, at_middle, b, at_b, out);
    out.back().end = b;
  }

  // The range of segments that can hold the best: all, or the neighbours of the crossing where counting is slow.
  std::pair<size_t, size_t> worth_counting(const std::vector<Segment>& all) {
    if (!slow_) return {0, all.size()};
    const auto crossing = std::partition_point(all.begin(), all.end(), [&](const Segment& s) {
      const Amounts* t = counted(s.candidate);
      return t ? excess(*t) <= 1 : s.begin < 1;
    });
    const size_t at = static_cast<size_t>(crossing - all.begin());
    return {at - std::min(at, kNeighbours), std::min(all.size(), at + kNeighbours)};
  }

  const Limit& primary() const {
    for (const Limit& l : budget_.limits)
      if (l.exact) return l;
    return budget_.limits.front();
  }

  // The order of preference: within the upper bounds; then nearest to the target, or largest without a target.
  bool better(const Amounts& a, const Amounts& b) const {
    auto over = [&](const Amounts& t) {
      double worst = 1;
      for (const Limit& l : budget_.limits)
        if (!l.exact) worst = std::max(worst, static_cast<double>(amount_of(t, l.quantity)) / l.amount);
      return worst;
    };
    if (over(a) != over(b)) return over(a) < over(b);
    const Limit& l = primary();
    const double have_a = static_cast<double>(amount_of(a, l.quantity)), have_b = static_cast<double>(amount_of(b, l.quantity));
    return l.exact ? std::fabs(have_a - l.amount) < std::fabs(have_b - l.amount) : have_a > have_b;
  }

  // No factor up to `last` crosses the budget: the strategy has come to its end, or does not move the quantity at all.
  // `beyond`: a factor known to be near the end of what can be built.
  Result<Solution> at_the_end(double last, double beyond = 1) {
    const Candidate* best = nullptr;
    double at = 1, reached = 1;
    for (double s = 1; s >= kSmallest && s <= kLargest; s = last < 1 ? s / 2 : s * 2) {
      Candidate* c = candidate(s);
      if (!counted(c)) break;
      reached = s;
      if (!best || better(*c->totals, *best->totals)) best = c, at = s;
    }
    if (Candidate* c = candidate(beyond); counted(c) && (!best || better(*c->totals, *best->totals))) best = c, at = beyond;
    if (!best) return fail(Code::failed, "the network itself cannot be built", base_.name);
    if (last > 1 && !primary().exact && reached < kLargest / 2) return no_bound();
    return finish(at, at, *best);
  }

  tl::unexpected<Error> no_bound() const {
    return fail(Code::usage, fmt::format("{} puts no bound on strategy {}", budget_.text, strategy_.text), base_.name,
                "the network can grow as far as hone can count within it; add a limit on macs or acts");
  }

  Result<Solution> finish(double begin, double end, const Candidate& best) const {
    Solution s;
    HONE_TRY_ASSIGN(s.best, scale(base_, strategy_, best.arch == base_ ? 1 : shortest(begin, end), rounding_));
    s.met = meets(*best.totals, budget_);
    if (needs_latency_) s.best.latency_ms = static_cast<double>(best.totals->latency_ns) / 1e6;
    return s;
  }

  // The number with the fewest digits between two factors, to print and to type again.
  static double shortest(double begin, double end) {
    if (begin <= 1 && 1 <= end) return 1;
    const double inside_begin = begin * (1 + 2 * kSameFactor), inside_end = end * (1 - 2 * kSameFactor);
    for (int digits = 0; digits < 12; ++digits) {
      const double unit = std::pow(10.0, digits);
      const double rounded = std::round(std::sqrt(begin * end) * unit) / unit;
      if (rounded >= inside_begin && rounded <= inside_end) return rounded;
    }
    return begin;
  }

  const Arch& base_;
  const Strategy& strategy_;
  Budget budget_;
  Rounding rounding_;
  const LatencyOf& latency_;
  bool needs_memory_ = false, needs_latency_ = false, slow_ = false;
  std::deque<Candidate> seen_;
  std::unordered_multimap<size_t, Candidate*> by_numbers_;
  std::vector<const Candidate*> impossible_;
  std::vector<std::pair<Arch, int64_t>> peaks_;
};

}  // namespace

Result<Solution> solve(const Arch& base, const Strategy& strategy, const Budget& budget, Rounding rounding, const LatencyOf& latency) {
  return Search(base, strategy, budget, rounding, latency).run();
}

}  // namespace hone
