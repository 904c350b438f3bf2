#include "zoo/anynet.h"

#include <fmt/format.h>

#include <cmath>

#include "zoo/layers.h"

namespace hone {
namespace {

// What a library calls the parts of a family ("": of every family). Blocks: {s} counts stages from 1, {b} blocks from 0,
// {b1} from 1.
struct Names {
  std::string family, library;
  std::string stem_conv, stem_norm;
  std::string block;
  std::string a, a_norm, b, b_norm, c, c_norm;
  std::string se_reduce, se_expand;
  std::string proj, proj_norm;
  std::string head_conv, head_norm, fc;
};

const Names kNames[] = {
    {"resnet", "timm", "conv1", "bn1", "layer{s}.{b}", "conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "se.fc1", "se.fc2",
     "downsample.0", "downsample.1", "", "", "fc"},
    {"resnet", "torchvision", "conv1", "bn1", "layer{s}.{b}", "conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "se.fc1", "se.fc2",
     "downsample.0", "downsample.1", "", "", "fc"},
    {"regnet", "timm", "stem.conv", "stem.bn", "s{s}.b{b1}", "conv1.conv", "conv1.bn", "conv2.conv", "conv2.bn", "conv3.conv", "conv3.bn",
     "se.fc1", "se.fc2", "downsample.conv", "downsample.bn", "final_conv.conv", "final_conv.bn", "head.fc"},
    {"regnet", "torchvision", "stem.0", "stem.1", "trunk_output.block{s}.block{s}-{b}", "f.a.0", "f.a.1", "f.b.0", "f.b.1", "f.c.0", "f.c.1",
     "f.se.fc1", "f.se.fc2", "proj.0", "proj.1", "head.0", "head.1", "fc"},
    {"", "pycls", "stem.conv", "stem.bn", "s{s}.b{b1}", "f.a", "f.a_bn", "f.b", "f.b_bn", "f.c", "f.c_bn", "f.se.f_ex.0", "f.se.f_ex.2",
     "proj", "bn", "head.conv", "head.bn", "head.fc"},
};

// Names that differ inside a scheme.
Names special(Names n, const Arch& arch) {
  const std::string& block = arch.stages.empty() ? "" : arch.stages[0].block;
  const bool avg = option_text(arch.options, "shortcut", "conv") == "avg";
  if (block == "preact_bottleneck") {  // timm's regnetv: bare convolutions, the norms in front
    n.stem_conv = "stem";
    n.a_norm = "norm1", n.b_norm = "norm2", n.c_norm = "norm3";
    n.a = "conv1", n.b = "conv2", n.c = "conv3";
    n.proj = avg ? "downsample.1" : "downsample";
  } else if (avg) {
    n.proj = "downsample.1", n.proj_norm = "downsample.2";
  }
  if (block == "vanilla") n.a = "a", n.a_norm = "a_bn", n.b = "b", n.b_norm = "b_bn";
  return n;
}

// An empty name would give two layers one name.
bool has_all_names(const Names& n, const Arch& arch) { return !n.fc.empty() && (arch.head.width == 0 || !n.head_conv.empty()); }

class AnyNet {
 public:
  AnyNet(const Arch& arch, const Names& names) : l_(arch), arch_(arch), n_(names) {}

  Result<Graph> build() {
    ValueId x = stem(l_.image());
    for (size_t i = 0; i < arch_.stages.size(); ++i) {
      const Stage& s = arch_.stages[i];
      for (int64_t j = 0; j < s.depth && !l_.b.failed(); ++j) {
        Builder::Scope scope(l_.b, fmt::format(fmt::runtime(n_.block), fmt::arg("s", i + 1), fmt::arg("b", j), fmt::arg("b1", j + 1)));
        stage_ = i + 1;
        x = block(x, s, j == 0 ? s.stride : 1);
      }
    }
    if (arch_.head.kind != "pool_fc") l_.b.fail(fmt::format("unknown head kind '{}'; known: pool_fc", arch_.head.kind));
    if (arch_.head.width > 0) x = l_.conv_norm(x, {.conv = n_.head_conv, .norm = n_.head_norm, .out = arch_.head.width});
    if (option_flag(arch_.head.options, "activation", false)) x = l_.activate(x);
    l_.pool_classifier(x, n_.fc);
    return l_.finish();
  }

 private:
  ValueId stem(ValueId x) {
    const Stem& s = arch_.stem;
    if (s.kind == "conv3x3" || s.kind == "conv3x3_s1") {
      const int64_t stride = s.kind == "conv3x3" ? 2 : 1;
      if (n_.stem_conv == "stem") return l_.conv(x, n_.stem_conv, s.width, 3, stride);  // pre-activation: bare
      return l_.conv_norm(x, {.conv = n_.stem_conv, .norm = n_.stem_norm, .out = s.width, .kernel = 3, .stride = stride});
    }
    if (s.kind == "resnet") {
      x = l_.conv_norm(x, {.conv = n_.stem_conv, .norm = n_.stem_norm, .out = s.width, .kernel = 7, .stride = 2});
      return l_.b.max_pool(x, 3, 2, {1, 1, 1, 1});
    }
    if (s.kind == "deep") {
      const auto widths = option_ints(s.options, "widths");
      if (widths.size() != 2) return l_.b.fail("a deep stem needs options.widths of two numbers"), x;
      auto part = [&](int i) { return fmt::format("{}.{}", n_.stem_conv, i); };
      x = l_.conv_norm(x, {.conv = part(0), .norm = part(1), .out = widths[0], .kernel = 3, .stride = 2});
      x = l_.conv_norm(x, {.conv = part(3), .norm = part(4), .out = widths[1], .kernel = 3});
      x = l_.conv_norm(x, {.conv = part(6), .norm = n_.stem_norm, .out = s.width, .kernel = 3});
      return l_.b.max_pool(x, 3, 2, {1, 1, 1, 1});
    }
    l_.b.fail(fmt::format("unknown stem kind '{}'; known: conv3x3, conv3x3_s1, resnet, deep", s.kind));
    return x;
  }

