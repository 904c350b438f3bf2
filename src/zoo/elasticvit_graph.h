// The blocks of ElasticViT, one function each; the graph of a member and the cost tables are made from the same ones.
//
// Everything is a map (batch, channels, height, width): a linear layer over tokens is a 1x1 convolution, and the norm over
// tokens and channels together is a group norm of one group, so no block but attention moves data.
#pragma once

#include "ir/builder.h"
#include "zoo/arch.h"

namespace hone::elasticvit {

struct MobileBlock {
  int64_t width = 0;       // out
  int64_t expand = 1;      // inner width / width of the input; 1: no expansion
  int64_t kernel = 3, stride = 1;
  bool se = false;
};

ValueId first_conv(Builder& b, ValueId x, int64_t width);
// Expansion, depthwise, squeeze-excite, projection; always with a shortcut, pooled and projected where shapes differ.
ValueId mobile_block(Builder& b, ValueId x, const MobileBlock& block);
// Heads of kHeadDim query, key and value_scale * kHeadDim value channels; `offsets` from signed_offsets().
ValueId attention(Builder& b, ValueId x, int64_t value_scale, ValueId offsets);
ValueId feed_forward(Builder& b, ValueId x, int64_t mlp_ratio);
ValueId head(Builder& b, ValueId x, int64_t width, int64_t classes);

}  // namespace hone::elasticvit
