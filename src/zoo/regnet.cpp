#include "zoo/regnet.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "zoo/anynet.h"
#include "zoo/families.h"
#include "zoo/layers.h"

namespace hone {

Result<std::vector<Stage>> regnet_stages(const RegNetSpace& p) {
  if (p.depth < 1 || p.depth > 4096 || p.w0 < 8 || p.w0 % 8 != 0 || !(p.wa >= 0) || !(p.wm > 1))
    return fail(Code::invalid,
                fmt::format("depth {}, w0 {}, wa {}, wm {} is no RegNet: depth >= 1, w0 a multiple of 8, wa >= 0, wm > 1", p.depth, p.w0, p.wa, p.wm));
  std::vector<Stage> stages;
  const auto w0 = static_cast<double>(p.w0);
  for (int64_t j = 0; j < p.depth; ++j) {
    const double wish = w0 + p.wa * static_cast<double>(j);
    const double k = std::nearbyint(std::log(wish / w0) / std::log(p.wm));
    const auto width = static_cast<int64_t>(std::nearbyint(w0 * std::pow(p.wm, k) / 8) * 8);
    if (stages.empty() || stages.back().width != width) stages.push_back({.depth = 0, .width = width});
    ++stages.back().depth;
  }
  return stages;
}

void fit_groups(Stage& s, GroupFit rule) {
  auto inner = static_cast<int64_t>(std::max(1.0, static_cast<double>(s.width) * s.expand));
  const int64_t group = std::min(std::max<int64_t>(s.group_width, 1), inner);
  const int64_t multiple = s.expand > 1 ? std::lcm(group, static_cast<int64_t>(s.expand)) : group;
  if (rule == GroupFit::nearest)
    inner = std::max(multiple, static_cast<int64_t>(std::nearbyint(static_cast<double>(inner) / static_cast<double>(multiple))) * multiple);
  else
    inner = make_divisible(static_cast<double>(inner), multiple);
  s.width = static_cast<int64_t>(static_cast<double>(inner) / s.expand);
  if (s.group_width != 0) s.group_width = group;
}

namespace {

struct Net {
  RegNetSpace space;
  int64_t group;
  const char *pycls, *timm, *torchvision;  // "": not there
  const char* timm_tv = "";                // timm's copy of torchvision's
  int64_t timm_res = 224;
};

// Radosavovic et al. 2020, appendix (the pycls configurations); 64, 128 and 256 GF from ClassyVision and timm.
constexpr Net kX[] = {
    {{13, 24, 36.44, 2.49}, 8, "200MF", "002", ""},
    {{22, 24, 24.48, 2.54}, 16, "400MF", "004", "400mf", "004_tv"},
    {{16, 48, 36.97, 2.24}, 24, "600MF", "006", ""},
    {{16, 56, 35.73, 2.28}, 16, "800MF", "008", "800mf"},
    {{18, 80, 34.01, 2.25}, 24, "1.6GF", "016", "1_6gf"},
    {{25, 88, 26.31, 2.25}, 48, "3.2GF", "032", "3_2gf"},
    {{23, 96, 38.65, 2.43}, 40, "4.0GF", "040", ""},
    {{17, 184, 60.83, 2.07}, 56, "6.4GF", "064", ""},
    {{23, 80, 49.56, 2.88}, 120, "8.0GF", "080", "8gf"},
    {{19, 168, 73.36, 2.37}, 112, "12GF", "120", ""},
    {{22, 216, 55.59, 2.1}, 128, "16GF", "160", "16gf"},
    {{23, 320, 69.86, 2.0}, 168, "32GF", "320", "32gf"},
};
constexpr Net kY[] = {
    {{13, 24, 36.44, 2.49}, 8, "200MF", "002", ""},
    {{16, 48, 27.89, 2.09}, 8, "400MF", "004", "400mf"},
    {{15, 48, 32.54, 2.32}, 16, "600MF", "006", ""},
    {{14, 56, 38.84, 2.4}, 16, "800MF", "008", "800mf", "008_tv"},
    {{27, 48, 20.71, 2.65}, 24, "1.6GF", "016", "1_6gf"},
    {{21, 80, 42.63, 2.66}, 24, "3.2GF", "032", "3_2gf"},
    {{22, 96, 31.41, 2.24}, 64, "4.0GF", "040", ""},
    {{25, 112, 33.22, 2.27}, 72, "6.4GF", "064", ""},
    {{17, 192, 76.82, 2.19}, 56, "8.0GF", "080", "8gf", "080_tv"},
    {{19, 168, 73.36, 2.37}, 112, "12GF", "120", ""},
    {{18, 200, 106.23, 2.48}, 112, "16GF", "160", "16gf"},
    {{20, 232, 115.89, 2.53}, 232, "32GF", "320", "32gf"},
    {{20, 352, 147.48, 2.4}, 328, "", "640", "", "", 384},
    {{27, 456, 160.83, 2.52}, 264, "", "1280", "128gf", "", 384},
    {{27, 640, 230.83, 2.53}, 373, "", "2560", "", "", 384},
};
// RegNetZ (Dollar et al. 2021, arXiv 2103.06877; parameters from ClassyVision): inverted bottleneck of 4.
constexpr RegNetSpace kZ500{21, 16, 10.7, 2.51}, kZ4{28, 48, 14.5, 2.226};

Arch regnet(std::string name, const char* names, const RegNetSpace& space, int64_t group, GroupFit fit, double expand = 1) {
  Arch a;
  a.name = std::move(name);
  a.family = "regnet";
  a.names = names;
  a.stem = {.kind = "conv3x3", .width = 32};
  a.stages = regnet_stages(space).value();  // the tables hold valid parameters; a test builds every row
  for (Stage& s : a.stages) {
    s.block = "bottleneck";
    s.stride = 2;
    s.expand = expand;
    s.group_width = group;
    fit_groups(s, fit);
  }
  return a;
}
Arch with_se(Arch a) {
  for (Stage& s : a.stages) s.se = 0.25;
  return a;
}
Arch at(Arch a, int64_t resolution, int64_t test_resolution = 0) {
  a.resolution = resolution;
  a.test_resolution = test_resolution;
  return a;
}
Arch regnet_z(std::string name, const char* names, const RegNetSpace& space, int64_t group, int64_t head_width) {
  Arch a = with_se(regnet(std::move(name), names, space, group, GroupFit::nearest, 4));
  a.activation = "silu";
  a.head.width = head_width;
  for (Stage& s : a.stages) s.block = "linear_bottleneck";
  return a;
}
// timm's RegNetV: pre-activation RegNetY with SiLU.
Arch regnet_v(Arch a, std::string name) {
  a.name = std::move(name);
  a.activation = "silu";
  for (Stage& s : a.stages) s.block = "preact_bottleneck";
  a.head.options.emplace("activation", true);
  return a;
}

void add(std::vector<Arch>& out, char kind, std::span<const Net> nets) {
  const char lower = static_cast<char>(kind - 'A' + 'a');
  auto finish = [&](Arch a) { return kind == 'Y' ? with_se(std::move(a)) : a; };
  for (const Net& n : nets) {
    if (*n.pycls)
      out.push_back(finish(at(regnet(fmt::format("pycls/RegNet{}-{}", kind, n.pycls), "pycls", n.space, n.group, GroupFit::nearest), 224, 256)));
    out.push_back(finish(at(regnet(fmt::format("timm/regnet{}_{}", lower, n.timm), "timm", n.space, n.group, GroupFit::nearest), n.timm_res)));
    if (*n.timm_tv) out.push_back(finish(regnet(fmt::format("timm/regnet{}_{}", lower, n.timm_tv), "timm", n.space, n.group, GroupFit::ninety)));
    if (*n.torchvision)
      out.push_back(finish(regnet(fmt::format("torchvision/regnet_{}_{}", lower, n.torchvision), "torchvision", n.space, n.group, GroupFit::ninety)));
  }
}

std::vector<Arch> published() {
  std::vector<Arch> out;
  add(out, 'X', kX);
  add(out, 'Y', kY);
  out.push_back(at(regnet_z("pycls/RegNetZ-500MF", "pycls", kZ500, 4, 1024), 224, 256));
  out.push_back(at(regnet_z("pycls/RegNetZ-4GF", "pycls", kZ4, 8, 0), 256, 293));
  for (auto& [name, space, group, head, res] : {std::tuple("timm/regnetz_005", kZ500, 4, 1024, 224), std::tuple("timm/regnetz_040", kZ4, 8, 0, 256),
                                                std::tuple("timm/regnetz_040_h", kZ4, 8, 1536, 256)}) {
    Arch a = at(regnet_z(name, "timm", space, group, head), res);
    if (head == 0) a.head.options.emplace("activation", true);
    out.push_back(std::move(a));
  }
  const Net &y40 = kY[6], &y64 = kY[7];
  Arch y = with_se(regnet("timm/regnety_040_sgn", "timm", y40.space, y40.group, GroupFit::nearest));
  out.push_back(regnet_v(y, "timm/regnetv_040"));
  Arch v64 = regnet_v(with_se(regnet("", "timm", y64.space, y64.group, GroupFit::nearest)), "timm/regnetv_064");
  v64.options.emplace("shortcut", "avg");
  out.push_back(std::move(v64));
  y.activation = "silu";
  y.options.emplace("group_norm", int64_t{16});
  out.push_back(std::move(y));
  return out;
}

std::vector<std::pair<std::string, std::string>> aliases() { return {{"timm/regnetz_040h", "timm/regnetz_040_h"}}; }  // timm before 1.0

}  // namespace

Family regnet_family() { return {"regnet", build_anynet, published, aliases, kAnyNetOptions}; }

}  // namespace hone
