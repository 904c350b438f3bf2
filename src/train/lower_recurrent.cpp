#include "train/lower.h"

namespace hone::train {
std::vector<LoweringDef> recurrent_lowerings() { return {}; }
}  // namespace hone::train
