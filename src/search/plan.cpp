#include "search/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace hone::search {

using namespace space;

namespace {

const Limit* macs_limit(const Budget& b) {
  for (const Limit& l : b.limits)
    if (l.quantity == Quantity::macs) return &l;
  return nullptr;
}

// The authors refuse resolution 160 where the window ends at 380 M of their MACs or above.
constexpr double kRuleFrom = 380e6;
constexpr int32_t kRuleResolution = 160;

}  // namespace

Result<Plan> Plan::make(const Space& space, const SearchOptions& o) {
  HONE_TRY_ASSIGN(Constraint whole, Constraint::make(space, o.budget));
  const Limit* macs = macs_limit(whole.budget());
  const bool narrow = o.method == Method::evolution || o.method == Method::random;
  double window = o.window;
  if (window < 0) window = macs && space.levels.window > 0 ? std::min(0.5, static_cast<double>(space.levels.window) / macs->amount) : 0.1;
  const double limit = macs ? macs->amount : 0;
  Plan plan{o, std::move(whole), narrow && plan.constraint.limited() ? 1 - window : 0, 0, {}};
  if (o.resolution_rule && space.counter == Counter::elasticvit && limit >= kRuleFrom) plan.refused = kRuleResolution;
  if (narrow && o.floor && macs && !space.levels.smallest.empty()) {
    const Member floor = smallest_of_level(space, static_cast<int64_t>(limit * (1 - window)));
    auto cut = Constraint::make(above(space, floor), o.budget);
    Rng rng(1);
    if (cut && cut->draw(rng, plan.fullness))
      plan.constraint = std::move(*cut);
    else
      plan.notes.push_back("no member above the level's smallest network meets the budget: the whole space is searched");
  }
  Rng rng(1);
  if (plan.fullness > 0 && !plan.constraint.draw(rng, plan.fullness)) {
    plan.fullness = 0;
    plan.notes.push_back("no member fills the budget to within the window: all that meet it are searched");
  }
  return plan;
}

Result<std::optional<MemberCost>> Plan::legal(const Member& m) const {
  if (!check(space(), m) || (refused && m.resolution == refused)) return std::optional<MemberCost>();
  HONE_TRY_ASSIGN(const MemberCost c, constraint.cost(m));
  if (!constraint.meets(c) || (fullness > 0 && constraint.fullness(c) < fullness)) return std::optional<MemberCost>();
  return std::optional(c);
}

Status fill(const Plan& plan, const Scorer& scorer, Evaluator& evaluator, Rng& rng, int64_t count, int64_t generation, std::vector<Candidate>& out) {
  auto add = [&](const Member& m, const char* origin) -> Status {
    if (evaluator.visited(m)) return {};
    HONE_TRY_ASSIGN(const std::optional<MemberCost> cost, plan.legal(m));
    if (cost && evaluator.visit(m)) out.push_back({m, *cost, origin, generation, {}});
    return {};
  };
  if (generation == 0)
    for (const Member& m : scorer.bank)
      if (static_cast<int64_t>(out.size()) < count) HONE_TRY(add(m, "bank"));
  for (int64_t tries = 0; static_cast<int64_t>(out.size()) < count && tries < plan.options.tries * count + 100; ++tries) {
    HONE_TRY_ASSIGN(const Member m, plan.constraint.draw(rng, plan.fullness));
    HONE_TRY(add(m, "drawn"));
  }
  return {};
}

Result<std::vector<Candidate>> children(const Plan& plan, Evaluator& evaluator, Rng& rng, int64_t count, const MakeChild& make) {
  std::vector<Candidate> out;
  for (int64_t tries = 0; static_cast<int64_t>(out.size()) < count && tries < plan.options.tries * count; ++tries) {
    Candidate c = make(rng);
    if (evaluator.visited(c.member)) continue;
    HONE_TRY_ASSIGN(const std::optional<MemberCost> cost, plan.legal(c.member));
    if (!cost) continue;
    c.cost = *cost;
    evaluator.visit(c.member);
    out.push_back(std::move(c));
  }
  return out;
}

