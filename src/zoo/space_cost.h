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

// Costs of every block that can occur, counted once on the graphs of single blocks (space_graph.h); a member is a sum.
// Making it takes a fraction of a second, reading it is const and may be done from many threads.
class CostTable {
 public:
  static Result<CostTable> make(const Space& space = published_space());
  // Nothing when `member` does not pass check().
  std::optional<Cost> operator()(const Member& member) const;

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
    Index depths, widths, a, b;  // a, b: expand and kernel, or MLP ratio and V scale
    std::vector<Cost> first;     // first block (resolution, width in, width, a, b), or downsampling (resolution, width in, width)
    std::vector<Cost> unit;      // a further block: (resolution, width, a, b)

  };
  Index resolutions_;
  bool shared_ = true, may_fall_ = false;
  std::vector<StageTable> stages_;
  std::vector<Cost> head_;  // (resolution, width of the last stage)
};

}  // namespace hone::space
