#include "zoo/space_cost.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/infer.h"
#include "zoo/space_graph.h"
#include "zoo/tokens.h"

namespace hone::space {

namespace {

// Side of the map behind the first conv and behind each stage, as the authors compute it: mobile stages round down,
// transformer stages up. The graph agrees wherever a mobile stage meets an even side.
int64_t first_side(const Space& space, int64_t resolution) { return resolution / space.stem_stride; }
int64_t side_after(int64_t side, const StageChoices& c) { return c.block == Block::mobile ? side / c.stride : (side + c.stride - 1) / c.stride; }

int64_t authors_first_conv(int64_t width, int64_t side) { return 27 * width * side * side; }

// Block of stage `i`; `stride` is 1 for all but a stage's first one.
int64_t authors_mobile(size_t i, int64_t in, int64_t width, const BlockGenes& g, int64_t stride, bool se, int64_t side) {
  const int64_t kernel = g.kernel, inner = in * g.expand, n = side * side;
  if (i == 0 && g.expand == 1 && stride == 1) return (width * kernel * kernel + width * width) * n;  // the stem: no expansion, no SE
  int64_t macs = in * inner * stride * stride * n + inner * kernel * kernel * n + inner * width * n;
  if (se) macs += 2 * inner * (inner / 4);
  if (stride > 1) macs += in * width * n;
  return macs;
}

int64_t authors_downsample(int64_t in, int64_t width, int64_t stride, int64_t side) {
  const int64_t inner = kDownsampleExpand * in, n = side * side;
  return in * inner * stride * stride * n + inner * 9 * n + inner * width * n;
}

int64_t authors_attention(int64_t width, int64_t value_scale, int64_t head_dim, int64_t side) {
  const int64_t v = value_scale * width, h = width / head_dim, n = side * side;
  return width * n * n + h * n * n + v * n * n + width * n * (2 * width + v) + n * v * width + n * v;
}

int64_t authors_feed_forward(int64_t width, int64_t mlp, int64_t side) { return 2 * width * mlp * width * side * side; }

int64_t authors_head(const Space& space, int64_t width, int64_t side) {
  const int64_t wide = space.head_expand * width, last = space.head_width > 0 ? space.head_width : wide;
  return width * wide * side * side + (space.head_width > 0 ? wide * last : 0) + last * space.classes;
}

}  // namespace

std::vector<int64_t> authors_macs_by_part(const Space& space, const Member& m) {
  std::vector<int64_t> parts;
  int64_t side = first_side(space, m.resolution), width = m.stage[0].width;
  for (size_t i = 0; i < m.stages; ++i) {
    const StageChoices& c = space.stages[i];
    const Genes& g = m.stage[i];
    const int64_t before = side;
    side = side_after(side, c);
    int64_t macs = i == 0 ? authors_first_conv(width, before) : 0;
    if (c.block == Block::transformer) macs += authors_downsample(width, g.width, c.stride, side);
    for (int32_t j = 0; j < g.depth; ++j) {
      const BlockGenes& b = g.block[static_cast<size_t>(j)];
      if (c.block == Block::mobile)
        macs += authors_mobile(i, j == 0 ? width : g.width, g.width, b, j == 0 ? c.stride : 1, has_se(c, b), side);
      else
        macs += authors_attention(g.width, b.value, space.head_dim, side) + authors_feed_forward(g.width, b.mlp, side);
    }
    parts.push_back(macs);
    width = g.width;
  }
  parts.push_back(authors_head(space, width, side));
  return parts;
}

int64_t authors_macs(const Space& space, const Member& m) {
  int64_t sum = 0;
  for (int64_t part : authors_macs_by_part(space, m)) sum += part;
  return sum;
}

int64_t preference_score(const Space& space, const Member& candidate, const Member& anchor) {
  Member width = candidate, depth = candidate;
  for (size_t i = 0; i < candidate.stages; ++i) {
    if (space.stages[i].block != Block::transformer) continue;
    width.stage[i].width = anchor.stage[i].width;
    set_depth(depth.stage[i], anchor.stage[i].depth);
  }
  return authors_macs(space, width) - authors_macs(space, depth);
}

namespace {

void add(Cost& sum, const Cost& c, int64_t times = 1) {
  sum.authors_macs += times * c.authors_macs;
  sum.macs += times * c.macs;
  sum.params += times * c.params;
  sum.acts += times * c.acts;
}

struct Counted {
  Cost cost;
  int64_t side = 0;  // of the output map
};

// Counts the graph of one block on a (1, channels, side, side) map. The authors' count is added by the caller.
template <class Make>
Result<Counted> count_block(int64_t channels, int64_t side, Make make) {
  Builder b("block");
  const ValueId y = make(b, b.input("x", DType::f32, {1, channels, side, side}));
  b.output(y);
  HONE_TRY_ASSIGN(const Graph graph, b.finish());
  Counts counts;
  const std::vector<bool> constant = from_parameters(graph);
  for (NodeId n = 0; n < graph.nodes.size(); ++n) counts += count_node(graph, n, constant);
  Int params = 0;
  for (ValueId v : graph.state())
    if (graph.value(v).kind == ValueKind::parameter) params += element_count(graph.value(v).type.shape).value_or(-1);
  if (!counts.ok() || !params.ok()) return fail(Code::invalid, "a count of the space does not fit 64 bits");
  const Shape& out = graph.value(graph.outputs[0]).type.shape;
  return Counted{{0, counts.macs().value(), params.value(), counts.acts().value()}, out.size() == 4 ? out[2] : 1};
}

// Both lists of a stage that its kind uses.
const std::vector<int64_t>& list_a(const StageChoices& c) { return c.block == Block::mobile ? c.expands : c.mlps; }
const std::vector<int64_t>& list_b(const StageChoices& c) { return c.block == Block::mobile ? c.kernels : c.values; }
// And whether a block chooses squeeze-and-excitation; without a choice the gene is 0.
const std::vector<int64_t>& list_se(const StageChoices& c) {
  static const std::vector<int64_t> none = {0};
  return c.ses.empty() ? none : c.ses;
}

}  // namespace

CostTable::Index::Index(const std::vector<int64_t>& choices) : count(choices.size()) {
  if (!choices.empty()) of.assign(static_cast<size_t>(choices.back()) + 1, kNone);
  for (size_t i = 0; i < choices.size(); ++i) of[static_cast<size_t>(choices[i])] = static_cast<uint8_t>(i);
}

// Walks the stages and appends to the tables, resolution by resolution.
struct CostTable::Maker {
  const Space& space;
  std::vector<int64_t> sides, authors_sides;  // of the map that enters the stage, by resolution
  std::vector<Cost> first_convs;              // by resolution and width