void Screen::learn() {
  if (plan_.options.predictor == PredictorKind::none) return;
  for (size_t i = accuracy_.size(); i < evaluator_.done(); ++i) {
    const Entry& e = evaluator_.entry(static_cast<int64_t>(i));
    features_.push_back(features_of(plan_.space(), e.member, e.cost));
    accuracy_.push_back(e.score.accuracy);
  }
  if (accuracy_.size() >= 10) predictor_ = AccuracyPredictor::fit(plan_.options.predictor, features_, accuracy_);
}

std::vector<Candidate> Screen::keep(std::vector<Candidate> candidates, int64_t count) const {
  if (!predictor_ || static_cast<int64_t>(candidates.size()) <= count) return candidates;
  std::vector<double> predicted;
  for (const Candidate& c : candidates) predicted.push_back((*predictor_)(features_of(plan_.space(), c.member, c.cost)));
  std::vector<size_t> order(candidates.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return predicted[a] > predicted[b]; });
  order.resize(static_cast<size_t>(count));
  std::sort(order.begin(), order.end());
  std::vector<Candidate> out;
  for (size_t i : order) out.push_back(std::move(candidates[i]));
  return out;
}

std::optional<HoldOut> Screen::hold_out() const {
  if (plan_.options.predictor == PredictorKind::none || accuracy_.size() < 10) return std::nullopt;
  return search::hold_out(plan_.options.predictor, features_, accuracy_);
}

// The authors' evolution: the best of everything so far are parents, half of a generation are their mutations, half crossings.
Result<std::string> search_evolution(const Plan& plan, const Scorer& scorer, Evaluator& evaluator, Screen& screen) {
  const SearchOptions& o = plan.options;
  Rng rng(static_cast<uint64_t>(o.seed));
  std::vector<Candidate> first;
  HONE_TRY(fill(plan, scorer, evaluator, rng, o.population, 0, first));
  HONE_TRY_ASSIGN(std::vector<int64_t> parents, evaluator(first));
  for (int64_t generation = 1;; ++generation) {
    std::sort(parents.begin(), parents.end(), [&](int64_t a, int64_t b) { return better(evaluator.entry(a), evaluator.entry(b)); });
    if (static_cast<int64_t>(parents.size()) > o.parents) parents.resize(static_cast<size_t>(o.parents));
    screen.learn();
    if (parents.empty()) return std::string("no member meets the budget");
    if (generation > o.generations) return fmt::format("all {} generations", o.generations);
    auto parent = [&](Rng& r) { return parents[r.below(parents.size())]; };
    const MakeChild mutation = [&](Rng& r) {
      const int64_t p = parent(r);
      return Candidate{mutate(plan.space(), evaluator.entry(p).member, o.variation, r), {}, "mutation", generation, {p}};
    };
    const MakeChild crossover = [&](Rng& r) {
      const int64_t a = parent(r), b = parent(r);
      return Candidate{cross(plan.space(), evaluator.entry(a).member, evaluator.entry(b).member, r), {}, "crossover", generation, {a, b}};
    };
    HONE_TRY_ASSIGN(std::vector<Candidate> mutations, children(plan, evaluator, rng, o.mutations * screen.factor(), mutation));
    HONE_TRY_ASSIGN(std::vector<Candidate> crossings, children(plan, evaluator, rng, o.crossovers * screen.factor(), crossover));
    std::vector<Candidate> next = screen.keep(std::move(mutations), o.mutations);
    for (Candidate& c : screen.keep(std::move(crossings), o.crossovers)) next.push_back(std::move(c));
    if (next.empty()) return fmt::format("no child of generation {} was new and within the budget", generation);
    HONE_TRY_ASSIGN(const std::vector<int64_t> scored, evaluator(next));
    parents.insert(parents.end(), scored.begin(), scored.end());
  }
}

}  // namespace hone::search
