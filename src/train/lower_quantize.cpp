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

Result<Step> lower_quantize(const Lowering& c) {
  DType declared = static_cast<DType>(c.attrs().integer("output_dtype", 0));
  if (c.has_input(2)) declared = c.input(2).type.dtype;
  else if (declared == DType::undefined) declared = DType::u8;
  return Step([declared, axis = c.attrs().integer("axis", 1), block = c.attrs().integer("block_size", 0), saturate = c.attrs().integer("saturate", 1) != 0](Frame& f) {
    const DType type = declared != DType::undefined ? declared : dtype_of(f[2].scalar_type()).value_or(DType::u8);
    const Tensor x = f[0].to(at::kFloat);
    Tensor y = x / spread(f[1].to(at::kFloat), x, axis, block);
    if (is_float(type)) return f.set(0, cast(y, type, saturate));
    y = at::round(y);
    if (f.has(2)) y = y + spread(f[2].to(at::kFloat), x, axis, block);
    f.set(0, at::clamp(y, limits(type).first, limits(type).second).to(at::kLong).to(*scalar_type(type)));
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
