#include "zoo/mobile.h"

#include <fmt/format.h>

#include <cmath>

#include "zoo/layers.h"

namespace hone {
namespace {

struct BlockNames {
  std::string expand, expand_norm, depthwise, depthwise_norm, se_reduce, se_expand, project, project_norm;
};

// What a library calls the parts. Stages and flat block numbers count from 1 in {s} and {k}, from 0 in {s0}; blocks of a
// stage from 0 in {b}, from 1 in {b1}.
struct Names {
  std::string family, library;  // "": every family
  std::string stem, stem_norm;
  std::string block;
  std::string head, head_norm;  // the 1x1 convolution before the pool
  std::string hidden;           // the layer behind the pool
  std::string classifier;
  // Block names; empty in torchvision, which counts layers.
  BlockNames mbconv, ds, fused, conv;
  std::string counted;  // torchvision: "block" or "conv", before the layer's number
  bool counts_project_norm = false;  // torchvision's MobileNetV2: the projection's norm is a layer of its own
};

const Names kNames[] = {
    {"", "timm", "conv_stem", "bn1", "blocks.{s0}.{b}", "conv_head", "bn2", "conv_head", "classifier",
     {"conv_pw", "bn1", "conv_dw", "bn2", "se.conv_reduce", "se.conv_expand", "conv_pwl", "bn3"},
     {"", "", "conv_dw", "bn1", "se.conv_reduce", "se.conv_expand", "conv_pw", "bn2"},
     {"conv_exp", "bn1", "", "", "se.conv_reduce", "se.conv_expand", "conv_pwl", "bn2"},
     {"", "", "", "", "", "", "conv", "bn1"}, "", false},
    {"", "pycls", "stem.conv", "stem.bn", "s{s}.b{b1}", "head.conv", "head.conv_bn", "", "head.fc",
     {"exp", "exp_bn", "dwise", "dwise_bn", "se.f_ex.0", "se.f_ex.2", "lin_proj", "lin_proj_bn"},
     {"", "", "dwise", "dwise_bn", "se.f_ex.0", "se.f_ex.2", "lin_proj", "lin_proj_bn"}, {}, {}, "", false},
    {"mobilenetv2", "torchvision", "features.0.0", "features.0.1", "features.{k}", "features.{k}.0", "features.{k}.1", "", "classifier.1",
     {}, {}, {}, {}, "conv", true},
    {"mobilenetv3", "torchvision", "features.0.0", "features.0.1", "features.{k}", "features.{k}.0", "features.{k}.1", "classifier.0",
     "classifier.3", {}, {}, {}, {"", "", "", "", "", "", "0", "1"}, "block", false},
    {"efficientnet", "torchvision", "features.0.0", "features.0.1", "features.{s}.{b}", "features.{s}.0", "features.{s}.1", "", "classifier.1",
     {}, {}, {}, {}, "block", false},
};

class Mobile {
 public:
  Mobile(const Arch& arch, const Names& names) : l_(arch), arch_(arch), n_(names) {}

  Result<Graph> build() {
    if (arch_.stem.kind != "conv3x3") l_.b.fail(fmt::format("unknown stem kind '{}'; known: conv3x3", arch_.stem.kind));
    ValueId x = l_.conv_norm(l_.image(), {.conv = n_.stem, .norm = n_.stem_norm, .out = arch_.stem.width, .kernel = 3, .stride = 2});
    int64_t stage = -1, number = 0, flat = 0;  // the names' counters: stage, block of the stage, block of the network
    auto name = [&](const std::string& pattern) {
      return fmt::format(fmt::runtime(pattern), fmt::arg("s0", stage), fmt::arg("s", stage + 1), fmt::arg("b", number), fmt::arg("b1", number + 1),
                         fmt::arg("k", flat + 1));
    };
    for (size_t i = 0; i < arch_.stages.size(); ++i) {
      const Stage& s = arch_.stages[i];
      if (i == 0 || !option_flag(s.options, "join", false)) ++stage, number = 0;
      row_ = i + 1;
      for (int64_t j = 0; j < s.depth && !l_.b.failed(); ++j, ++number, ++flat) {
        Builder::Scope scope(l_.b, name(n_.block));
        x = block(x, s, j == 0 ? s.stride : 1);
      }
    }
    ++stage;  // the head counts as the next one
    head(x, name(n_.head), name(n_.head_norm));
    return l_.finish();
  }

 private:
  ValueId block(ValueId x, const Stage& s, int64_t stride) {
    const int64_t in = l_.b.channels(x);
    const bool expands = s.block == "mbconv" || s.block == "fused_mbconv";
    if (!expands && s.block != "ds" && s.block != "conv") {
      l_.b.fail(fmt::format("stage {}: unknown block '{}'; known: ds, mbconv, fused_mbconv, conv", row_, s.block));
      return x;
    }
    const int64_t inner = expands ? make_divisible(static_cast<double>(in) * s.expand) : in;
    const BlockNames n = block_names(s);
    const std::string last = s.block == "conv" || option_flag(s.options, "last_activation", false) ? s.activation : "identity";
    ValueId y = x;
    if (s.block == "conv") {
      y = l_.conv_norm(y, {.conv = n.project, .norm = n.project_norm, .out = s.width, .kernel = s.kernel, .stride = stride, .activation = last});
    } else {
      if (s.block == "mbconv") y = l_.conv_norm(y, {.conv = n.expand, .norm = n.expand_norm, .out = inner, .activation = s.activation});
      if (s.block == "fused_mbconv")
        y = l_.conv_norm(y, {.conv = n.expand, .norm = n.expand_norm, .out = inner, .kernel = s.kernel, .stride = stride, .activation = s.activation});
      else
        y = l_.conv_norm(y, {.conv = n.depthwise, .norm = n.depthwise_norm, .out = inner, .kernel = s.kernel, .stride = stride, .groups = inner,
                             .activation = s.activation});
      y = excite(y, n, s, in, inner);
      y = l_.conv_norm(y, {.conv = n.project, .norm = n.project_norm, .out = s.width, .activation = last});
    }
    const bool skip = option_flag(s.options, "skip", s.block != "conv") && stride == 1 && in == s.width;
    return skip ? l_.b.add(y, x) : y;
  }

