// Search spaces as data: which networks one supernet holds (docs/space.md). A member is a network of the space; the largest
// member is the supernet: every other member asks for smaller shapes under the same parameter names.
//
// The published space of ElasticViT (Tang et al., ICCV 2023) is the preset "elasticvit"; others are TOML files (spaces/).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/rng.h"
#include "zoo/arch.h"

namespace hone::space {

enum class Block : uint8_t { mobile, transformer };
// Around a mobile block: always (pooled and projected where shapes differ, ElasticViT), or only where shapes are the same (MobileNet).
enum class Shortcut : uint8_t { always, same };
// Genes of blocks: one set per stage (ElasticViT), or one per block (once-for-all networks).
enum class Sharing : uint8_t { stage, block };
// Before attention and MLP: over tokens and channels of a sample together (ElasticViT), or over the channels of each token.
enum class Norm : uint8_t { sample, token };
// MBPool of ElasticViT, or MobileNetV3's (the same without bias in the 1x1 convolution, which a batch norm follows).
enum class HeadKind : uint8_t { mb_pool, mobile };
// What levels and windows count: multiply-adds as executed, or as the authors of ElasticViT count them (space_cost.h).
enum class Counter : uint8_t { macs, elasticvit };

inline constexpr size_t kMaxStages = 8, kMaxDepth = 10;
inline constexpr int64_t kHeadDim = 16;  // of the published space: channels of a query or key head
inline constexpr int64_t kDownsampleExpand = 6, kHeadExpand = 6;

// What a member may choose in one stage. Lists are ascending. A mobile stage has expands and kernels, and ses where its blocks
// choose squeeze-and-excitation (0 without, 1 with); a transformer stage has mlps (hidden width / width) and values (width of a
// value head / head_dim). The other lists stay empty.
struct StageChoices {
  std::string name;  // as errors call it: "stem", "C1", "T3"
  Block block = Block::mobile;
  int64_t stride = 1;
  bool se = false;   // of all blocks; of a transformer stage: in its downsampling block. False where blocks choose
  std::vector<int64_t> depths, widths, expands, kernels, mlps, values, ses;
  std::string activation = "hard_swish";
  Shortcut shortcut = Shortcut::always;
  bool operator==(const StageChoices&) const = default;
};

struct BlockGenes {
  uint8_t expand = 0, kernel = 0;  // of a mobile block
  uint8_t mlp = 0, value = 0;      // of a transformer block
  uint8_t se = 0;                  // of a mobile block that chooses; has_se() says what any block has
  bool operator==(const BlockGenes&) const = default;
};
inline bool has_se(const StageChoices& c, const BlockGenes& g) { return c.ses.empty() ? c.se : g.se != 0; }
// One stage of a member; blocks from `depth` on are zero.
struct Genes {
  int32_t width = 0, depth = 0;
  std::array<BlockGenes, kMaxDepth> block{};
  bool operator==(const Genes&) const = default;
};
// A stage whose `depth` blocks are all `block` (at most kMaxDepth of them are filled in).
Genes shared(int64_t width, int64_t depth, const BlockGenes& block);
// New blocks copy the first one, the last ones are dropped.
void set_depth(Genes& genes, int64_t depth);

struct Member {
  int32_t resolution = 0;
  uint32_t stages = 0;
  std::array<Genes, kMaxStages> stage{};
  bool operator==(const Member&) const = default;
};
uint64_t hash(const Member& member);

// The smallest network that a training step at some levels takes along, and the floor of those levels' draws.
struct Smallest {
  std::string name;
  int64_t up_to = 0;  // serves levels t with (up_to of the one before) + window < t <= up_to + window; the last one all above
  Member member;
  bool operator==(const Smallest&) const = default;
};
struct Levels {
  std::vector<int64_t> at;        // ascending costs in Space::counter; a member is of level t when t <= cost <= t + window
  int64_t window = 0;
  std::vector<Smallest> smallest;  // ascending by up_to; empty: the smallest member of the space serves every level
  bool operator==(const Levels&) const = default;
};

struct Space {
  std::vector<int64_t> resolutions;
  std::vector<StageChoices> stages;  // the first is mobile; the first convolution is as wide as it
  int64_t head_width = 1984, classes = 1000;  // head_width 0: no hidden layer
  std::string name = "elasticvit";
  std::string activation = "hard_swish";      // of the first convolution and the head
  int64_t stem_stride = 2, head_dim = kHeadDim, head_expand = kHeadExpand;
  HeadKind head = HeadKind::mb_pool;
  Sharing sharing = Sharing::stage;
  Norm norm = Norm::sample;
  bool widths_may_fall = false;
  Counter counter = Counter::macs;
  Levels levels;
  bool operator==(const Space&) const = default;
};

// ---- spaces ---------------------------------------------------------------------------------------------------------

const Space& published_space();                  // the preset "elasticvit"
std::vector<std::string_view> preset_names();
// A preset's name or a TOML file. An unknown name is a usage error with the nearest ones.
Result<Space> open_space(const std::string& name_or_file);
// Reading checks everything (file, line, key, found, expected) and ends with check_space(). parse(print(s)) equals s.
Result<Space> parse_space(const std::string& toml, const std::string& source);
std::string print_space(const Space& space);
// Lists ascending and in range, a transformer's widths multiples of head_dim, every partial member can be completed, levels
// ascending. The error names stage and key. Whether a level has members is for who draws of it (space_draw.h).
Status check_space(const Space& space);

// Numbers of members: all distinct ones, and the ElasticViT paper's count, which ignores that widths may not fall and chooses
// the width of the first convolution apart. Nothing when it does not fit 64 bits; the estimate is the first in floating point.
std::optional<int64_t> size(const Space& space);
std::optional<int64_t> size_of_paper(const Space& space);
double size_estimate(const Space& space);
// Every choice of one block's genes, the last gene turning fastest.
std::vector<BlockGenes> genes_of(const StageChoices& choices);
// Whether blocks of any stage choose squeeze-and-excitation.
bool chooses_se(const Space& space);
Member smallest(const Space& space);
Member largest(const Space& space);
// The smallest network of a level (Levels::smallest).
Member smallest_of_level(const Space& space, int64_t level);

// ---- members --------------------------------------------------------------------------------------------------------

// Valid: every gene is among its choices, blocks agree where they share genes, blocks beyond the depth are zero, and widths
// do not fall unless they may. The error names stage, gene and the allowed values.
Status check(const Space& space, const Member& member);

// Published and test members of "elasticvit": T1 T2 S1 S2 M L1 L1.5 L2 L3 min1 min2 min3 min max.
struct Named {
  std::string_view name;
  Member member;
};
const std::vector<Named>& named_members();

// Interchange format of the authors: a JSON array [res, channels, depths, conv_ratio, kernel, mlp_ratio, heads, window, qk_scale,
// v_scale]; channels and depths are per stage, conv_ratio and kernel per mobile block, the last five per transformer block.
// Spaces with stages that choose squeeze-and-excitation have an eleventh value, se, one for each block of those stages.
// Reading checks everything: lengths, choices, heads = channels / head_dim, window = 1, qk_scale = 1, shared genes.
std::string print_member(const Space& space, const Member& member);
Result<Member> parse_member(const Space& space, const std::string& json, const std::string& source);

// From a file: an encoding (.json), or the stage table of a member (.toml).
Result<Member> read_member(const Space& space, const std::string& file);

// A member as an Arch of family "elasticvit", and back. `member_of` fails with a usage error when the Arch is no member.
Arch to_arch(const Space& space, const Member& member, std::string name);
Result<Member> member_of(const Space& space, const Arch& arch);

// Uniform over resolutions, then stage by stage uniform over depths, over the widths that are allowed, and over the rest, block
// by block where blocks have their own genes (the sampler of the ElasticViT authors, mode "uniform").
Member sample(const Space& space, Rng& rng);
// The space cut to choices >= the floor's genes; MLP ratios are cut by the floor's smallest one, as the authors' table
// builder does. With genes per block, by the smallest of the stage's blocks.
Space above(const Space& space, const Member& floor);

}  // namespace hone::space
