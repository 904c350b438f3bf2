#include "train/lower.h"

namespace hone::train {
std::vector<LoweringDef> index_lowerings() { return {}; }
}  // namespace hone::train
