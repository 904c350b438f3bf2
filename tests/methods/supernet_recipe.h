// A recipe of a supernet that trains in a second, on drawn patterns. Tests put settings of their own behind it.
#pragma once

namespace hone::test {

inline constexpr const char* kSupernetRecipe = R"(
task = "supernet"
[space]
name = "demo"
[data]
kind = "patterns"
classes = 4
train_size = 128
val_size = 64
side = 16
batch = 16
[levels]
mmacs = [0.3, 0.5, 0.8]
window = 0.1
[batch_norm]
calibration = 2
[optimiser]
lr = 0.002
[clip]
adaptive = 0.1
)";

}  // namespace hone::test
