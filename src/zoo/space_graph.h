// The blocks of search spaces, one function each; the graph of a member and the cost tables are made from the same ones.
//
// Everything is a map (batch, channels, height, width): a linear layer over tokens is a 1x1 convolution, and the norm over
// tokens and channels together is a group norm of one group, so no block but attention (and a norm per token) moves data.
#pragma once

#include <string_view>

#include "ir/builder.h"
#include "zoo/arch.h"
#include "zoo/space.h"

namespace hone::space {

struct MobileBlock {
  int64_t width = 0;       // out
  int64_t expand = 1;      // inner width / width of the input; 1: no expansion
  int64_t kernel = 3, stride = 1;
  bool se = false;         // hidden width: a quarter of the inner one, rounded down
  Shortcut shortcut = Shortcut::always;
  std::string_view activation = "hard_swish";
};
struct Attention {
  int64_t value_scale = 2;   // width of a value head / head_dim
  int64_t head_dim = kHeadDim;
  Norm norm = Norm::sample;
  std::string_view activation = "hard_swish";
};
struct FeedForward {
  int64_t mlp_ratio = 2;
  Norm norm = Norm::sample;
  std::string_view activation = "hard_swish";
};
struct HeadSpec {
  HeadKind kind = HeadKind::mb_pool;
  int64_t expand = kHeadExpand, width = 0, classes = 0;  // width 0: no hidden layer
  std::string_view activation = "hard_swish";
};

ValueId first_conv(Builder& b, ValueId x, int64_t width, int64_t stride = 2, std::string_view activation = "hard_swish");
// Expansion, depthwise, squeeze-excite, projection.
ValueId mobile_block(Builder& b, ValueId x, const MobileBlock& block);
// Heads of head_dim query, key and value_scale * head_dim value channels; `offsets` from signed_offsets().
ValueId attention(Builder& b, ValueId x, const Attention& block, ValueId offsets);
ValueId feed_forward(Builder& b, ValueId x, const FeedForward& block);
ValueId head(Builder& b, ValueId x, const HeadSpec& spec);

// The builder of family "elasticvit".
//   stem    kind "conv3x3"; option stride (2)
//   stages  block "mobile" (depth, width, stride, kernel, expand, se, activation; options expands, kernels, ses (0 or 1): one per block) or
//           "transformer" (depth, width, stride, expand = MLP ratio, se of the downsampling block; options value_scale, and mlps,
//           values: one per block); option shortcut ("always" or "same") of mobile and downsampling blocks
//   head    kind "mb_pool" or "mobile", hidden width, classes; option expand (6)
//   options norm ("sample" or "token"), head_dim (16)
Result<Graph> build_member(const Arch& arch);

}  // namespace hone::space
