#include "train/lower.h"

#include <fmt/format.h>

#include <algorithm>

namespace hone::train {

tl::unexpected<Error> Lowering::unsupported(std::string reason) const {
  return fail(Code::unsupported, fmt::format("{}: {}", node_.type, reason), node_.name);
}

Result<at::ScalarType> Lowering::dtype(std::string_view name, DType fallback) const {
  const int64_t number = attrs().integer(name, static_cast<int64_t>(fallback));
  const auto asked = number > 0 && number < kDTypeCount ? static_cast<DType>(number) : DType::undefined;
  const auto type = scalar_type(asked);
  if (!type) return unsupported(fmt::format("libtorch has no element type {}", hone::name(asked)));
  return *type;
}

std::optional<at::ScalarType> scalar_type(DType t) {
  switch (t) {
    case DType::f32: return at::kFloat;
    case DType::f64: return at::kDouble;
    case DType::f16: return at::kHalf;
    case DType::bf16: return at::kBFloat16;
    case DType::u8: return at::kByte;
    case DType::i8: return at::kChar;
    case DType::u16: return at::kUInt16;
    case DType::i16: return at::kShort;
    case DType::u32: return at::kUInt32;
    case DType::i32: return at::kInt;
    case DType::u64: return at::kUInt64;
    case DType::i64: return at::kLong;
    case DType::boolean: return at::kBool;
    case DType::c64: return at::kComplexFloat;
    case DType::c128: return at::kComplexDouble;
    case DType::f8e4m3fn: return at::kFloat8_e4m3fn;
    case DType::f8e4m3fnuz: return at::kFloat8_e4m3fnuz;
    case DType::f8e5m2: return at::kFloat8_e5m2;
    case DType::f8e5m2fnuz: return at::kFloat8_e5m2fnuz;
    case DType::f8e8m0: return at::kFloat8_e8m0fnu;
    default: return std::nullopt;
  }
}

std::optional<DType> dtype_of(at::ScalarType t) {
  for (int i = 1; i < kDTypeCount; ++i)
    if (scalar_type(static_cast<DType>(i)) == t) return static_cast<DType>(i);
  return std::nullopt;
}

Ints IntsOperand::read(const at::Tensor& t) {
  if (!t.defined()) return {};
  const at::Tensor whole = t.to(at::kCPU, at::kLong).contiguous();
  const int64_t* data = whole.const_data_ptr<int64_t>();
  return Ints(data, data + whole.numel());
}

IntsOperand::IntsOperand(const Lowering& c, size_t i) : index_(i) {
  if (!c.has_input(i)) fixed_.emplace();
  else if (const at::Tensor t = c.constant(i); t.defined()) fixed_ = read(t);
}

std::optional<double> constant_number(const Lowering& c, size_t i) {
  const at::Tensor t = c.constant(i);
  if (!t.defined() || t.numel() != 1) return std::nullopt;
  return t.to(at::kDouble).item<double>();
}

at::Tensor along_channels(const at::Tensor& v, int64_t rank) {
  at::Tensor out = v.reshape({1, -1});
  for (int64_t i = 2; i < rank; ++i) out = out.unsqueeze(-1);
  return out;
}

bool wide_unsigned(const at::Tensor& t) {
  const at::ScalarType s = t.scalar_type();
  return s == at::kUInt16 || s == at::kUInt32 || s == at::kUInt64;
}

at::Tensor widened(const at::Tensor& t) {
  if (!wide_unsigned(t)) return t;
  return t.scalar_type() == at::kUInt64 ? t.contiguous().view(at::kLong) : t.to(at::kLong);
}

Result<at::Tensor> to_torch(const Tensor& tensor) {
  const auto type = scalar_type(tensor.dtype);
  if (!type) return fail(Code::unsupported, fmt::format("libtorch has no element type {}", name(tensor.dtype)));
  const auto n = element_count(tensor.shape);
  const auto bytes = n ? byte_size(tensor.dtype, *n) : std::nullopt;
  if (!bytes || !tensor.has_data() || static_cast<uint64_t>(*bytes) != tensor.bytes.size)
    return fail(Code::invalid, fmt::format("{}{} does not hold its contents", name(tensor.dtype), to_string(tensor.shape)));
  at::Tensor out = at::empty(tensor.shape, at::TensorOptions(*type));
  if (*bytes) std::memcpy(out.mutable_data_ptr(), tensor.bytes.data, tensor.bytes.size);
  return out;
}

Result<Tensor> from_torch(const at::Tensor& tensor) {
  if (!tensor.defined()) return fail(Code::invalid, "an undefined tensor has no contents");
  const auto type = dtype_of(tensor.scalar_type());
  if (!type) return fail(Code::unsupported, fmt::format("hone has no element type {}", c10::toString(tensor.scalar_type())));
  const at::Tensor flat = tensor.detach().to(at::kCPU).contiguous();
  Tensor out;
  out.dtype = *type;
  out.shape.assign(flat.sizes().begin(), flat.sizes().end());
  out.bytes = Bytes::copy(flat.const_data_ptr(), flat.nbytes());
  return out;
}

}  // namespace hone::train
