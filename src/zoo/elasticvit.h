// The search space of ElasticViT (Tang et al., "ElasticViT: Conflict-aware supernet training for deploying fast vision
// transformer on diverse mobile devices", ICCV 2023) as data, its members, and their interchange format.
//
// A member is a network; its genes are constant inside a stage. The largest member is the supernet: every other member asks
// for smaller shapes under the same parameter names (docs/zoo.md, "ElasticViT").
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

namespace hone::elasticvit {

enum class Block : uint8_t { mobile, transformer };

// What a member may choose in one stage. Lists are ascending. A mobile stage has expands and kernels, a transformer stage
// mlps and values; the other two lists stay empty.
struct StageChoices {
  std::string name;  // as errors call it: "stem", "C1", "T3"
  Block block = Block::mobile;
  int64_t stride = 1;
  bool se = false;
  std::vector<int64_t> depths, widths, expands, kernels, mlps, values;
};

struct Space {
  std::vector<int64_t> resolutions;
  std::vector<StageChoices> stages;  // mobile stages first; the first conv is as wide as stage 0
  int64_t head_width = 1984, classes = 1000;
};

inline constexpr size_t kMaxStages = 8;
inline constexpr int64_t kHeadDim = 16;    // channels of a query or key head; a transformer width is a multiple of it
inline constexpr int64_t kDownsampleExpand = 6, kHeadExpand = 6;

// One stage of a member: expand and kernel count in mobile stages, mlp and value (width of a value head / kHeadDim) in
// transformer stages; the others are 0.
struct Genes {
  int32_t width = 0, depth = 0, expand = 0, kernel = 0, mlp = 0, value = 0;
  bool operator==(const Genes&) const = default;
};
struct Member {
  int32_t resolution = 0;
  uint32_t stages = 0;
  std::array<Genes, kMaxStages> stage{};
  bool operator==(const Member&) const = default;
};

const Space& published_space();

// Numbers of members: all distinct ones, and the paper's count, which ignores that widths may not fall and chooses the
// width of the first conv apart. Nothing when it does not fit 64 bits.
std::optional<int64_t> size(const Space& space);
std::optional<int64_t> size_of_paper(const Space& space);
Member smallest(const Space& space);
Member largest(const Space& space);

// Valid: every gene is among its choices and widths do not fall from stage to stage. The error names stage, gene and the
// allowed values.
Status check(const Space& space, const Member& member);

// Published and test members by the name behind "elasticvit/": T1 T2 S1 S2 M L1 L1.5 L2 L3 min1 min2 min3 min max.
struct Named {
  std::string_view name;
  Member member;
};
const std::vector<Named>& named_members();

// Interchange format: a JSON array [res, channels, depths, conv_ratio, kernel, mlp_ratio, heads, window, qk_scale, v_scale];
// channels and depths are per stage, conv_ratio and kernel per mobile block, the last five per transformer block. Reading
// checks everything: lengths, choices, heads = channels / 16, window = 1, qk_scale = 1, genes constant inside a stage.
std::string print_member(const Space& space, const Member& member);
Result<Member> parse_member(const Space& space, const std::string& json, const std::string& source);

// A member as an Arch of family "elasticvit", and back. `member_of` fails with a usage error when the Arch is no member.
Arch to_arch(const Space& space, const Member& member, std::string name);
Result<Member> member_of(const Space& space, const Arch& arch);

// Uniform over resolutions, then stage by stage uniform over depths, over the widths that do not fall, and over the rest
// (the authors' sampler, mode "uniform").
Member sample(const Space& space, Rng& rng);
// The space cut to choices >= the floor's genes; MLP ratios are cut by the floor's smallest one, as the authors' table
// builder does.
Space above(const Space& space, const Member& floor);

}  // namespace hone::elasticvit