  Status first_convolutions() {
    for (int64_t r : space.resolutions) {
      authors_sides.push_back(first_side(space, r));
      for (int64_t w : space.stages[0].widths) {
        HONE_TRY_ASSIGN(Counted c, count_block(3, r, [&](Builder& b, ValueId x) { return first_conv(b, x, w, space.stem_stride, space.activation); }));
        c.cost.authors_macs = authors_first_conv(w, authors_sides.back());
        first_convs.push_back(c.cost);
        sides.resize(authors_sides.size(), c.side);
      }
    }
    return {};
  }

  // first: (resolution, width in, width, expand, kernel, SE); unit: (resolution, width, expand, kernel, SE).
  Status mobile(size_t i, size_t r, StageTable& s) {
    const StageChoices& c = space.stages[i];
    const int64_t in_side = sides[r], authors_side = side_after(authors_sides[r], c);
    auto block = [&](int64_t in, int64_t width, int64_t side, int64_t stride, const BlockGenes& g) -> Result<Counted> {
      const bool se = has_se(c, g);
      HONE_TRY_ASSIGN(Counted d, count_block(in, side, [&](Builder& b, ValueId x) {
                        return mobile_block(b, x, {width, g.expand, g.kernel, stride, se, c.shortcut, c.activation});
                      }));
      d.cost.authors_macs = authors_mobile(i, in, width, g, stride, se, authors_side);
      return d;
    };
    const std::vector<BlockGenes> genes = genes_of(c);
    // Stage 0 has one width in for each width: its own.
    const size_t ins = i == 0 ? 1 : space.stages[i - 1].widths.size();
    for (size_t in = 0; in < ins; ++in)
      for (size_t w = 0; w < c.widths.size(); ++w)
        for (const BlockGenes& g : genes) {
          HONE_TRY_ASSIGN(Counted d, block(i == 0 ? c.widths[w] : space.stages[i - 1].widths[in], c.widths[w], in_side, c.stride, g));
          if (i == 0) add(d.cost, first_convs[r * c.widths.size() + w]);
          s.first.push_back(d.cost);
          sides[r] = d.side;
        }
    for (int64_t w : c.widths)
      for (const BlockGenes& g : genes) {
        HONE_TRY_ASSIGN(const Counted d, block(w, w, sides[r], 1, g));
        s.unit.push_back(d.cost);
      }
    authors_sides[r] = authors_side;
    return {};
  }

