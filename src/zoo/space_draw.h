// Drawing members whose cost lies in a window, by the law of sample() conditioned on the window, without rejection over the space.
//
// A member is a path through stages, and its cost a sum along the path. With costs rounded down to bins the sum of bins is
// additive too, so a dynamic programme backwards from the head gives, for every state and every cost so far, the probability
// that a completion ends in the window widened by what rounding can hide; a draw walks forwards in proportion, and is redrawn
// when its exact cost lies outside the window itself. Rounding costs a few redraws, never exactness of the law.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "zoo/space.h"
#include "zoo/space_cost.h"

namespace hone::space {

// Cost of a part, finite and not negative; the same for equal parts. Integers up to 2^53 add up exactly.
using PartCost = std::function<double(const Part&)>;
PartCost part_macs(const CostTable& table);
PartCost part_params(const CostTable& table);
PartCost part_acts(const CostTable& table);
// What the space's levels count. The table must outlive the functions.
PartCost part_counted(const Space& space, const CostTable& table);

// The exact ends of the space's range, and members that have them.
struct Extremes {
  double least = 0, most = 0;
  Member cheapest, dearest;
};
Extremes extremes(const Space& space, const PartCost& cost);

class Drawer {
 public:
  // Members with lo <= cost <= hi. A window without members: Code::budget_not_met, with the nearest costs that members have.
  static Result<Drawer> make(const Space& space, const PartCost& cost, double lo, double hi);
  Drawer(Drawer&&) noexcept;
  Drawer& operator=(Drawer&&) noexcept;
  ~Drawer();

  // Const, so that many threads may draw, each with its generator. `cost` receives the member's exact cost.
  // In a window so narrow that 200,000 walks miss it the answer is one member that is known to lie in it.
  Member operator()(Rng& rng, double* cost = nullptr) const;
  // Probability that sample() meets the widened window: a little more than the window's own.
  double mass() const;
  // Of the window itself, estimated: the mass times the share of `walks` that end inside.
  double probability(Rng& rng, int walks = 4000) const;

 private:
  struct Net;
  explicit Drawer(std::unique_ptr<Net> net);
  std::unique_ptr<Net> net_;
};

// Members of one of the space's levels: not below the level's smallest network in any gene, cost in [level, level + window].
Result<Drawer> level_drawer(const Space& space, const CostTable& table, int64_t level);

}  // namespace hone::space
