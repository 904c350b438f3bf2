#include "zoo/layers.h"

#include <fmt/format.h>

#include <cmath>

namespace hone {

Layers::Layers(const Arch& a) : b(a.name), arch(a), group_norm_(option_int(a.options, "group_norm", 0)) {
  if (a.padding != "symmetric" && a.padding != "same")
    b.fail(fmt::format("unknown padding '{}'; known: symmetric, same", a.padding));
}

ValueId Layers::image() { return b.input("x", DType::f32, {1, arch.channels, arch.resolution, arch.resolution}); }

ValueId Layers::conv(ValueId x, std::string_view name, int64_t out, int64_t kernel, int64_t stride, int64_t groups, bool bias) {
  ConvSpec spec = conv_spec(out, kernel, stride, groups, bias);
  spec.same = arch.padding == "same";
  return b.conv(x, name, spec);
}

ValueId Layers::norm(ValueId x, std::string_view name) {
  const auto eps = static_cast<float>(arch.bn_eps);
  if (group_norm_ <= 0) return b.batch_norm(x, name, eps, {Init::Kind::ones}, static_cast<float>(arch.bn_momentum));
  if (b.channels(x) % group_norm_ != 0)
    b.fail(fmt::format("{}: groups of {} channels do not divide {}", b.path(name), group_norm_, b.channels(x)));
  return b.group_norm(x, name, b.failed() ? 1 : b.channels(x) / group_norm_, eps);
}

ValueId Layers::activate(ValueId x, std::string_view kind) {
  if (kind.empty()) kind = arch.activation;
  if (kind == "identity") return x;
  if (kind == "relu") return b.relu(x);
  if (kind == "relu6") return b.relu6(x);
  if (kind == "silu") return b.silu(x);
  if (kind == "gelu") return b.gelu(x);
  if (kind == "hard_swish") return b.hard_swish(x);
  if (kind == "hard_sigmoid") return b.hard_sigmoid(x);
  if (kind == "sigmoid") return b.sigmoid(x);
  if (kind == "tanh") return b.tanh(x);
  b.fail(fmt::format("unknown activation '{}'; known: identity, relu, relu6, silu, gelu, hard_swish, hard_sigmoid, sigmoid, tanh", kind));
  return x;
}

ValueId Layers::conv_norm(ValueId x, const ConvNorm& c) {
  x = conv(x, c.conv, c.out, c.kernel, c.stride, c.groups, c.bias);
  if (!c.norm.empty()) x = norm(x, c.norm);
  return activate(x, c.activation);
}

ValueId Layers::squeeze_excite(ValueId x, std::string_view reduce, std::string_view expand, int64_t hidden, std::string_view activation,
                               std::string_view gate) {
  const int64_t channels = b.channels(x);
  // timm takes the mean, the others pool adaptively: the same numbers, but fvcore counts only the second.
  ValueId s = arch.names == "timm" ? b.mean(x, {2, 3}, true) : b.global_avg_pool(x);
  s = activate(conv(s, reduce, hidden, 1, 1, 1, true), activation);
  return b.mul(x, activate(conv(s, expand, channels, 1, 1, 1, true), gate));
}

ValueId Layers::adaptive_avg_pool(ValueId x, int64_t size) {
  if (b.failed()) return x;
  const int64_t h = b.shape(x)[2], w = b.shape(x)[3];
  if (h == w && h % size == 0) return b.avg_pool(x, h / size, h / size, {0, 0, 0, 0});
  // Windows of different sizes: the mean over one axis, then over the other.
  for (int64_t axis : {2, 3}) {
    const int64_t n = axis == 2 ? h : w;
    std::vector<ValueId> parts;
    for (int64_t i = 0; i < size; ++i)
      parts.push_back(b.mean(b.slice(x, axis, i * n / size, ((i + 1) * n + size - 1) / size), {axis}, true));
    x = b.concat(std::move(parts), axis);
  }
  return x;
}

void Layers::pool_classifier(ValueId x, std::string_view name) {
  x = b.flatten(b.global_avg_pool(x));
  b.output(arch.head.classes > 0 ? b.linear(x, name, arch.head.classes) : x);
}

int64_t make_divisible(double v, int64_t divisor, double share) {
  const auto d = static_cast<double>(divisor);
  double n = std::max(d, std::floor((v + d / 2) / d) * d);
  if (n < share * v) n += d;
  return static_cast<int64_t>(n);
}

}  // namespace hone
