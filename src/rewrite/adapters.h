// A network with some modules taken out and small trainable parts put in: the parallel and skip adapters of DAS, and the
// methods that it is compared with. What each is, with its source, stands beside its name; d is the width of the stream and
// b = d / reduction a bottleneck. On maps (N x C x H x W) dense layers become 1x1 convolutions and LayerNorm becomes GroupNorm
// with one group.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "ir/graph.h"
#include "rewrite/skip.h"

namespace hone {

// What kept candidates get.
enum class Keep : uint8_t {
  none,
  das,          // A(x) = up(relu(down(norm(x)))) beside every residual branch; x is the stream. In post-norm layers the last
                // one is added behind the norm, the others to the sum (DAS)
  houlsby,      // z + up(relu(down(z))) on what a branch gives, no norm, N(0, 0.01^2)         (Houlsby et al. 2019)
  scaled,       // 4 A(x) beside attentions alone, x what the attention reads; on networks without attention, beside every
                // branch. Post-norm: added behind the norm                                    (He et al. 2022, scaled PA)
  lora,         // queries and values of every attention plus B A x, rank r; A ~ N(0, 1), B = 0 (Hu et al. 2022). Linear
  linear,       // x + up(down(x)) where a branch's first dense layers read, up = 0            (EAS, RepAdapter). Linear
  before,       // x + up(relu(down(x))) at the same place, starts like das                    (DAS for LLaVA)
  prompt,       // p learnt tokens at the end of every stream                                  (Jia et al. 2022, shallow)
  deep_prompt,  // p learnt tokens among keys and values of each candidate's last attention    (deep)
};

// What stands in place of a skipped one.
enum class Replace : uint8_t {
  identity,   // x
  adapter,    // x + A(x), as wide as the adapters that it displaces: b for every residual sum of the module
  propagate,  // variant "attention": x + B((C x + mean over tokens of A ctx) / 2), hidden 3 d / 16, B in two groups and 0 (EAS)
};

std::string_view name(Keep k);      // "das", "houlsby", ...
std::string_view name(Replace r);
std::optional<Keep> parse_keep(std::string_view text);
std::optional<Replace> parse_replace(std::string_view text);

struct Adapters {
  Keep keep = Keep::das;
  Replace replace = Replace::adapter;
  int64_t reduction = 8;
  int64_t rank = 4;
  int64_t prompts = 200;
  bool zero_up = false;     // das, houlsby, scaled, before, adapter: up-projections start at zero, so the network starts as it was
  // The ports of DAS to language models (DoubtedSteam/DAS: LaVIN-DAS, LLaVA-DAS) differ in these.
  int64_t hidden = 0, replace_hidden = 0;  // bottleneck of kept modules' adapters and of skip adapters; 0: by reduction
  bool xavier = false;      // dense layers of adapters start by xavier_uniform in the place of a normal distribution; up still at zero where it does
  bool relu = true;         // das, houlsby, scaled, before, adapter: between down and up; false: they are linear there
  bool attention_only = false;  // das, houlsby, linear, before: at branches with attention alone, where a module has one
  bool module_norm = false; // the adapter in place of a skipped module reads what the module's first norm gives, and has none of its own
  int64_t groups = 1;       // of the up-projection: each reaches its part of the channels from its part of the bottleneck
  double dropout = 0;       // in training, in front of the up-projection; of lora in front of A
  bool operator==(const Adapters&) const = default;
};
inline constexpr Adapters kIdentity{.keep = Keep::none, .replace = Replace::identity};

// The network without the candidates numbered in `set`; their parameters are gone. New parameters have "adapter", "lora" or
// "prompt" in their names, those of the official code where the method defines the network.
// Errors (usage): a number that is no candidate or is given twice; an adapter that the network has no place for; a bottleneck
// that is not that many groups.
Result<Graph> apply_skips(const Graph& graph, const std::vector<SkipCandidate>& candidates, const std::vector<int64_t>& set, const Adapters& adapters);

// True for the parameters that apply_skips adds.
bool is_adapter(std::string_view parameter);

// The graph with its linear adapters (lora, linear) multiplied into the weights that they stand beside, in fp64; what they
// cost at inference is gone. Needs the contents of the parameters concerned. Nonlinear adapters stay.
struct Merged {
  Graph graph;
  int64_t weights = 0;  // that took an adapter in
};
Result<Merged> merge_adapters(const Graph& graph);

}  // namespace hone
