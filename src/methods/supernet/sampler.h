// Which members a step trains: conflict-aware sampling of Tang et al. (ElasticViT, ICCV 2023), and the sandwich rule
// (Yu et al. 2020, BigNAS). Torch-free; every decision is a function of (seed, step) and the sampler's state, so that all
// ranks of a run and a resumed one agree.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "methods/supernet/banks.h"
#include "methods/supernet/levels.h"
#include "zoo/space_cost.h"
#include "zoo/space_draw.h"

namespace hone::methods {

struct SamplerOptions {
  bool levels = true;                       // by the space's levels; false: the sandwich of largest, uniform draws and smallest
  int64_t members = 3;                      // draws of a step
  LevelMode mode = LevelMode::adjacent_step;
  bool banks = true;
  int64_t small_capacity = 150, large_capacity = 50, large_from = 500'000'000;  // of banks of levels below and from the last on
  ExploitSchedule exploit;
  BankDraw draw = BankDraw::weighted;
  double temperature = 1;
  int64_t candidates = 5;                   // compared by preference once a bank is half full
  bool prefer_width = true;                 // false: the first candidate is taken
  uint64_t seed = 0;
};

// One member pass of a step.
enum class Role : uint8_t { largest, drawn, smallest };
struct Drawn {
  space::Member member;
  Role role = Role::drawn;
  size_t level = 0;        // index into the space's levels; of the sandwich 0
  bool explored = false;   // drawn anew, not from a bank
};

class Sampler {
 public:
  // Fails when a level has no member: the message names the level.
  static Result<Sampler> make(space::Space space, SamplerOptions options);

  // The passes of `step` in order; `epoch` chooses q. Moves the walk on: to be called once for each step. `epoch_ends` adds
  // the extra move that the authors make after an epoch.
  std::vector<Drawn> plan(int64_t step, double epoch, bool epoch_ends = false);
  // After the step: an explored member that did this well.
  void report(const Drawn& drawn, double quality);

  const SamplerOptions& options() const { return options_; }
  const space::Space& space() const { return space_; }
  const space::CostTable& costs() const { return *costs_; }
  // In the space's counter (Space::counter).
  int64_t cost(const space::Member& member) const;
  const std::vector<int64_t>& levels() const { return space_.levels.at; }
  const space::Member& smallest_of(size_t level) const { return smallest_[level]; }
  std::vector<Bank>& banks() { return banks_; }
  const std::vector<Bank>& banks() const { return banks_; }
  size_t level() const { return level_; }

  // A member of a level at or above the level's smallest one, uniformly.
  space::Member explore(size_t level, Rng& rng) const { return (*drawers_[level])(rng); }

  // State as JSON, and back. A member that is not of the space, or banks of other levels: an error.
  std::string save() const;
  Status load(const std::string& text);

 private:
  space::Member candidate(size_t level, Rng& rng) const;

  space::Space space_;
  SamplerOptions options_;
  std::shared_ptr<const space::CostTable> costs_;
  std::vector<space::Member> smallest_;   // of each level
  std::vector<std::shared_ptr<const space::Drawer>> drawers_;   // likewise
  std::vector<Bank> banks_;               // one a level
  size_t level_ = 0;
};

}  // namespace hone::methods
