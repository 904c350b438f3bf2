// MobileNet V1 to V3, EfficientNet and their kin: one builder over depthwise-separable and inverted-residual blocks.
//
// Stem kind   "conv3x3" (stride 2).
// Blocks      "ds" (k x k depthwise, SE, 1x1), "mbconv" (1x1 expansion, depthwise, SE, 1x1), "fused_mbconv" (k x k
//             expansion, SE, 1x1), "conv" (k x k). All with norms; a skip where the shape stays, except over "conv".
// Stage       width: output channels; expand: inner width / input width (made a multiple of 8); se: hidden width / width of
//             the block's input. Stage options: join = true (the next rows of one stage: their blocks count on), skip =
//             true or false, last_activation = true (after the last 1x1 too).
// Head kinds  "pool_fc" (after a 1x1 convolution to `width`, if that is not 0), "pool_conv_fc" (the 1x1 convolution, with
//             bias unless options.bias = false, behind the pool), "pool_fc_fc" (the same as a linear layer), "none" (the
//             trunk: ends behind the 1x1 convolution).
// Options     se_from = "inner": SE ratios are of the inner width; se_round = "eight": hidden widths by make_divisible;
//             se_activation: instead of the stage's; se_gate: "sigmoid" or "hard_sigmoid".
#pragma once

#include <span>
#include <string_view>

#include "zoo/arch.h"

namespace hone {

inline constexpr std::string_view kMobileOptions = "bias:flag join:flag last_activation:flag se_activation:text se_from:text se_gate:text se_round:text skip:flag";

Result<Graph> build_mobile(const Arch& arch);

// One row of a published stage table, before its multipliers.
struct MobileRow {
  const char* block;
  int64_t kernel, stride;
  double expand;
  int64_t width, depth;
  double se = 0;
  const char* activation = "";
  bool join = false;
};
struct MobileScale {
  double width = 1, depth = 1;
  bool fixed_ends = false;  // the first and the last stage keep their depth
  double share = 0.9;       // of make_divisible
};
// The rows under multipliers: widths by make_divisible, depths up to the next integer over a stage's rows together and
// shared out from the last row (timm's rule; with one row a stage it is that of EfficientNet, arXiv 1905.11946).
std::vector<Stage> mobile_stages(std::span<const MobileRow> rows, const MobileScale& scale);

}  // namespace hone