  // first, the downsampling block: (resolution, width in, width); unit: (resolution, width, MLP ratio, V scale).
  Status transformer(size_t i, size_t r, StageTable& s) {
    const StageChoices& c = space.stages[i];
    const int64_t in_side = sides[r], authors_side = side_after(authors_sides[r], c);
    for (int64_t in : space.stages[i - 1].widths)
      for (int64_t w : c.widths) {
        HONE_TRY_ASSIGN(Counted d, count_block(in, in_side, [&](Builder& b, ValueId x) {
                          return mobile_block(b, x, {w, kDownsampleExpand, 3, c.stride, c.se, c.shortcut, c.activation});
                        }));
        d.cost.authors_macs = authors_downsample(in, w, c.stride, authors_side);
        s.first.push_back(d.cost);
        sides[r] = d.side;
      }
    const int64_t side = sides[r];
    for (int64_t w : c.widths) {
      std::vector<Cost> attentions;
      for (int64_t v : c.values) {
        HONE_TRY_ASSIGN(Counted d, count_block(w, side, [&](Builder& b, ValueId x) { return attention(b, x, {v, space.head_dim, space.norm, c.activation}, signed_offsets(b, side)); }));
        d.cost.authors_macs = authors_attention(w, v, space.head_dim, authors_side);
        attentions.push_back(d.cost);
      }
      for (int64_t mlp : c.mlps) {
        HONE_TRY_ASSIGN(Counted ffn, count_block(w, side, [&](Builder& b, ValueId x) { return feed_forward(b, x, {mlp, space.norm, c.activation}); }));
        ffn.cost.authors_macs = authors_feed_forward(w, mlp, authors_side);
        for (const Cost& a : attentions) {
          s.unit.push_back(ffn.cost);
          add(s.unit.back(), a);
        }
      }
    }
    authors_sides[r] = authors_side;
    return {};
  }
};

Result<CostTable> CostTable::make(const Space& space) {
  HONE_TRY(check_space(space));
  CostTable t;
  t.resolutions_ = Index(space.resolutions);
  t.shared_ = space.sharing == Sharing::stage;
  t.may_fall_ = space.widths_may_fall;
  Maker maker{space, {}, {}, {}};
  HONE_TRY(maker.first_convolutions());
  for (size_t i = 0; i < space.stages.size(); ++i) {
    const StageChoices& c = space.stages[i];
    StageTable s{c.block == Block::mobile, Index(c.depths), Index(c.widths), Index(list_a(c)), Index(list_b(c)), Index(list_se(c)), {}, {}};
    for (size_t r = 0; r < space.resolutions.size(); ++r) HONE_TRY(s.mobile ? maker.mobile(i, r, s) : maker.transformer(i, r, s));
    t.stages_.push_back(std::move(s));
  }
  for (size_t r = 0; r < space.resolutions.size(); ++r)
    for (int64_t width : space.stages.back().widths) {
      HONE_TRY_ASSIGN(Counted c, count_block(width, maker.sides[r], [&](Builder& b, ValueId x) { return head(b, x, {space.head, space.head_expand, space.head_width, space.classes, space.activation}); }));
      c.cost.authors_macs = authors_head(space, width, maker.authors_sides[r]);
      t.head_.push_back(c.cost);
    }
  return t;
}

std::optional<Cost> CostTable::operator()(const Member& m) const {
  const size_t r = resolutions_[m.resolution];
  if (r == Index::kNone || m.stages != stages_.size()) return std::nullopt;
  Cost sum;
  size_t in = 0, in_count = 1;  // index of the width before the stage
  int32_t last_width = 0;
  for (size_t i = 0; i < stages_.size(); ++i) {
    const StageTable& s = stages_[i];
    const Genes& g = m.stage[i];
    const size_t w = s.widths[g.width], genes = s.a.count * s.b.count * s.se.count;
    if (((w | s.depths[g.depth]) & 0x80) || (g.width < last_width && !may_fall_)) return std::nullopt;
    const size_t place = (r * in_count + in) * s.widths.count + w;
    const Cost* unit = &s.unit[(r * s.widths.count + w) * genes];
    size_t gene = 0;
    for (size_t j = 0; j < kMaxDepth; ++j) {
      const BlockGenes& b = g.block[j];
      if (static_cast<int32_t>(j) >= g.depth) {
        if (b != BlockGenes{}) return std::nullopt;
        continue;
      }
      if (j == 0 || b != g.block[j - 1]) {
        if (j > 0 && shared_) return std::nullopt;
        const size_t x = s.a[s.mobile ? b.expand : b.mlp], y = s.b[s.mobile ? b.kernel : b.value], z = s.se[b.se];
        if (((x | y | z) & 0x80) || (s.mobile ? b.mlp | b.value : b.expand | b.kernel)) return std::nullopt;
        gene = (x * s.b.count + y) * s.se.count + z;
      }
      if (j == 0) add(sum, s.mobile ? s.first[place * genes + gene] : s.first[place]);
      if (j > 0 || !s.mobile) add(sum, unit[gene]);
    }
    in = w;
    in_count = s.widths.count;
    last_width = g.width;
  }
  add(sum, head_[r * in_count + in]);
  return sum;
}

std::optional<Cost> CostTable::operator()(const Part& p) const {
  const size_t r = p.resolution <= INT32_MAX ? resolutions_[static_cast<int32_t>(p.resolution)] : Index::kNone;
  if (r == Index::kNone || p.stage >= stages_.size()) return std::nullopt;
  const StageTable& s = stages_[p.stage];
  const size_t w = s.widths[static_cast<int32_t>(p.width)];
  if (w == Index::kNone) return std::nullopt;
  if (p.kind == Part::Kind::head) return head_[r * s.widths.count + w];
  size_t gene = 0;
  if (s.mobile || p.kind == Part::Kind::block) {
    const size_t x = s.a[s.mobile ? p.genes.expand : p.genes.mlp], y = s.b[s.mobile ? p.genes.kernel : p.genes.value], z = s.se[p.genes.se];
    if ((x | y | z) & 0x80) return std::nullopt;
    gene = (x * s.b.count + y) * s.se.count + z;
  }
  const size_t genes = s.a.count * s.b.count * s.se.count;
  if (p.kind == Part::Kind::block) return s.unit[(r * s.widths.count + w) * genes + gene];
  size_t in = 0, in_count = 1;
  if (p.stage > 0) {
    in = stages_[p.stage - 1].widths[static_cast<int32_t>(p.in)];
    in_count = stages_[p.stage - 1].widths.count;
    if (in == Index::kNone) return std::nullopt;
  }
  const size_t place = (r * in_count + in) * s.widths.count + w;
  return s.mobile ? s.first[place * genes + gene] : s.first[place];
}

}  // namespace hone::space
