// ResNet (He et al. 2015, the stride in the 3x3), ResNeXt (Xie et al. 2016), wide ResNet (Zagoruyko and Komodakis 2016), the
// c/d/s/t stems of timm (He et al. 2018, "Bag of tricks"), and the CIFAR nets of pycls.
#include <fmt/format.h>

#include "zoo/anynet.h"
#include "zoo/families.h"

namespace hone {
namespace {

using Depths = std::array<int64_t, 4>;
constexpr Depths k10{1, 1, 1, 1}, k18{2, 2, 2, 2}, k34{3, 4, 6, 3}, k101{3, 4, 23, 3}, k152{3, 8, 36, 3}, k200{3, 24, 36, 3};

struct Net {
  const char* timm;         // "": not there
  const char* torchvision;  // "=": the same name
  const char* pycls;
  Depths depths;
  bool bottleneck = true;
  int64_t groups = 1, base_width = 64;  // inner width of the first stage = groups * base_width
  char stem = 'b';                      // b: 7x7; c: deep; d: deep, average-pooled shortcut; s: deep and wide; t: tiered, as d
  int64_t timm_res = 224;
};

constexpr Net kNets[] = {
    {"resnet10t", "", "", k10, false, 1, 64, 't', 176},
    {"resnet14t", "", "", k10, true, 1, 64, 't', 176},
    {"resnet18", "=", "", k18, false},
    {"resnet18d", "", "", k18, false, 1, 64, 'd'},
    {"resnet26", "", "", k18},
    {"resnet26d", "", "", k18, true, 1, 64, 'd'},
    {"resnet26t", "", "", k18, true, 1, 64, 't', 256},
    {"resnet34", "=", "", k34, false},
    {"resnet34d", "", "", k34, false, 1, 64, 'd'},
    {"resnet50", "=", "ResNet-50", k34},
    {"resnet50c", "", "", k34, true, 1, 64, 'c'},
    {"resnet50d", "", "", k34, true, 1, 64, 'd'},
    {"resnet50s", "", "", k34, true, 1, 64, 's'},
    {"resnet50t", "", "", k34, true, 1, 64, 't'},
    {"resnet101", "=", "ResNet-101", k101},
    {"resnet101c", "", "", k101, true, 1, 64, 'c'},
    {"resnet101d", "", "", k101, true, 1, 64, 'd', 256},
    {"resnet101s", "", "", k101, true, 1, 64, 's'},
    {"resnet152", "=", "ResNet-152", k152},
    {"resnet152c", "", "", k152, true, 1, 64, 'c'},
    {"resnet152d", "", "", k152, true, 1, 64, 'd', 256},
    {"resnet152s", "", "", k152, true, 1, 64, 's'},
    {"resnet200", "", "", k200},
    {"resnet200d", "", "", k200, true, 1, 64, 'd', 256},
    {"wide_resnet50_2", "=", "", k34, true, 1, 128},
    {"wide_resnet101_2", "=", "", k101, true, 1, 128},
    {"resnext50_32x4d", "=", "ResNeXt-50-32x4d", k34, true, 32, 4},
    {"resnext50d_32x4d", "", "", k34, true, 32, 4, 'd'},
    {"resnext101_32x4d", "", "ResNeXt-101-32x4d", k101, true, 32, 4},
    {"resnext101_32x8d", "=", "", k101, true, 32, 8},
    {"resnext101_32x16d", "", "", k101, true, 32, 16},
    {"resnext101_32x32d", "", "", k101, true, 32, 32},
    {"resnext101_64x4d", "=", "", k101, true, 64, 4},
    {"", "", "ResNeXt-152-32x4d", k152, true, 32, 4},
};

Arch resnet(std::string name, const char* names, const Net& n) {
  Arch a;
  a.name = std::move(name);
  a.family = "resnet";
  a.names = names;
  a.stem = {.kind = n.stem == 'b' ? "resnet" : "deep", .width = n.stem == 's' ? 128 : 64};
  if (n.stem != 'b') {
    using Widths = std::vector<int64_t>;
    a.stem.options.emplace("widths", n.stem == 's' ? Widths{64, 64} : n.stem == 't' ? Widths{24, 32} : Widths{32, 32});
  }
  if (n.stem == 'd' || n.stem == 't') a.options.emplace("shortcut", "avg");
  for (int64_t i = 0; i < 4; ++i) {
    Stage s{.depth = n.depths[static_cast<size_t>(i)], .stride = i == 0 ? 1 : 2};
    const int64_t planes = int64_t{64} << i, inner = planes * n.base_width / 64 * n.groups;
    s.block = n.bottleneck ? "bottleneck" : "basic";
    s.width = n.bottleneck ? 4 * planes : planes;
    // One group is written as a group as wide as the inner width, so that scaling widens both (pycls does the same).
    if (n.bottleneck) s.expand = static_cast<double>(inner) / static_cast<double>(s.width), s.group_width = inner / n.groups;
    a.stages.push_back(s);
  }
  return a;
}

// ResNet and its plain twin for 32x32 images: 3 stages of (depth - 2) / 6 blocks.
Arch cifar(std::string name, const char* block, int64_t depth) {
  Arch a;
  a.name = std::move(name);
  a.family = "resnet";
  a.names = "pycls";
  a.resolution = a.test_resolution = 32;
  a.stem = {.kind = "conv3x3_s1", .width = 16};
  for (int64_t i = 0; i < 3; ++i) a.stages.push_back({.block = block, .depth = (depth - 2) / 6, .width = int64_t{16} << i, .stride = i == 0 ? 1 : 2});
  a.head.classes = 10;
  return a;
}

std::vector<Arch> published() {
  std::vector<Arch> out;
  for (const Net& n : kNets) {
    if (*n.timm) out.push_back(resnet(fmt::format("timm/{}", n.timm), "timm", n)), out.back().resolution = n.timm_res;
    if (*n.torchvision) out.push_back(resnet(fmt::format("torchvision/{}", n.timm), "torchvision", n));
    if (*n.pycls) out.push_back(resnet(fmt::format("pycls/{}", n.pycls), "pycls", n)), out.back().test_resolution = 256;
  }
  out.push_back(cifar("pycls/R-56", "basic", 56));
  out.push_back(cifar("pycls/R-110", "basic", 110));
  out.push_back(cifar("pycls/V-56", "vanilla", 56));
  return out;
}

// The short names of pycls, and the paths of its archived configurations.
std::vector<std::pair<std::string, std::string>> aliases() {
  std::vector<std::pair<std::string, std::string>> out;
  for (const char* depth : {"50", "101", "152"}) {
    const std::string r = fmt::format("pycls/ResNet-{}", depth), x = fmt::format("pycls/ResNeXt-{}-32x4d", depth);
    out.emplace_back(fmt::format("pycls/R-{}", depth), r);
    out.emplace_back(fmt::format("pycls/X-{}", depth), x);
    out.emplace_back(fmt::format("pycls/ResNeXt-{}", depth), x);
    if (std::string_view(depth) == "152") continue;
    for (const char* type : {"anynet", "resnet"})
      for (int gpus : {1, 2, 8}) {
        out.emplace_back(fmt::format("pycls/archive/imagenet/{}/R-{}-1x64d_step_{}gpu", type, depth, gpus), r);
        out.emplace_back(fmt::format("pycls/archive/imagenet/{}/X-{}-32x4d_step_{}gpu", type, depth, gpus), x);
      }
  }
  for (const char* net : {"anynet/R-56", "anynet/R-110", "anynet/V-56", "resnet/R-56", "resnet/R-110"})
    out.emplace_back(fmt::format("pycls/archive/cifar/{}_nds_1gpu", net), fmt::format("pycls/{}", net + 7));
  return out;
}

}  // namespace

Family resnet_family() { return {"resnet", build_anynet, published, aliases, kAnyNetOptions}; }

}  // namespace hone
