#include "scale/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "zoo/space.h"

namespace hone {

namespace {

// Integers of an Arch under one factor. The pycls configurations follow pycls' scaler to the letter, which rounds every
// number at factor 1 too; in other networks a factor of 1 leaves a number alone, whatever it is.
struct Round {
  Rounding rounding;
  bool exact;  // always round

  int64_t depth(int64_t depth, double f) const { return keep(f) ? depth : round_depth(depth, f, rounding == Rounding::efficientnet); }
  int64_t width(int64_t width, double f, int64_t unit = 8) const {
    if (width == 0 || keep(f)) return width;
    if (unit == 8 && (rounding == Rounding::make_div || rounding == Rounding::efficientnet)) return round_width_make_div(width, f);
    return round_width(width, f, unit);
  }
  int64_t group(int64_t group, double f) const { return keep(f) ? group : round_group(group, f); }
  int64_t resolution(int64_t resolution, double f, int64_t step = 4) const {
    return resolution == 0 || keep(f) ? resolution : round_resolution(resolution, f, step);
  }

 private:
  bool keep(double f) const { return !exact && f == 1; }
};

Round rounder(const Arch& a, Rounding rounding, Rounding family_rule) {
  if (rounding == Rounding::family) rounding = a.names == "pycls" ? Rounding::pycls : family_rule;
  return {rounding, a.names == "pycls"};
}

void scale_resolution(Arch& a, const Round& round, double f, int64_t step = 4) {
  a.resolution = round.resolution(a.resolution, f, step);
  a.test_resolution = round.resolution(a.test_resolution, f, step);
}

// ResNet, ResNeXt, RegNet, AnyNet: stem and head keep their widths, group widths scale and are made to fit.
Arch scale_anynet(const Arch& base, const Factors& f, Rounding rounding) {
  const Round round = rounder(base, rounding, Rounding::pycls);
  Arch a = base;
  for (Stage& s : a.stages) {
    const auto inner = static_cast<int64_t>(std::nearbyint(static_cast<double>(s.width) * s.expand));
    const bool dense = s.group_width == 0 || s.group_width == inner;
    s.depth = round.depth(s.depth, f.d);
    if (dense && a.names != "pycls") {
      // One group stays one group; steps in which the inner width is a multiple of 8 as well.
      const double unit = s.expand > 0 && s.expand < 1 ? std::nearbyint(8 / s.expand) : 8;
      s.width = round.width(s.width, f.w, static_cast<int64_t>(std::min(unit, 64.0)));
      if (s.group_width != 0) s.group_width = static_cast<int64_t>(std::nearbyint(static_cast<double>(s.width) * s.expand));
      continue;
    }
    s.width = round.width(s.width, f.w);
    int64_t group = round.group(std::max<int64_t>(1, s.group_width), f.g);
    if (const int64_t norm = option_int(a.options, "group_norm", 0); norm > 0 && group != s.group_width)
      group = round_width(group, 1, std::min<int64_t>(norm, 1 << 12));  // so that norms over groups of channels fit as well
    if (f.w == 1 && group == s.group_width && a.names != "pycls") continue;
    const Compatible fit = make_compatible(s.width, s.expand, group);
    s.width = fit.width;
    if (s.group_width != 0) s.group_width = fit.group;
  }
  scale_resolution(a, round, f.r);
  return a;
}

// EfficientNet: stem and head scale as well. The depthwise convolutions have no group width to scale.
Arch scale_efficientnet(const Arch& base, const Factors& f, Rounding rounding) {
  const Round round = rounder(base, rounding, Rounding::make_div);
  Arch a = base;
  for (Stage& s : a.stages) {
    // A bare 1x1 convolution is the last layer before the pool (MobileNetV3): there is no sense in two of them.
    if (s.block != "conv" || s.kernel > 1) s.depth = round.depth(s.depth, f.d);
    s.width = round.width(s.width, f.w);
  }
  a.stem.width = round.width(a.stem.width, f.w);
  a.head.width = round.width(a.head.width, f.w);
  scale_resolution(a, round, f.r);
  return a;
}

// MobileNets: as EfficientNet, but the last layer grows only (Sandler et al. 2018, section 4).
Arch scale_mobilenet(const Arch& base, const Factors& f, Rounding rounding) {
  Arch a = scale_efficientnet(base, f, rounding);
  a.head.width = std::max(a.head.width, base.head.width);
  return a;
}

Arch scale_vgg(const Arch& base, const Factors& f, Rounding rounding) {
  const Round round = rounder(base, rounding, Rounding::pycls);
  Arch a = base;
  for (Stage& s : a.stages) {
    s.depth = round.depth(s.depth, f.d);
    s.width = round.width(s.width, f.w);
  }
  scale_resolution(a, round, f.r, 32);
  return a;
}

// ViT: heads keep their width, so the width moves in whole heads; the resolution in whole patches. A head is a large step
// (a sixth of ViT-S), so where the strategy moves the depth, the depth takes up what rounding the width gained or lost:
// depth * width^2 stays what the strategy asks for.
Arch scale_vit(const Arch& base, const Factors& f, Rounding rounding) {
  const Round round = rounder(base, rounding, Rounding::pycls);
  Arch a = base;
  for (Stage& s : a.stages) {
    const int64_t head = std::max<int64_t>(1, s.heads > 0 ? s.width / s.heads : s.width);
    const double wish = static_cast<double>(s.width) * f.w;
    if (f.w != 1) s.width = round_width(s.width, f.w, head);
    if (s.heads > 0) s.heads = s.width / head;
    const double share = f.d == 1 ? 1 : wish / static_cast<double>(std::max<int64_t>(1, s.width));
    s.depth = round.depth(s.depth, f.d * share * share);
  }
  if (!a.stages.empty()) a.stem.width = a.stages[0].width;
  if (auto it = a.stem.options.find("widths"); it != a.stem.options.end())  // a convolutional stem
    if (auto* widths = std::get_if<std::vector<int64_t>>(&it->second))
      for (int64_t& w : *widths) w = round.width(w, f.w);
  int64_t step = option_int(a.stem.options, "patch", 1);
  for (int64_t stride : option_ints(a.stem.options, "strides")) step = std::min<int64_t>(step * std::clamp<int64_t>(stride, 1, 64), 1 << 14);
  if (f.r != 1) scale_resolution(a, round, f.r, std::max<int64_t>(1, step));
  return a;
}

// LeViT: queries and keys keep key_dim channels a head, and the shrinking attention has width / key_dim heads, so widths
// move in multiples of key_dim and the number of heads with them.
Arch scale_levit(const Arch& base, const Factors& f, Rounding rounding) {
  const Round round = rounder(base, rounding, Rounding::pycls);
  Arch a = base;
  const int64_t key = std::max<int64_t>(1, option_int(a.options, "key_dim", 16));
  for (Stage& s : a.stages) {
    s.depth = round.depth(s.depth, f.d);
    const int64_t width = s.width;
    s.width = round.width(s.width, f.w, std::max<int64_t>(8, key));
    s.heads = std::max<int64_t>(1, static_cast<int64_t>(std::nearbyint(static_cast<double>(s.heads * s.width) / static_cast<double>(std::max<int64_t>(1, width)))));
  }
  if (!a.stages.empty()) a.stem.width = a.stages[0].width;
  scale_resolution(a, round, f.r, 16);
  return a;
}

int64_t nearest(const std::vector<int64_t>& choices, double wish, int64_t at_least = 0) {
  int64_t best = choices.back();
  for (int64_t c : choices)
    if (c >= at_least && std::fabs(static_cast<double>(c) - wish) < std::fabs(static_cast<double>(best) - wish)) best = c;
  return best;
}

// ElasticViT: convolutional stages in steps of 8, transformer stages in steps of a head of 16 channels, widths that do not
// fall from stage to stage, resolutions in steps of 16. With `space`, the nearest legal values of the published space
// instead, so that the result is a member of the supernet again.
Arch scale_elasticvit(const Arch& base, const Factors& f, Rounding rounding) {
  const Round round = rounder(base, rounding, Rounding::pycls);
  const space::Space& space = space::published_space();
  const bool legal = rounding == Rounding::space && base.stages.size() == space.stages.size();
  Arch a = base;
  int64_t least = 0;
  const int64_t head_dim = std::max<int64_t>(1, option_int(a.options, "head_dim", space::kHeadDim));
  for (size_t i = 0; i < a.stages.size(); ++i) {
    Stage& s = a.stages[i];
    if (legal) {
      s.depth = nearest(space.stages[i].depths, static_cast<double>(s.depth) * f.d);
      s.width = nearest(space.stages[i].widths, static_cast<double>(s.width) * f.w, least);
    } else {
      s.depth = round.depth(s.depth, f.d);
      s.width = std::max(least, round.width(s.width, f.w, s.block == "transformer" ? head_dim : 8));
      if (s.block == "transformer") s.width = (s.width + head_dim - 1) / head_dim * head_dim;
    }
    for (auto& [key, option] : s.options)  // genes of single blocks: further blocks copy the first
      if (auto* genes = std::get_if<std::vector<int64_t>>(&option); genes && !genes->empty()) genes->resize(static_cast<size_t>(s.depth), genes->front());
    least = s.width;
  }
  if (!a.stages.empty()) a.stem.width = a.stages[0].width;
  a.resolution = legal ? nearest(space.resolutions, static_cast<double>(a.resolution) * f.r) : round.resolution(a.resolution, f.r, 16);
  return a;
}

constexpr Rounding kPlain[] = {Rounding::family, Rounding::pycls, Rounding::make_div};
constexpr Rounding kMobile[] = {Rounding::family, Rounding::pycls, Rounding::make_div, Rounding::efficientnet};
constexpr Rounding kHeads[] = {Rounding::family};
constexpr Rounding kSpace[] = {Rounding::family, Rounding::space};

constexpr std::string_view kAnyNet = "widths by 8, group widths 1, 2, 4 and by 8, made to fit each other; resolution by 4; stem and head stay";
constexpr std::string_view kMobileNet = "widths by 8 (make_div); resolution by 4; the stem scales, the last layer only grows";
constexpr ScaleRule kRules[] = {
    {"anynet", kAnyNet, scale_anynet, kPlain},
    {"regnet", kAnyNet, scale_anynet, kPlain},
    {"resnet", kAnyNet, scale_anynet, kPlain},
    {"efficientnet", "widths by 8, stem and head too; resolution by 4", scale_efficientnet, kMobile},
    {"mobilenetv1", kMobileNet, scale_mobilenet, kMobile},
    {"mobilenetv2", kMobileNet, scale_mobilenet, kMobile},
    {"mobilenetv3", kMobileNet, scale_mobilenet, kMobile},
    {"mnasnet", kMobileNet, scale_mobilenet, kMobile},
    {"vgg", "widths by 8; resolution by 32; the classifier stays", scale_vgg, kPlain},
    {"vit", "width in whole heads, whose own width stays, and depth takes up the rounding; resolution in whole patches", scale_vit, kHeads},
    {"levit", "widths by key_dim, heads in proportion; resolution by 16", scale_levit, kHeads},
    {"elasticvit", "convolutional widths by 8, transformer widths by 16, not falling; resolution by 16", scale_elasticvit, kSpace},
};

}  // namespace

std::span<const ScaleRule> scale_rules() { return kRules; }

Result<Arch> apply_factors(const Arch& arch, const Factors& factors, Rounding rounding) {
  std::string families;
  for (const ScaleRule& rule : kRules) {
    if (rule.family != arch.family) {
      fmt::format_to(std::back_inserter(families), "{}{}", families.empty() ? "" : ", ", rule.family);
      continue;
    }
    if (std::find(rule.roundings.begin(), rule.roundings.end(), rounding) == rule.roundings.end()) {
      std::string list;
      for (Rounding r : rule.roundings) fmt::format_to(std::back_inserter(list), "{}{}", list.empty() ? "" : ", ", name(r));
      return fail(Code::usage, fmt::format("rounding '{}' does not go with the family {}", name(rounding), arch.family), arch.name, "roundings there: " + list);
    }
    Arch out = rule.apply(arch, factors, rounding);
    HONE_TRY(check(out));
    return out;
  }
  return fail(Code::usage, fmt::format("networks of the family '{}' have no scaling rule", arch.family), arch.name, "families that scale: " + families);
}

}  // namespace hone
