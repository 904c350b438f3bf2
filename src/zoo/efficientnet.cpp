// EfficientNet B0 to B8 (Tan and Le 2019, arXiv 1905.11946), Lite 0 to 4 (TensorFlow TPU models), and V2 (Tan and Le 2021,
// arXiv 2104.00298).
#include <fmt/format.h>

#include "zoo/families.h"
#include "zoo/layers.h"
#include "zoo/mobile.h"

namespace hone {
namespace {

// block, kernel, stride, expand, width, depth, se
constexpr MobileRow kB0[] = {{"ds", 3, 1, 1, 16, 1, .25},      {"mbconv", 3, 2, 6, 24, 2, .25},  {"mbconv", 5, 2, 6, 40, 2, .25}, {"mbconv", 3, 2, 6, 80, 3, .25},
                             {"mbconv", 5, 1, 6, 112, 3, .25}, {"mbconv", 5, 2, 6, 192, 4, .25}, {"mbconv", 3, 1, 6, 320, 1, .25}};

struct Variant {
  double width, depth, dropout;
  int64_t timm, tf, torchvision, pycls, pycls_test;  // resolutions; 0: not there
};
constexpr Variant kB[] = {
    {1.0, 1.0, .2, 224, 224, 224, 224, 256}, {1.0, 1.1, .2, 240, 240, 240, 240, 274}, {1.1, 1.2, .3, 256, 260, 288, 260, 298},
    {1.2, 1.4, .3, 288, 300, 300, 300, 342}, {1.4, 1.8, .4, 320, 380, 380, 380, 434}, {1.6, 2.2, .4, 448, 456, 456, 456, 522},
    {1.8, 2.6, .5, 528, 528, 528, 0, 0},     {2.0, 3.1, .5, 600, 600, 600, 0, 0},     {2.2, 3.6, .5, 672, 672, 0, 0, 0}};
constexpr Variant kLite[] = {{1.0, 1.0, .2, 224}, {1.0, 1.1, .2, 240}, {1.1, 1.2, .3, 260}, {1.2, 1.4, .3, 300}, {1.4, 1.8, .3, 380}};

constexpr MobileRow kV2Base[] = {{"conv", 3, 1, 1, 16, 1},         {"fused_mbconv", 3, 2, 4, 32, 2},  {"fused_mbconv", 3, 2, 4, 48, 2},
                                 {"mbconv", 3, 2, 4, 96, 3, .25}, {"mbconv", 3, 1, 6, 112, 5, .25}, {"mbconv", 3, 2, 6, 192, 8, .25}};
constexpr MobileRow kV2S[] = {{"conv", 3, 1, 1, 24, 2},          {"fused_mbconv", 3, 2, 4, 48, 4},  {"fused_mbconv", 3, 2, 4, 64, 4},
                              {"mbconv", 3, 2, 4, 128, 6, .25}, {"mbconv", 3, 1, 6, 160, 9, .25}, {"mbconv", 3, 2, 6, 256, 15, .25}};
constexpr MobileRow kV2M[] = {{"conv", 3, 1, 1, 24, 3},           {"fused_mbconv", 3, 2, 4, 48, 5},   {"fused_mbconv", 3, 2, 4, 80, 5}, {"mbconv", 3, 2, 4, 160, 7, .25},
                              {"mbconv", 3, 1, 6, 176, 14, .25}, {"mbconv", 3, 2, 6, 304, 18, .25}, {"mbconv", 3, 1, 6, 512, 5, .25}};
constexpr MobileRow kV2L[] = {{"conv", 3, 1, 1, 32, 4},           {"fused_mbconv", 3, 2, 4, 64, 7},   {"fused_mbconv", 3, 2, 4, 96, 7}, {"mbconv", 3, 2, 4, 192, 10, .25},
                              {"mbconv", 3, 1, 6, 224, 19, .25}, {"mbconv", 3, 2, 6, 384, 25, .25}, {"mbconv", 3, 1, 6, 640, 7, .25}};
constexpr MobileRow kV2XL[] = {{"conv", 3, 1, 1, 32, 4},           {"fused_mbconv", 3, 2, 4, 64, 8},   {"fused_mbconv", 3, 2, 4, 96, 8}, {"mbconv", 3, 2, 4, 192, 16, .25},
                               {"mbconv", 3, 1, 6, 256, 24, .25}, {"mbconv", 3, 2, 6, 512, 32, .25}, {"mbconv", 3, 1, 6, 640, 8, .25}};

Arch base(std::string name, const char* names, int64_t resolution, int64_t stem, int64_t head) {
  Arch a;
  a.name = std::move(name);
  a.family = "efficientnet";
  a.names = names;
  a.resolution = resolution;
  a.activation = "silu";
  a.stem = {.kind = "conv3x3", .width = stem};
  a.head.width = head;
  return a;
}
int64_t wide(int64_t channels, double multiplier, double share = 0.9) {
  return make_divisible(static_cast<double>(channels) * multiplier, 8, share);
}

Arch b(std::string name, const char* names, const Variant& v, int64_t resolution) {
  Arch a = base(std::move(name), names, resolution, wide(32, v.width), wide(1280, v.width));
  a.stages = mobile_stages(kB0, {.width = v.width, .depth = v.depth});
  a.head.dropout = v.dropout;
  return a;
}
// No squeeze-excite, ReLU6; the depth multiplier leaves the first and last stage alone, the width multiplier stem and head.
Arch lite(std::string name, const Variant& v) {
  Arch a = base(std::move(name), "timm", v.timm, 32, 1280);
  a.activation = "relu6";
  a.stages = mobile_stages(kB0, {.width = v.width, .depth = v.depth, .fixed_ends = true});
  for (Stage& s : a.stages) s.se = 0;
  a.head.dropout = v.dropout;
  return a;
}
// timm's tf_*: weights that TensorFlow trained.
Arch tf(Arch a) {
  a.padding = "same";
  a.bn_eps = 1e-3;
  return a;
}
Arch v2(std::string name, const char* names, int64_t resolution, std::span<const MobileRow> rows, const MobileScale& scale = {}, int64_t head = 1280) {
  Arch a = base(std::move(name), names, resolution, wide(rows[0].width, scale.width, scale.share), head);
  a.stages = mobile_stages(rows, scale);
  a.stages[0].options.emplace("skip", true);
  return a;
}

void add_b(std::vector<Arch>& out) {
  for (size_t i = 0; i < std::size(kB); ++i) {
    const Variant& v = kB[i];
    out.push_back(b(fmt::format("timm/efficientnet_b{}", i), "timm", v, v.timm));
    out.push_back(tf(b(fmt::format("timm/tf_efficientnet_b{}", i), "timm", v, v.tf)));
    if (v.torchvision) {
      Arch a = b(fmt::format("torchvision/efficientnet_b{}", i), "torchvision", v, v.torchvision);
      if (i >= 5) a.bn_eps = 1e-3, a.bn_momentum = 0.01;
      out.push_back(std::move(a));
    }
    if (v.pycls) out.push_back(b(fmt::format("pycls/EfficientNet-B{}", i), "pycls", v, v.pycls)), out.back().test_resolution = v.pycls_test;
  }
}

void add_v2(std::vector<Arch>& out) {
  struct Size {
    const char* name;
    std::span<const MobileRow> rows;
    int64_t timm, tf, torchvision;
    double dropout;
  };
  for (const Size& s : {Size{"s", kV2S, 288, 300, 384, .2}, Size{"m", kV2M, 320, 384, 480, .3}, Size{"l", kV2L, 384, 384, 480, .4},
                        Size{"xl", kV2XL, 384, 384, 0, .4}}) {
    out.push_back(v2(fmt::format("timm/efficientnetv2_{}", s.name), "timm", s.timm, s.rows));
    out.push_back(tf(v2(fmt::format("timm/tf_efficientnetv2_{}", s.name), "timm", s.tf, s.rows)));
    if (!s.torchvision) continue;
    out.push_back(v2(fmt::format("torchvision/efficientnet_v2_{}", s.name), "torchvision", s.torchvision, s.rows));
    out.back().bn_eps = 1e-3;
    out.back().head.dropout = s.dropout;
  }
  const Variant bases[] = {{1.0, 1.0, .2, 192}, {1.0, 1.1, .2, 192}, {1.1, 1.2, .3, 208}, {1.2, 1.4, .3, 240}};
  for (size_t i = 0; i < std::size(bases); ++i) {
    const Variant& v = bases[i];
    // Rounded without the 90 % rule; the stem is twice as wide as the first stage.
    Arch a = tf(v2(fmt::format("timm/tf_efficientnetv2_b{}", i), "timm", v.timm, kV2Base, {.width = v.width, .depth = v.depth, .share = 0}, wide(1280, v.width, 0)));
    a.stem.width = wide(32, v.width, 0);
    out.push_back(std::move(a));
  }
  out.push_back(v2("timm/efficientnetv2_rw_t", "timm", 224, kV2S, {.width = 0.8, .depth = 0.9}, wide(1280, 0.8)));
}

std::vector<Arch> published() {
  std::vector<Arch> out;
  add_b(out);
  for (size_t i = 0; i < std::size(kLite); ++i) {
    out.push_back(lite(fmt::format("timm/efficientnet_lite{}", i), kLite[i]));
    out.push_back(tf(lite(fmt::format("timm/tf_efficientnet_lite{}", i), kLite[i])));
  }
  add_v2(out);
  return out;
}

std::vector<std::pair<std::string, std::string>> aliases() {
  std::vector<std::pair<std::string, std::string>> out;
  for (int i = 0; i < 6; ++i) out.emplace_back(fmt::format("pycls/EN-B{}", i), fmt::format("pycls/EfficientNet-B{}", i));
  return out;
}

}  // namespace

Family efficientnet_family() { return {"efficientnet", build_mobile, published, aliases, kMobileOptions}; }

}  // namespace hone
