// Activation functions: one output element each in activation_elements; softmax has its own field.
#include <algorithm>

#include "ir/ops/common.h"

namespace hone::ops {

namespace {

// A Clip between two bounds is an activation function (ReLU6 and its like); with one bound it guards a division or a
// computed padding, and counts nothing. Exporters clip paddings, so it folds.
Counts cost_clip(const CostContext& c) { return c.has_input(1) && c.has_input(2) ? cost_activation(c) : Counts{}; }

Status infer_clip(InferContext& c) {
  HONE_TRY(infer_same(c));
  const Known* x = c.known(0);
  if (!x) return {};
  Known out = *x;
  for (size_t i = 1; i < 3; ++i) {
    if (!c.has_input(i)) continue;
    const Known* bound = c.known(i);
    if (!bound || bound->size() != 1 || bound->is_float() != x->is_float()) return {};
    const auto apply = [&](auto v, auto limit) { return i == 1 ? std::max(v, limit) : std::min(v, limit); };
    for (double& v : out.floats) v = apply(v, bound->floats[0]);
    for (int64_t& v : out.ints)
      if (v != kUnknownElement) v = bound->ints[0] == kUnknownElement ? kUnknownElement : apply(v, bound->ints[0]);
  }
  c.set_known(0, std::move(out));
  return {};
}

Status infer_prelu(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0));
  HONE_TRY_ASSIGN(const Shape slope, ranked(c, 1));
  const auto out = broadcast(x, slope);
  if (!out || out->size() != x.size()) return c.fail(fmt::format("the slope {} does not broadcast to {}", to_string(c.input(1)), to_string(c.input(0))));
  return infer_same(c);
}

Status infer_softmax(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0));
  if (!x.empty()) HONE_TRY(axis_in(c, c.attrs().integer("axis", -1), x.size()));
  return infer_same(c);
}

Counts cost_softmax(const CostContext& c) {
  Counts n;
  n.softmax_elements = c.elements_out();
  return n;
}

std::vector<Sample> activation_samples() {
  Sample s{.label = "plain", .inputs = {f32({2, 3})}};
  s.outputs = {f32({2, 3})};
  s.counts = Counts{.activation_elements = 6};
  return {s};
}
std::vector<Sample> clip_samples() {
  auto s = activation_samples();
  s[0].inputs = {f32({2, 3}), f32({}), f32({})};
  return s;
}
std::vector<Sample> prelu_samples() {
  auto s = activation_samples();
  s[0].inputs = {f32({2, 3}), f32({3})};
  return s;
}
std::vector<Sample> swiglu_samples() {
  auto s = activation_samples();
  s[0].inputs = {f32({2, 3}), f32({2, 3})};
  return s;
}
std::vector<Sample> softmax_samples() {
  auto s = activation_samples();
  s[0].counts = Counts{.softmax_elements = 6};
  return s;
}

OpDef activation(std::string_view name, std::vector<AttrSpec> attrs = {}) { return {name, 1, 1, 1, 1, std::move(attrs), infer_same, cost_activation, activation_samples, true}; }

}  // namespace

std::vector<OpDef> activation_ops() {
  const AttrSpec alpha{"alpha", AttrKind::real}, beta{"beta", AttrKind::real}, gamma{"gamma", AttrKind::real};
  return {
      activation("Relu"),
      activation("Sigmoid"),
      activation("Tanh"),
      activation("HardSigmoid", {alpha, beta}),
      activation("HardSwish"),
      activation("Swish", {alpha}),
      {"SwiGLU", 2, 2, 1, 1, {alpha}, infer_broadcast, cost_activation, swiglu_samples, true},  // Swish(a) * b
      activation("Gelu", {{"approximate", AttrKind::text}}),
      activation("LeakyRelu", {alpha}),
      activation("ThresholdedRelu", {alpha}),
      activation("Elu", {alpha}),
      activation("Celu", {alpha}),
      activation("Selu", {alpha, gamma}),
      activation("Softplus"),
      activation("Softsign"),
      activation("Mish"),
      activation("Shrink", {{"bias", AttrKind::real}, {"lambd", AttrKind::real}}),
      {"Clip", 1, 3, 1, 1, {}, infer_clip, cost_clip, clip_samples, true},
      {"PRelu", 2, 2, 1, 1, {}, infer_prelu, cost_activation, prelu_samples, true},
      {"Softmax", 1, 1, 1, 1, {{"axis", AttrKind::integer}}, infer_softmax, cost_softmax, softmax_samples, true},
      {"LogSoftmax", 1, 1, 1, 1, {{"axis", AttrKind::integer}}, infer_softmax, cost_softmax, softmax_samples, true},
      {"Hardmax", 1, 1, 1, 1, {{"axis", AttrKind::integer}}, infer_softmax, cost_softmax, softmax_samples, true},
  };
}

}  // namespace hone::ops
