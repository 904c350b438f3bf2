// Variation of members: mutation and crossover of the ElasticViT authors' search, and the numbers of published searches.
#pragma once

#include <cstdint>
#include <vector>

#include "zoo/space.h"

namespace hone::search {

// The genes of a block, in the order in which they are varied, and a stage's choices of one; empty where it has no such gene.
using Gene = uint8_t space::BlockGenes::*;
inline constexpr Gene kGenes[] = {&space::BlockGenes::expand, &space::BlockGenes::kernel, &space::BlockGenes::mlp, &space::BlockGenes::value, &space::BlockGenes::se};
const std::vector<int64_t>& choices_of(const space::StageChoices& choices, Gene gene);

// Probabilities of the published FLOPs-constrained search (Tang et al., ICCV 2023, `search_subnet_via_flops`).
struct Variation {
  double depth = 0.4;          // redraw all stage depths
  double gene = 0.2;           // each other gene of a stage (or block): width, expansion, kernel, MLP ratio, V scale, SE
  double resolution = 0.2;
  double random_choice = 0.45; // of a redrawn gene: any choice; otherwise the smallest one
};

// A copy with some genes redrawn. New blocks copy the stage's first one, the last ones are dropped. The result may break the
// rule on widths: check() it.
space::Member mutate(const space::Space& space, const space::Member& member, const Variation& v, Rng& rng);

// Each of resolution, widths, depths, expansions, kernels, MLP ratios, V scales and SE is taken whole from one of two parents and
// fitted to the child's depths. The result may break the rule on widths.
space::Member cross(const space::Space& space, const space::Member& a, const space::Member& b, Rng& rng);

// Every member of the space in a fixed order, until `each` returns false. Meant for small spaces.
template <class Each>
void for_each_member(const space::Space& space, Each each);

}  // namespace hone::search

// ---- implementation -------------------------------------------------------------------------------------------------

namespace hone::search {

// Counts through members like an odometer.
class MemberOdometer {
 public:
  explicit MemberOdometer(const space::Space& space);
  const space::Member& member() const { return member_; }
  bool next();  // false: that was the last one

 private:
  bool advance_blocks(size_t stage);
  void reset_stage(size_t stage);
  bool advance_stage(size_t stage);
  const space::Space& space_;
  space::Member member_;
};

template <class Each>
void for_each_member(const space::Space& space, Each each) {
  MemberOdometer at(space);
  do {
    if (!check(space, at.member())) continue;
    if (!each(at.member())) return;
  } while (at.next());
}

}  // namespace hone::search
