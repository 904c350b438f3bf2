// NSGA-II (Deb, Pratap, Agarwal, Meyarivan 2002) over accuracy and the budget's first quantity.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "search/plan.h"

namespace hone::search {

using namespace space;

namespace {

bool dominates(const Point& a, const Point& b) { return a.accuracy >= b.accuracy && a.cost <= b.cost && (a.accuracy > b.accuracy || a.cost < b.cost); }

constexpr int kStrata = 16;  // windows of cost, evenly spaced in its logarithm, that the first population is spread over

}  // namespace

std::vector<Standing> standings(const std::vector<Point>& points) {
  const size_t n = points.size();
  std::vector<Standing> out(n);
  std::vector<int> dominators(n, 0);
  std::vector<std::vector<size_t>> below(n);
  for (size_t a = 0; a < n; ++a)
    for (size_t b = 0; b < n; ++b)
      if (dominates(points[a], points[b])) below[a].push_back(b), ++dominators[b];
  std::vector<size_t> front;
  for (size_t i = 0; i < n; ++i)
    if (dominators[i] == 0) front.push_back(i);
  for (int rank = 0; !front.empty(); ++rank) {
    std::vector<size_t> next;
    for (size_t i : front) {
      out[i].rank = rank;
      for (size_t b : below[i])
        if (--dominators[b] == 0) next.push_back(b);
    }
    // Crowding: how far the neighbours on either side lie, in shares of the front's extent; the ends are kept first.
    for (double Point::*axis : {&Point::accuracy, &Point::cost}) {
      std::sort(front.begin(), front.end(), [&](size_t a, size_t b) { return points[a].*axis != points[b].*axis ? points[a].*axis < points[b].*axis : a < b; });
      const double extent = points[front.back()].*axis - points[front.front()].*axis;
      out[front.front()].crowding = out[front.back()].crowding = std::numeric_limits<double>::infinity();
      for (size_t k = 1; k + 1 < front.size(); ++k)
        if (extent > 0) out[front[k]].crowding += (points[front[k + 1]].*axis - points[front[k - 1]].*axis) / extent;
    }
    std::sort(next.begin(), next.end());
    front = std::move(next);
  }
  return out;
}

Result<std::string> search_front(const Plan& plan, const Scorer& scorer, Evaluator& evaluator, Screen& screen) {
  const SearchOptions& o = plan.options;
  Rng rng(static_cast<uint64_t>(o.seed));
  const Quantity quantity = plan.constraint.primary();
  std::vector<Candidate> first;
  auto add = [&](const Member& m, const char* origin) -> Status {
    if (evaluator.visited(m)) return {};
    HONE_TRY_ASSIGN(const std::optional<MemberCost> cost, plan.legal(m));
    if (cost && evaluator.visit(m)) first.push_back({m, *cost, origin, 0, {}});
    return {};
  };
  for (const Member& m : scorer.bank)
    if (static_cast<int64_t>(first.size()) < o.population) HONE_TRY(add(m, "bank"));
  HONE_TRY_ASSIGN(const auto range, plan.constraint.range());
  for (int64_t tries = 0; static_cast<int64_t>(first.size()) < o.population && tries < o.tries * o.population + 100; ++tries) {
    const double step = std::log(range.second / range.first) / kStrata, stratum = static_cast<double>(tries % kStrata);
    HONE_TRY_ASSIGN(const Member m, plan.constraint.draw_between(rng, range.first * std::exp(step * stratum), range.first * std::exp(step * (stratum + 1))));
    HONE_TRY(add(m, "drawn"));
  }
  HONE_TRY_ASSIGN(std::vector<int64_t> population, evaluator(first));

  auto stand = [&] {
    std::vector<Point> points;
    for (int64_t i : population) points.push_back({evaluator.entry(i).score.accuracy, plan.constraint.amount(evaluator.entry(i).cost, quantity)});
    return standings(points);
  };
  auto ahead = [](const Standing& a, const Standing& b) { return a.rank != b.rank ? a.rank < b.rank : a.crowding > b.crowding; };
  std::vector<Standing> standing = stand();
  std::string ended = fmt::format("all {} generations", o.generations);
  for (int64_t generation = 1; generation <= o.generations && population.size() > 1; ++generation) {
    screen.learn();
    auto parent = [&](Rng& r) {
      const size_t a = r.below(population.size()), b = r.below(population.size());
      return population[ahead(standing[a], standing[b]) ? a : b];
    };
    const MakeChild make = [&](Rng& r) {
      const int64_t a = parent(r);
      if (r.below(2) == 0) return Candidate{mutate(plan.space(), evaluator.entry(a).member, o.variation, r), {}, "mutation", generation, {a}};
      const int64_t b = parent(r);
      return Candidate{cross(plan.space(), evaluator.entry(a).member, evaluator.entry(b).member, r), {}, "crossover", generation, {a, b}};
    };
    const int64_t count = o.mutations + o.crossovers;
    HONE_TRY_ASSIGN(std::vector<Candidate> made, children(plan, evaluator, rng, count * screen.factor(), make));
    made = screen.keep(std::move(made), count);
    if (made.empty()) {
      ended = fmt::format("no child of generation {} was new and within the budget", generation);
      break;
    }
    HONE_TRY_ASSIGN(const std::vector<int64_t> scored, evaluator(made));
    population.insert(population.end(), scored.begin(), scored.end());
    standing = stand();
    std::vector<size_t> order(population.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return ahead(standing[a], standing[b]); });
    order.resize(std::min(order.size(), static_cast<size_t>(o.population)));
    std::vector<int64_t> kept;
    for (size_t i : order) kept.push_back(population[i]);
    population = std::move(kept);
    standing = stand();
  }
  screen.learn();
  return ended;
}

}  // namespace hone::search
