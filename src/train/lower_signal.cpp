#include "train/lower.h"

namespace hone::train {
std::vector<LoweringDef> signal_lowerings() { return {}; }
}  // namespace hone::train
