#include <algorithm>
#include <cmath>

#include "scale/families.h"
#include "zoo/layers.h"

namespace hone::closed {

namespace {

int64_t nearest(double v) { return static_cast<int64_t>(std::nearbyint(v)); }

void conv_norm(Meter& m, int64_t out, int64_t k, int64_t stride = 1, int64_t groups = 1) {
  m.conv(out, k, stride, groups);
  m.norm();
}

// Norms over groups of so many channels must divide every width that has a norm.
bool group_norms_fit(const Arch& arch) {
  const int64_t group = option_int(arch.options, "group_norm", 0);
  if (group <= 0) return true;
  bool fit = arch.stem.width % group == 0 && arch.head.width % group == 0;
  for (const Stage& s : arch.stages) fit = fit && s.width % group == 0 && nearest(static_cast<double>(s.width) * s.expand) % group == 0;
  return fit;
}

// The map before a block, for its shortcut.
struct Input {
  int64_t c, h;
};
// Counts a shortcut from `in`; the main branch's map stays the present one.
template <class Layers>
void beside(Meter& m, Input in, Layers layers) {
  const Input now{m.c, m.h};
  m.c = in.c, m.h = in.h;
  layers();
  m.c = now.c, m.h = now.h;
}

struct AnyNet {
  const Arch& arch;
  Meter m;

  bool stem() {
    const Stem& s = arch.stem;
    const bool bare = !arch.stages.empty() && arch.stages[0].block == "preact_bottleneck";
    if (s.kind == "conv3x3" || s.kind == "conv3x3_s1") {
      m.conv(s.width, 3, s.kind == "conv3x3" ? 2 : 1);
      if (!bare) m.norm();
      return true;
    }
    if (s.kind == "resnet") {
      conv_norm(m, s.width, 7, 2);
    } else if (s.kind == "deep") {
      const auto widths = option_ints(s.options, "widths");
      if (widths.size() != 2) return false;
      conv_norm(m, widths[0], 3, 2);
      conv_norm(m, widths[1], 3);
      conv_norm(m, s.width, 3);
    } else {
      return false;
    }
    m.max_pool(2, true);
    return true;
  }

  void shortcut(const Stage& s, int64_t stride, Input in) {
    if (stride == 1 && in.c == s.width) return;
    beside(m, in, [&] {
      m.conv(s.width, 1, stride);
      if (s.block != "preact_bottleneck") m.norm();
    });
  }

  void bottleneck(const Stage& s, int64_t stride, bool preact) {
    const int64_t in = m.c, inner = nearest(static_cast<double>(s.width) * s.expand);
    if (s.group_width > 0 && inner % s.group_width != 0) m.valid = false;
    const int64_t groups = s.group_width == 0 ? 1 : std::max<int64_t>(1, inner / s.group_width);
    if (preact) m.norm();
    m.conv(inner, 1);
    m.norm();
    m.conv(inner, s.kernel, stride, groups);
    if (!preact) m.norm();
    if (s.se != 0) m.squeeze_excite(nearest(static_cast<double>(in) * s.se));
    if (preact) m.norm();
    m.conv(s.width, 1);
    if (!preact) m.norm();
  }

