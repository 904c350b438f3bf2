// What a machine can do at most, measured: the roofs of a roofline (Williams, Waterman and Patterson 2009).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"

namespace hone {

struct Bandwidth {
  std::string level;         // "L2", "L3", "memory"
  int64_t bytes = 0;         // that each thread's arrays take
  double gb_per_second = 0;  // all threads together
};

struct MachinePeak {
  int threads = 1;
  std::string instructions;   // "AVX-512", "AVX2", "scalar"
  double gflop_per_second = 0;  // fp32 multiply-adds, 2 FLOPs each, from registers; all threads together
  std::vector<Bandwidth> levels;  // of STREAM's triad a = b + s c, 12 bytes an element; the last one is memory
};

// About a second. Uses the processors that the calling thread may use; the best of several tries counts, since others can
// only make it slower.
MachinePeak measure_peak(int threads);

// FLOP/s that work with `intensity` FLOPs per byte can reach below the compute roof and one bandwidth, in GFLOP/s.
double roof(const MachinePeak& peak, const Bandwidth& level, double intensity);

}  // namespace hone
