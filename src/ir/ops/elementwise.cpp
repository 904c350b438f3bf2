// Arithmetic, comparison and logic, element by element. They count nothing, but fold: exporters compute shapes with them.
#include <algorithm>
#include <cmath>
#include <functional>

#include "ir/ops/common.h"

namespace hone::ops {

namespace {

using Fold = std::optional<int64_t> (*)(int64_t, int64_t);
using FoldReal = double (*)(double, double);

// Calls f(index in a, index in b) for every element of the broadcast shape.
template <class F>
void for_broadcast(const Shape& a, const Shape& b, const Shape& out, F f) {
  const int64_t n = element_count(out).value_or(0);
  auto index = [&](const Shape& s, int64_t flat) {
    int64_t at = 0, step = 1;
    for (size_t i = out.size(); i-- > 0;) {
      const int64_t coordinate = flat % out[i];
      flat /= out[i];
      const size_t offset = out.size() - s.size();
      if (i < offset) continue;
      if (s[i - offset] != 1) at += coordinate * step;
      step *= s[i - offset];
    }
    return static_cast<size_t>(at);
  };
  for (int64_t i = 0; i < n; ++i) f(index(a, i), index(b, i));
}

// Folds two known operands; elements that are unknown or do not fit stay unknown.
void fold_binary(InferContext& c, DType type, Fold whole, FoldReal real) {
  const Known *a = c.known(0), *b = c.known(1);
  if (!a || !b || a->is_float() != b->is_float()) return;
  auto shape = broadcast(a->shape, b->shape);
  const auto n = shape ? element_count(*shape) : std::nullopt;
  if (!n || *n > kMaxKnown) return;
  Known out{type, *shape, {}, {}};
  if (a->is_float()) {
    if (!real || !is_float(type)) return;
    for_broadcast(a->shape, b->shape, *shape, [&](size_t i, size_t j) { out.floats.push_back(real(a->floats[i], b->floats[j])); });
  } else {
    if (!whole) return;
    for_broadcast(a->shape, b->shape, *shape, [&](size_t i, size_t j) {
      const int64_t x = a->ints[i], y = b->ints[j];
      out.ints.push_back(x == kUnknownElement || y == kUnknownElement ? kUnknownElement : whole(x, y).value_or(kUnknownElement));
    });
  }
  c.set_known(0, std::move(out));
}

std::optional<int64_t> divide(int64_t a, int64_t b) {
  if (b == 0 || (a == INT64_MIN && b == -1)) return std::nullopt;
  return a / b;
}

template <auto whole, auto real>
Status infer_arithmetic(InferContext& c) {
  HONE_TRY(infer_broadcast(c));
  fold_binary(c, c.input(0).dtype, Fold(whole), FoldReal(real));
  return {};
}

template <auto whole>
Status infer_comparison(InferContext& c) {
  HONE_TRY(infer_broadcast(c));
  TensorType out(DType::boolean);
  const TensorType &a = c.input(0), &b = c.input(1);
  if (a.ranked && b.ranked) out = {DType::boolean, *broadcast(a.shape, b.shape)};
  c.set_output(0, out);
  fold_binary(c, DType::boolean, Fold(whole), nullptr);
  return {};
}

constexpr Fold kMod = [](int64_t a, int64_t b) -> std::optional<int64_t> {
  if (b == 0 || b == -1) return b ? std::optional<int64_t>(0) : std::nullopt;
  const int64_t r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
};
constexpr Fold kPow = [](int64_t a, int64_t b) -> std::optional<int64_t> {
  if (b < 0 || b > 62) return std::nullopt;
  int64_t out = 1;
  for (int64_t i = 0; i < b; ++i) {
    auto next = checked_mul(out, a);
    if (!next) return std::nullopt;
    out = *next;
  }
  return out;
};

template <auto whole, auto real>
Status infer_unary(InferContext& c) {
  HONE_TRY(infer_same(c));
  const Known* k = c.known(0);
  if (!k) return {};
  Known out = *k;
  for (int64_t& v : out.ints)
    if (v != kUnknownElement) v = whole(v);
  for (double& v : out.floats) v = real(v);
  c.set_known(0, std::move(out));
  return {};
}

Status infer_to_bool(InferContext& c) {
  TensorType t = c.input(0);
  t.dtype = DType::boolean;
  c.set_output(0, std::move(t));
  return {};
}

Status infer_where(InferContext& c) {
  HONE_TRY(infer_broadcast(c));
  TensorType out(c.input(1).dtype);
  if (c.input(0).ranked && c.input(1).ranked && c.input(2).ranked)
    out = {out.dtype, *broadcast(*broadcast(c.input(0).shape, c.input(1).shape), c.input(2).shape)};
  c.set_output(0, out);
  const Known *k = c.known(0), *a = c.known(1), *b = c.known(2);
  if (!k || !a || !b || a->is_float() || b->is_float() || k->is_float() || !out.ranked || k->shape != out.shape) return {};
  Known result{out.dtype, out.shape, {}, {}};
  for_broadcast(a->shape, b->shape, out.shape, [&](size_t i, size_t j) {
    const int64_t which = k->ints[result.ints.size()];
    result.ints.push_back(which == kUnknownElement ? kUnknownElement : which ? a->ints[i] : b->ints[j]);
  });
  c.set_known(0, std::move(result));
  return {};
}

std::vector<Sample> binary_samples() {
  Sample s{.label = "broadcast", .inputs = {f32({2, 1, 3}), f32({4, 1})}};
  s.outputs = {f32({2, 4, 3})};
  s.counts = Counts{};
  return {s};
}
std::vector<Sample> integer_samples() {
  Sample s{.label = "integers", .inputs = {i64({2, 3}), i64({3})}};
  s.outputs = {i64({2, 3})};
  return {s};
}
std::vector<Sample> shift_samples() {
  auto s = integer_samples();
  s[0].attrs = {{"direction", std::string("LEFT")}};
  return s;
}
std::vector<Sample> comparison_samples() {
  Sample s{.label = "broadcast", .inputs = {f32({2, 1}), f32({3})}};
  s.outputs = {{DType::boolean, {2, 3}}};
  return {s};
}
std::vector<Sample> logic_samples() {
  Sample s{.label = "broadcast", .inputs = {{DType::boolean, {2, 1}}, {DType::boolean, {3}}}};
  s.outputs = {{DType::boolean, {2, 3}}};
  return {s};
}
std::vector<Sample> unary_samples() {
  Sample s{.label = "plain", .inputs = {f32({2, 3})}};
  s.outputs = {f32({2, 3})};
  s.counts = Counts{};
  return {s};
}
std::vector<Sample> test_samples() {
  Sample s{.label = "plain", .inputs = {f32({2, 3})}};
  s.outputs = {{DType::boolean, {2, 3}}};
  return {s};
}
std::vector<Sample> not_samples() {
  Sample s{.label = "plain", .inputs = {{DType::boolean, {2, 3}}}};
  s.outputs = {{DType::boolean, {2, 3}}};
  return {s};
}
std::vector<Sample> bit_not_samples() {
  Sample s{.label = "plain", .inputs = {i64({2, 3})}};
  s.outputs = {i64({2, 3})};
  return {s};
}
std::vector<Sample> where_samples() {
  Sample s{.label = "broadcast", .inputs = {{DType::boolean, {3}}, f32({2, 1}), f32({})}};
  s.outputs = {f32({2, 3})};
  return {s};
}

template <auto whole, auto real>
OpDef arithmetic(std::string_view name, std::vector<AttrSpec> attrs = {}) {
  return {name, 2, 2, 1, 1, std::move(attrs), infer_arithmetic<whole, real>, nullptr, binary_samples, true};
}
OpDef variadic(std::string_view name) { return {name, 1, -1, 1, 1, {}, infer_broadcast, nullptr, binary_samples, true}; }
template <auto whole>
OpDef comparison(std::string_view name) { return {name, 2, 2, 1, 1, {}, infer_comparison<whole>, nullptr, comparison_samples}; }
OpDef unary(std::string_view name) { return {name, 1, 1, 1, 1, {}, infer_same, nullptr, unary_samples, true}; }
template <auto whole, auto real>
OpDef folding_unary(std::string_view name) { return {name, 1, 1, 1, 1, {}, infer_unary<whole, real>, nullptr, unary_samples, true}; }

template <class T>
T same(T v) { return v; }
int64_t negate(int64_t v) { return v == INT64_MIN ? v : -v; }
double negate_real(double v) { return -v; }
int64_t absolute(int64_t v) { return v < 0 ? negate(v) : v; }
double absolute_real(double v) { return std::fabs(v); }
double ceil_real(double v) { return std::ceil(v); }
double floor_real(double v) { return std::floor(v); }
double round_real(double v) { return std::nearbyint(v); }
double sqrt_real(double v) { return std::sqrt(v); }

}  // namespace

std::vector<OpDef> elementwise_ops() {
  constexpr Fold kAdd = checked_add, kSub = checked_sub, kMul = checked_mul, kDiv = divide;
  std::vector<OpDef> ops{
      arithmetic<kAdd, [](double a, double b) { return a + b; }>("Add"),
      arithmetic<kSub, [](double a, double b) { return a - b; }>("Sub"),
      arithmetic<kMul, [](double a, double b) { return a * b; }>("Mul"),
      arithmetic<kDiv, [](double a, double b) { return a / b; }>("Div"),
      arithmetic<kPow, [](double a, double b) { return std::pow(a, b); }>("Pow"),
      arithmetic<kMod, nullptr>("Mod", {{"fmod", AttrKind::integer}}),
      {"BitShift", 2, 2, 1, 1, {{"direction", AttrKind::text, true}}, infer_broadcast, nullptr, shift_samples, true},
      {"BitwiseAnd", 2, 2, 1, 1, {}, infer_broadcast, nullptr, integer_samples, true},
      {"BitwiseOr", 2, 2, 1, 1, {}, infer_broadcast, nullptr, integer_samples, true},
      {"BitwiseXor", 2, 2, 1, 1, {}, infer_broadcast, nullptr, integer_samples, true},
      {"BitwiseNot", 1, 1, 1, 1, {}, infer_same, nullptr, bit_not_samples, true},
      variadic("Sum"), variadic("Mean"),
      {"Max", 1, -1, 1, 1, {}, [](InferContext& c) -> Status {
         HONE_TRY(infer_broadcast(c));
         if (c.num_inputs() == 2) fold_binary(c, c.input(0).dtype, [](int64_t a, int64_t b) { return std::optional(std::max(a, b)); }, [](double a, double b) { return std::max(a, b); });
         return {};
       }, nullptr, binary_samples, true},
      {"Min", 1, -1, 1, 1, {}, [](InferContext& c) -> Status {
         HONE_TRY(infer_broadcast(c));
         if (c.num_inputs() == 2) fold_binary(c, c.input(0).dtype, [](int64_t a, int64_t b) { return std::optional(std::min(a, b)); }, [](double a, double b) { return std::min(a, b); });
         return {};
       }, nullptr, binary_samples, true},
      comparison<[](int64_t a, int64_t b) { return std::optional<int64_t>(a == b); }>("Equal"),
      comparison<[](int64_t a, int64_t b) { return std::optional<int64_t>(a > b); }>("Greater"),
      comparison<[](int64_t a, int64_t b) { return std::optional<int64_t>(a >= b); }>("GreaterOrEqual"),
      comparison<[](int64_t a, int64_t b) { return std::optional<int64_t>(a < b); }>("Less"),
      comparison<[](int64_t a, int64_t b) { return std::optional<int64_t>(a <= b); }>("LessOrEqual"),
      {"And", 2, 2, 1, 1, {}, infer_comparison<[](int64_t a, int64_t b) { return std::optional<int64_t>(a && b); }>, nullptr, logic_samples, true},
      {"Or", 2, 2, 1, 1, {}, infer_comparison<[](int64_t a, int64_t b) { return std::optional<int64_t>(a || b); }>, nullptr, logic_samples, true},
      {"Xor", 2, 2, 1, 1, {}, infer_comparison<[](int64_t a, int64_t b) { return std::optional<int64_t>(!a != !b); }>, nullptr, logic_samples, true},
      {"Not", 1, 1, 1, 1, {}, infer_unary<[](int64_t v) { return int64_t{!v}; }, same<double>>, nullptr, not_samples, true},
      {"Where", 3, 3, 1, 1, {}, infer_where, nullptr, where_samples},
      {"IsNaN", 1, 1, 1, 1, {}, infer_to_bool, nullptr, test_samples},
      {"IsInf", 1, 1, 1, 1, {{"detect_negative", AttrKind::integer}, {"detect_positive", AttrKind::integer}}, infer_to_bool, nullptr, test_samples},
      folding_unary<negate, negate_real>("Neg"),
      folding_unary<absolute, absolute_real>("Abs"),
      folding_unary<same<int64_t>, ceil_real>("Ceil"),
      folding_unary<same<int64_t>, floor_real>("Floor"),
      folding_unary<same<int64_t>, round_real>("Round"),
      folding_unary<same<int64_t>, sqrt_real>("Sqrt"),
  };
  for (std::string_view name : {"Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cos", "Cosh", "Erf", "Exp", "Log", "Reciprocal", "Sign", "Sin", "Sinh", "Tan"}) ops.push_back(unary(name));
  return ops;
}

}  // namespace hone::ops
