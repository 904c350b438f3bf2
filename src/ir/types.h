// Element types and tensors as values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/shape.h"

namespace hone {

// Order and coverage follow ONNX TensorProto.DataType (the numbers are ONNX's own, so the reader needs no table).
enum class DType : uint8_t {
  undefined = 0, f32 = 1, u8 = 2, i8 = 3, u16 = 4, i16 = 5, i32 = 6, i64 = 7, string = 8, boolean = 9, f16 = 10,
  f64 = 11, u32 = 12, u64 = 13, c64 = 14, c128 = 15, bf16 = 16, f8e4m3fn = 17, f8e4m3fnuz = 18, f8e5m2 = 19,
  f8e5m2fnuz = 20, u4 = 21, i4 = 22, f4e2m1 = 23, f8e8m0 = 24, u2 = 25, i2 = 26,
};
inline constexpr int kDTypeCount = 27;

std::string_view name(DType t);                       // "f32", "i64", "bool", ...
std::optional<DType> parse_dtype(std::string_view s); // the inverse of name()
int bits(DType t);                                    // 32 for f32, 4 for u4; 0 for string and undefined
bool is_float(DType t);                               // floating point, 8 and 4 bit kinds included
bool is_integer(DType t);                             // signed or unsigned integer; not bool
// Bytes that n elements take (packed for sub-byte types); nothing on overflow or for strings.
std::optional<int64_t> byte_size(DType t, int64_t n);

// What is known about a value's tensor: its element type and, when `ranked`, its shape.
struct TensorType {
  DType dtype = DType::undefined;
  bool ranked = false;
  Shape shape;

  TensorType() = default;
  TensorType(DType t, Shape s) : dtype(t), ranked(true), shape(std::move(s)) {}
  explicit TensorType(DType t) : dtype(t) {}
  bool operator==(const TensorType&) const = default;
};
std::string to_string(const TensorType& t);  // "f32[1,3,224,224]", "f32[?,3]", "f32" when unranked

// Raw little-endian contents, shared and never written to: owned bytes, or a view into a mapped file that `owner`
// keeps alive. `data` may be null with `size` > 0 when the bytes lie in an external file that was not opened.
struct Bytes {
  std::shared_ptr<const void> owner;
  const std::byte* data = nullptr;
  size_t size = 0;

  static Bytes copy(const void* data, size_t size);
};

// A tensor with contents. Strings (DType::string) keep their elements in `strings`, and `bytes` is empty.
struct Tensor {
  DType dtype = DType::undefined;
  Shape shape;
  Bytes bytes;
  std::vector<std::string> strings;

  bool has_data() const { return bytes.data != nullptr || dtype == DType::string || bytes.size == 0; }
  static Tensor ints(std::vector<int64_t> values);          // i64, rank 1
  static Tensor scalar(int64_t value);                      // i64, rank 0
  static Tensor floats(std::vector<float> values);          // f32, rank 1
  static Tensor scalar(float value);                        // f32, rank 0
};
using TensorPtr = std::shared_ptr<const Tensor>;
bool same_contents(const Tensor& a, const Tensor& b);  // dtype, shape and every byte

// Contents of integer, bool or float tensors widened to int64 / double; nothing without data or for other types.
std::optional<std::vector<int64_t>> to_ints(const Tensor& t);
std::optional<std::vector<double>> to_doubles(const Tensor& t);

}  // namespace hone
