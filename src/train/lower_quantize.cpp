// To and from integer and 8-bit floating point representations.
#include "train/lower.h"

namespace hone::train {

namespace {

using at::Tensor;

// A scale or zero point as it broadcasts against x: one number, one per position of `axis`, or one per block of it.
Tensor spread(const Tensor& v, const Tensor& x, int64_t axis, int64_t block) {
  if (v.numel() == 1) return v.reshape({});
  const int64_t a = wrap(axis, x.dim());
  if (block > 0) return v.repeat_interleave(block, a).narrow(a, 0, x.size(a));
  at::DimVector shape(x.sizes().size(), 1);
  shape[static_cast<size_t>(a)] = v.numel();
  return v.reshape(shape);
}

bool is_f8(at::ScalarType t) { return t == at::kFloat8_e4m3fn || t == at::kFloat8_e4m3fnuz || t == at::kFloat8_e5m2 || t == at::kFloat8_e5m2fnuz; }

std::pair<double, double> range(at::ScalarType t) {
  switch (t) {
    case at::kByte: return {0, 255};
    case at::kChar: return {-128, 127};
    case at::kUInt16: return {0, 65535};
    case at::kShort: return {-32768, 32767};
    case at::kFloat8_e4m3fn: return {-448, 448};
    case at::kFloat8_e4m3fnuz: return {-240, 240};
    default: return {-57344, 57344};
  }
}

Result<Step> lower_quantize(const Lowering& c) {
  at::ScalarType asked = at::kByte;
  if (c.attrs().integer("output_dtype", 0)) {
    HONE_TRY_ASSIGN(asked, c.dtype("output_dtype", DType::u8));
  }
  return Step([asked, axis = c.attrs().integer("axis", 1), block = c.attrs().integer("block_size", 0), saturate = c.attrs().integer("saturate", 1) != 0](Frame& f) {
    const Tensor x = f[0].to(at::kFloat);
    const at::ScalarType type = f.has(2) ? f[2].scalar_type() : asked;
    const Tensor scale = spread(f[1].to(at::kFloat), x, axis, block);
    Tensor y = x / scale;
    if (is_f8(type)) {
      if (saturate) y = at::clamp(y, range(type).first, range(type).second);
      return f.set(0, y.to(type));
    }
    y = at::round(y);
    if (f.has(2)) y = y + spread(f[2].to(at::kFloat), x, axis, block);
    f.set(0, at::clamp(y, range(type).first, range(type).second).to(at::kLong).to(type));
  });
}

Result<Step> lower_dequantize(const Lowering& c) {
  std::optional<at::ScalarType> asked;
  if (c.attrs().integer("output_dtype", 0)) {
    HONE_TRY_ASSIGN(asked, c.dtype("output_dtype", DType::f32));
  }
  return Step([asked, axis = c.attrs().integer("axis", 1), block = c.attrs().integer("block_size", 0)](Frame& f) {
    const at::ScalarType type = asked.value_or(f[1].scalar_type()), inner = type == at::kDouble ? at::kDouble : at::kFloat;
    Tensor x = f[0].to(inner);
    if (f.has(2)) x = x - spread(f[2].to(inner), x, axis, block);
    f.set(0, (x * spread(f[1].to(inner), x, axis, block)).to(type));
  });
}

// Scale and zero point from the range of the data, which always holds zero.
Result<Step> lower_dynamic_quantize(const Lowering&) {
  return Step([](Frame& f) {
    const Tensor& x = f[0];
    const Tensor low = at::clamp_max(x.min(), 0), high = at::clamp_min(x.max(), 0), scale = (high - low) / 255;
    const Tensor zero = at::clamp(at::round(-low / scale), 0, 255);
    f.set(0, at::clamp(at::round(x / scale) + zero, 0, 255).to(at::kByte));
    f.set(1, scale);
    f.set(2, zero.to(at::kByte));
  });
}

}  // namespace

std::vector<LoweringDef> quantize_lowerings() {
  return {{"QuantizeLinear", lower_quantize}, {"DequantizeLinear", lower_dequantize}, {"DynamicQuantizeLinear", lower_dynamic_quantize}};
}

}  // namespace hone::train
