#include "zoo/space.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/checked.h"

namespace hone::space {

namespace {

bool contains(const std::vector<int64_t>& choices, int64_t v) { return std::find(choices.begin(), choices.end(), v) != choices.end(); }

Status check_gene(const std::string& stage, const char* gene, int64_t v, const std::vector<int64_t>& choices) {
  if (choices.empty() ? v == 0 : contains(choices, v)) return {};
  if (choices.empty()) return fail(Code::invalid, fmt::format("{} {} in a stage that has no such gene", gene, v), stage);
  return fail(Code::invalid, fmt::format("{} {} is not in the space", gene, v), stage, fmt::format("allowed: {}", fmt::join(choices, ", ")));
}

Status check_blocks(const Space& space, const StageChoices& c, const Genes& g) {
  for (int32_t j = 0; j < static_cast<int32_t>(kMaxDepth); ++j) {
    const BlockGenes& b = g.block[static_cast<size_t>(j)];
    if (j >= g.depth) {
      if (b != BlockGenes{}) return fail(Code::invalid, fmt::format("block {} has genes, the depth is {}", j + 1, g.depth), c.name);
      continue;
    }
    HONE_TRY(check_gene(c.name, "expansion ratio", b.expand, c.expands));
    HONE_TRY(check_gene(c.name, "kernel", b.kernel, c.kernels));
    HONE_TRY(check_gene(c.name, "MLP ratio", b.mlp, c.mlps));
    HONE_TRY(check_gene(c.name, "V scale", b.value, c.values));
    HONE_TRY(check_gene(c.name, "squeeze-and-excitation", b.se, c.ses));
    if (space.sharing == Sharing::stage && b != g.block[0])
      return fail(Code::invalid, fmt::format("blocks 1 and {} differ", j + 1), c.name, "the blocks of a stage share their genes in this space");
  }
  return {};
}

uint8_t byte(int64_t v) { return static_cast<uint8_t>(std::clamp<int64_t>(v, 0, 255)); }

template <class Pick>
Member pick_all(const Space& space, Pick pick) {
  Member m;
  m.resolution = static_cast<int32_t>(pick(space.resolutions));
  m.stages = static_cast<uint32_t>(space.stages.size());
  for (size_t i = 0; i < space.stages.size() && i < kMaxStages; ++i) {
    const StageChoices& c = space.stages[i];
    auto gene = [&](const std::vector<int64_t>& choices) { return choices.empty() ? int64_t{0} : pick(choices); };
    m.stage[i] = shared(gene(c.widths), gene(c.depths), {byte(gene(c.expands)), byte(gene(c.kernels)), byte(gene(c.mlps)), byte(gene(c.values)), byte(gene(c.ses))});
  }
  return m;
}

int64_t count(const std::vector<int64_t>& choices) { return std::max<int64_t>(1, static_cast<int64_t>(choices.size())); }
int64_t choices_of_block(const StageChoices& c) { return count(c.expands) * count(c.kernels) * count(c.mlps) * count(c.values) * count(c.ses); }

// Depths together with the genes of their blocks.
template <class Number>
Number choices_without_width(const Space& space, const StageChoices& c) {
  Number sum = 0;
  for (int64_t d : c.depths) {
    Number ways = 1;
    for (int64_t j = 0; j < (space.sharing == Sharing::stage ? 1 : d); ++j) ways *= Number(choices_of_block(c));
    sum += ways;
  }
  return sum;
}

template <class Number>
Number size_as(const Space& space) {
  // ways[j]: partial members whose last width is the j-th choice of the stage.
  std::vector<Number> ways;
  const std::vector<int64_t>* widths = nullptr;
  for (const StageChoices& c : space.stages) {
    std::vector<Number> next;
    for (int64_t w : c.widths) {
      Number sum = widths ? 0 : static_cast<int64_t>(space.resolutions.size());
      for (size_t j = 0; widths && j < widths->size(); ++j)
        if (space.widths_may_fall || (*widths)[j] <= w) sum += ways[j];
      next.push_back(sum * choices_without_width<Number>(space, c));
    }
    ways = std::move(next);
    widths = &c.widths;
  }
  Number total = 0;
  for (Number n : ways) total += n;
  return total;
}

std::optional<int64_t> value(Int n) { return n.ok() ? std::optional(n.value()) : std::nullopt; }

}  // namespace

Genes shared(int64_t width, int64_t depth, const BlockGenes& block) {
  Genes g{static_cast<int32_t>(width), static_cast<int32_t>(depth), {}};
  std::fill_n(g.block.begin(), std::clamp<int64_t>(depth, 0, kMaxDepth), block);
  return g;
}

void set_depth(Genes& g, int64_t depth) {
  depth = std::clamp<int64_t>(depth, 0, kMaxDepth);
  for (int64_t j = 0; j < static_cast<int64_t>(kMaxDepth); ++j)
    if (j >= depth)
      g.block[static_cast<size_t>(j)] = {};
    else if (j >= g.depth)
      g.block[static_cast<size_t>(j)] = g.block[0];
  g.depth = static_cast<int32_t>(depth);
}

uint64_t hash(const Member& m) {
  uint64_t h = 0x9e3779b97f4a7c15;
  auto mix = [&h](uint64_t v) {
    h = (h ^ v) * 0xff51afd7ed558ccd;
    h ^= h >> 32;
  };
  mix(static_cast<uint64_t>(m.resolution) << 32 | m.stages);
  for (size_t i = 0; i < std::min<size_t>(m.stages, kMaxStages); ++i) {
    const Genes& g = m.stage[i];
    mix(static_cast<uint64_t>(g.width) << 32 | static_cast<uint32_t>(g.depth));
    for (size_t j = 0; j < kMaxDepth && static_cast<int32_t>(j) < g.depth; ++j)
      mix(static_cast<uint64_t>(g.block[j].se) << 32 | static_cast<uint64_t>(g.block[j].expand) << 24 | static_cast<uint64_t>(g.block[j].kernel) << 16 | static_cast<uint64_t>(g.block[j].mlp) << 8 | g.block[j].value);
  }
  return h;
}

std::optional<int64_t> size(const Space& space) { return value(size_as<Int>(space)); }
double size_estimate(const Space& space) { return size_as<double>(space); }

std::optional<int64_t> size_of_paper(const Space& space) {
  Int total = static_cast<int64_t>(space.resolutions.size());
  if (!space.stages.empty()) total *= count(space.stages[0].widths);
  for (const StageChoices& c : space.stages) total *= choices_without_width<Int>(space, c) * count(c.widths);
  return value(total);
}

std::vector<BlockGenes> genes_of(const StageChoices& c) {
  std::vector<BlockGenes> out = {{}};
  auto each = [&out](const std::vector<int64_t>& choices, uint8_t BlockGenes::*gene) {
    if (choices.empty()) return;
    std::vector<BlockGenes> more;
    for (const BlockGenes& g : out)
      for (const int64_t v : choices) {
        more.push_back(g);
        more.back().*gene = byte(v);
      }
    out = std::move(more);
  };
  each(c.expands, &BlockGenes::expand);
  each(c.kernels, &BlockGenes::kernel);
  each(c.mlps, &BlockGenes::mlp);
  each(c.values, &BlockGenes::value);
  each(c.ses, &BlockGenes::se);
  return out;
}

bool chooses_se(const Space& space) {
  return std::any_of(space.stages.begin(), space.stages.end(), [](const StageChoices& c) { return !c.ses.empty(); });
}

Member smallest(const Space& space) {
  return pick_all(space, [](const auto& choices) { return choices.front(); });
}
Member largest(const Space& space) {
  return pick_all(space, [](const auto& choices) { return choices.back(); });
}

Member smallest_of_level(const Space& space, int64_t level) {
  const Levels& l = space.levels;
  for (const Smallest& s : l.smallest)
    if (level <= s.up_to + l.window) return s.member;
  return l.smallest.empty() ? smallest(space) : l.smallest.back().member;
}

Status check(const Space& space, const Member& m) {
  HONE_TRY(check_gene("", "resolution", m.resolution, space.resolutions));
  if (m.stages != space.stages.size()) return fail(Code::invalid, fmt::format("{} stages, the space has {}", m.stages, space.stages.size()));
  for (size_t i = 0; i < m.stages; ++i) {
    const StageChoices& c = space.stages[i];
    const Genes& g = m.stage[i];
    HONE_TRY(check_gene(c.name, "width", g.width, c.widths));
    HONE_TRY(check_gene(c.name, "depth", g.depth, c.depths));
    HONE_TRY(check_blocks(space, c, g));
    if (!space.widths_may_fall && i > 0 && g.width < m.stage[i - 1].width)
      return fail(Code::invalid, fmt::format("width {} is below the {} of {}", g.width, m.stage[i - 1].width, space.stages[i - 1].name), c.name,
                  "widths may not fall from stage to stage");
  }
  return {};
}

Arch to_arch(const Space& space, const Member& m, std::string name) {
  Arch a;
  a.name = std::move(name);
  a.family = "elasticvit";
  a.names = "elasticvit";
  a.resolution = m.resolution;
  a.activation = space.activation;
  a.stem = {"conv3x3", m.stage[0].width, {}};
  // What differs from ElasticViT is an option, so that its networks stay as they are published.
  if (space.stem_stride != 2) a.stem.options["stride"] = space.stem_stride;
  if (space.norm == Norm::token) a.options["norm"] = "token";
  if (space.head_dim != kHeadDim) a.options["head_dim"] = space.head_dim;
  for (size_t i = 0; i < m.stages; ++i) {
    const StageChoices& c = space.stages[i];
    const Genes& g = m.stage[i];
    Stage s;
    s.depth = g.depth;
    s.width = g.width;
    s.stride = c.stride;
    s.se = has_se(c, g.block[0]) ? 0.25 : 0;
    if (c.activation != space.activation) s.activation = c.activation;
    if (c.shortcut == Shortcut::same) s.options["shortcut"] = "same";
    auto per_block = [&](const char* key, uint8_t BlockGenes::*gene) {
      if (space.sharing == Sharing::stage) return;
      std::vector<int64_t> values;
      for (int32_t j = 0; j < g.depth; ++j) values.push_back(g.block[static_cast<size_t>(j)].*gene);
      s.options[key] = std::move(values);
    };
    if (c.block == Block::mobile) {
      s.block = "mobile";
      s.kernel = g.block[0].kernel;
      s.expand = g.block[0].expand;
      per_block("expands", &BlockGenes::expand);
      per_block("kernels", &BlockGenes::kernel);
      if (!c.ses.empty()) per_block("ses", &BlockGenes::se);
    } else {
      s.block = "transformer";
      s.expand = g.block[0].mlp;
      s.options["value_scale"] = int64_t{g.block[0].value};
      per_block("mlps", &BlockGenes::mlp);
      per_block("values", &BlockGenes::value);
    }
    a.stages.push_back(std::move(s));
  }
  a.head.kind = space.head == HeadKind::mb_pool ? "mb_pool" : "mobile";
  if (space.head_expand != kHeadExpand) a.head.options["expand"] = space.head_expand;
  a.head.width = space.head_width;
  a.head.classes = space.classes;
  return a;
}

Result<Member> member_of(const Space& space, const Arch& a) {
  auto outside = [&](const std::string& why) {
    return fail(Code::usage, fmt::format("no member of the space {}: {}", space.name, why), a.name, "hone space sample draws members");
  };
  if (a.family != "elasticvit") return outside(fmt::format("the network is a {}", a.family));
  if (a.stages.size() != space.stages.size() || space.stages.size() > kMaxStages) return outside(fmt::format("{} stages, the space has {}", a.stages.size(), space.stages.size()));
  Member m{static_cast<int32_t>(a.resolution), static_cast<uint32_t>(a.stages.size()), {}};
  for (size_t i = 0; i < a.stages.size(); ++i) {
    const Stage& s = a.stages[i];
    const bool mobile = space.stages[i].block == Block::mobile;
    const auto ratio = byte(static_cast<int64_t>(std::clamp(s.expand, 0.0, 255.0)));
    Genes& g = m.stage[i] = shared(s.width, s.depth, mobile ? BlockGenes{ratio, byte(s.kernel), 0, 0} : BlockGenes{0, 0, ratio, byte(option_int(s.options, "value_scale", 0))});
    if (mobile && !space.stages[i].ses.empty() && s.se > 0)
      for (int32_t j = 0; j < g.depth && j < static_cast<int32_t>(kMaxDepth); ++j) g.block[static_cast<size_t>(j)].se = 1;
    auto per_block = [&](const char* key, uint8_t BlockGenes::*gene) {
      const std::vector<int64_t> values = option_ints(s.options, key);
      for (size_t j = 0; j < values.size() && j < kMaxDepth; ++j) g.block[j].*gene = byte(values[j]);
    };
    per_block("expands", &BlockGenes::expand);
    per_block("kernels", &BlockGenes::kernel);
    per_block("mlps", &BlockGenes::mlp);
    per_block("values", &BlockGenes::value);
    per_block("ses", &BlockGenes::se);
  }
  if (Status s = check(space, m); !s) return outside(s.error().text());
  if (!equal(to_arch(space, m, a.name), a)) return outside("a setting that the encoding does not hold");
  return m;
}

Member sample(const Space& space, Rng& rng) {
  auto pick = [&rng](const std::vector<int64_t>& choices, size_t from = 0) {
    return choices.empty() ? 0 : choices[from + rng.below(choices.size() - from)];
  };
  Member m;
  m.resolution = static_cast<int32_t>(pick(space.resolutions));
  m.stages = static_cast<uint32_t>(space.stages.size());
  int64_t width = 0;
  for (size_t i = 0; i < space.stages.size(); ++i) {
    const StageChoices& c = space.stages[i];
    size_t from = 0;  // uniform among the widths >= the last one is what redrawing until it fits gives
    while (!space.widths_may_fall && from + 1 < c.widths.size() && c.widths[from] < width) ++from;
    auto block = [&] {  // in a fixed order: the same seed gives the same members everywhere
      BlockGenes b;
      b.expand = byte(pick(c.expands));
      b.kernel = byte(pick(c.kernels));
      b.mlp = byte(pick(c.mlps));
      b.value = byte(pick(c.values));
      b.se = byte(pick(c.ses));
      return b;
    };
    Genes& g = m.stage[i];
    const int64_t depth = pick(c.depths);
    width = pick(c.widths, from);
    g = shared(width, depth, block());
    if (space.sharing == Sharing::block)
      for (int64_t j = 1; j < depth; ++j) g.block[static_cast<size_t>(j)] = block();
  }
  return m;
}

Space above(const Space& space, const Member& floor) {
  Space out = space;
  out.levels = {};
  auto cut = [](std::vector<int64_t>& choices, int64_t least) { std::erase_if(choices, [least](int64_t v) { return v < least; }); };
  auto least = [](const Genes& g, uint8_t BlockGenes::*gene) {
    int64_t v = 255;
    for (int32_t j = 0; j < g.depth && j < static_cast<int32_t>(kMaxDepth); ++j) v = std::min<int64_t>(v, g.block[static_cast<size_t>(j)].*gene);
    return v;
  };
  cut(out.resolutions, floor.resolution);
  int64_t least_mlp = 255;
  for (size_t i = 0; i < floor.stages; ++i)
    if (const int64_t mlp = least(floor.stage[i], &BlockGenes::mlp)) least_mlp = std::min(least_mlp, mlp);
  for (size_t i = 0; i < out.stages.size(); ++i) {
    StageChoices& c = out.stages[i];
    const Genes& g = floor.stage[i];
    cut(c.widths, g.width);
    cut(c.depths, g.depth);
    cut(c.expands, least(g, &BlockGenes::expand));
    cut(c.kernels, least(g, &BlockGenes::kernel));
    cut(c.values, least(g, &BlockGenes::value));
    cut(c.mlps, least_mlp);
    cut(c.ses, least(g, &BlockGenes::se));
  }
  return out;
}

}  // namespace hone::space
