// ResNet, ResNeXt, RegNet X/Y/Z/V and the AnyNets of pycls: one builder, since they differ in numbers and in names only.
//
// Stem kinds  "conv3x3" (stride 2), "conv3x3_s1" (for 32x32 images), "resnet" (7x7 stride 2, max pool),
//             "deep" (three 3x3, the first of stride 2, options.widths the first two, max pool).
// Blocks      "bottleneck" (1x1, 3x3 of groups, SE, 1x1, projected shortcut, activation), "linear_bottleneck" (RegNetZ: no
//             projection, nothing after the sum), "preact_bottleneck" (RegNetV), "basic" (two 3x3 and a shortcut),
//             "vanilla" (two 3x3).
// Stage       width: output channels; expand: inner width / width (the bot_mul of pycls); group_width: channels a group of
//             the 3x3, 0 for one group; se: hidden width / width of the block's input.
// Options     shortcut = "avg" (average pool before the projection), group_norm = channels a group (instead of BatchNorm);
//             head.options.activation = true: activation before the pool.
#pragma once

#include <string_view>

#include "zoo/arch.h"

namespace hone {

inline constexpr std::string_view kAnyNetOptions = "activation:flag group_norm:integer shortcut:text widths:integers";

Result<Graph> build_anynet(const Arch& arch);

}  // namespace hone
