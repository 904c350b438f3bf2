// A budget over the members of a space: what a member amounts to, whether the budget can be met at all, and draws that meet it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cost/budget.h"
#include "measure/predict.h"
#include "zoo/space.h"
#include "zoo/space_cost.h"

namespace hone::search {

// Counts of a member, and what its budget asks beyond them. `memory` and `latency_ms` are nothing unless asked for.
struct MemberCost {
  space::Cost counts;
  std::optional<int64_t> memory;     // peak activation memory, bytes
  std::optional<double> latency_ms;  // predicted from the budget's device table
};

class Constraint {
 public:
  // Opens the device table of a latency limit; percentages are of the space's largest member. With an empty text nothing is
  // limited. A budget that no member meets: Code::budget_not_met with the space's own minimum (exact for additive quantities).
  static Result<Constraint> make(const space::Space& space, const std::string& budget);
  // Nothing is limited, and costs have the latency that a device table predicts.
  static Result<Constraint> on_device(const space::Space& space, const std::string& table);
  Constraint(Constraint&&) noexcept;
  Constraint& operator=(Constraint&&) noexcept;
  ~Constraint();

  const space::Space& space() const;
  const space::CostTable& table() const;
  const Budget& budget() const;  // resolved
  bool limited() const;

  Result<MemberCost> cost(const space::Member& member) const;
  bool meets(const MemberCost& cost) const;
  // Nearness to the tightest limit, 1 at the limit itself; above 1 when it is missed. 1 without limits.
  double fullness(const MemberCost& cost) const;
  // The quantity that fronts are drawn over: that of the first limit, MACs without one.
  Quantity primary() const;
  double amount(const MemberCost& cost, Quantity quantity) const;  // latency in milliseconds

  // Draws by the sampler's law among members that meet the budget and are at least `fullness` full. Nothing was found within a
  // bounded number of tries: Code::budget_not_met.
  Result<space::Member> draw(Rng& rng, double fullness = 0) const;
  // From the least amount of the primary quantity to the limit, or to the space's most.
  Result<std::pair<double, double>> range() const;
  // Draws among members that meet the budget and whose primary quantity lies in [lo, hi], where that adds up over parts; any
  // that meet the budget otherwise, or where there are none.
  Result<space::Member> draw_between(Rng& rng, double lo, double hi) const;

 private:
  struct State;
  explicit Constraint(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hone::search
