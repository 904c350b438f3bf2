// Tensors made from nothing: fills, ranges, random numbers, windows.
#include <cmath>

#include "ir/ops/common.h"

namespace hone::ops {

namespace {

Result<Shape> asked_shape(InferContext& c, const Known& k) {
  Shape out = k.ints;
  for (Dim& d : out) {
    if (d == kUnknownElement) d = kUnknown;
    else if (d < 0) return c.fail(fmt::format("a dimension of {} is asked for", d));
  }
  return out;
}

Status infer_constant_of_shape(InferContext& c) {
  const Attr* a = c.attrs().find("value");
  const TensorPtr* value = a ? std::get_if<TensorPtr>(a) : nullptr;
  const DType t = value && *value ? (*value)->dtype : DType::f32;
  const Known* k = c.known(0);
  if (!k || k->is_float()) {
    const TensorType& s = c.input(0);
    if (s.ranked && s.shape.size() == 1 && s.shape[0] >= 0 && s.shape[0] <= 64) c.set_output(0, {t, Shape(static_cast<size_t>(s.shape[0]), kUnknown)});
    else c.set_output(0, TensorType(t));
    return {};
  }
  HONE_TRY_ASSIGN(const Shape out, asked_shape(c, *k));
  c.set_output(0, {t, out});
  const auto n = element_count(out);
  if (!n || *n > kMaxKnown || t == DType::string) return {};
  Known filled{t, out, {}, {}};
  if (filled.is_float()) {
    const auto v = value ? to_doubles(**value) : std::optional(std::vector<double>{0});
    if (!v || v->size() != 1) return {};
    filled.floats.assign(static_cast<size_t>(*n), (*v)[0]);
  } else {
    const auto v = to_ints(**value);
    if (!v || v->size() != 1) return {};
    filled.ints.assign(static_cast<size_t>(*n), (*v)[0]);
  }
  c.set_known(0, std::move(filled));
  return {};
}

Status infer_range(InferContext& c) {
  const DType t = c.input(0).dtype;
  const Known *a = c.known(0), *b = c.known(1), *s = c.known(2);
  c.set_output(0, {t, {kUnknown}});
  if (!a || !b || !s || a->size() != 1 || b->size() != 1 || s->size() != 1) return {};
  if (a->is_float() != is_float(t) || b->is_float() != is_float(t) || s->is_float() != is_float(t)) return c.fail("start, limit and delta differ in type");
  if (is_float(t)) {
    const double n = std::ceil((b->floats[0] - a->floats[0]) / s->floats[0]);
    if (!(n < 9e18)) return c.fail("the range never ends");
    c.set_output(0, {t, {n > 0 ? static_cast<Dim>(n) : 0}});
    return {};
  }
  const int64_t begin = a->ints[0], end = b->ints[0], step = s->ints[0];
  if (begin == kUnknownElement || end == kUnknownElement || step == kUnknownElement) return {};
  const auto span = checked_sub(end, begin);
  if (step == 0 || !span) return c.fail("the range never ends");
  // ceil(span / step) without an overflow: a span of one sign less is divided first.
  const int64_t n = *span != 0 && (*span > 0) == (step > 0) ? (*span - (*span > 0 ? 1 : -1)) / step + 1 : 0;
  c.set_output(0, {t, {n}});
  if (n > kMaxKnown) return {};
  Known k{t, {n}, {}, {}};
  for (int64_t i = 0; i < n; ++i) k.ints.push_back(begin + i * step);
  c.set_known(0, std::move(k));
  return {};
}

// RandomNormal and RandomUniform: shape and type are attributes.
Status infer_random(InferContext& c) {
  const Shape shape = c.attrs().integers("shape");
  for (Dim d : shape)
    if (d < 0) return c.fail("shape is negative");
  c.set_output(0, {static_cast<DType>(c.attrs().integer("dtype", 1)), shape});
  return {};
}

Status infer_like(InferContext& c) {
  TensorType t = c.input(0);
  if (const int64_t type = c.attrs().integer("dtype", 0); type > 0 && type < kDTypeCount) t.dtype = static_cast<DType>(type);
  c.set_output(0, std::move(t));
  return {};
}

Status infer_eye_like(InferContext& c) {
  HONE_TRY(ranked(c, 0, 2));
  return infer_like(c);
}

Status infer_multinomial(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0, 2));
  const int64_t n = c.attrs().integer("sample_size", 1);
  if (n < 0) return c.fail("sample_size is negative");
  c.set_output(0, {static_cast<DType>(c.attrs().integer("dtype", 6)), {x[0], n}});
  return {};
}

