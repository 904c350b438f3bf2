// Inception-V3 (Szegedy et al. 2015, arXiv 1512.00567), under the names that timm and torchvision share.
//
// Blocks   the paper's modules, one stage each (depth 1): "a" (5x5 and double 3x3 beside the pool; width: of the pool's
//          projection), "b" (to stride 2), "c" (7x1 and 1x7; width: the inner one), "d" (to stride 2), "e" (split 3x3).
//          stage.options.name is the module's name.
// Options  auxiliary = true: the parameters of the training-only classifier are declared (torchvision), not used.
#include <fmt/format.h>

#include "zoo/families.h"
#include "zoo/layers.h"

namespace hone {
namespace {

class Inception {
 public:
  explicit Inception(const Arch& a) : l_(a), arch_(a) {}

  Result<Graph> build() {
    Builder& b = l_.b;
    ValueId x = l_.image();
    x = conv(x, "Conv2d_1a_3x3", 32, 3, 3, 2, 0);
    x = conv(x, "Conv2d_2a_3x3", 32, 3, 3, 1, 0);
    x = conv(x, "Conv2d_2b_3x3", 64, 3);
    x = b.max_pool(x, 3, 2, {0, 0, 0, 0});
    x = conv(x, "Conv2d_3b_1x1", 80);
    x = conv(x, "Conv2d_4a_3x3", 192, 3, 3, 1, 0);
    x = b.max_pool(x, 3, 2, {0, 0, 0, 0});
    for (size_t i = 0; i < arch_.stages.size(); ++i) {
      const Stage& s = arch_.stages[i];
      // The auxiliary classifier hangs on the last module of stride 16.
      if (s.block == "d" && option_flag(arch_.options, "auxiliary", false)) auxiliary(b.channels(x));
      Builder::Scope scope(b, option_text(s.options, "name", fmt::format("stage{}", i + 1)));
      if (s.depth != 1) b.fail(fmt::format("stage {}: depth {}, expected 1", i + 1, s.depth));
      x = s.block == "a"   ? a(x, s.width)
          : s.block == "b" ? this->b(x)
          : s.block == "c" ? c(x, s.width)
          : s.block == "d" ? d(x)
          : s.block == "e" ? e(x)
                           : unknown(x, i, s);
    }
    l_.pool_classifier(x, "fc");
    return l_.finish();
  }

 private:
  // Convolution, norm, activation; h x w kernel, padded to keep the size unless told.
  ValueId conv(ValueId x, const std::string& name, int64_t out, int64_t h = 1, int64_t w = 0, int64_t stride = 1, int64_t pad = -1) {
    if (w == 0) w = h;
    ConvSpec spec = conv_spec(out, h, stride);
    spec.kernel = {h, w};
    const int64_t y = pad >= 0 ? pad : (h - 1) / 2, z = pad >= 0 ? pad : (w - 1) / 2;
    spec.pad = {y, z, y, z};
    return l_.activate(l_.norm(l_.b.conv(x, name + ".conv", spec), name + ".bn"));
  }
  ValueId pooled(ValueId x, int64_t out) { return conv(l_.b.avg_pool(x, 3, 1, {1, 1, 1, 1}), "branch_pool", out); }
  ValueId shrunk(ValueId x) { return l_.b.max_pool(x, 3, 2, {0, 0, 0, 0}); }

