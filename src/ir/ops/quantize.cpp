// To and from integer representations.
#include "ir/ops/common.h"

namespace hone::ops {

namespace {

Status infer_quantize(InferContext& c) {
  TensorType t = c.input(0);
  const int64_t asked = c.attrs().integer("output_dtype", 0);
  if (asked < 0 || asked >= kDTypeCount) return c.fail(fmt::format("there is no element type {}", asked));
  t.dtype = c.has_input(2) ? c.input(2).dtype : asked ? static_cast<DType>(asked) : DType::u8;
  c.set_output(0, std::move(t));
  return {};
}

Status infer_dequantize(InferContext& c) {
  TensorType t = c.input(0);
  const int64_t asked = c.attrs().integer("output_dtype", 0);
  if (asked < 0 || asked >= kDTypeCount) return c.fail(fmt::format("there is no element type {}", asked));
  t.dtype = asked ? static_cast<DType>(asked) : c.input(1).dtype;
  c.set_output(0, std::move(t));
  return {};
}

Status infer_dynamic_quantize(InferContext& c) {
  TensorType t = c.input(0);
  t.dtype = DType::u8;
  c.set_output(0, std::move(t));
  c.set_output(1, f32({}));
  c.set_output(2, {DType::u8, {}});
  return {};
}

std::vector<Sample> quantize_samples() {
  Sample s{.label = "i8", .inputs = {f32({2, 3}), f32({}), {DType::i8, {}}}};
  s.outputs = {{DType::i8, {2, 3}}};
  return {s};
}
std::vector<Sample> dequantize_samples() {
  Sample s{.label = "i8", .inputs = {{DType::i8, {2, 3}}, f32({}), {DType::i8, {}}}};
  s.outputs = {f32({2, 3})};
  return {s};
}
std::vector<Sample> dynamic_samples() {
  Sample s{.label = "plain", .inputs = {f32({2, 3})}};
  s.outputs = {{DType::u8, {2, 3}}, f32({}), {DType::u8, {}}};
  return {s};
}

}  // namespace

std::vector<OpDef> quantize_ops() {
  const AttrSpec axis{"axis", AttrKind::integer}, block{"block_size", AttrKind::integer}, output{"output_dtype", AttrKind::integer};
  return {
      {"QuantizeLinear", 2, 3, 1, 1, {axis, block, output, {"precision", AttrKind::integer}, {"saturate", AttrKind::integer}}, infer_quantize, nullptr, quantize_samples},
      {"DequantizeLinear", 2, 3, 1, 1, {axis, block, output}, infer_dequantize, nullptr, dequantize_samples},
      {"DynamicQuantizeLinear", 1, 1, 3, 3, {}, infer_dynamic_quantize, nullptr, dynamic_samples},
  };
}

}  // namespace hone::ops
