// A member of a trained supernet as the network that another run starts from: RUN:ARCH where a recipe names its network.
//
// What the new run takes from there it keeps, network.toml (the stage table) and network.safetensors (the member's slices of the
// weights, BatchNorm statistics of its own): from then on it needs nothing of the supernet, and resumes as it began.
#pragma once

#include "train/classify.h"

namespace hone::methods {

// Nothing when `net` names no member. With `side` above 0 the network takes pictures of that side, and its position tables are as
// much of the supernet's as such a grid reads. Errors: no supernet run, a member outside its space, pictures of the supernet that
// statistics are measured on not found, a side beyond the space's largest resolution.
Result<std::optional<train::Start>> start_from_member(const std::string& net, int64_t side, const RunDir& run);

}  // namespace hone::methods