  bool block(const Stage& s, int64_t stride) {
    const Input in{m.c, m.h};
    if (s.block == "bottleneck" || s.block == "linear_bottleneck" || s.block == "preact_bottleneck") {
      bottleneck(s, stride, s.block == "preact_bottleneck");
      if (s.block != "linear_bottleneck") shortcut(s, stride, in);
      return true;
    }
    if (s.block != "basic" && s.block != "vanilla") return false;
    conv_norm(m, s.width, s.kernel, stride);
    conv_norm(m, s.width, s.kernel);
    if (s.block == "basic") shortcut(s, stride, in);
    return true;
  }
};

// Blocks of the inverted-residual family; see zoo/mobile.h for the options.
void squeeze_excite(Meter& m, const Arch& arch, const Stage& s, int64_t in, int64_t inner) {
  if (s.se == 0) return;
  const double wish = static_cast<double>(option_text(arch.options, "se_from", "input") == "inner" ? inner : in) * s.se;
  m.squeeze_excite(option_text(arch.options, "se_round", "nearest") == "eight" ? make_divisible(wish) : nearest(wish));
}

bool mobile_block(Meter& m, const Arch& arch, const Stage& s, int64_t stride) {
  const int64_t in = m.c;
  if (s.block == "conv") {
    conv_norm(m, s.width, s.kernel, stride);
    return true;
  }
  const bool mbconv = s.block == "mbconv", fused = s.block == "fused_mbconv";
  if (!mbconv && !fused && s.block != "ds") return false;
  const int64_t inner = mbconv || fused ? make_divisible(static_cast<double>(in) * s.expand) : in;
  if (mbconv) conv_norm(m, inner, 1);
  conv_norm(m, inner, s.kernel, stride, fused ? 1 : inner);
  squeeze_excite(m, arch, s, in, inner);
  conv_norm(m, s.width, 1);
  return true;
}

}  // namespace

std::optional<Meter> anynet(const Arch& arch) {
  AnyNet net{arch, Meter(arch.channels, arch.resolution)};
  if (!net.stem() || !group_norms_fit(arch) || arch.head.kind != "pool_fc") return std::nullopt;
  for (const Stage& s : arch.stages) {
    if (!net.block(s, s.stride)) return std::nullopt;
    net.m.repeat(s.depth - 1, [&] { net.block(s, 1); });
  }
  if (arch.head.width > 0) conv_norm(net.m, arch.head.width, 1);
  if (arch.head.classes > 0) net.m.linear(arch.head.classes);
  return net.m;
}

std::optional<Meter> mobile(const Arch& arch) {
  Meter m(arch.channels, arch.resolution);
  if (arch.stem.kind != "conv3x3") return std::nullopt;
  conv_norm(m, arch.stem.width, 3, 2);
  for (const Stage& s : arch.stages) {
    if (!mobile_block(m, arch, s, s.stride)) return std::nullopt;
    m.repeat(s.depth - 1, [&] { mobile_block(m, arch, s, 1); });
  }
  const Head& h = arch.head;
  if (h.kind == "pool_fc" || h.kind == "none") {
    if (h.width > 0) conv_norm(m, h.width, 1);
    if (h.kind == "none") return m;
  } else if (h.kind == "pool_conv_fc" || h.kind == "pool_fc_fc") {
    m.linear(h.width, h.kind == "pool_fc_fc" || option_flag(h.options, "bias", true));
  } else {
    return std::nullopt;
  }
  if (h.classes > 0) m.linear(h.classes);
  return m;
}

std::optional<Meter> vgg(const Arch& arch) {
  Meter m(arch.channels, arch.resolution);
  const bool batch_norm = option_flag(arch.options, "batch_norm", false);
  for (const Stage& s : arch.stages) {
    if (s.block != "conv" || s.kernel % 2 == 0) return std::nullopt;
    auto layer = [&] {
      m.conv(s.width, s.kernel, 1, 1, true);
      if (batch_norm) m.norm();
    };
    layer();
    m.repeat(s.depth - 1, layer);
    m.max_pool(2, false);
  }
  const Head& h = arch.head;
  if (h.kind == "mlp") {
    m.c *= 7 * 7;  // pooled to 7x7 and flattened
    m.linear(h.width);
    m.linear(h.width);
  } else if (h.kind == "conv_mlp") {
    if (m.h < 7 && m.valid) m.h = 7;
    m.conv_valid(h.width, 7, 1, true);
    m.conv(h.width, 1, 1, 1, true);
  } else if (h.kind == "none") {
    return m;
  } else {
    return std::nullopt;
  }
  if (h.classes > 0) m.linear(h.classes);
  return m;
}

}  // namespace hone::closed
