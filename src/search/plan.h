// What the methods of searching share: the space that is searched, what is legal in it, and members to start from.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "search/evaluator.h"

namespace hone::search {

struct Plan {
  const SearchOptions& options;
  Constraint constraint;      // over the space that is searched: cut to its floor
  double fullness = 0;        // that candidates have at least
  int32_t refused = 0;        // resolution that the authors' filter refuses; 0: none
  std::vector<std::string> notes;

  // The floor and the window that go with the budget; without legal members in them, the whole space and no window.
  static Result<Plan> make(const space::Space& space, const SearchOptions& options);

  const space::Space& space() const { return constraint.space(); }
  // The costs of a member that meets budget, window and the space's rules; nothing otherwise.
  Result<std::optional<MemberCost>> legal(const space::Member& member) const;
};

// Adds up to `count` legal members that `evaluator` has not seen: the scorer's bank first, then draws.
Status fill(const Plan& plan, const Scorer& scorer, Evaluator& evaluator, Rng& rng, int64_t count, int64_t generation, std::vector<Candidate>& out);

// Makes a child from entries of the evaluator; its parents are entered.
using MakeChild = std::function<Candidate(Rng&)>;
// `count` legal children that were not seen, at most `tries` tries for each. Remembers them.
Result<std::vector<Candidate>> children(const Plan& plan, Evaluator& evaluator, Rng& rng, int64_t count, const MakeChild& make);

// With a predictor: children are made `screen` times over and the best by its word are kept.
class Screen {
 public:
  Screen(const Plan& plan, Evaluator& evaluator) : plan_(plan), evaluator_(evaluator) {}
  void learn();  // from every entry so far
  int64_t factor() const { return predictor_ ? plan_.options.screen : 1; }
  // Keeps the best `count`, in the order of their making.
  std::vector<Candidate> keep(std::vector<Candidate> candidates, int64_t count) const;
  std::optional<HoldOut> hold_out() const;

 private:
  std::vector<std::vector<double>> features_;
  std::vector<double> accuracy_;
  const Plan& plan_;
  Evaluator& evaluator_;
  std::optional<AccuracyPredictor> predictor_;
};

// Both say why they ended.
Result<std::string> search_evolution(const Plan& plan, const Scorer& scorer, Evaluator& evaluator, Screen& screen);
Result<std::string> search_front(const Plan& plan, const Scorer& scorer, Evaluator& evaluator, Screen& screen);

// Ranks of non-dominated sorting (0: the front) and crowding distances, of points (accuracy to be high, cost to be low).
struct Point {
  double accuracy = 0, cost = 0;
};
struct Standing {
  int rank = 0;
  double crowding = 0;
};
std::vector<Standing> standings(const std::vector<Point>& points);

}  // namespace hone::search
