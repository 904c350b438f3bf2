// VGG (Simonyan and Zisserman 2014), plain and with BatchNorm. A stage is `depth` convolutions and a max pool.
//
// Block       "conv": k x k with bias, [BatchNorm if options.batch_norm], activation.
// Head kinds  "mlp" (pool to 7x7, two hidden linear layers: torchvision) and "conv_mlp" (the same as a 7x7 and a 1x1
//             convolution, then a global pool: timm), head.width: their hidden width; "none" (the trunk: ends behind the last pool).
#include <fmt/format.h>

#include "zoo/families.h"
#include "zoo/layers.h"

namespace hone {
namespace {

Result<Graph> build_vgg(const Arch& a) {
  if (a.names != "timm" && a.names != "torchvision")
    return fail(Code::invalid, fmt::format("no tensor names of '{}' for family 'vgg'", a.names), a.name, "names: timm, torchvision");
  Layers l(a);
  Builder& b = l.b;
  ValueId x = l.image();
  const bool batch_norm = option_flag(a.options, "batch_norm", false);
  int64_t index = 0;  // of the module in `features`: convolution, norm, activation and pool count one each
  for (size_t i = 0; i < a.stages.size(); ++i) {
    const Stage& s = a.stages[i];
    if (s.block != "conv") b.fail(fmt::format("stage {}: unknown block '{}'; known: conv", i + 1, s.block));
    for (int64_t j = 0; j < s.depth; ++j) {
      const std::string norm = batch_norm ? fmt::format("features.{}", index + 1) : "";
      x = l.conv_norm(x, {.conv = fmt::format("features.{}", index), .norm = norm, .out = s.width, .kernel = s.kernel, .activation = s.activation, .bias = true});
      index += batch_norm ? 3 : 2;
    }
    x = b.max_pool(x, 2, 2, {0, 0, 0, 0});
    ++index;
  }
  const Head& h = a.head;
  if (h.kind == "mlp") {
    x = b.flatten(l.adaptive_avg_pool(x, 7));
    x = l.activate(b.linear(x, "classifier.0", h.width));
    x = l.activate(b.linear(x, "classifier.3", h.width));
    b.output(b.linear(x, "classifier.6", h.classes));
  } else if (h.kind == "conv_mlp") {
    if (!b.failed() && (b.shape(x)[2] < 7 || b.shape(x)[3] < 7)) x = l.adaptive_avg_pool(x, 7);
    ConvSpec fc1 = conv_spec(h.width, 7, 1, 1, true);
    fc1.pad = {0, 0, 0, 0};
    x = l.activate(b.conv(x, "pre_logits.fc1", fc1));
    x = l.activate(l.conv(x, "pre_logits.fc2", h.width, 1, 1, 1, true));
    l.pool_classifier(x, "head.fc");
  } else if (h.kind == "none") {
    b.output(x);
  } else {
    b.fail(fmt::format("unknown head kind '{}'; known: mlp, conv_mlp, none", h.kind));
  }
  return l.finish();
}

Arch vgg(const char* library, int layers, std::array<int64_t, 5> depths, bool batch_norm) {
  Arch a;
  a.name = fmt::format("{}/vgg{}{}", library, layers, batch_norm ? "_bn" : "");
  a.family = "vgg";
  a.names = library;
  for (size_t i = 0; i < 5; ++i) a.stages.push_back({.block = "conv", .depth = depths[i], .width = std::min<int64_t>(512, 64 << i)});
  a.head = {.kind = a.names == "timm" ? "conv_mlp" : "mlp", .width = 4096};
  if (a.names == "torchvision") a.head.dropout = 0.5;
  if (batch_norm) a.options.emplace("batch_norm", true);
  return a;
}

std::vector<Arch> published() {
  struct Size {
    int layers;
    std::array<int64_t, 5> depths;
  };
  std::vector<Arch> out;
  for (const auto& [layers, depths] : {Size{11, {1, 1, 2, 2, 2}}, Size{13, {2, 2, 2, 2, 2}}, Size{16, {2, 2, 3, 3, 3}}, Size{19, {2, 2, 4, 4, 4}}})
    for (const char* library : {"timm", "torchvision"})
      for (bool batch_norm : {false, true}) out.push_back(vgg(library, layers, depths, batch_norm));
  return out;
}

}  // namespace

Family vgg_family() { return {"vgg", build_vgg, published, nullptr, "batch_norm:flag"}; }

}  // namespace hone
