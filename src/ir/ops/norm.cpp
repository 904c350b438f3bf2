// Normalisation: output elements of batch norms, layer norms, and group or instance norms, apart because conventions
// weigh them apart (fvcore: 2 per batch norm element, 5 per element of the others). RMS norms count nowhere.
#include <algorithm>

#include "ir/ops/common.h"

namespace hone::ops {

namespace {

Status check_vector(const InferContext& c, size_t i, Dim n, std::string_view what) {
  if (!c.has_input(i) || !c.input(i).ranked) return {};
  const Shape& s = c.input(i).shape;
  if (s.size() != 1 || (s[0] >= 0 && n >= 0 && s[0] != n)) return c.fail(fmt::format("{} is {}, expected {} elements", what, to_string(c.input(i)), n));
  return {};
}

Status infer_batch_norm(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0, 1));
  const Dim channels = x.size() > 1 ? x[1] : 1;
  static constexpr std::string_view kNames[] = {"", "scale", "bias", "running mean", "running variance"};
  for (size_t i = 1; i < 5; ++i) HONE_TRY(check_vector(c, i, channels, kNames[i]));
  c.set_output(0, c.input(0));
  c.set_output(1, c.input(3));
  c.set_output(2, c.input(4));
  return {};
}

Counts cost_batch_norm(const CostContext& c) {
  Counts n;
  n.bn_elements = c.elements_out();
  return n;
}

// Statistics over the dimensions from `axis` on; outputs 1 and 2 keep them as ones.
Status infer_layer_norm(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0));
  if (x.empty()) return c.fail("a scalar has nothing to normalise over");
  HONE_TRY_ASSIGN(const int64_t axis, axis_in(c, c.attrs().integer("axis", -1), x.size()));
  const Shape normalised(x.begin() + axis, x.end());
  for (size_t i = 1; i < 3; ++i)
    if (c.has_input(i) && c.input(i).ranked) {
      const auto together = broadcast(x, c.input(i).shape);
      // An unknown dimension of x may be what the scale has there.
      if (!together || together->size() != x.size() || !std::ranges::equal(*together, x, [](Dim t, Dim d) { return t == d || d == kUnknown; }))
        return c.fail(fmt::format("{} {} does not broadcast to {}", i == 1 ? "scale" : "bias", to_string(c.input(i)), to_string(c.input(0))));
    }
  c.set_output(0, c.input(0));
  Shape statistics = x;
  for (size_t i = static_cast<size_t>(axis); i < x.size(); ++i) statistics[i] = 1;
  const auto stash = static_cast<DType>(c.attrs().integer("stash_type", 1));
  c.set_output(1, {stash, statistics});
  c.set_output(2, {stash, statistics});
  return {};
}

Counts cost_layer_norm(const CostContext& c) {
  Counts n;
  n.ln_elements = c.elements_out();
  return n;
}

Counts cost_group_norm(const CostContext& c) {
  Counts n;
  n.gn_elements = c.elements_out();
  return n;
}

Status infer_group_norm(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0, 2));
  const int64_t groups = c.attrs().integer("num_groups", 1);
  if (groups < 1 || (x[1] >= 0 && x[1] % groups)) return c.fail(fmt::format("{} channels do not split into {} groups", x[1], groups));
  HONE_TRY(check_vector(c, 1, x[1], "scale"));
  HONE_TRY(check_vector(c, 2, x[1], "bias"));
  return infer_same(c);
}

Status infer_instance_norm(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0, 2));
  HONE_TRY(check_vector(c, 1, x[1], "scale"));
  HONE_TRY(check_vector(c, 2, x[1], "bias"));
  return infer_same(c);
}

Status infer_any(InferContext& c) {
  HONE_TRY(ranked(c, 0));
  return infer_same(c);
}

