// What a search space holds, as reports: its size, range of costs, how sampling spreads over them, its levels.
#pragma once

#include <cstdint>

#include "core/error.h"
#include "run/report.h"
#include "zoo/space.h"

namespace hone::search {

// One row a preset.
Result<Report> list_spaces();
// `draws` members are sampled for quantiles and the histogram.
Result<Report> show_space(const space::Space& space, int64_t draws = 20000, uint64_t seed = 1);

}  // namespace hone::search
