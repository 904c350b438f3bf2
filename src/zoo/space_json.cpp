// The 10-tuple of the authors' repository as JSON; nothing in a file is trusted.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "zoo/space.h"

namespace hone::space {

namespace {

using Json = nlohmann::json;

constexpr const char* kFields[] = {"res", "channels", "depths", "conv_ratio", "kernel", "mlp_ratio", "heads", "window", "qk_scale", "v_scale", "se"};
constexpr size_t kFieldCount = 11, kSe = 10;
// The last one is there where blocks choose squeeze-and-excitation.
size_t field_count(const Space& space) { return chooses_se(space) ? kFieldCount : kSe; }
std::string form(const Space& space) {
  return fmt::format("[res, channels[], depths[], conv_ratio[], kernel[], mlp_ratio[], heads[], window[], qk_scale[], v_scale[]{}]", chooses_se(space) ? ", se[]" : "");
}

// The file does not say of which space it is, so the error does.
std::string hint(const Space& space) { return fmt::format("read as a member of the space {}: {}", space.name, form(space)); }

struct Reader {
  const Space& space;
  const std::string& source;
  std::array<std::vector<int64_t>, kFieldCount> field;

  tl::unexpected<Error> wrong(size_t i, std::string what) const {
    return fail(Code::invalid, std::move(what), fmt::format("{}: {}", source, kFields[i]), hint(space));
  }

  Status read(const Json& json, size_t i) {
    const Json& j = json[i];
    if (i == 0) {
      if (!j.is_number_integer()) return wrong(i, "expected an integer");
      field[0] = {j.get<int64_t>()};
      return {};
    }
    if (!j.is_array()) return wrong(i, "expected a list of integers");
    for (const Json& v : j) {
      if (!v.is_number_integer()) return wrong(i, "expected a list of integers");
      const auto n = v.get<int64_t>();
      if (n < 0 || n > INT32_MAX) return wrong(i, fmt::format("{} is out of range", v.dump()));
      field[i].push_back(n);
    }
    return {};
  }

  Status length(size_t i, int64_t expected, const char* of) const {
    if (static_cast<int64_t>(field[i].size()) == expected) return {};
    return wrong(i, fmt::format("{} values, expected {} (one per {})", field[i].size(), expected, of));
  }

  // The values of one stage's blocks, from `begin` on. Choices are checked here: they fit a byte, what a file holds may not.
  Status genes(size_t i, size_t begin, const StageChoices& c, const std::vector<int64_t>& choices, const char* what, uint8_t BlockGenes::*gene, Genes& g) const {
    const auto* v = field[i].data() + begin;
    for (int32_t k = 0; k < g.depth; ++k) {
      if (std::find(choices.begin(), choices.end(), v[k]) == choices.end())
        return fail(Code::invalid, fmt::format("{} {} is not in the space", what, v[k]), fmt::format("{}: {}", source, c.name), fmt::format("allowed: {}", fmt::join(choices, ", ")));
      if (space.sharing == Sharing::stage && v[k] != v[0])
        return wrong(i, fmt::format("{} has {}: the blocks of a stage share their genes", c.name, fmt::join(v, v + g.depth, ", ")));
      g.block[static_cast<size_t>(k)].*gene = static_cast<uint8_t>(v[k]);
    }
    return {};
  }
  // What a transformer stage cannot choose.
  Status fixed(size_t i, size_t begin, const StageChoices& c, const Genes& g, int64_t expected, const char* what, const std::string& hint) const {
    for (int32_t k = 0; k < g.depth; ++k)
      if (const int64_t v = field[i][begin + static_cast<size_t>(k)]; v != expected) return wrong(i, fmt::format("{} has {}{}", c.name, fmt::format(fmt::runtime(what), v), hint));
    return {};
  }

