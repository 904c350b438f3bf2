// Conversions between element types (ONNX, Cast). Integers and floats of 16 bits and more are libtorch's; narrow types have
// their own rules of rounding and saturation.
#include <limits>

#include "train/lower.h"

namespace hone::train {

namespace {

using at::Tensor;

bool is_f8(at::ScalarType t) { return t == at::kFloat8_e4m3fn || t == at::kFloat8_e4m3fnuz || t == at::kFloat8_e5m2 || t == at::kFloat8_e5m2fnuz; }

// To the nearest of 0, 0.5, 1, 1.5, 2, 3, 4, 6; a tie goes to the even code. There is no NaN: it becomes zero.
Tensor to_f4(const Tensor& x) {
  const Tensor a = at::nan_to_num(x, 0, 6, -6).abs().clamp_max(6);
  const Tensor small = at::round(a * 2) / 2, middle = at::round(a), large = at::round(a / 2) * 2;
  return at::copysign(at::where(a <= 2, small, at::where(a <= 4, middle, large)), x);
}

// A power of two by its exponent: the mantissa rounds up, down or to nearest. NaN is 255.
Tensor to_f8e8m0(const Tensor& x, bool saturate, std::string_view mode) {
  const Tensor bits = x.abs().contiguous().view(at::kInt), exponent = at::bitwise_right_shift(bits, 23), mantissa = at::bitwise_and(bits, 0x7fffff);
  Tensor code = exponent;
  if (mode == "up") code = code + (mantissa > 0).to(at::kInt);
  else if (mode == "nearest") code = code + (mantissa >= 0x400000).to(at::kInt);
  code = at::where(at::isnan(x).logical_or(exponent == 255), saturate ? at::where(at::isnan(x), at::full_like(code, 255), at::full_like(code, 254)) : at::full_like(code, 255),
                   saturate ? code.clamp_max(254) : code);
  return code.to(at::kByte).view(at::kFloat8_e8m0fnu);
}

}  // namespace

Tensor cast(const Tensor& x, DType to, bool saturate, std::string_view round_mode) {
  const at::ScalarType type = *scalar_type(to), from = x.scalar_type();
  if (to == DType::f8e8m0) return from == type ? x : to_f8e8m0(x.to(at::kFloat), saturate, round_mode);
  if (to == DType::f4e2m1) return to_f4(x.to(at::kFloat));
  const Tensor real = is_f8(from) || from == at::kFloat8_e8m0fnu ? x.to(at::kFloat) : x;
  if (bits(to) < 8) {
    // Whole numbers that wrap, as C's conversions of integers do.
    const auto low = static_cast<int64_t>(limits(to).first), count = int64_t{1} << bits(to);
    return (at::remainder(real.to(at::kLong) - low, count) + low).to(type);
  }
  if (from == type) return x;
  if (is_f8(type)) {
    const Tensor wide = real.to(at::kFloat);
    if (saturate) return at::clamp(wide, limits(to).first, limits(to).second).to(type);
    // e4m3fn has no infinity: what would round above its largest number is NaN.
    return (to == DType::f8e4m3fn ? at::where(wide.abs() > 464, at::full_like(wide, std::numeric_limits<float>::quiet_NaN()), wide) : wide).to(type);
  }
  // A float below zero has no unsigned value; through 64 bits it wraps as C's conversions of integers do.
  if (at::isFloatingType(real.scalar_type()) && (type == at::kByte || type == at::kUInt16 || type == at::kUInt32 || type == at::kUInt64)) return real.to(at::kLong).to(type);
  return real.to(type);
}

}  // namespace hone::train
