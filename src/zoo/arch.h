// Arch: a network as a declarative stage table, a few hundred bytes; its text form is TOML (docs/arch.md).
// A published network is an Arch (data); a family is one builder from Arch to Graph.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "core/error.h"
#include "ir/graph.h"

namespace hone {

// Family-specific settings that only that family's builder reads ("aux" = true, "distilled" = true, ...).
using Option = std::variant<bool, int64_t, double, std::string, std::vector<int64_t>>;
using Options = std::map<std::string, Option>;

struct Stem {
  std::string kind;      // "conv3x3", "resnet" (7x7 and max pool), "patchify", ... as the family's builder documents
  int64_t width = 0;
  Options options;
  bool operator==(const Stem&) const = default;
};

struct Stage {
  std::string block;        // "bottleneck", "basic", "mbconv", "ds", "attention", ... as the family's builder documents
  int64_t depth = 1;        // number of blocks
  int64_t width = 0;        // output channels, or embedding dimension
  int64_t stride = 1;       // of the first block
  int64_t kernel = 3;
  double expand = 1;        // bottleneck multiplier (pycls bot_mul), expansion ratio, or MLP ratio
  int64_t group_width = 0;  // channels per group; 0: dense (depthwise is the block's own affair)
  double se = 0;            // squeeze-excite ratio; 0: none
  int64_t heads = 0;        // attention
  std::string activation;   // "" : the Arch's
  Options options;
  bool operator==(const Stage&) const = default;
};

struct Head {
  std::string kind = "pool_fc";
  int64_t width = 0;        // of the last convolution or hidden layer; 0: none
  int64_t classes = 1000;
  double dropout = 0;
  Options options;
  bool operator==(const Head&) const = default;
};

struct Arch {
  std::string name;                      // "timm/resnet50"; what was built from it after scaling, else free
  std::string family;                    // picks the builder: "resnet", "regnet", "efficientnet", "vit", ...
  std::string names = "timm";            // whose tensor names: timm, torchvision, pycls, elasticvit, vilt, meter, sketch
  int64_t resolution = 224;              // of training, and of the default input
  int64_t test_resolution = 0;           // 0: an Arch that has none
  int64_t channels = 3;
  std::string activation = "relu";
  std::string padding = "symmetric";     // or "same" (TensorFlow)
  double bn_eps = 1e-5;
  double bn_momentum = 0.1;
  Stem stem;
  std::vector<Stage> stages;
  Head head;
  Options options;
  bool operator==(const Arch&) const = default;
};

// TOML in and out; parse_arch(print_arch(a)) equals a. Unknown keys are errors that name key and line.
std::string print_arch(const Arch& arch);
Result<Arch> parse_arch(const std::string& toml, const std::string& source);
inline bool equal(const Arch& a, const Arch& b) { return a == b; }

// Builds the typed graph at arch.resolution, batch 1. Errors name the stage that does not fit.
Result<Graph> build(const Arch& arch);

// Bounds every number of an Arch, so that no builder meets a size whose products overflow or that takes forever.
// build() calls it; errors say which key of which stage.
Status check(const Arch& arch);

// Typed reads of options, with a fallback.
int64_t option_int(const Options& o, const std::string& key, int64_t fallback);
double option_real(const Options& o, const std::string& key, double fallback);
bool option_flag(const Options& o, const std::string& key, bool fallback);
std::string option_text(const Options& o, const std::string& key, const std::string& fallback);
std::vector<int64_t> option_ints(const Options& o, const std::string& key, const std::vector<int64_t>& fallback = {});

}  // namespace hone
