// The RegNet design space (Radosavovic et al. 2020, arXiv 2003.13678, eq. 2-4) and the width rules around it.
#pragma once

#include "zoo/arch.h"

namespace hone {

// Block j of `depth` wants w0 + wa * j channels, quantised to w0 * wm^k and to multiples of 8.
struct RegNetSpace {
  int64_t depth;
  int64_t w0;  // a multiple of 8
  double wa;   // >= 0
  double wm;   // > 1
};

// Stages of the given depths and widths (nothing else set). Invalid parameters are errors.
Result<std::vector<Stage>> regnet_stages(const RegNetSpace& space);

// Moves width and group_width of a stage so that the group width divides the inner width (width * expand), and the
// multiplier, where it is above 1, divides the inner width. A group_width of 0 (one group) counts as 1.
enum class GroupFit {
  nearest,  // pycls and timm: to the nearest multiple, half to even (pycls, adjust_block_compatibility)
  ninety,   // torchvision: half up, and never more than 10 % down
};
void fit_groups(Stage& stage, GroupFit rule = GroupFit::nearest);

}  // namespace hone
