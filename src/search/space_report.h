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

// Adds what a device table says of the space: which choices cost more or less time than their multiply-adds, by a regression over
// drawn members, and the fastest among members of equal multiply-adds.
Status add_device(Report& report, const space::Space& space, const std::string& table, int64_t draws = 3000, uint64_t seed = 1);

}  // namespace hone::search
