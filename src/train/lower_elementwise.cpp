// Arithmetic, comparison and logic, element by element, broadcast as numpy does.
#include <limits>

#include "train/lower.h"

namespace hone::train {

namespace {

using at::Tensor;

// f on wide unsigned types goes through 64-bit integers and back to operand `like`'s type.
template <auto f>
Result<Step> lower_binary(const Lowering&) {
  return Step([](Frame& frame) {
    const Tensor &a = frame[0], &b = frame[1];
    if (wide_unsigned(a)) frame.set(0, f(widened(a), widened(b)).to(a.scalar_type()));
    else frame.set(0, f(a, b));
  });
}

// u64 in order-preserving 64-bit integers: the lowest bit pattern becomes the lowest integer.
Tensor ordered(const Tensor& t) {
  const Tensor w = widened(t);
  return t.scalar_type() == at::kUInt64 ? at::bitwise_xor(w, at::Scalar(std::numeric_limits<int64_t>::min())) : w;
}

template <auto f>
Result<Step> lower_comparison(const Lowering&) {
  return Step([](Frame& frame) { frame.set(0, f(ordered(frame[0]), ordered(frame[1]))); });
}

Result<Step> lower_add(const Lowering&) {
  return Step([](Frame& f) {
    const Tensor &a = f[0], &b = f[1];
    if (wide_unsigned(a)) return f.set(0, (widened(a) + widened(b)).to(a.scalar_type()));
    // Residual sums: write over the branch that nobody reads again.
    const bool alike = a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() && a.strides() == b.strides();
    if (alike && f.own(0)) {
      Tensor mine = a;
      return f.set(0, mine.add_(b));
    }
    f.set(0, a + b);
  });
}

Tensor divide(const Tensor& a, const Tensor& b) {
  return at::isIntegralType(a.scalar_type(), false) ? at::div(a, b, "trunc") : a / b;
}

Result<Step> lower_mod(const Lowering& c) {
  // fmod = 1: the sign of the dividend, as C; otherwise that of the divisor.
  return Step([c_rule = c.attrs().integer("fmod", 0) != 0](Frame& f) {
    const Tensor a = widened(f[0]), b = widened(f[1]);
    f.set(0, (c_rule ? at::fmod(a, b) : at::remainder(a, b)).to(f[0].scalar_type()));
  });
}

// The result has the base's type, whatever the exponent's.
Result<Step> lower_pow(const Lowering&) {
  return Step([](Frame& f) {
    const Tensor &a = f[0], &b = f[1];
    const bool mixed = at::isIntegralType(a.scalar_type(), false) && !at::isIntegralType(b.scalar_type(), false);
    const Tensor base = mixed ? a.to(at::kDouble) : widened(a);
    f.set(0, at::pow(base, widened(b)).to(a.scalar_type()));
  });
}

Result<Step> lower_shift(const Lowering& c) {
  const bool left = c.attrs().text("direction", "LEFT") == "LEFT";
  return Step([left](Frame& f) {
    const Tensor a = widened(f[0]), by = widened(f[1]);
    Tensor y;
    if (left) {
      y = at::bitwise_left_shift(a, by);
    } else {
      y = at::bitwise_right_shift(a, by);
      // u64 shifts zeros in: clear the copies of the sign bit.
      if (f[0].scalar_type() == at::kUInt64) y = at::where(by > 0, at::bitwise_and(y, at::bitwise_left_shift(at::ones_like(a), (64 - by).clamp_max(63)) - 1), y);
    }
    f.set(0, y.to(f[0].scalar_type()));
  });
}

template <auto f>
Result<Step> lower_variadic(const Lowering& c) {
  return Step([n = c.num_inputs()](Frame& frame) {
    const at::ScalarType type = frame[0].scalar_type();
    Tensor y = widened(frame[0]);
    for (size_t i = 1; i < n; ++i) y = f(y, widened(frame[i]));
    frame.set(0, y.to(type));
  });
}

template <bool largest>
Result<Step> lower_extremum(const Lowering& c) {
  return Step([n = c.num_inputs()](Frame& f) {
    const at::ScalarType type = f[0].scalar_type();
    Tensor y = ordered(f[0]);
    for (size_t i = 1; i < n; ++i) y = largest ? at::maximum(y, ordered(f[i])) : at::minimum(y, ordered(f[i]));
    if (type == at::kUInt64) f.set(0, at::bitwise_xor(y, at::Scalar(std::numeric_limits<int64_t>::min())).view(at::kUInt64));
    else f.set(0, y.to(type));
  });
}

Result<Step> lower_mean(const Lowering& c) {
  return Step([n = c.num_inputs()](Frame& f) {
    Tensor y = f[0];
    for (size_t i = 1; i < n; ++i) y = y + f[i];
    f.set(0, y / static_cast<double>(n));
  });
}

Result<Step> lower_where(const Lowering&) {
  return Step([](Frame& f) {
    const at::ScalarType type = f[1].scalar_type();
    f.set(0, wide_unsigned(f[1]) ? at::where(f[0], widened(f[1]), widened(f[2])).to(type) : at::where(f[0], f[1], f[2]));
  });
}

Result<Step> lower_is_inf(const Lowering& c) {
  const bool negative = c.attrs().integer("detect_negative", 1) != 0, positive = c.attrs().integer("detect_positive", 1) != 0;
  return Step([negative, positive](Frame& f) {
    const Tensor& x = f[0];
    if (!negative && !positive) f.set(0, at::zeros_like(x, x.options().dtype(at::kBool)));
    else f.set(0, negative && positive ? at::isinf(x) : positive ? at::isposinf(x) : at::isneginf(x));
  });
}

template <auto f>
LoweringDef unary(std::string_view op) {
  return {op, lower_unary<f>};
}

}  // namespace

std::vector<LoweringDef> elementwise_lowerings() {
  using T = const Tensor&;
  return {
      {"Add", lower_add},
      {"Sub", lower_binary<[](T a, T b) { return a - b; }>},
      {"Mul", lower_binary<[](T a, T b) { return a * b; }>},
      {"Div", lower_binary<divide>},
      {"Pow", lower_pow},
      {"Mod", lower_mod},
      {"BitShift", lower_shift},
      {"BitwiseAnd", lower_binary<[](T a, T b) { return at::bitwise_and(a, b); }>},
      {"BitwiseOr", lower_binary<[](T a, T b) { return at::bitwise_or(a, b); }>},
      {"BitwiseXor", lower_binary<[](T a, T b) { return at::bitwise_xor(a, b); }>},
      unary<[](T x) { return at::bitwise_not(widened(x)).to(x.scalar_type()); }>("BitwiseNot"),
      {"Sum", lower_variadic<[](T a, T b) { return a + b; }>},
      {"Mean", lower_mean},
      {"Max", lower_extremum<true>},
      {"Min", lower_extremum<false>},
      {"Equal", lower_comparison<[](T a, T b) { return at::eq(a, b); }>},
      {"Greater", lower_comparison<[](T a, T b) { return at::gt(a, b); }>},
      {"GreaterOrEqual", lower_comparison<[](T a, T b) { return at::ge(a, b); }>},
      {"Less", lower_comparison<[](T a, T b) { return at::lt(a, b); }>},
      {"LessOrEqual", lower_comparison<[](T a, T b) { return at::le(a, b); }>},
      {"And", lower_binary<[](T a, T b) { return at::logical_and(a, b); }>},
      {"Or", lower_binary<[](T a, T b) { return at::logical_or(a, b); }>},
      {"Xor", lower_binary<[](T a, T b) { return at::logical_xor(a, b); }>},
      unary<[](T x) { return at::logical_not(x); }>("Not"),
      {"Where", lower_where},
      unary<[](T x) { return at::isnan(x); }>("IsNaN"),
      {"IsInf", lower_is_inf},
      unary<[](T x) { return at::neg(x); }>("Neg"),
      unary<[](T x) { return wide_unsigned(x) || x.scalar_type() == at::kByte ? x : at::abs(x); }>("Abs"),
      unary<[](T x) { return at::ceil(x); }>("Ceil"),
      unary<[](T x) { return at::floor(x); }>("Floor"),
      unary<[](T x) { return at::round(x); }>("Round"),
      unary<[](T x) { return at::sqrt(x); }>("Sqrt"),
      unary<[](T x) { return at::acos(x); }>("Acos"),
      unary<[](T x) { return at::acosh(x); }>("Acosh"),
      unary<[](T x) { return at::asin(x); }>("Asin"),
      unary<[](T x) { return at::asinh(x); }>("Asinh"),
      unary<[](T x) { return at::atan(x); }>("Atan"),
      unary<[](T x) { return at::atanh(x); }>("Atanh"),
      unary<[](T x) { return at::cos(x); }>("Cos"),
      unary<[](T x) { return at::cosh(x); }>("Cosh"),
      unary<[](T x) { return at::erf(x); }>("Erf"),
      unary<[](T x) { return at::exp(x); }>("Exp"),
      unary<[](T x) { return at::log(x); }>("Log"),
      unary<[](T x) { return at::reciprocal(x); }>("Reciprocal"),
      unary<[](T x) { return at::sign(x); }>("Sign"),
      unary<[](T x) { return at::sin(x); }>("Sin"),
      unary<[](T x) { return at::sinh(x); }>("Sinh"),
      unary<[](T x) { return at::tan(x); }>("Tan"),
  };
}

}  // namespace hone::train
