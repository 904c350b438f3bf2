#include "search/operators.h"

#include <algorithm>

namespace hone::search {

using namespace space;

const std::vector<int64_t>& choices_of(const StageChoices& c, Gene gene) {
  return gene == &BlockGenes::expand ? c.expands : gene == &BlockGenes::kernel ? c.kernels : gene == &BlockGenes::mlp ? c.mlps : gene == &BlockGenes::value ? c.values : c.ses;
}

namespace {

// A redrawn gene: any of the choices from `from` on, or the smallest of them.
int64_t redraw(const std::vector<int64_t>& choices, const Variation& v, Rng& rng, size_t from = 0) {
  return rng.uniform() < v.random_choice ? choices[from + rng.below(choices.size() - from)] : choices[from];
}

}  // namespace

Member mutate(const Space& space, const Member& member, const Variation& v, Rng& rng) {
  Member m = member;
  if (rng.uniform() < v.resolution) m.resolution = static_cast<int32_t>(redraw(space.resolutions, v, rng));
  const bool depths = rng.uniform() < v.depth;
  for (size_t i = 0; i < m.stages; ++i) {
    const StageChoices& c = space.stages[i];
    Genes& g = m.stage[i];
    if (depths) set_depth(g, redraw(c.depths, v, rng));
    if (rng.uniform() < v.gene) {
      size_t from = 0;
      while (i > 0 && !space.widths_may_fall && from + 1 < c.widths.size() && c.widths[from] < m.stage[i - 1].width) ++from;
      g.width = static_cast<int32_t>(redraw(c.widths, v, rng, from));
    }
    const auto depth = static_cast<size_t>(g.depth);
    for (const Gene gene : kGenes) {
      const std::vector<int64_t>& choices = choices_of(c, gene);
      if (choices.empty()) continue;
      for (size_t j = 0; j < (space.sharing == Sharing::stage ? 1 : depth); ++j)
        if (rng.uniform() < v.gene) g.block[j].*gene = static_cast<uint8_t>(redraw(choices, v, rng));
    }
    if (space.sharing == Sharing::stage) g = shared(g.width, g.depth, g.block[0]);
  }
  return m;
}

Member cross(const Space& space, const Member& a, const Member& b, Rng& rng) {
  auto parent = [&]() -> const Member& { return rng.below(2) == 0 ? a : b; };
  Member m;
  m.stages = a.stages;
  m.resolution = parent().resolution;
  const Member &widths = parent(), &depths = parent();
  const Member* genes[std::size(kGenes)] = {};
  for (size_t k = 0; k < std::size(kGenes); ++k)
    if (kGenes[k] != &BlockGenes::se || chooses_se(space)) genes[k] = &parent();
  for (size_t i = 0; i < m.stages; ++i) {
    Genes& g = m.stage[i];
    g.width = widths.stage[i].width;
    g.depth = depths.stage[i].depth;
    for (size_t k = 0; k < std::size(kGenes); ++k) {
      if (choices_of(space.stages[i], kGenes[k]).empty()) continue;
      const Genes& from = genes[k]->stage[i];
      for (int32_t j = 0; j < g.depth; ++j) g.block[static_cast<size_t>(j)].*kGenes[k] = from.block[static_cast<size_t>(j < from.depth ? j : 0)].*kGenes[k];
    }
  }
  return m;
}

// ---- all members ----------------------------------------------------------------------------------------------------

namespace {

// The next choice; false and the first one when it was the last.
template <class T>
bool turn(T& gene, const std::vector<int64_t>& choices) {
  if (choices.empty()) return false;
  const auto at = std::find(choices.begin(), choices.end(), static_cast<int64_t>(gene));
  if (at != choices.end() && at + 1 != choices.end()) {
    gene = static_cast<T>(*(at + 1));
    return true;
  }
  gene = static_cast<T>(choices.front());
  return false;
}

}  // namespace

MemberOdometer::MemberOdometer(const Space& space) : space_(space), member_(smallest(space)) {}

void MemberOdometer::reset_stage(size_t i) { member_.stage[i] = smallest(space_).stage[i]; }

// Genes of the stage's blocks at its depth and width.
bool MemberOdometer::advance_blocks(size_t i) {
  Genes& g = member_.stage[i];
  const size_t blocks = space_.sharing == Sharing::stage ? 1 : static_cast<size_t>(g.depth);
  for (size_t j = 0; j < blocks; ++j)
    for (const Gene gene : kGenes)
      if (turn(g.block[j].*gene, choices_of(space_.stages[i], gene))) {
        if (space_.sharing == Sharing::stage) g = shared(g.width, g.depth, g.block[0]);
        return true;
      }
  return false;
}

bool MemberOdometer::advance_stage(size_t i) {
  if (advance_blocks(i)) return true;
  const StageChoices& c = space_.stages[i];
  const BlockGenes first = smallest(space_).stage[i].block[0];
  int32_t depth = member_.stage[i].depth, width = member_.stage[i].width;
  const bool more = turn(depth, c.depths) || turn(width, c.widths);
  member_.stage[i] = shared(width, depth, first);
  return more;
}

bool MemberOdometer::next() {
  for (size_t i = 0; i < member_.stages; ++i) {
    if (advance_stage(i)) return true;
    reset_stage(i);
  }
  return turn(member_.resolution, space_.resolutions);
}

}  // namespace hone::search
