// A space whose members run in a millisecond: every kind of block, two resolutions.
#pragma once

#include "zoo/space.h"

namespace hone::test {

inline space::Space tiny_space() {
  const auto space = space::parse_space(R"(
name = "tiny"
resolutions = [24, 32]
classes = 10
counter = "macs"
[stem]
stride = 1
[[stages]]
name = "stem"
block = "mobile"
stride = 1
depths = [1, 2]
widths = [8, 16]
expands = [1]
kernels = [3, 5]
[[stages]]
name = "C1"
block = "mobile"
stride = 2
squeeze_excite = true
depths = [1, 2]
widths = [16, 24, 32]
expands = [2, 3]
kernels = [3, 5]
[[stages]]
name = "T1"
block = "transformer"
stride = 2
squeeze_excite = true
depths = [1, 2]
widths = [32, 48]
mlps = [2, 3]
values = [2, 3]
[[stages]]
name = "T2"
block = "transformer"
stride = 2
squeeze_excite = true
depths = [1, 2]
widths = [48, 64]
mlps = [2, 3]
values = [2, 3]
[head]
kind = "mb_pool"
expand = 3
width = 64
[levels]
at = [2000000, 3000000, 4000000, 6000000]
window = 300000
)", "tiny");
  return space.value();
}

}  // namespace hone::test
