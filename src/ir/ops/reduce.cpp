// Reductions over axes. A mean over the spatial axes is no adaptive pool: fvcore counts the one and not the other.
#include <algorithm>
#include <functional>

#include "ir/ops/common.h"

namespace hone::ops {

namespace {

Shape reduced(const Shape& x, const std::vector<int64_t>& axes, bool keep) {
  Shape out;
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::ranges::find(axes, static_cast<int64_t>(i)) == axes.end()) out.push_back(x[i]);
    else if (keep) out.push_back(1);
  }
  return out;
}

Status infer_reduce(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0));
  const bool keep = c.attrs().integer("keepdims", 1) != 0;
  HONE_TRY_ASSIGN(auto axes, known_axes(c, 1, x.size()));
  if (axes && c.has_input(1) && axes->empty()) {
    if (c.attrs().integer("noop_with_empty_axes", 0)) return infer_same(c);
    for (size_t i = 0; i < x.size(); ++i) axes->push_back(static_cast<int64_t>(i));
  }
  if (!axes) {
    if (keep) c.set_output(0, {c.input(0).dtype, Shape(x.size(), kUnknown)});
    else c.set_output(0, TensorType(c.input(0).dtype));
    return {};
  }
  c.set_output(0, {c.input(0).dtype, reduced(x, *axes, keep)});
  return {};
}

// The product or sum of a known shape, as exporters write for a number of elements.
template <class F>
Status infer_folding_reduce(InferContext& c, int64_t start, F fold) {
  HONE_TRY(infer_reduce(c));
  const Known* k = c.known(0);
  if (!k || k->is_float() || k->shape.size() > 1) return {};
  int64_t sum = start;
  for (int64_t v : k->ints) {
    const auto next = v == kUnknownElement ? std::nullopt : fold(sum, v);
    if (!next) return {};
    sum = *next;
  }
  const bool keep = c.attrs().integer("keepdims", 1) != 0 && k->shape.size() == 1;
  c.set_known(0, {k->dtype, keep ? Shape{1} : Shape{}, {sum}, {}});
  return {};
}
Status infer_reduce_prod(InferContext& c) { return infer_folding_reduce(c, 1, checked_mul); }
Status infer_reduce_sum(InferContext& c) { return infer_folding_reduce(c, 0, checked_add); }

Status infer_arg(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0, 1));
  HONE_TRY_ASSIGN(const int64_t axis, axis_in(c, c.attrs().integer("axis", 0), x.size()));
  c.set_output(0, i64(reduced(x, {axis}, c.attrs().integer("keepdims", 1) != 0)));
  return {};
}

// Losses over classes: N x C x ... and targets N x ...; the mean or sum is a scalar.
Status infer_loss(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape target, ranked(c, 1));
  const bool none = c.attrs().text("reduction", "mean") == "none";
  c.set_output(0, {c.input(0).dtype, none ? target : Shape{}});
  c.set_output(1, c.input(0));
  return {};
}

std::vector<Sample> reduce_samples() {
  Sample s{.label = "axes kept", .inputs = {f32({2, 3, 4}), i64({1})}, .contents = {std::nullopt, ints({-1})}};
  s.outputs = {f32({2, 3, 1})};
  s.counts = Counts{};
  Sample all{.label = "all, dropped", .inputs = {f32({2, 3, 4})}, .attrs = {{"keepdims", int64_t{0}}}};
  all.outputs = {f32({})};
  return {s, all};
}
std::vector<Sample> arg_samples() {
  Sample s{.label = "axis 1", .inputs = {f32({2, 3, 4})}, .attrs = {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}}};
  s.outputs = {i64({2, 4})};
  return {s};
}
std::vector<Sample> loss_samples() {
  Sample s{.label = "no reduction", .inputs = {f32({3, 5, 2}), i64({3, 2})}, .attrs = {{"reduction", std::string("none")}}};
  s.outputs = {f32({3, 2})};
  return {s};
}

}  // namespace

std::vector<OpDef> reduce_ops() {
  const std::vector<AttrSpec> attrs{{"keepdims", AttrKind::integer}, {"noop_with_empty_axes", AttrKind::integer}};
  const std::vector<AttrSpec> arg{{"axis", AttrKind::integer}, {"keepdims", AttrKind::integer}, {"select_last_index", AttrKind::integer}};
  const std::vector<AttrSpec> loss{{"ignore_index", AttrKind::integer}, {"reduction", AttrKind::text}};
  std::vector<OpDef> ops{
      {"ReduceSum", 1, 2, 1, 1, attrs, infer_reduce_sum, nullptr, reduce_samples},
      {"ReduceProd", 1, 2, 1, 1, attrs, infer_reduce_prod, nullptr, reduce_samples},
      {"ArgMax", 1, 1, 1, 1, arg, infer_arg, nullptr, arg_samples},
      {"ArgMin", 1, 1, 1, 1, arg, infer_arg, nullptr, arg_samples},
      {"NegativeLogLikelihoodLoss", 2, 3, 1, 1, loss, infer_loss, nullptr, loss_samples},
      {"SoftmaxCrossEntropyLoss", 2, 3, 1, 2, loss, infer_loss, nullptr, loss_samples},
  };
  for (std::string_view name : {"ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"})
    ops.push_back({name, 1, 2, 1, 1, attrs, infer_reduce, nullptr, reduce_samples});
  return ops;
}

}  // namespace hone::ops