  ValueId block(ValueId x, const Stage& s, int64_t stride) {
    if (s.block == "bottleneck") return l_.activate(l_.b.add(shortcut(x, s, stride), bottleneck(x, s, stride)), s.activation);
    if (s.block == "linear_bottleneck") {
      ValueId y = bottleneck(x, s, stride);
      return stride == 1 && l_.b.channels(x) == s.width ? l_.b.add(x, y) : y;
    }
    if (s.block == "preact_bottleneck") return preact(x, s, stride);
    if (s.block == "basic") {
      ValueId y = basic(x, s, stride, "identity");
      return l_.activate(l_.b.add(shortcut(x, s, stride), y), s.activation);
    }
    if (s.block == "vanilla") return basic(x, s, stride, s.activation);
    l_.b.fail(fmt::format("stage {}: unknown block '{}'; known: bottleneck, linear_bottleneck, preact_bottleneck, basic, vanilla", stage_, s.block));
    return x;
  }

  ValueId basic(ValueId x, const Stage& s, int64_t stride, const std::string& last) {
    x = l_.conv_norm(x, {.conv = n_.a, .norm = n_.a_norm, .out = s.width, .kernel = s.kernel, .stride = stride, .activation = s.activation});
    return l_.conv_norm(x, {.conv = n_.b, .norm = n_.b_norm, .out = s.width, .kernel = s.kernel, .activation = last});
  }

  struct Inner {
    int64_t width, groups;
  };
  Inner inner(const Stage& s) {
    const auto width = static_cast<int64_t>(std::nearbyint(static_cast<double>(s.width) * s.expand));
    if (s.group_width == 0) return {width, 1};
    if (width % s.group_width != 0)
      l_.b.fail(fmt::format("stage {} ({}): group width {} does not divide the inner width {} = {} x {}", stage_, s.block, s.group_width, width,
                            s.width, s.expand));
    return {width, std::max<int64_t>(1, width / s.group_width)};
  }

  ValueId excite(ValueId y, int64_t width_in, const Stage& s) {
    if (s.se == 0) return y;
    const auto hidden = static_cast<int64_t>(std::nearbyint(static_cast<double>(width_in) * s.se));
    return l_.squeeze_excite(y, n_.se_reduce, n_.se_expand, hidden, s.activation);
  }

  ValueId bottleneck(ValueId x, const Stage& s, int64_t stride) {
    const int64_t width_in = l_.b.channels(x);
    const auto [width, groups] = inner(s);
    ValueId y = l_.conv_norm(x, {.conv = n_.a, .norm = n_.a_norm, .out = width, .activation = s.activation});
    y = l_.conv_norm(y, {.conv = n_.b, .norm = n_.b_norm, .out = width, .kernel = s.kernel, .stride = stride, .groups = groups, .activation = s.activation});
    y = excite(y, width_in, s);
    return l_.conv_norm(y, {.conv = n_.c, .norm = n_.c_norm, .out = s.width, .activation = "identity"});
  }

  ValueId preact(ValueId x, const Stage& s, int64_t stride) {
    const int64_t width_in = l_.b.channels(x);
    const auto [width, groups] = inner(s);
    x = l_.activate(l_.norm(x, n_.a_norm), s.activation);
    ValueId y = l_.conv(x, n_.a, width, 1);
    y = l_.activate(l_.norm(y, n_.b_norm), s.activation);
    y = excite(l_.conv(y, n_.b, width, s.kernel, stride, groups), width_in, s);
    y = l_.activate(l_.norm(y, n_.c_norm), s.activation);
    return l_.b.add(l_.conv(y, n_.c, s.width, 1), shortcut(x, s, stride));
  }

  // The block's input, projected where its shape changes.
  ValueId shortcut(ValueId x, const Stage& s, int64_t stride) {
    if (stride == 1 && l_.b.channels(x) == s.width) return x;
    if (option_text(arch_.options, "shortcut", "conv") == "avg") {
      if (stride > 1) x = l_.b.avg_pool(x, 2, stride, {0, 0, 0, 0}, false, true);
      stride = 1;
    }
    const std::string norm = s.block == "preact_bottleneck" ? "" : n_.proj_norm;
    return l_.conv_norm(x, {.conv = n_.proj, .norm = norm, .out = s.width, .stride = stride, .activation = "identity"});
  }

  Layers l_;
  const Arch& arch_;
  Names n_;
  size_t stage_ = 0;
};

}  // namespace

Result<Graph> build_anynet(const Arch& arch) {
  for (const Names& names : kNames) {
    if (names.library != arch.names || (!names.family.empty() && names.family != arch.family)) continue;
    const Names n = special(names, arch);
    if (!has_all_names(n, arch)) return fail(Code::invalid, fmt::format("a {} of {} has no head convolution", arch.family, arch.names), arch.name);
    return AnyNet(arch, n).build();
  }
  return fail(Code::invalid, fmt::format("no tensor names of '{}' for family '{}'", arch.names, arch.family), arch.name,
              "names: timm, torchvision, pycls");
}

}  // namespace hone