Status infer_window_function(InferContext& c) {
  const auto n = known_ints(c, 0);
  if (n && n->size() == 1 && (*n)[0] < 0) return c.fail("the size is negative");
  c.set_output(0, {static_cast<DType>(c.attrs().integer("output_datatype", 1)), {n && n->size() == 1 ? (*n)[0] : kUnknown}});
  return {};
}

Status infer_det(InferContext& c) {
  HONE_TRY_ASSIGN(Shape x, ranked(c, 0, 2));
  x.resize(x.size() - 2);
  c.set_output(0, {c.input(0).dtype, std::move(x)});
  return {};
}

std::vector<Sample> constant_of_shape_samples() {
  Sample s{.label = "zeros", .inputs = {i64({2})}, .contents = {ints({3, 4})}};
  s.outputs = {f32({3, 4})};
  return {s};
}
std::vector<Sample> range_samples() {
  Sample s{.label = "downwards", .inputs = {i64({}), i64({}), i64({})}, .contents = {whole(10), whole(3), whole(-3)}};
  s.outputs = {i64({3})};
  return {s};
}
std::vector<Sample> random_samples() {
  Sample s{.label = "plain", .attrs = {{"shape", std::vector<int64_t>{2, 3}}}};
  s.outputs = {f32({2, 3})};
  return {s};
}
std::vector<Sample> like_samples() {
  Sample s{.label = "another type", .inputs = {f32({2, 3})}, .attrs = {{"dtype", int64_t{11}}}};
  s.outputs = {{DType::f64, {2, 3}}};
  return {s};
}
std::vector<Sample> bernoulli_samples() { return like_samples(); }
std::vector<Sample> multinomial_samples() {
  Sample s{.label = "4", .inputs = {f32({2, 3})}, .attrs = {{"sample_size", int64_t{4}}}};
  s.outputs = {{DType::i32, {2, 4}}};
  return {s};
}
std::vector<Sample> window_samples() {
  Sample s{.label = "10", .inputs = {i64({})}, .contents = {whole(10)}};
  s.outputs = {f32({10})};
  return {s};
}
std::vector<Sample> det_samples() {
  Sample s{.label = "batch", .inputs = {f32({4, 3, 3})}};
  s.outputs = {f32({4})};
  return {s};
}

}  // namespace

std::vector<OpDef> generate_ops() {
  const AttrSpec dtype{"dtype", AttrKind::integer}, seed{"seed", AttrKind::real}, shape{"shape", AttrKind::integers, true};
  const AttrSpec mean{"mean", AttrKind::real}, scale{"scale", AttrKind::real}, high{"high", AttrKind::real}, low{"low", AttrKind::real};
  const std::vector<AttrSpec> window{{"output_datatype", AttrKind::integer}, {"periodic", AttrKind::integer}};
  return {
      {"ConstantOfShape", 1, 1, 1, 1, {{"value", AttrKind::tensor}}, infer_constant_of_shape, nullptr, constant_of_shape_samples},
      {"Range", 3, 3, 1, 1, {{"stash_type", AttrKind::integer}}, infer_range, nullptr, range_samples},
      {"RandomNormal", 0, 0, 1, 1, {dtype, mean, scale, seed, shape}, infer_random, nullptr, random_samples},
      {"RandomUniform", 0, 0, 1, 1, {dtype, high, low, seed, shape}, infer_random, nullptr, random_samples},
      {"RandomNormalLike", 1, 1, 1, 1, {dtype, mean, scale, seed}, infer_like, nullptr, like_samples},
      {"RandomUniformLike", 1, 1, 1, 1, {dtype, high, low, seed}, infer_like, nullptr, like_samples},
      {"Bernoulli", 1, 1, 1, 1, {dtype, seed}, infer_like, nullptr, bernoulli_samples},
      {"EyeLike", 1, 1, 1, 1, {dtype, {"k", AttrKind::integer}}, infer_eye_like, nullptr, like_samples},
      {"Multinomial", 1, 1, 1, 1, {dtype, {"sample_size", AttrKind::integer}, seed}, infer_multinomial, nullptr, multinomial_samples},
      {"HannWindow", 1, 1, 1, 1, window, infer_window_function, nullptr, window_samples},
      {"HammingWindow", 1, 1, 1, 1, window, infer_window_function, nullptr, window_samples},
      {"BlackmanWindow", 1, 1, 1, 1, window, infer_window_function, nullptr, window_samples},
      {"Det", 1, 1, 1, 1, {}, infer_det, nullptr, det_samples},
  };
}

}  // namespace hone::ops
