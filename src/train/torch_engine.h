// libtorch behind the engine's interface (engine/engine.h), for comparing what engines give. Options: `as_is` runs node by
// node without fused kernels, else as training does; `precision` bf16 computes products so; `threads` is libtorch's own
// number for the process; there are no counters.
#pragma once

#include "engine/engine.h"

namespace hone::train {

Engine& torch_engine();

}  // namespace hone::train
