// Where spaces come from, and what makes one sound.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/file.h"
#include "core/nearest.h"
#include "zoo/space.h"
#include "zoo/space_presets.h"

namespace hone::space {

namespace {

// A complaint of check_space() says the table's path first in `where`, and begins with the key: a parser adds the line.
constexpr size_t kMaxCount = 127;  // choices of a list: their indices fit seven bits
constexpr int64_t kMaxChoice = 1 << 14, kMaxByte = 255;

Status check_list(const std::string& where, const char* key, const std::vector<int64_t>& choices, int64_t high, bool wanted = true) {
  if (!wanted) {
    if (choices.empty()) return {};
    return fail(Code::invalid, fmt::format("{} is given, and a stage of this block has none", key), where, "a mobile stage has expands and kernels, a transformer stage mlps and values");
  }
  if (choices.empty()) return fail(Code::invalid, fmt::format("{} is missing or empty", key), where);
  if (choices.size() > kMaxCount) return fail(Code::invalid, fmt::format("{} has {} choices, expected {} at most", key, choices.size(), kMaxCount), where);
  for (size_t i = 0; i < choices.size(); ++i) {
    if (choices[i] < 1 || choices[i] > high) return fail(Code::invalid, fmt::format("{} holds {}, expected 1 to {}", key, choices[i], high), where);
    if (i > 0 && choices[i] <= choices[i - 1]) return fail(Code::invalid, fmt::format("{} holds {} behind {}: choices ascend", key, choices[i], choices[i - 1]), where);
  }
  return {};
}

// Empty, or of 0 and 1.
Status check_ses(const std::string& where, const StageChoices& c) {
  if (c.ses.empty()) return {};
  if (c.block != Block::mobile) return fail(Code::invalid, "squeeze_excites is given, and only the blocks of a mobile stage choose", where, "squeeze_excite = true or false is for the downsampling block");
  if (c.ses != std::vector<int64_t>{0, 1} && c.ses != std::vector<int64_t>{0} && c.ses != std::vector<int64_t>{1}) return fail(Code::invalid, "squeeze_excites holds other choices than 0 (without) and 1 (with), in this order", where);
  if (c.se) return fail(Code::invalid, "squeeze_excites is given beside squeeze_excite = true", where, "leave one of them out: the list is for stages whose blocks choose");
  return {};
}

Status check_number(const std::string& where, const char* key, int64_t v, int64_t low, int64_t high) {
  if (v >= low && v <= high) return {};
  return fail(Code::invalid, fmt::format("{} is {}, expected {} to {}", key, v, low, high), where);
}

Status check_activation(const std::string& where, const std::string& kind) {
  static const std::vector<std::string> known = {"hard_swish", "relu", "relu6", "silu", "gelu"};
  if (std::find(known.begin(), known.end(), kind) != known.end()) return {};
  return fail(Code::invalid, fmt::format("activation is '{}', expected {}", kind, fmt::join(known, ", ")), where, fmt::format("did you mean '{}'?", nearest(kind, known, 1)[0]));
}

Status check_stage(const Space& s, size_t i, int64_t& most_stride) {
  const StageChoices& c = s.stages[i];
  const std::string where = fmt::format("stages[{}] ({})", i, c.name);
  const bool mobile = c.block == Block::mobile;
  if (c.name.empty()) return fail(Code::invalid, "name is empty", where);
  HONE_TRY(check_number(where, "stride", c.stride, 1, 2));
  most_stride *= c.stride;
  HONE_TRY(check_list(where, "depths", c.depths, kMaxDepth));
  HONE_TRY(check_list(where, "widths", c.widths, kMaxChoice));
  HONE_TRY(check_list(where, "expands", c.expands, 16, mobile));
  HONE_TRY(check_list(where, "kernels", c.kernels, 15, mobile));
  HONE_TRY(check_list(where, "mlps", c.mlps, 16, !mobile));
  HONE_TRY(check_list(where, "values", c.values, 16, !mobile));
  HONE_TRY(check_ses(where, c));
  HONE_TRY(check_activation(where, c.activation));
  for (int64_t k : c.kernels)
    if (k % 2 == 0) return fail(Code::invalid, fmt::format("kernels holds {}: a smaller kernel is the middle of a larger one, so sides are odd", k), where);
  if (c.expands.size() > 1 && c.expands[0] == 1) return fail(Code::invalid, "expands holds 1 beside other ratios: a block has an expansion or it has none", where, "write expands = [1], or leave 1 out");
  for (int64_t w : c.widths)
    if (!mobile && w % s.head_dim) return fail(Code::invalid, fmt::format("widths holds {}, which is no multiple of head_dim {}", w, s.head_dim), where);
  if (i > 0 && !s.widths_may_fall && c.widths.back() < s.stages[i - 1].widths.back())
    return fail(Code::invalid, fmt::format("widths ends with {}, below the {} of {}: such a member could not go on", c.widths.back(), s.stages[i - 1].widths.back(), s.stages[i - 1].name), where,
                "add a wider choice, or set widths_may_fall = true");
  for (size_t j = 0; j < i; ++j)
    if (s.stages[j].name == c.name) return fail(Code::invalid, fmt::format("name is '{}', as that of stages[{}]", c.name, j), where);
  return {};
}

Status check_levels(const Space& s) {
  const Levels& l = s.levels;
  if (l == Levels{}) return {};
  constexpr int64_t kMost = int64_t{1} << 50;
  if (l.at.empty()) return fail(Code::invalid, "at is empty", "levels");
  for (size_t i = 0; i < l.at.size(); ++i) {
    if (l.at[i] < 1 || l.at[i] > kMost) return fail(Code::invalid, fmt::format("at holds {}, expected 1 to {}", l.at[i], kMost), "levels");
    if (i > 0 && l.at[i] <= l.at[i - 1]) return fail(Code::invalid, fmt::format("at holds {} behind {}: levels ascend", l.at[i], l.at[i - 1]), "levels");
  }
  HONE_TRY(check_number("levels", "window", l.window, 1, kMost));
  for (size_t i = 0; i < l.smallest.size(); ++i) {
    const std::string where = fmt::format("levels.smallest[{}] ({})", i, l.smallest[i].name);
    HONE_TRY(check_number(where, "up_to", l.smallest[i].up_to, 1, kMost));
    if (i > 0 && l.smallest[i].up_to <= l.smallest[i - 1].up_to) return fail(Code::invalid, "up_to is not above that of the one before", where);
    HONE_TRY(check(s, l.smallest[i].member));
  }
  return {};
}

}  // namespace

Status check_space(const Space& s) {
  if (s.name.empty()) return fail(Code::invalid, "name is empty");
  if (s.stages.empty() || s.stages.size() > kMaxStages) return fail(Code::invalid, fmt::format("{} stages, expected 1 to {}", s.stages.size(), kMaxStages), "stages");
  if (s.stages[0].block != Block::mobile) return fail(Code::invalid, "block is transformer, expected mobile in the first stage", "stages[0]");
  HONE_TRY(check_number("", "classes", s.classes, 1, 1 << 16));
  HONE_TRY(check_number("", "head_dim", s.head_dim, 1, 256));
  HONE_TRY(check_number("stem", "stride", s.stem_stride, 1, 2));
  HONE_TRY(check_number("head", "expand", s.head_expand, 1, 16));
  HONE_TRY(check_number("head", "width", s.head_width, 0, 1 << 16));
  HONE_TRY(check_activation("", s.activation));
  HONE_TRY(check_list("", "resolutions", s.resolutions, 1024));
  int64_t stride = s.stem_stride;
  for (size_t i = 0; i < s.stages.size(); ++i) HONE_TRY(check_stage(s, i, stride));
  if (s.resolutions.front() < stride) return fail(Code::invalid, fmt::format("resolutions holds {}, which is below the overall stride {}", s.resolutions.front(), stride));
  return check_levels(s);
}

std::vector<std::string_view> preset_names() {
  std::vector<std::string_view> out;
  for (const Preset& p : presets()) out.push_back(p.name);
  return out;
}

Result<Space> open_space(const std::string& name) {
  for (const Preset& p : presets())
    if (p.name == name) return parse_space(std::string(p.toml), fmt::format("preset {}", p.name));
  if (name.size() > 5 && name.ends_with(".toml")) {
    HONE_TRY_ASSIGN(const std::string text, read_file(name));
    return parse_space(text, name);
  }
  std::vector<std::string> known;
  for (std::string_view p : preset_names()) known.emplace_back(p);
  return fail(Code::usage, fmt::format("there is no space called '{}'", name), "", fmt::format("did you mean {}? `hone space list` shows all; a file of yours ends with .toml", nearest(name, known, 1)[0]));
}

Result<Member> read_member(const Space& space, const std::string& file) {
  HONE_TRY_ASSIGN(const std::string text, read_file(file, size_t{1} << 20));
  if (!file.ends_with(".toml")) return parse_member(space, text, file);
  HONE_TRY_ASSIGN(const Arch arch, parse_arch(text, file));
  auto member = member_of(space, arch);
  if (!member) member.error().where = file;
  return member;
}

const Space& published_space() {
  static const Space space = open_space("elasticvit").value_or(Space{});  // a test reads every preset
  return space;
}

}  // namespace hone::space
