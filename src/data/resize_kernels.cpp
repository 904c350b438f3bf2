#include "data/resize_kernels.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace hone::kernels {

namespace {

constexpr int32_t kHalf = 1 << (kPrecision - 1);

uint8_t round_off(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kPrecision, 0, 255)); }

void across(const uint8_t* const* rows, const Taps& taps, int output, int32_t*, uint8_t* const* to) {
  for (int r = 0; r < 4; ++r)
    for (int x = 0; x < output; ++x) {
      const uint8_t* from = rows[r] + 3 * taps.first[static_cast<size_t>(x)];
      const int32_t* w = taps.weights_of(x);
      int32_t sum[3] = {kHalf, kHalf, kHalf};
      for (int k = 0; k < taps.count[static_cast<size_t>(x)]; ++k)
        for (int c = 0; c < 3; ++c) sum[c] += from[3 * k + c] * w[k];
      for (int c = 0; c < 3; ++c) to[r][3 * x + c] = round_off(sum[c]);
    }
}

void down(const uint8_t* from, size_t pitch, const int32_t* weights, int count, size_t bytes, uint8_t* to) {
  for (size_t i = 0; i < bytes; ++i) {
    int32_t sum = kHalf;
    for (int k = 0; k < count; ++k) sum += from[static_cast<size_t>(k) * pitch + i] * weights[k];
    to[i] = round_off(sum);
  }
}

void scale(const uint8_t* from, int width, const float* factor, const float* offset, float* to) {
  for (int x = 0; x < width; ++x)
    for (int c = 0; c < 3; ++c) to[3 * x + c] = static_cast<float>(from[3 * x + c]) * factor[c] + offset[c];
}

#if defined(__x86_64__)

#define HONE_AVX2 __attribute__((target("avx2")))

HONE_AVX2 inline int load4(const uint8_t* p) {
  int word;
  std::memcpy(&word, p, 4);
  return word;
}
HONE_AVX2 inline __m256i load8(const int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
HONE_AVX2 inline __m256i widen8(const uint8_t* p) { return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))); }

// A pixel of two rows is a vector of eight: (R, G, B, unused) twice.
HONE_AVX2 void across_avx2(const uint8_t* const* rows, const Taps& taps, int output, int32_t* line, uint8_t* const* to) {
  const int begin = taps.first.front(), end = taps.end();
  for (int x = begin; x < end; ++x) {
    int word[4] = {};
    if (x + 1 < end)
      for (int r = 0; r < 4; ++r) word[r] = load4(rows[r] + 3 * x);
    else
      for (int r = 0; r < 4; ++r) std::memcpy(&word[r], rows[r] + 3 * x, 3);
    const __m128i four = _mm_setr_epi32(word[0], word[1], word[2], word[3]);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(line + 16 * x), _mm256_cvtepu8_epi32(four));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(line + 16 * x + 8), _mm256_cvtepu8_epi32(_mm_unpackhi_epi64(four, four)));
  }
  for (int x = 0; x < output; ++x) {
    const int32_t* w = taps.weights_of(x);
    const int32_t* from = line + 16 * taps.first[static_cast<size_t>(x)];
    const int count = taps.count[static_cast<size_t>(x)];
    __m256i rows01 = _mm256_set1_epi32(kHalf), rows23 = rows01;
    for (int k = 0; k < count; ++k) {
      const __m256i weight = _mm256_set1_epi32(w[k]);
      rows01 = _mm256_add_epi32(rows01, _mm256_mullo_epi32(load8(from + 16 * k), weight));
      rows23 = _mm256_add_epi32(rows23, _mm256_mullo_epi32(load8(from + 16 * k + 8), weight));
    }
    // Packing saturates, which is the clamp to [0, 255]; the lower half then holds rows 0 and 2, the upper 1 and 3.
    const __m256i words = _mm256_packs_epi32(_mm256_srai_epi32(rows01, kPrecision), _mm256_srai_epi32(rows23, kPrecision));
    const __m256i bytes = _mm256_packus_epi16(words, words);
    const __m128i low = _mm256_castsi256_si128(bytes), high = _mm256_extracti128_si256(bytes, 1);
    const int pixel[4] = {_mm_cvtsi128_si32(low), _mm_cvtsi128_si32(high), _mm_extract_epi32(low, 1), _mm_extract_epi32(high, 1)};
    for (int r = 0; r < 4; ++r) std::memcpy(to[r] + 3 * x, &pixel[r], 4);  // the fourth byte is written over by the next pixel
  }
}

HONE_AVX2 void down_avx2(const uint8_t* from, size_t pitch, const int32_t* weights, int count, size_t bytes, uint8_t* to) {
  size_t i = 0;
  for (; i + 32 <= bytes; i += 32) {
    __m256i sum[4];
    for (__m256i& s : sum) s = _mm256_set1_epi32(kHalf);
    for (int k = 0; k < count; ++k) {
      const __m256i weight = _mm256_set1_epi32(weights[k]);
      const uint8_t* row = from + static_cast<size_t>(k) * pitch + i;
      for (int j = 0; j < 4; ++j) sum[j] = _mm256_add_epi32(sum[j], _mm256_mullo_epi32(widen8(row + 8 * j), weight));
    }
    for (__m256i& s : sum) s = _mm256_srai_epi32(s, kPrecision);
    // Packing works within halves, so the groups of four bytes come out of order.
    const __m256i packed = _mm256_packus_epi16(_mm256_packs_epi32(sum[0], sum[1]), _mm256_packs_epi32(sum[2], sum[3]));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
  }
  if (i < bytes) down(from + i, pitch, weights, count, bytes - i, to + i);
}

HONE_AVX2 void scale_avx2(const uint8_t* from, int width, const float* factor, const float* offset, float* to) {
  // Eight pixels are three vectors, each with its own phase of the three channels.
  __m256 f[3], o[3];
  for (int phase = 0; phase < 3; ++phase) {
    float a[8], b[8];
    for (int i = 0; i < 8; ++i) {
      a[i] = factor[(8 * phase + i) % 3];
      b[i] = offset[(8 * phase + i) % 3];
    }
    f[phase] = _mm256_loadu_ps(a);
    o[phase] = _mm256_loadu_ps(b);
  }
  int x = 0;
  for (; x + 8 <= width; x += 8)
    for (int phase = 0; phase < 3; ++phase)
      _mm256_storeu_ps(to + 3 * x + 8 * phase, _mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(widen8(from + 3 * x + 8 * phase)), f[phase]), o[phase]));
  if (x < width) scale(from + 3 * x, width - x, factor, offset, to + 3 * x);
}

#endif

}  // namespace

const Resizing& portable() {
  static const Resizing set{across, down, scale};
  return set;
}

const Resizing& best() {
#if defined(__x86_64__)
  static const Resizing avx2{across_avx2, down_avx2, scale_avx2};
  static const bool has = __builtin_cpu_supports("avx2");
  if (has) return avx2;
#endif
  return portable();
}

}  // namespace hone::kernels
