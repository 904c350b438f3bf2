#include "zoo/elasticvit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/checked.h"

namespace hone::elasticvit {

namespace {

std::vector<int64_t> range(int64_t first, int64_t last, int64_t step = 1) {
  std::vector<int64_t> out;
  for (int64_t v = first; v <= last; v += step) out.push_back(v);
  return out;
}

bool contains(const std::vector<int64_t>& choices, int64_t v) { return std::find(choices.begin(), choices.end(), v) != choices.end(); }

Status check_gene(const std::string& stage, const char* gene, int64_t v, const std::vector<int64_t>& choices) {
  if (choices.empty() ? v == 0 : contains(choices, v)) return {};
  if (choices.empty()) return fail(Code::invalid, fmt::format("{} {} in a stage that has no such gene", gene, v), stage);
  return fail(Code::invalid, fmt::format("{} {} is not in the space", gene, v), stage, fmt::format("allowed: {}", fmt::join(choices, ", ")));
}

template <class Pick>
Member pick_all(const Space& space, Pick pick) {
  Member m;
  m.resolution = static_cast<int32_t>(pick(space.resolutions));
  m.stages = static_cast<uint32_t>(space.stages.size());
  for (size_t i = 0; i < space.stages.size(); ++i) {
    const StageChoices& c = space.stages[i];
    auto gene = [&](const std::vector<int64_t>& choices) { return choices.empty() ? 0 : static_cast<int32_t>(pick(choices)); };
    m.stage[i] = {gene(c.widths), gene(c.depths), gene(c.expands), gene(c.kernels), gene(c.mlps), gene(c.values)};
  }
  return m;
}

Int count(const std::vector<int64_t>& choices) { return std::max<int64_t>(1, static_cast<int64_t>(choices.size())); }
Int choices_without_width(const StageChoices& c) { return count(c.depths) * count(c.expands) * count(c.kernels) * count(c.mlps) * count(c.values); }
std::optional<int64_t> value(Int n) { return n.ok() ? std::optional(n.value()) : std::nullopt; }

}  // namespace

const Space& published_space() {
  static const Space space = [] {
    const std::vector<int64_t> kernels{3, 5}, expands = range(3, 6), values = range(2, 4), mlps = range(2, 5);
    Space s;
    s.resolutions = {128, 160, 176, 192, 224, 256};
    s.stages = {
        {"stem", Block::mobile, 1, false, range(1, 2), {16, 24}, {1}, kernels, {}, {}},
        {"C1", Block::mobile, 2, false, range(2, 5), range(16, 32, 8), expands, kernels, {}, {}},
        {"C2", Block::mobile, 2, true, range(2, 6), range(16, 48, 8), expands, kernels, {}, {}},
        {"T1", Block::transformer, 2, true, range(1, 5), range(48, 96, 16), {}, {}, mlps, values},
        {"T2", Block::transformer, 1, true, range(1, 6), range(80, 160, 16), {}, {}, mlps, values},
        {"T3", Block::transformer, 2, true, range(1, 6), range(144, 288, 16), {}, {}, mlps, values},
        {"T4", Block::transformer, 2, true, range(1, 6), range(160, 320, 16), {}, {}, mlps, values},
    };
    return s;
  }();
  return space;
}

std::optional<int64_t> size(const Space& space) {
  // ways[j]: partial members whose last width is the j-th choice of the stage.
  std::vector<Int> ways;
  const std::vector<int64_t>* widths = nullptr;
  for (const StageChoices& c : space.stages) {
    std::vector<Int> next;
    for (int64_t w : c.widths) {
      Int sum = widths ? 0 : static_cast<int64_t>(space.resolutions.size());
      for (size_t j = 0; widths && j < widths->size(); ++j)
        if ((*widths)[j] <= w) sum += ways[j];
      next.push_back(sum * choices_without_width(c));
    }
    ways = std::move(next);
    widths = &c.widths;
  }
  Int total = 0;
  for (Int n : ways) total += n;
  return value(total);
}

std::optional<int64_t> size_of_paper(const Space& space) {
  Int total = static_cast<int64_t>(space.resolutions.size());
  if (!space.stages.empty()) total *= count(space.stages[0].widths);
  for (const StageChoices& c : space.stages) total *= choices_without_width(c) * count(c.widths);
  return value(total);
}

Member smallest(const Space& space) {
  return pick_all(space, [](const auto& choices) { return choices.front(); });
}
Member largest(const Space& space) {
  return pick_all(space, [](const auto& choices) { return choices.back(); });
}

Status check(const Space& space, const Member& m) {
  HONE_TRY(check_gene("", "resolution", m.resolution, space.resolutions));
  if (m.stages != space.stages.size()) return fail(Code::invalid, fmt::format("{} stages, the space has {}", m.stages, space.stages.size()));
  for (size_t i = 0; i < m.stages; ++i) {
    const StageChoices& c = space.stages[i];
    const Genes& g = m.stage[i];
    HONE_TRY(check_gene(c.name, "width", g.width, c.widths));
    HONE_TRY(check_gene(c.name, "depth", g.depth, c.depths));
    HONE_TRY(check_gene(c.name, "expansion ratio", g.expand, c.expands));
    HONE_TRY(check_gene(c.name, "kernel", g.kernel, c.kernels));
    HONE_TRY(check_gene(c.name, "MLP ratio", g.mlp, c.mlps));
    HONE_TRY(check_gene(c.name, "V scale", g.value, c.values));
    if (i > 0 && g.width < m.stage[i - 1].width)
      return fail(Code::invalid, fmt::format("width {} is below the {} of {}", g.width, m.stage[i - 1].width, space.stages[i - 1].name), c.name,
                  "widths may not fall from stage to stage");
  }
  return {};
}

const std::vector<Named>& named_members() {
  static const std::vector<Named> all = [] {
    // As in the authors' configuration: lists over stem, C1, C2, T1 .. T4; e over C1, C2; k over stem, C1, C2; MLP and V
    // over T1 .. T4.
    struct Row {
      std::string_view name;
      int32_t resolution;
      std::array<int32_t, 7> width, depth;
      std::array<int32_t, 2> expand;
      std::array<int32_t, 3> kernel;
      std::array<int32_t, 4> mlp, value;
    };
    static constexpr Row rows[] = {
        {"T1", 128, {16, 24, 32, 64, 96, 176, 272}, {1, 2, 3, 1, 1, 1, 1}, {3, 3}, {3, 3, 3}, {2, 2, 3, 4}, {2, 2, 2, 2}},
        {"T2", 160, {16, 24, 40, 48, 96, 176, 256}, {1, 2, 3, 1, 1, 2, 2}, {3, 3}, {3, 3, 3}, {3, 4, 3, 2}, {2, 2, 2, 2}},
        {"S1", 192, {16, 24, 40, 64, 96, 192, 272}, {1, 3, 3, 2, 2, 2, 2}, {3, 3}, {3, 3, 3}, {2, 2, 3, 4}, {2, 2, 2, 2}},
        {"S2", 224, {16, 24, 48, 64, 96, 192, 256}, {1, 3, 3, 2, 2, 2, 2}, {3, 3}, {3, 3, 3}, {2, 2, 2, 4}, {2, 2, 2, 2}},
        {"M", 224, {16, 32, 48, 64, 96, 192, 288}, {1, 3, 5, 2, 2, 2, 2}, {3, 3}, {5, 3, 3}, {2, 4, 4, 5}, {2, 2, 2, 2}},
        {"L1", 256, {16, 24, 40, 64, 96, 192, 320}, {1, 3, 3, 2, 2, 2, 2}, {3, 6}, {5, 5, 5}, {4, 3, 4, 4}, {2, 2, 2, 2}},
        {"L1.5", 256, {16, 24, 48, 64, 96, 256, 320}, {2, 4, 4, 2, 2, 2, 2}, {3, 4}, {3, 3, 5}, {4, 5, 3, 5}, {2, 2, 2, 2}},
        {"L2", 256, {16, 24, 40, 80, 128, 256, 304}, {1, 3, 4, 2, 2, 2, 2}, {6, 6}, {3, 3, 3}, {3, 2, 3, 5}, {2, 2, 2, 3}},
        {"L3", 256, {16, 32, 48, 80, 128, 256, 320}, {1, 3, 4, 2, 2, 2, 2}, {5, 5}, {5, 3, 5}, {4, 4, 3, 5}, {2, 2, 2, 2}},
        {"min1", 128, {16, 16, 16, 48, 80, 144, 160}, {1, 2, 2, 1, 1, 1, 1}, {3, 3}, {3, 3, 3}, {2, 2, 2, 2}, {2, 2, 2, 2}},
        {"min2", 176, {16, 24, 32, 48, 96, 176, 224}, {1, 3, 3, 2, 2, 2, 2}, {3, 3}, {3, 3, 3}, {2, 3, 2, 2}, {2, 2, 2, 2}},
        {"min3", 224, {16, 24, 32, 64, 96, 192, 256}, {1, 3, 3, 2, 2, 2, 2}, {3, 3}, {3, 3, 3}, {2, 2, 2, 2}, {2, 2, 2, 2}},
    };
    std::vector<Named> out;
    for (const Row& r : rows) {
      Member m{r.resolution, 7, {}};
      for (size_t i = 0; i < 7; ++i) {
        Genes& g = m.stage[i];
        g.width = r.width[i];
        g.depth = r.depth[i];
        if (i < 3) {
          g.expand = i == 0 ? 1 : r.expand[i - 1];
          g.kernel = r.kernel[i];
        } else {
          g.mlp = r.mlp[i - 3];
          g.value = r.value[i - 3];
        }
      }
      out.push_back({r.name, m});
    }
    out.push_back({"min", smallest(published_space())});
    out.push_back({"max", largest(published_space())});
    return out;
  }();
  return all;
}

Arch to_arch(const Space& space, const Member& m, std::string name) {
  Arch a;
  a.name = std::move(name);
  a.family = "elasticvit";
  a.names = "elasticvit";
  a.resolution = m.resolution;
  a.activation = "hard_swish";
  a.stem = {"conv3x3", m.stage[0].width, {}};
  for (size_t i = 0; i < m.stages; ++i) {
    const StageChoices& c = space.stages[i];
    const Genes& g = m.stage[i];
    Stage s;
    s.depth = g.depth;
    s.width = g.width;
    s.stride = c.stride;
    s.se = c.se ? 0.25 : 0;
    if (c.block == Block::mobile) {
      s.block = "mobile";
      s.kernel = g.kernel;
      s.expand = g.expand;
    } else {
      s.block = "transformer";
      s.expand = g.mlp;
      s.options["value_scale"] = int64_t{g.value};
    }
    a.stages.push_back(std::move(s));
  }
  a.head.kind = "mb_pool";
  a.head.width = space.head_width;
  a.head.classes = space.classes;
  return a;
}

Result<Member> member_of(const Space& space, const Arch& a) {
  const std::string hint = "the authors' counter is a function of the encoding: it counts members of the search space only";
  auto outside = [&](const std::string& why) { return fail(Code::usage, "no member of the ElasticViT space: " + why, a.name, hint); };
  if (a.family != "elasticvit" || a.stages.size() != space.stages.size() || space.stages.size() > kMaxStages) return outside("other stages");
  Member m{static_cast<int32_t>(a.resolution), static_cast<uint32_t>(a.stages.size()), {}};
  for (size_t i = 0; i < a.stages.size(); ++i) {
    const Stage& s = a.stages[i];
    Genes& g = m.stage[i];
    g.width = static_cast<int32_t>(s.width);
    g.depth = static_cast<int32_t>(s.depth);
    if (space.stages[i].block == Block::mobile) {
      g.expand = static_cast<int32_t>(s.expand);
      g.kernel = static_cast<int32_t>(s.kernel);
    } else {
      g.mlp = static_cast<int32_t>(s.expand);
      g.value = static_cast<int32_t>(option_int(s.options, "value_scale", 0));
    }
  }
  if (Status s = check(space, m); !s) return outside(s.error().text());
  if (!equal(to_arch(space, m, a.name), a)) return outside("a setting that the encoding does not hold");
  return m;
}

Member sample(const Space& space, Rng& rng) {
  auto pick = [&rng](const std::vector<int64_t>& choices, size_t from = 0) {
    return choices.empty() ? 0 : static_cast<int32_t>(choices[from + rng.below(choices.size() - from)]);
  };
  Member m;
  m.resolution = pick(space.resolutions);
  m.stages = static_cast<uint32_t>(space.stages.size());
  int32_t width = 0;
  for (size_t i = 0; i < space.stages.size(); ++i) {
    const StageChoices& c = space.stages[i];
    size_t from = 0;  // uniform among the widths >= the last one is what redrawing until it fits gives
    while (from + 1 < c.widths.size() && c.widths[from] < width) ++from;
    Genes& g = m.stage[i];
    g.depth = pick(c.depths);
    g.width = width = pick(c.widths, from);
    g.expand = pick(c.expands);
    g.kernel = pick(c.kernels);
    g.mlp = pick(c.mlps);
    g.value = pick(c.values);
  }
  return m;
}

Space above(const Space& space, const Member& floor) {
  Space out = space;
  auto cut = [](std::vector<int64_t>& choices, int64_t least) { std::erase_if(choices, [least](int64_t v) { return v < least; }); };
  cut(out.resolutions, floor.resolution);
  int32_t least_mlp = INT32_MAX;
  for (size_t i = 0; i < floor.stages; ++i)
    if (floor.stage[i].mlp) least_mlp = std::min(least_mlp, floor.stage[i].mlp);
  for (size_t i = 0; i < out.stages.size(); ++i) {
    StageChoices& c = out.stages[i];
    const Genes& g = floor.stage[i];
    cut(c.widths, g.width);
    cut(c.depths, g.depth);
    cut(c.expands, g.expand);
    cut(c.kernels, g.kernel);
    cut(c.values, g.value);
    if (!c.mlps.empty()) cut(c.mlps, least_mlp);
  }
  return out;
}

}  // namespace hone::elasticvit
