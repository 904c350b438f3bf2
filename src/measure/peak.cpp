#include "measure/peak.h"

#include <fmt/format.h>
#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <fstream>
#include <functional>
#include <thread>
#include <utility>

#include "core/units.h"

namespace hone {

namespace {

constexpr int kTries = 7;
constexpr int64_t kSteps = 4'000'000;        // of the multiply-add loop
constexpr int64_t kMemoryBytes = 96 << 20;  // at least, where the caches are small or not known
constexpr double kTriadBytes = 300e6;       // that one try moves, so that small arrays are gone through often

double seconds_now() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// Twelve independent chains of multiply-adds hide a latency of up to six cycles at two a cycle. Gives back FLOPs done.
// The empty asm keeps the compiler from merging steps.
#define HONE_STEP(X, FMA) X = FMA(X, a, b); asm volatile("" : "+v"(X));
#define HONE_CHAINS(NAME, VECTOR, WIDTH, SET, FMA, ATTRIBUTE)                                                      \
  ATTRIBUTE __attribute__((noinline)) double NAME(int64_t steps) {                                                 \
    const VECTOR a = SET(0.999f), b = SET(1e-3f);                                                                  \
    VECTOR x0 = a, x1 = a, x2 = a, x3 = a, x4 = a, x5 = a, x6 = a, x7 = a, x8 = a, x9 = a, x10 = a, x11 = a;       \
    for (int64_t s = 0; s < steps; ++s) {                                                                          \
      HONE_STEP(x0, FMA) HONE_STEP(x1, FMA) HONE_STEP(x2, FMA) HONE_STEP(x3, FMA) HONE_STEP(x4, FMA) HONE_STEP(x5, FMA) \
      HONE_STEP(x6, FMA) HONE_STEP(x7, FMA) HONE_STEP(x8, FMA) HONE_STEP(x9, FMA) HONE_STEP(x10, FMA) HONE_STEP(x11, FMA) \
    }                                                                                                              \
    return static_cast<double>(steps) * 12 * WIDTH * 2;                                                            \
  }

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define HONE_SSE_FMA(x, a, b) _mm_add_ps(_mm_mul_ps(x, a), b)
HONE_CHAINS(chains_avx512, __m512, 16, _mm512_set1_ps, _mm512_fmadd_ps, __attribute__((target("avx512f"))))
HONE_CHAINS(chains_avx2, __m256, 8, _mm256_set1_ps, _mm256_fmadd_ps, __attribute__((target("avx2,fma"))))
HONE_CHAINS(chains_sse, __m128, 4, _mm_set1_ps, HONE_SSE_FMA, )
std::pair<const char*, double (*)(int64_t)> best_chains() {
  if (__builtin_cpu_supports("avx512f")) return {"AVX-512", chains_avx512};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {"AVX2", chains_avx2};
  return {"SSE2", chains_sse};
}
#else
double chains_plain(int64_t steps) {
  float x[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  for (int64_t s = 0; s < steps; ++s)
    for (float& v : x) v = v * 0.999f + 1e-3f;
  volatile float sink = 0;
  for (float v : x) sink = sink + v;
  return static_cast<double>(steps) * 12 * 2;
}
std::pair<const char*, double (*)(int64_t)> best_chains() { return {"scalar", chains_plain}; }
#endif

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((noinline, target_clones("avx512f", "avx2", "default")))
#endif
void triad(float* a, const float* b, const float* c, size_t n) {
  for (size_t i = 0; i < n; ++i) a[i] = b[i] + 0.5f * c[i];
  asm volatile("" : : "r"(a) : "memory");
}

// Work of all threads at once over the time from the first start to the last end, the best of several tries.
double best_rate(int threads, const std::function<double(int thread)>& work) {
  double best = 0;
  for (int t = 0; t < kTries; ++t) {
    std::vector<std::thread> others;
    std::vector<double> done(static_cast<size_t>(threads));
    const double begin = seconds_now();
    for (int i = 1; i < threads; ++i) others.emplace_back([&, i] { done[static_cast<size_t>(i)] = work(i); });
    done[0] = work(0);
    for (std::thread& other : others) other.join();
    double sum = 0;
    for (double d : done) sum += d;
    best = std::max(best, sum / (seconds_now() - begin));
  }
  return best;
}

struct Cache {
  int level = 0;
  int64_t bytes = 0;
};
// Data caches of the first processor, smallest first; empty where the system does not say.
std::vector<Cache> caches() {
  std::vector<Cache> out;
  for (int index = 0; index < 8; ++index) {
    const std::string folder = fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}/", index);
    std::string type, size;
    Cache c;
    std::ifstream(folder + "type") >> type;
    std::ifstream(folder + "size") >> size;
    std::ifstream(folder + "level") >> c.level;
    if (size.empty() || type == "Instruction") continue;
    c.bytes = static_cast<int64_t>(parse_bytes(size + "iB").value_or(0));  // "1024K", the kernel's K being 1024
    if (c.bytes > 0 && c.level > 1) out.push_back(c);
  }
  std::sort(out.begin(), out.end(), [](const Cache& a, const Cache& b) { return a.bytes < b.bytes; });
  return out;
}

}  // namespace

MachinePeak measure_peak(int threads) {
  threads = std::max(threads, 1);
  MachinePeak peak;
  peak.threads = threads;
  const auto [name, chains] = best_chains();
  peak.instructions = name;
  peak.gflop_per_second = best_rate(threads, [chains = chains](int) { return chains(kSteps); }) * 1e-9;

  const std::vector<Cache> known = caches();
  // Half of a cache fills it without falling out of it; a shared one is shared among the threads. Memory needs arrays
  // that no cache holds.
  for (const Cache& c : known) peak.levels.push_back({fmt::format("L{}", c.level), c.bytes / 2 / (c.level > 2 ? threads : 1), 0});
  peak.levels.push_back({"memory", std::max(kMemoryBytes, known.empty() ? 0 : 4 * known.back().bytes) / threads, 0});
  for (Bandwidth& level : peak.levels) {
    const auto n = static_cast<size_t>(level.bytes) / 3 / sizeof(float);
    std::vector<std::vector<float>> arrays(static_cast<size_t>(threads), std::vector<float>(3 * n, 1.f));
    const int repeats = std::max(1, static_cast<int>(kTriadBytes / static_cast<double>(12 * n)));
    level.gb_per_second = best_rate(threads, [&](int i) {
                            float* const a = arrays[static_cast<size_t>(i)].data();
                            for (int r = 0; r < repeats; ++r) triad(a, a + n, a + 2 * n, n);
                            return 12. * static_cast<double>(n) * repeats;
                          }) * 1e-9;
  }
  return peak;
}

double roof(const MachinePeak& peak, const Bandwidth& level, double intensity) { return std::min(peak.gflop_per_second, intensity * level.gb_per_second); }

}  // namespace hone