std::vector<Sample> batch_norm_samples() {
  Sample s{.label = "inference", .inputs = {f32({2, 3, 4, 4}), f32({3}), f32({3}), f32({3}), f32({3})}};
  s.outputs = {f32({2, 3, 4, 4})};
  s.counts = Counts{.bn_elements = 96};
  return {s};
}

std::vector<Sample> layer_norm_samples() {
  Sample s{.label = "last dimension", .inputs = {f32({2, 3, 4}), f32({4}), f32({4})}};
  s.outputs = {f32({2, 3, 4})};
  s.counts = Counts{.ln_elements = 24};
  Sample all{.label = "from axis 1, with statistics", .inputs = {f32({2, 3, 4}), f32({3, 4})}, .attrs = {{"axis", int64_t{1}}}};
  all.outputs = {f32({2, 3, 4}), f32({2, 1, 1}), f32({2, 1, 1})};
  return {s, all};
}

std::vector<Sample> rms_norm_samples() {
  Sample s{.label = "last dimension", .inputs = {f32({2, 3, 4}), f32({4})}};
  s.outputs = {f32({2, 3, 4})};
  return {s};
}

std::vector<Sample> group_norm_samples() {
  Sample s{.label = "2 groups", .inputs = {f32({1, 4, 5}), f32({4}), f32({4})}, .attrs = {{"num_groups", int64_t{2}}}};
  s.outputs = {f32({1, 4, 5})};
  s.counts = Counts{.gn_elements = 20};
  return {s};
}

std::vector<Sample> instance_norm_samples() {
  Sample s{.label = "plain", .inputs = {f32({1, 4, 5}), f32({4}), f32({4})}};
  s.outputs = {f32({1, 4, 5})};
  s.counts = Counts{.gn_elements = 20};
  return {s};
}

std::vector<Sample> same_samples() {
  Sample s{.label = "plain", .inputs = {f32({1, 4, 5, 5})}};
  s.outputs = {f32({1, 4, 5, 5})};
  return {s};
}

std::vector<Sample> lrn_samples() {
  auto samples = same_samples();
  samples[0].attrs = {{"size", int64_t{3}}};
  return samples;
}

const std::vector<AttrSpec> kLayerNormAttrs{{"axis", AttrKind::integer}, {"epsilon", AttrKind::real}, {"stash_type", AttrKind::integer}};

}  // namespace

std::vector<OpDef> norm_ops() {
  return {
      {"BatchNormalization", 5, 5, 1, 3, {{"epsilon", AttrKind::real}, {"momentum", AttrKind::real}, {"training_mode", AttrKind::integer}}, infer_batch_norm, cost_batch_norm,
       batch_norm_samples, true},
      {"LayerNormalization", 2, 3, 1, 3, kLayerNormAttrs, infer_layer_norm, cost_layer_norm, layer_norm_samples, true},
      {"RMSNormalization", 2, 2, 1, 1, kLayerNormAttrs, infer_layer_norm, nullptr, rms_norm_samples, true},
      {"GroupNormalization", 3, 3, 1, 1, {{"epsilon", AttrKind::real}, {"num_groups", AttrKind::integer, true}, {"stash_type", AttrKind::integer}}, infer_group_norm, cost_group_norm,
       group_norm_samples, true},
      {"InstanceNormalization", 3, 3, 1, 1, {{"epsilon", AttrKind::real}}, infer_instance_norm, cost_group_norm, instance_norm_samples, true},
      {"LpNormalization", 1, 1, 1, 1, {{"axis", AttrKind::integer}, {"p", AttrKind::integer}}, infer_any, nullptr, same_samples, true},
      {"MeanVarianceNormalization", 1, 1, 1, 1, {{"axes", AttrKind::integers}}, infer_any, nullptr, same_samples, true},
      {"LRN", 1, 1, 1, 1, {{"alpha", AttrKind::real}, {"beta", AttrKind::real}, {"bias", AttrKind::real}, {"size", AttrKind::integer, true}}, infer_any, nullptr, lrn_samples},
  };
}

}  // namespace hone::ops
