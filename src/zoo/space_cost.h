// What a member of a space costs, without building its graph: the counter of ElasticViT's authors as a closed form of the
// encoding, and tables over blocks that give every cost at more than a million members a second.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "zoo/space.h"

namespace hone::space {

// Multiply-adds as the authors count them (`compute_flops` of their repository): depthwise V once per element, softmax
// counted, squeeze-excite and shortcuts of the downsampling blocks not, even sides assumed before a stride (true counts are
// 0.5 to 3 % higher). Their numbers are those of the published space; for any other it is the same closed form with its strides
// and head. By part: first conv with stage 0, every further stage, head. `member` need not pass check().
std::vector<int64_t> authors_macs_by_part(const Space& space, const Member& member);
int64_t authors_macs(const Space& space, const Member& member);

// The authors' preference of width over depth: F_w - F_d, where the candidate has the anchor's transformer widths (F_w) or
// depths (F_d), in authors' multiply-adds. Smaller is preferred.
int64_t preference_score(const Space& space, const Member& candidate, const Member& anchor);

struct Cost {
  int64_t authors_macs = 0;  // convention "elasticvit"
  int64_t macs = 0;          // every convolution, linear layer and matrix product as executed
  int64_t params = 0;        // of the stand-alone member
  int64_t acts = 0;          // output elements of those products
  bool operator==(const Cost&) const = default;
};
// What levels of the space count.
inline int64_t counted(const Space& space, const Cost& cost) { return space.counter == Counter::elasticvit ? cost.authors_macs : cost.macs; }

// A part of a member; the cost of a member is the sum over its parts.
struct Part {
  enum class Kind : uint8_t {
    entry,  // of a stage: a mobile stage's first block (in stage 0 with the first convolution), a transformer stage's downsampling
    block,  // a further mobile block, or any transformer block
    head,
  };
  Kind kind = Kind::entry;
  int64_t resolution = 0, side = 0;  // side of the map that comes in, strides rounding up; of stage 0's entry: the image's
  size_t stage = 0;                  // of a head: the last one
  int64_t in = 0, width = 0;         // channels of the map that comes in (of stage 0's entry: of its first convolution), and out
  BlockGenes genes;                  // of a block; of an entry where the stage is mobile
};
// Calls back for every part of a member, from first to last.
template <class Each>
void for_each_part(const Space& space, const Member& m, Each each) {
  int64_t side = m.resolution, in = m.stage[0].width;
  for (size_t i = 0; i < m.stages; ++i) {
    const StageChoices& c = space.stages[i];
    const Genes& g = m.stage[i];
    const bool mobile = c.block == Block::mobile;
    each(Part{Part::Kind::entry, m.resolution, side, i, in, g.width, mobile ? g.block[0] : BlockGenes{}});
    if (i == 0) side = (side + space.stem_stride - 1) / space.stem_stride;
    side = (side + c.stride - 1) / c.stride;
    for (int32_t j = mobile; j < g.depth; ++j) each(Part{Part::Kind::block, m.resolution, side, i, g.width, g.width, g.block[static_cast<size_t>(j)]});
    in = g.width;
  }
  each(Part{Part::Kind::head, m.resolution, side, m.stages - 1, in, in, {}});
}

// Costs of every block that can occur, counted once on the graphs of single blocks (space_graph.h); a member is a sum.
// Making it takes a fraction of a second, reading it is const and may be done from many threads.
class CostTable {
 public:
  static Result<CostTable> make(const Space& space = published_space());
  // Nothing when `member` does not pass check().
  std::optional<Cost> operator()(const Member& member) const;
  // Of a part of a member of the space; nothing when a size is no choice.
  std::optional<Cost> operator()(const Part& part) const;

 private:
  struct Maker;
  // Index of a choice by its value; kNone where the value is no choice.
  struct Index {
    static constexpr uint8_t kNone = 0xff;
    std::vector<uint8_t> of;
    size_t count = 0;
    explicit Index(const std::vector<int64_t>& choices = {});
    uint8_t operator[](int32_t v) const { return v >= 0 && static_cast<size_t>(v) < of.size() ? of[static_cast<size_t>(v)] : kNone; }
  };
  struct StageTable {
    bool mobile = false;
    Index depths, widths, a, b, se;  // a, b: expand and kernel, or MLP ratio and V scale
    std::vector<Cost> first;         // first block (resolution, width in, width, a, b, se), or downsampling (resolution, width in, width)
    std::vector<Cost> unit;          // a further block: (resolution, width, a, b, se)
  };
  Index resolutions_;
  bool shared_ = true, may_fall_ = false;
  std::vector<StageTable> stages_;
  std::vector<Cost> head_;  // (resolution, width of the last stage)
};

}  // namespace hone::space
