#include "ir/types.h"

#include <array>
#include <bit>
#include <cstring>

#include "core/checked.h"

namespace hone {

namespace {

struct DTypeRow {
  std::string_view name;
  int bits;
  char kind;  // f float, i integer, b bool, c complex, s string, - undefined
};
constexpr std::array<DTypeRow, kDTypeCount> kTypes{{
    {"undefined", 0, '-'}, {"f32", 32, 'f'},      {"u8", 8, 'i'},         {"i8", 8, 'i'},     {"u16", 16, 'i'},
    {"i16", 16, 'i'},      {"i32", 32, 'i'},      {"i64", 64, 'i'},       {"string", 0, 's'}, {"bool", 8, 'b'},
    {"f16", 16, 'f'},      {"f64", 64, 'f'},      {"u32", 32, 'i'},       {"u64", 64, 'i'},   {"c64", 64, 'c'},
    {"c128", 128, 'c'},    {"bf16", 16, 'f'},     {"f8e4m3fn", 8, 'f'},   {"f8e4m3fnuz", 8, 'f'}, {"f8e5m2", 8, 'f'},
    {"f8e5m2fnuz", 8, 'f'}, {"u4", 4, 'i'},       {"i4", 4, 'i'},         {"f4e2m1", 4, 'f'}, {"f8e8m0", 8, 'f'},
    {"u2", 2, 'i'},        {"i2", 2, 'i'},
}};

const DTypeRow& row(DType t) { return kTypes[static_cast<size_t>(t) < kTypes.size() ? static_cast<size_t>(t) : 0]; }

template <class T>
T load(const std::byte* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

double half_to_double(uint16_t h) {
  const int exponent = (h >> 10) & 31, mantissa = h & 1023;
  const double sign = h & 0x8000 ? -1 : 1;
  if (exponent == 31) return mantissa ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0) return sign * mantissa * 0x1p-24;
  return sign * (1024 + mantissa) * std::bit_cast<double>(static_cast<uint64_t>(exponent - 25 + 1023) << 52);
}

template <class T>
Tensor vector_tensor(const T* data, size_t n, DType dtype, Shape shape) {
  Tensor t;
  t.dtype = dtype;
  t.shape = std::move(shape);
  t.bytes = Bytes::copy(data, n * sizeof(T));
  return t;
}

}  // namespace

std::string_view name(DType t) { return row(t).name; }

std::optional<DType> parse_dtype(std::string_view s) {
  for (int i = 1; i < kDTypeCount; ++i)
    if (kTypes[static_cast<size_t>(i)].name == s) return static_cast<DType>(i);
  return std::nullopt;
}

int bits(DType t) { return row(t).bits; }
bool is_float(DType t) { return row(t).kind == 'f'; }
bool is_integer(DType t) { return row(t).kind == 'i'; }

std::optional<int64_t> byte_size(DType t, int64_t n) {
  const int b = bits(t);
  if (b == 0 || n < 0) return std::nullopt;
  if (b >= 8) return checked_mul(n, b / 8);
  const int64_t per_byte = 8 / b;
  return n / per_byte + (n % per_byte != 0);
}

std::string to_string(const TensorType& t) {
  std::string out(name(t.dtype));
  if (!t.ranked) return out;
  out += '[';
  for (size_t i = 0; i < t.shape.size(); ++i) {
    if (i) out += ',';
    out += t.shape[i] < 0 ? std::string("?") : std::to_string(t.shape[i]);
  }
  return out + ']';
}

Bytes Bytes::copy(const void* data, size_t size) {
  auto owned = std::make_shared<std::vector<std::byte>>(size);
  if (size) std::memcpy(owned->data(), data, size);
  Bytes b;
  b.data = owned->data();
  b.size = size;
  b.owner = std::move(owned);
  return b;
}

Tensor Tensor::ints(std::vector<int64_t> v) { return vector_tensor(v.data(), v.size(), DType::i64, {static_cast<int64_t>(v.size())}); }
Tensor Tensor::scalar(int64_t v) { return vector_tensor(&v, 1, DType::i64, {}); }
Tensor Tensor::floats(std::vector<float> v) { return vector_tensor(v.data(), v.size(), DType::f32, {static_cast<int64_t>(v.size())}); }
Tensor Tensor::scalar(float v) { return vector_tensor(&v, 1, DType::f32, {}); }

bool same_contents(const Tensor& a, const Tensor& b) {
  if (a.dtype != b.dtype || a.shape != b.shape || a.strings != b.strings || a.bytes.size != b.bytes.size) return false;
  if (a.bytes.data == b.bytes.data || a.bytes.size == 0) return true;
  return a.bytes.data && b.bytes.data && std::memcmp(a.bytes.data, b.bytes.data, a.bytes.size) == 0;
}

std::optional<std::vector<int64_t>> to_ints(const Tensor& t) {
  const auto n = element_count(t.shape);
  if (!n || !(is_integer(t.dtype) || t.dtype == DType::boolean)) return std::nullopt;
  const auto need = byte_size(t.dtype, *n);
  if (!need || t.bytes.size < static_cast<size_t>(*need) || (*need > 0 && !t.bytes.data)) return std::nullopt;
  std::vector<int64_t> out(static_cast<size_t>(*n));
  const std::byte* p = t.bytes.data;
  for (size_t i = 0; i < out.size(); ++i) {
    switch (t.dtype) {
      case DType::boolean:
      case DType::u8: out[i] = load<uint8_t>(p + i); break;
      case DType::i8: out[i] = load<int8_t>(p + i); break;
      case DType::u16: out[i] = load<uint16_t>(p + 2 * i); break;
      case DType::i16: out[i] = load<int16_t>(p + 2 * i); break;
      case DType::i32: out[i] = load<int32_t>(p + 4 * i); break;
      case DType::u32: out[i] = load<uint32_t>(p + 4 * i); break;
      case DType::i64:
      case DType::u64: out[i] = load<int64_t>(p + 8 * i); break;
      default: {  // packed: least significant bits first
        const int width = bits(t.dtype), per_byte = 8 / width;
        const int raw = (static_cast<int>(p[i / static_cast<size_t>(per_byte)]) >> (static_cast<int>(i % static_cast<size_t>(per_byte)) * width)) & ((1 << width) - 1);
        const bool is_signed = t.dtype == DType::i4 || t.dtype == DType::i2;
        out[i] = is_signed && raw >= 1 << (width - 1) ? raw - (1 << width) : raw;
      }
    }
  }
  return out;
}

std::optional<std::vector<double>> to_doubles(const Tensor& t) {
  const auto n = element_count(t.shape);
  if (!n) return std::nullopt;
  if (is_integer(t.dtype) || t.dtype == DType::boolean) {
    auto ints = to_ints(t);
    if (!ints) return std::nullopt;
    return std::vector<double>(ints->begin(), ints->end());
  }
  if (t.dtype != DType::f32 && t.dtype != DType::f64 && t.dtype != DType::f16 && t.dtype != DType::bf16) return std::nullopt;
  const auto need = byte_size(t.dtype, *n);
  if (!need || t.bytes.size < static_cast<size_t>(*need) || (*need > 0 && !t.bytes.data)) return std::nullopt;
  std::vector<double> out(static_cast<size_t>(*n));
  const std::byte* p = t.bytes.data;
  for (size_t i = 0; i < out.size(); ++i) {
    switch (t.dtype) {
      case DType::f32: out[i] = load<float>(p + 4 * i); break;
      case DType::f64: out[i] = load<double>(p + 8 * i); break;
      case DType::f16: out[i] = half_to_double(load<uint16_t>(p + 2 * i)); break;
      default: out[i] = std::bit_cast<float>(static_cast<uint32_t>(load<uint16_t>(p + 2 * i)) << 16); break;
    }
  }
  return out;
}

}  // namespace hone
