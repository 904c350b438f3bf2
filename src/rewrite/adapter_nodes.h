// The nodes of one adapter each, emitted into a graph that is being rewritten. Where `into` is given the result is that value.
#pragma once

#include <string>

#include "rewrite/editor.h"
#include "rewrite/skip.h"

namespace hone {

// xavier, relu, groups and dropout as in Adapters. The up-projection of more groups than one is a dense layer for each, NAME.up_proj.0 and on.
struct AdapterShape {
  int64_t width, bottleneck;
  bool map = false;        // 1x1 convolutions on N x C x H x W
  double scale = 1;
  bool zero_up = false, xavier = false, relu = true;
  int64_t groups = 1;
  double dropout = 0;
  bool norm = true;        // of parallel_adapter; false: the source is normed
};

// base + scale * up(relu(down(norm(source)))); weights N(0, 0.02^2), biases 0, norm eps 1e-5.
ValueId parallel_adapter(Editor& e, ValueId base, ValueId source, const std::string& name, const AdapterShape& s, ValueId into);
// x + up(relu(down(x))); weights N(0, 0.01^2).
ValueId houlsby_adapter(Editor& e, ValueId x, const std::string& name, const AdapterShape& s);
// x + up(relu(down(x))); weights N(0, 0.02^2).
ValueId bottleneck_adapter(Editor& e, ValueId x, const std::string& name, const AdapterShape& s);

// base + [0 | B A x | 0]: `before`, `out` and `after` columns. A (rank x in) ~ N(0, 1), B (out x rank) = 0; names NAME_A, NAME_B.
struct LowRank {
  std::string name;
  int64_t before, out, after, rank;
  double dropout = 0;  // of x, in training
};
ValueId low_rank_branch(Editor& e, ValueId base, ValueId x, const LowRank& branch, ValueId into);

// x + B((C x + mean over tokens of A context) / 2), hidden 3 width / 16, B in two groups and 0. Of `s` its width, xavier and dropout.
ValueId propagation_adapter(Editor& e, ValueId x, ValueId context, const std::string& name, const AdapterShape& s, ValueId into);
// Where the attention of a pass takes its keys from: the other stream, or the pass's own input.
ValueId attention_context(const Graph& g, const SkipPass& pass);

// x (B, N, width) with n learnt tokens `name` behind it, uniform as ViT's prompts: bound sqrt(6 / (3 * 16 * 16 + width)).
ValueId append_prompt(Editor& e, ValueId x, const std::string& name, int64_t n, int64_t width);
// The first n along an axis.
ValueId take_first(Editor& e, ValueId x, int64_t axis, int64_t n, const std::string& name);
// A mask (.., keys) that lets n more keys through.
ValueId open_mask(Editor& e, ValueId mask, int64_t n, const std::string& name);

}  // namespace hone
