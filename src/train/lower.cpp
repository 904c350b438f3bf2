#include "train/lower.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

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
    case DType::i4: case DType::i2: return at::kChar;
    case DType::u4: case DType::u2: return at::kByte;
    case DType::f4e2m1: return at::kFloat;
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

std::pair<double, double> limits(DType t) {
  switch (t) {
    case DType::u8: return {0, 255};
    case DType::i8: return {-128, 127};
    case DType::u16: return {0, 65535};
    case DType::i16: return {-32768, 32767};
    case DType::u4: return {0, 15};
    case DType::i4: return {-8, 7};
    case DType::u2: return {0, 3};
    case DType::i2: return {-2, 1};
    case DType::f8e4m3fn: return {-448, 448};
    case DType::f8e4m3fnuz: return {-240, 240};
    case DType::f8e5m2: case DType::f8e5m2fnuz: return {-57344, 57344};
    case DType::f4e2m1: return {-6, 6};
    default: return {-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
  }
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

// A 4-bit float: sign, two bits of exponent, one of mantissa.
static float f4_value(int code) {
  static constexpr float kMagnitude[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  return code & 8 ? -kMagnitude[code & 7] : kMagnitude[code & 7];
}

Result<at::Tensor> to_torch(const Tensor& tensor) {
  const auto type = scalar_type(tensor.dtype);
  if (!type) return fail(Code::unsupported, fmt::format("libtorch has no element type {}", name(tensor.dtype)));
  const auto n = element_count(tensor.shape);
  const auto bytes = n ? byte_size(tensor.dtype, *n) : std::nullopt;
  if (!bytes || !tensor.has_data() || static_cast<uint64_t>(*bytes) != tensor.bytes.size)
    return fail(Code::invalid, fmt::format("{}{} does not hold its contents", name(tensor.dtype), to_string(tensor.shape)));
  at::Tensor out = at::empty(tensor.shape, at::TensorOptions(*type));
  if (const int width = bits(tensor.dtype); width < 8) {
    for (int64_t i = 0; i < *n; ++i) {
      const auto code = static_cast<int>(tensor.bytes.data[i * width / 8]) >> (i * width % 8) & ((1 << width) - 1);
      if (tensor.dtype == DType::f4e2m1) out.mutable_data_ptr<float>()[i] = f4_value(code);
      else if (*type == at::kByte) out.mutable_data_ptr<uint8_t>()[i] = static_cast<uint8_t>(code);
      else out.mutable_data_ptr<int8_t>()[i] = static_cast<int8_t>(code < 1 << (width - 1) ? code : code - (1 << width));
    }
    return out;
  }
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