  ValueId excite(ValueId y, const BlockNames& n, const Stage& s, int64_t in, int64_t inner) {
    if (s.se == 0) return y;
    const Options& o = arch_.options;
    const double wish = static_cast<double>(option_text(o, "se_from", "input") == "inner" ? inner : in) * s.se;
    const int64_t hidden = option_text(o, "se_round", "nearest") == "eight" ? make_divisible(wish) : static_cast<int64_t>(std::nearbyint(wish));
    return l_.squeeze_excite(y, n.se_reduce, n.se_expand, hidden, option_text(o, "se_activation", s.activation), option_text(o, "se_gate", "sigmoid"));
  }

  BlockNames block_names(const Stage& s) const {
    if (n_.counted.empty() || (s.block == "conv" && !n_.conv.project.empty()))
      return s.block == "mbconv" ? n_.mbconv : s.block == "ds" ? n_.ds : s.block == "fused_mbconv" ? n_.fused : n_.conv;
    BlockNames n;
    int layer = 0;
    auto next = [&](std::string& conv, std::string& norm) {
      conv = fmt::format("{}.{}.0", n_.counted, layer);
      norm = fmt::format("{}.{}.1", n_.counted, layer++);
    };
    if (s.block == "mbconv" || s.block == "fused_mbconv") next(n.expand, n.expand_norm);
    if (s.block == "mbconv" || s.block == "ds") next(n.depthwise, n.depthwise_norm);
    if (s.se != 0) {
      n.se_reduce = fmt::format("{}.{}.fc1", n_.counted, layer);
      n.se_expand = fmt::format("{}.{}.fc2", n_.counted, layer++);
    }
    next(n.project, n.project_norm);
    if (n_.counts_project_norm) {
      n.project = fmt::format("{}.{}", n_.counted, layer - 1);
      n.project_norm = fmt::format("{}.{}", n_.counted, layer);
    }
    return n;
  }

  void head(ValueId x, const std::string& conv, const std::string& norm) {
    const Head& h = arch_.head;
    const bool conv_behind = h.kind == "pool_conv_fc", linear_behind = h.kind == "pool_fc_fc";
    if (h.kind == "pool_fc" || h.kind == "none") {
      if (h.width > 0) x = l_.conv_norm(x, {.conv = conv, .norm = norm, .out = h.width});
      return h.kind == "none" ? l_.b.output(x) : l_.pool_classifier(x, n_.classifier);
    }
    if ((!conv_behind && !linear_behind) || n_.hidden.empty())
      return l_.b.fail(fmt::format("head kind '{}' does not go with the names of {}; known: pool_fc, none, and for MobileNetV3 pool_conv_fc (timm), pool_fc_fc "
                                   "(torchvision)", h.kind, arch_.names));
    Builder& b = l_.b;
    x = b.global_avg_pool(x);
    if (conv_behind) {
      x = b.flatten(l_.activate(l_.conv(x, n_.hidden, h.width, 1, 1, 1, option_flag(h.options, "bias", true))));
    } else {
      x = l_.activate(b.linear(b.flatten(x), n_.hidden, h.width));
    }
    b.output(b.linear(x, n_.classifier, h.classes));
  }

  Layers l_;
  const Arch& arch_;
  const Names& n_;
  size_t row_ = 0;
};

}  // namespace

Result<Graph> build_mobile(const Arch& arch) {
  for (const Names& n : kNames)
    if (n.library == arch.names && (n.family.empty() || n.family == arch.family)) return Mobile(arch, n).build();
  return fail(Code::invalid, fmt::format("no tensor names of '{}' for family '{}'", arch.names, arch.family), arch.name,
              "names: timm, torchvision, pycls");
}

std::vector<Stage> mobile_stages(std::span<const MobileRow> rows, const MobileScale& scale) {
  std::vector<Stage> out;
  for (size_t begin = 0, end; begin < rows.size(); begin = end) {
    for (end = begin + 1; end < rows.size() && rows[end].join; ++end) {}
    int64_t left = 0;
    for (size_t i = begin; i < end; ++i) left += rows[i].depth;
    const bool fixed = scale.fixed_ends && (begin == 0 || end == rows.size());
    auto scaled = static_cast<int64_t>(std::ceil(static_cast<double>(left) * (fixed ? 1 : scale.depth)));
    std::vector<int64_t> depths(end - begin);
    for (size_t i = end; i-- > begin;) {
      const double share = static_cast<double>(rows[i].depth) / static_cast<double>(left) * static_cast<double>(scaled);
      depths[i - begin] = std::max<int64_t>(1, static_cast<int64_t>(std::nearbyint(share)));
      left -= rows[i].depth;
      scaled -= depths[i - begin];
    }
    for (size_t i = begin; i < end; ++i) {
      const MobileRow& r = rows[i];
      Stage s{.block = r.block, .depth = depths[i - begin], .stride = r.stride, .kernel = r.kernel, .expand = r.expand, .se = r.se, .activation = r.activation};
      s.width = make_divisible(static_cast<double>(r.width) * scale.width, 8, scale.share);
      if (r.join) s.options.emplace("join", true);
      out.push_back(std::move(s));
    }
  }
  return out;
}

}  // namespace hone
