// Inner loops of search, compiled for several instruction sets; the processor picks at start.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hone {

// Sum of (a_i - b_i)^2 in f32. Relative error at most kernel_error(n), whatever the instruction set: each of n squared
// differences and sums is rounded (Higham 2002, section 3.1).
float squared_distance(const float* a, const float* b, size_t n);
double kernel_error(size_t n);

// Exact while n <= 131071.
int32_t dot(const int8_t* a, const int8_t* b, size_t n);

}  // namespace hone
