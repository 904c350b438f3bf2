// Blocks: the parts of a network that a device table has times for. A block is its kind and the sizes that settle its
// work, so equal blocks of different networks are one row of the table.
//
// Kinds of the ElasticViT space, with the rows of the authors' tables that they stand for (`side`: of the map that comes in):
//   first_conv    side in out                                firstconv
//   mobile        side in out expand stride kernel se        conv: a whole MobileBlock, shortcut included
//   downsample    side in out stride                         transds: a mobile block with expansion 6, kernel 3 and SE
//   attention     side width value                           transattn: norm, attention, projection, residual
//   feed_forward  side width mlp                             transffn: norm, two layers, residual
//   head          side width                                 mbpool: everything behind the last stage
//   stem          side in out stride                         a first convolution of another stride
//   pool_head     side width expand hidden classes           a head of other sizes
//   frame         rank channels length                       what a block is measured in (measure/device_frame.h)
// Parts of any other network are cut out of its graph (measure/device_cut.h): kind "cut:<structure>", sizes below.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "ir/graph.h"
#include "zoo/space.h"

namespace hone {

struct Block {
  std::string kind;
  std::vector<int64_t> sizes;  // in the order of size_names(kind)
  auto operator<=>(const Block&) const = default;
};

// A part of a network that occurs `count` times.
struct BlockCount {
  Block block;
  int64_t count = 1;
  bool operator==(const BlockCount&) const = default;
};

inline constexpr std::string_view kCutKind = "cut:";
bool known_kind(std::string_view kind);  // one of the above, or of kCutKind
const std::vector<std::string_view>& size_names(std::string_view kind);

// "attention side=14 width=64 value=2". Reading checks kind, names and ranges; it also takes the kinds and the order of the
// authors' tables: "attn 14 64 v2", "conv 16 16 16 e3 s1 k3 se".
std::string print(const Block& block);
Result<Block> parse_block(std::string_view text);

// What a block's time is regressed on (spec of ElasticViT, 3.2). Millions.
struct BlockWork {
  double macs = 0;      // multiply-adds as executed
  double elements = 0;  // of the maps that are read and written: the input, and what expansion, depthwise, projection, q, k, v,
                        // logits, softmax and MLP write. Of a cut: input and outputs of its products
  double weights = 0;   // trainable scalars
};
// Closed forms; a test holds them against the graphs of the blocks.
BlockWork work_of(const Block& block);

// The blocks of an ElasticViT from first to last, equal ones joined. Sides follow the graph: a stride rounds up.
// A usage error for what has_blocks() does not cover.
Result<std::vector<BlockCount>> blocks_of(const space::Space& space, const space::Member& member);
Result<std::vector<BlockCount>> blocks_of(const Arch& arch);
// What comes first and last: the published space's kinds where the sizes are those that they imply.
Block stem_block(int64_t side, int64_t in, int64_t out, int64_t stride);
Block head_block(int64_t side, int64_t width, int64_t expand, int64_t hidden, int64_t classes);
// Whether these kinds describe the network: family "elasticvit" with the activation, shortcuts, norm and kind of head of the published space.
bool has_blocks(const Arch& arch);

// The graph of one block of an ElasticViT, without contents. Cuts have none: they come from their network.
Result<Graph> block_graph(const Block& block);

}  // namespace hone
