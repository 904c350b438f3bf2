// From real-valued factors to the integers of a network. All rounding is half to even on doubles (std::nearbyint under
// the default rounding mode), as Python's round() does: 12/8 = 1.5 -> 2, 20/8 = 2.5 -> 2.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/error.h"

namespace hone {

enum class Rounding : uint8_t {
  family,        // the family's own rule (scale/rules.h)
  pycls,         // depth rint; width to multiples of 8, rint (pycls/models/scaler.py)
  make_div,      // depth rint; width to multiples of 8, half up, never down by more than 10 % (MobileNet)
  efficientnet,  // depth up; width as make_div (how EfficientNet B1-B8 were made)
  space,         // nearest legal values of the published search space (ElasticViT)
};
std::string_view name(Rounding r);
Result<Rounding> parse_rounding(std::string_view text);

// max(1, rint(depth * factor)); `up` takes the ceiling instead of the nearest.
int64_t round_depth(int64_t depth, double factor, bool up = false);
// max(1, rint(width * factor / unit)) * unit.
int64_t round_width(int64_t width, double factor, int64_t unit = 8);
// Multiple of 8, half up, at least 90 % of width * factor.
int64_t round_width_make_div(int64_t width, double factor);
// Group widths: 1, 2, 4 and multiples of 8 (3 to 5 become 4), re-rounded at factor 1 too (pycls).
int64_t round_group(int64_t group, double factor);
// rint(resolution * factor / step) * step, at least one step.
int64_t round_resolution(int64_t resolution, double factor, int64_t step);

// Width, bottleneck multiplier and group width that go together: the inner width is a multiple of the group width, and
// of the multiplier when that is above 1 (pycls/models/blocks.py, adjust_block_compatibility).
// `multiplier` is below 1 or an integer.
struct Compatible {
  int64_t width = 0, group = 0;
};
Compatible make_compatible(int64_t width, double multiplier, int64_t group);

}  // namespace hone
