// MobileNet V1 (Howard et al. 2017), V2 (Sandler et al. 2018), V3 (Howard et al. 2019), and the searched networks that use
// the same blocks: MnasNet, FBNet-C, Single-Path NAS.
#include <fmt/format.h>

#include "zoo/families.h"
#include "zoo/layers.h"
#include "zoo/mobile.h"

namespace hone {
namespace {

// block, kernel, stride, expand, width, depth, se, activation, join
constexpr MobileRow kV1[] = {{"ds", 3, 1, 1, 64, 1}, {"ds", 3, 2, 1, 128, 2}, {"ds", 3, 2, 1, 256, 2}, {"ds", 3, 2, 1, 512, 6}, {"ds", 3, 2, 1, 1024, 2}};

constexpr MobileRow kV2[] = {{"ds", 3, 1, 1, 16, 1},     {"mbconv", 3, 2, 6, 24, 2},  {"mbconv", 3, 2, 6, 32, 3}, {"mbconv", 3, 2, 6, 64, 4},
                             {"mbconv", 3, 1, 6, 96, 3}, {"mbconv", 3, 2, 6, 160, 3}, {"mbconv", 3, 1, 6, 320, 1}};

constexpr MobileRow kV3Large[] = {
    {"ds", 3, 1, 1, 16, 1, 0, "relu"},
    {"mbconv", 3, 2, 4, 24, 1, 0, "relu"}, {"mbconv", 3, 1, 3, 24, 1, 0, "relu", true},
    {"mbconv", 5, 2, 3, 40, 3, .25, "relu"},
    {"mbconv", 3, 2, 6, 80, 1}, {"mbconv", 3, 1, 2.5, 80, 1, 0, "", true}, {"mbconv", 3, 1, 2.3, 80, 2, 0, "", true},
    {"mbconv", 3, 1, 6, 112, 2, .25},
    {"mbconv", 5, 2, 6, 160, 3, .25},
    {"conv", 1, 1, 1, 960, 1}};
constexpr MobileRow kV3Small[] = {
    {"ds", 3, 2, 1, 16, 1, .25, "relu"},
    {"mbconv", 3, 2, 4.5, 24, 1, 0, "relu"}, {"mbconv", 3, 1, 3.67, 24, 1, 0, "relu", true},
    {"mbconv", 5, 2, 4, 40, 1, .25}, {"mbconv", 5, 1, 6, 40, 2, .25, "", true},
    {"mbconv", 5, 1, 3, 48, 2, .25},
    {"mbconv", 5, 2, 6, 96, 3, .25},
    {"conv", 1, 1, 1, 576, 1}};

constexpr MobileRow kMnasB1[] = {{"ds", 3, 1, 1, 16, 1},     {"mbconv", 3, 2, 3, 24, 3},  {"mbconv", 5, 2, 3, 40, 3}, {"mbconv", 5, 2, 6, 80, 3},
                                 {"mbconv", 3, 1, 6, 96, 2}, {"mbconv", 5, 2, 6, 192, 4}, {"mbconv", 3, 1, 6, 320, 1}};
constexpr MobileRow kMnasA1[] = {{"ds", 3, 1, 1, 16, 1},           {"mbconv", 3, 2, 6, 24, 2},       {"mbconv", 5, 2, 3, 40, 3, .25}, {"mbconv", 3, 2, 6, 80, 4},
                                 {"mbconv", 3, 1, 6, 112, 2, .25}, {"mbconv", 5, 2, 6, 160, 3, .25}, {"mbconv", 3, 1, 6, 320, 1}};
constexpr MobileRow kMnasSmall[] = {{"ds", 3, 1, 1, 8, 1},           {"mbconv", 3, 2, 3, 16, 1},      {"mbconv", 3, 2, 6, 16, 2}, {"mbconv", 5, 2, 6, 32, 4, .25},
                                    {"mbconv", 3, 1, 6, 32, 3, .25}, {"mbconv", 5, 2, 6, 88, 3, .25}, {"mbconv", 3, 1, 6, 144, 1}};
constexpr MobileRow kFbnetC[] = {
    {"mbconv", 3, 1, 1, 16, 1},
    {"mbconv", 3, 2, 6, 24, 1}, {"mbconv", 3, 1, 1, 24, 2, 0, "", true},
    {"mbconv", 5, 2, 6, 32, 1}, {"mbconv", 5, 1, 3, 32, 1, 0, "", true}, {"mbconv", 5, 1, 6, 32, 1, 0, "", true}, {"mbconv", 3, 1, 6, 32, 1, 0, "", true},
    {"mbconv", 5, 2, 6, 64, 1}, {"mbconv", 5, 1, 3, 64, 1, 0, "", true}, {"mbconv", 5, 1, 6, 64, 2, 0, "", true},
    {"mbconv", 5, 1, 6, 112, 3}, {"mbconv", 5, 1, 3, 112, 1, 0, "", true},
    {"mbconv", 5, 2, 6, 184, 4},
    {"mbconv", 3, 1, 6, 352, 1}};
constexpr MobileRow kSpnas[] = {
    {"ds", 3, 1, 1, 16, 1},
    {"mbconv", 3, 2, 3, 24, 3},
    {"mbconv", 5, 2, 6, 40, 1}, {"mbconv", 3, 1, 3, 40, 3, 0, "", true},
    {"mbconv", 5, 2, 6, 80, 1}, {"mbconv", 3, 1, 3, 80, 3, 0, "", true},
    {"mbconv", 5, 1, 6, 96, 1}, {"mbconv", 5, 1, 3, 96, 3, 0, "", true},
    {"mbconv", 5, 2, 6, 192, 4},
    {"mbconv", 3, 1, 6, 320, 1}};

Arch mobile(std::string name, const char* family, const char* names, std::span<const MobileRow> rows, const MobileScale& scale, int64_t stem,
            int64_t head) {
  Arch a;
  a.name = std::move(name);
  a.family = family;
  a.names = names;
  a.stem = {.kind = "conv3x3", .width = stem};
  a.stages = mobile_stages(rows, scale);
  a.head.width = head;
  return a;
}
int64_t wide(int64_t channels, double multiplier) { return make_divisible(static_cast<double>(channels) * multiplier); }

Arch v1(std::string name, double width, int64_t head = 0) {
  Arch a = mobile(std::move(name), "mobilenetv1", "timm", kV1, {.width = width}, wide(32, width), head);
  a.activation = "relu6";
  for (Stage& s : a.stages) s.options.emplace("skip", false), s.options.emplace("last_activation", true);
  return a;
}

// fixed: the depth multiplier leaves stem, head and the first and last stage alone.
Arch v2(std::string name, const char* names, double width, double depth = 1) {
  const bool fixed = depth != 1;
  Arch a = mobile(std::move(name), "mobilenetv2", names, kV2, {.width = width, .depth = depth, .fixed_ends = fixed}, fixed ? 32 : wide(32, width),
                  fixed ? 1280 : std::max<int64_t>(1280, wide(1280, width)));
  a.activation = "relu6";
  return a;
}

// timm keeps the stem's width below a multiplier of 0.75.
Arch v3(std::string name, const char* names, bool large, double width = 1, double depth = 1) {
  const std::span<const MobileRow> rows = large ? std::span<const MobileRow>(kV3Large) : kV3Small;
  Arch a = mobile(std::move(name), "mobilenetv3", names, rows, {.width = width, .depth = depth}, width < 0.75 ? 16 : wide(16, width), large ? 1280 : 1024);
  a.activation = "hard_swish";
  a.head.kind = a.names == "timm" ? "pool_conv_fc" : "pool_fc_fc";
  a.options = {{"se_from", "inner"}, {"se_round", "eight"}, {"se_activation", "relu"}, {"se_gate", "hard_sigmoid"}};
  return a;
}
// The "minimal" variants: 3x3 everywhere, no squeeze-excite, ReLU.
Arch minimal(Arch a) {
  a.activation = "relu";
  for (Stage& s : a.stages) s.se = 0, s.activation = "", s.kernel = s.block == "conv" ? 1 : 3;
  return a;
}
// timm's tf_*: weights that TensorFlow trained.
Arch tf(Arch a) {
  a.padding = "same";
  a.bn_eps = 1e-3;
  return a;
}
Arch same(Arch a) {
  a.padding = "same";
  return a;
}
Arch torchvision_v3(Arch a) {
  a.bn_eps = 1e-3;
  a.bn_momentum = 0.01;
  a.head.dropout = 0.2;
  return a;
}

std::vector<Arch> published_v1() {
  std::vector<Arch> out{v1("timm/mobilenetv1_100", 1), v1("timm/mobilenetv1_100h", 1, 1024), v1("timm/mobilenetv1_125", 1.25)};
  // Trained by TensorFlow at their own sizes; the widest was published as an embedding, without classifier.
  for (const auto& [percent, resolution, classes] : {std::tuple(100, 224, 0), {75, 192, 1000}, {50, 160, 1000}, {25, 128, 1000}}) {
    out.push_back(same(v1(fmt::format("coral/mobilenetv1_{:03}", percent), percent / 100.0)));
    out.back().resolution = resolution;
    out.back().head.classes = classes;
  }
  return out;
}

std::vector<Arch> published_v2() {
  std::vector<Arch> out;
  for (int percent : {35, 50, 75, 100, 140}) out.push_back(v2(fmt::format("timm/mobilenetv2_{:03}", percent), "timm", percent / 100.0));
  out.push_back(v2("timm/mobilenetv2_110d", "timm", 1.1, 1.2));
  out.push_back(v2("timm/mobilenetv2_120d", "timm", 1.2, 1.4));
  out.push_back(v2("torchvision/mobilenet_v2", "torchvision", 1));
  out.back().head.dropout = 0.2;
  out.push_back(same(v2("coral/mobilenetv2_100", "timm", 1)));
  return out;
}

std::vector<Arch> published_v3() {
  std::vector<Arch> out;
  for (const auto& [size, percent] : {std::pair("large", 75), {"large", 100}, {"small", 50}, {"small", 75}, {"small", 100}}) {
    const std::string suffix = fmt::format("mobilenetv3_{}_{:03}", size, percent);
    const bool large = *size == 'l';
    out.push_back(v3("timm/" + suffix, "timm", large, percent / 100.0));
    if (percent != 50) out.push_back(tf(v3("timm/tf_" + suffix, "timm", large, percent / 100.0)));
    if (percent == 100) out.push_back(minimal(tf(v3(fmt::format("timm/tf_mobilenetv3_{}_minimal_100", size), "timm", large))));
    if (percent == 100) out.push_back(torchvision_v3(v3(fmt::format("torchvision/mobilenet_v3_{}", size), "torchvision", large)));
  }
  out.push_back(v3("timm/mobilenetv3_large_150d", "timm", true, 1.5, 1.2));
  out.back().resolution = 256;
  // timm's first port: other squeeze-excites, no bias behind the pool, no skip in the first block.
  Arch rw = v3("timm/mobilenetv3_rw", "timm", true);
  rw.bn_eps = 1e-3;
  rw.options = {{"se_from", "inner"}, {"se_gate", "hard_sigmoid"}};
  rw.head.options.emplace("bias", false);
  rw.stages[0].options.emplace("skip", false);
  out.push_back(std::move(rw));
  return out;
}

std::vector<Arch> published_searched() {
  std::vector<Arch> out;
  auto no_skip = [](Arch a, std::initializer_list<size_t> stages) {
    for (size_t i : stages) a.stages[i].options.emplace("skip", false);
    return a;
  };
  auto add = [&](std::string name, std::span<const MobileRow> rows, double width, int64_t stem, int64_t head, std::initializer_list<size_t> without_skip) {
    out.push_back(no_skip(mobile("timm/" + name, "mnasnet", "timm", rows, {.width = width}, wide(stem, width), head), without_skip));
  };
  for (int percent : {50, 75, 100, 140}) {
    add(fmt::format("mnasnet_{:03}", percent), kMnasB1, percent / 100.0, 32, 1280, {0, 6});
    add(fmt::format("semnasnet_{:03}", percent), kMnasA1, percent / 100.0, 32, 1280, {0});
  }
  add("mnasnet_small", kMnasSmall, 1, 8, 1280, {});
  add("fbnetc_100", kFbnetC, 1, 16, 1984, {});
  add("spnasnet_100", kSpnas, 1, 32, 1280, {0, std::size(kSpnas) - 1});
  return out;
}

}  // namespace

Family mobilenetv1_family() { return {"mobilenetv1", build_mobile, published_v1, nullptr, kMobileOptions}; }
Family mobilenetv2_family() { return {"mobilenetv2", build_mobile, published_v2, nullptr, kMobileOptions}; }
Family mobilenetv3_family() { return {"mobilenetv3", build_mobile, published_v3, nullptr, kMobileOptions}; }
Family mnasnet_family() { return {"mnasnet", build_mobile, published_searched, nullptr, kMobileOptions}; }

}  // namespace hone