  ValueId a(ValueId x, int64_t pool) {
    ValueId one = conv(x, "branch1x1", 64);
    ValueId five = conv(conv(x, "branch5x5_1", 48), "branch5x5_2", 64, 5);
    ValueId three = conv(conv(conv(x, "branch3x3dbl_1", 64), "branch3x3dbl_2", 96, 3), "branch3x3dbl_3", 96, 3);
    return l_.b.concat({one, five, three, pooled(x, pool)}, 1);
  }
  ValueId b(ValueId x) {
    ValueId three = conv(x, "branch3x3", 384, 3, 3, 2, 0);
    ValueId twice = conv(conv(conv(x, "branch3x3dbl_1", 64), "branch3x3dbl_2", 96, 3), "branch3x3dbl_3", 96, 3, 3, 2, 0);
    return l_.b.concat({three, twice, shrunk(x)}, 1);
  }
  ValueId c(ValueId x, int64_t inner) {
    ValueId one = conv(x, "branch1x1", 192);
    ValueId seven = conv(conv(conv(x, "branch7x7_1", inner), "branch7x7_2", inner, 1, 7), "branch7x7_3", 192, 7, 1);
    ValueId twice = conv(conv(conv(x, "branch7x7dbl_1", inner), "branch7x7dbl_2", inner, 7, 1), "branch7x7dbl_3", inner, 1, 7);
    twice = conv(conv(twice, "branch7x7dbl_4", inner, 7, 1), "branch7x7dbl_5", 192, 1, 7);
    return l_.b.concat({one, seven, twice, pooled(x, 192)}, 1);
  }
  ValueId d(ValueId x) {
    ValueId three = conv(conv(x, "branch3x3_1", 192), "branch3x3_2", 320, 3, 3, 2, 0);
    ValueId seven = conv(conv(conv(x, "branch7x7x3_1", 192), "branch7x7x3_2", 192, 1, 7), "branch7x7x3_3", 192, 7, 1);
    return l_.b.concat({three, conv(seven, "branch7x7x3_4", 192, 3, 3, 2, 0), shrunk(x)}, 1);
  }
  ValueId e(ValueId x) {
    ValueId one = conv(x, "branch1x1", 320);
    ValueId three = conv(x, "branch3x3_1", 384);
    three = l_.b.concat({conv(three, "branch3x3_2a", 384, 1, 3), conv(three, "branch3x3_2b", 384, 3, 1)}, 1);
    ValueId twice = conv(conv(x, "branch3x3dbl_1", 448), "branch3x3dbl_2", 384, 3);
    twice = l_.b.concat({conv(twice, "branch3x3dbl_3a", 384, 1, 3), conv(twice, "branch3x3dbl_3b", 384, 3, 1)}, 1);
    return l_.b.concat({one, three, twice, pooled(x, 192)}, 1);
  }
  ValueId unknown(ValueId x, size_t i, const Stage& s) {
    l_.b.fail(fmt::format("stage {}: unknown block '{}'; known: a, b, c, d, e", i + 1, s.block));
    return x;
  }

  // 1x1 to 128, 5x5 to 768, classifier: state of the checkpoint that inference does not read.
  void auxiliary(int64_t in) {
    Builder::Scope scope(l_.b, "AuxLogits");
    declare_conv("conv0", {128, in, 1, 1});
    declare_conv("conv1", {768, 128, 5, 5});
    l_.b.parameter("fc.weight", {arch_.head.classes, 768}, {Init::Kind::truncated_normal, 0.02f});
    l_.b.parameter("fc.bias", {arch_.head.classes});
  }
  void declare_conv(const std::string& name, const Shape& weight) {
    Builder& b = l_.b;
    b.parameter(name + ".conv.weight", weight, {Init::Kind::kaiming_normal});
    b.parameter(name + ".bn.weight", {weight[0]}, {Init::Kind::ones});
    b.parameter(name + ".bn.bias", {weight[0]});
    b.buffer(name + ".bn.running_mean", {weight[0]});
    b.buffer(name + ".bn.running_var", {weight[0]}, {Init::Kind::ones});
    b.buffer(name + ".bn.num_batches_tracked", {}, {}, DType::i64);
  }

  Layers l_;
  const Arch& arch_;
};

Result<Graph> build_inception(const Arch& a) {
  if (a.names != "timm" && a.names != "torchvision")
    return fail(Code::invalid, fmt::format("no tensor names of '{}' for family 'inception'", a.names), a.name, "names: timm, torchvision");
  return Inception(a).build();
}

std::vector<Arch> published() {
  Arch a;
  a.family = "inception";
  a.resolution = 299;
  a.bn_eps = 1e-3;
  auto stage = [&](const char* block, const char* name, int64_t width) {
    a.stages.push_back({.block = block, .width = width, .stride = *block == 'b' || *block == 'd' ? 2 : 1});
    a.stages.back().options.emplace("name", std::string(name));
  };
  stage("a", "Mixed_5b", 32), stage("a", "Mixed_5c", 64), stage("a", "Mixed_5d", 64);
  stage("b", "Mixed_6a", 768);
  stage("c", "Mixed_6b", 128), stage("c", "Mixed_6c", 160), stage("c", "Mixed_6d", 160), stage("c", "Mixed_6e", 192);
  stage("d", "Mixed_7a", 1280);
  stage("e", "Mixed_7b", 2048), stage("e", "Mixed_7c", 2048);
  Arch timm = a, torchvision = a;
  timm.name = "timm/inception_v3";
  torchvision.name = "torchvision/inception_v3";
  torchvision.names = "torchvision";
  torchvision.head.dropout = 0.5;
  torchvision.options.emplace("auxiliary", true);
  return {timm, torchvision};
}

}  // namespace

Family inception_family() {
  // timm's names of old: other weights of the same network.
  auto aliases = +[]() -> std::vector<std::pair<std::string, std::string>> {
    return {{"timm/adv_inception_v3", "timm/inception_v3"}, {"timm/gluon_inception_v3", "timm/inception_v3"}, {"timm/tf_inception_v3", "timm/inception_v3"}};
  };
  return {"inception", build_inception, published, aliases, "auxiliary:flag name:text"};
}

}  // namespace hone
