#include "train/fuse.h"

namespace hone::train {

std::vector<Fused> fuse(const Graph&, const CompileOptions&, const std::vector<at::Tensor>&) { return {}; }

}  // namespace hone::train
