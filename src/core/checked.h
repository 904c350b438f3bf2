// Checked 64-bit arithmetic. Every size that comes from a file or a user passes through here.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

namespace hone {

inline std::optional<int64_t> checked_add(int64_t a, int64_t b) {
  int64_t out;
  if (__builtin_add_overflow(a, b, &out)) return std::nullopt;
  return out;
}
inline std::optional<int64_t> checked_sub(int64_t a, int64_t b) {
  int64_t out;
  if (__builtin_sub_overflow(a, b, &out)) return std::nullopt;
  return out;
}
inline std::optional<int64_t> checked_mul(int64_t a, int64_t b) {
  int64_t out;
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
}

// Integer that remembers an overflow instead of wrapping: cost rules compute with it and the sum is checked once.
// An overflowed value stays overflowed through every further operation.
class Int {
 public:
  constexpr Int(int64_t v = 0) : v_(v) {}
  constexpr bool ok() const { return ok_; }
  constexpr int64_t value() const { return v_; }
  friend constexpr Int operator+(Int a, Int b) { return make(__builtin_add_overflow(a.v_, b.v_, &a.v_), a, b); }
  friend constexpr Int operator-(Int a, Int b) { return make(__builtin_sub_overflow(a.v_, b.v_, &a.v_), a, b); }
  friend constexpr Int operator*(Int a, Int b) { return make(__builtin_mul_overflow(a.v_, b.v_, &a.v_), a, b); }
  // Floor division by a positive divisor; division by zero or less counts as overflow.
  friend constexpr Int operator/(Int a, Int b) {
    if (b.v_ <= 0) return make(true, a, b);
    int64_t q = a.v_ / b.v_;
    if (a.v_ % b.v_ < 0) --q;
    a.v_ = q;
    return make(false, a, b);
  }
  Int& operator+=(Int b) { return *this = *this + b; }
  Int& operator*=(Int b) { return *this = *this * b; }
  friend constexpr bool operator==(Int a, Int b) { return a.ok_ == b.ok_ && (!a.ok_ || a.v_ == b.v_); }

 private:
  static constexpr Int make(bool overflow, Int a, Int b) {
    a.ok_ = a.ok_ && b.ok_ && !overflow;
    return a;
  }
  int64_t v_ = 0;
  bool ok_ = true;
};

}  // namespace hone