  Result<Member> member() const {
    const auto stages = static_cast<int64_t>(space.stages.size());
    HONE_TRY(length(1, stages, "stage"));
    HONE_TRY(length(2, stages, "stage"));
    int64_t blocks[2] = {0, 0}, choosing = 0;
    for (size_t s = 0; s < space.stages.size(); ++s) {
      const auto& depths = space.stages[s].depths;
      const int64_t d = field[2][s];
      if (std::find(depths.begin(), depths.end(), d) == depths.end())  // before lengths are added up
        return fail(Code::invalid, fmt::format("depth {} is not in the space", d), fmt::format("{}: {}", source, space.stages[s].name),
                    fmt::format("allowed: {}", fmt::join(depths, ", ")));
      blocks[space.stages[s].block == Block::transformer] += d;
      if (!space.stages[s].ses.empty()) choosing += d;
    }
    HONE_TRY(length(kSe, choosing, "block that chooses squeeze-and-excitation"));
    for (size_t i = 3; i < kSe; ++i) HONE_TRY(length(i, blocks[i >= 5], i >= 5 ? "transformer block" : "conv block"));

    Member m;
    if (field[0][0] < 0 || field[0][0] > INT32_MAX) return wrong(0, fmt::format("{} is out of range", field[0][0]));
    m.resolution = static_cast<int32_t>(field[0][0]);
    m.stages = static_cast<uint32_t>(stages);
    size_t at[2] = {0, 0}, at_se = 0;
    for (size_t s = 0; s < space.stages.size(); ++s) {
      const StageChoices& c = space.stages[s];
      Genes& g = m.stage[s];
      g.width = static_cast<int32_t>(field[1][s]);
      g.depth = static_cast<int32_t>(field[2][s]);
      size_t& begin = at[c.block == Block::transformer];
      if (c.block == Block::mobile) {
        HONE_TRY(genes(3, begin, c, c.expands, "expansion ratio", &BlockGenes::expand, g));
        HONE_TRY(genes(4, begin, c, c.kernels, "kernel", &BlockGenes::kernel, g));
        if (!c.ses.empty()) {
          HONE_TRY(genes(kSe, at_se, c, c.ses, "squeeze-and-excitation", &BlockGenes::se, g));
          at_se += static_cast<size_t>(g.depth);
        }
      } else {
        HONE_TRY(genes(5, begin, c, c.mlps, "MLP ratio", &BlockGenes::mlp, g));
        HONE_TRY(genes(9, begin, c, c.values, "V scale", &BlockGenes::value, g));
      }
      begin += static_cast<size_t>(g.depth);
    }
    if (Status status = check(space, m); !status) {
      Error e = status.error();
      e.where = e.where.empty() ? source : source + ": " + e.where;
      return fail(std::move(e));
    }
    size_t begin = 0;
    for (size_t s = 0; s < space.stages.size(); ++s) {
      const StageChoices& c = space.stages[s];
      const Genes& g = m.stage[s];
      if (c.block == Block::mobile) continue;
      const int64_t heads = g.width / space.head_dim;
      HONE_TRY(fixed(6, begin, c, g, heads, "{} heads", fmt::format(", expected {} (width / {})", heads, space.head_dim)));
      HONE_TRY(fixed(7, begin, c, g, 1, "window {}", ", allowed: 1"));
      HONE_TRY(fixed(8, begin, c, g, 1, "qk_scale {}", ", allowed: 1"));
      begin += static_cast<size_t>(g.depth);
    }
    return m;
  }
};

}  // namespace

Result<Member> parse_member(const Space& space, const std::string& text, const std::string& source) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return fail(Code::invalid, "not valid JSON", source, hint(space));
  if (!json.is_array() || json.size() != field_count(space))
    return fail(Code::invalid, fmt::format("expected an array of {} values", field_count(space)), source, hint(space));
  if (space.stages.size() > kMaxStages) return fail(Code::invalid, "the space has too many stages", source);
  Reader reader{space, source, {}};
  for (size_t i = 0; i < json.size(); ++i) HONE_TRY(reader.read(json, i));
  return reader.member();
}

std::string print_member(const Space& space, const Member& m) {
  std::array<std::vector<int64_t>, kFieldCount> field;
  for (size_t s = 0; s < m.stages; ++s) {
    const Genes& g = m.stage[s];
    field[1].push_back(g.width);
    field[2].push_back(g.depth);
    for (int32_t k = 0; k < g.depth; ++k) {
      const BlockGenes& b = g.block[static_cast<size_t>(k)];
      if (space.stages[s].block == Block::mobile) {
        field[3].push_back(b.expand);
        field[4].push_back(b.kernel);
        if (!space.stages[s].ses.empty()) field[kSe].push_back(b.se);
      } else {
        const int64_t per_block[] = {b.mlp, g.width / space.head_dim, 1, 1, b.value};
        for (size_t i = 0; i < 5; ++i) field[5 + i].push_back(per_block[i]);
      }
    }
  }
  std::string out = fmt::format("[{}", m.resolution);
  for (size_t i = 1; i < field_count(space); ++i) out += fmt::format(", {}", field[i]);
  return out + "]\n";
}

}  // namespace hone::space
