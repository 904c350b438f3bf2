// Order and chance as functions of numbers, not of history: what a worker draws for a sample depends on the seed, the
// epoch and the sample alone, so results do not depend on how many workers there are or where a run was resumed.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "core/rng.h"

namespace hone {

// The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
constexpr uint64_t scramble(uint64_t z) {
  z += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// A seed of its own for every (seed, a, b, c).
constexpr uint64_t derive_seed(uint64_t seed, uint64_t a, uint64_t b = 0, uint64_t c = 0) {
  return scramble(scramble(scramble(scramble(seed) ^ a) ^ b) ^ c);
}

// A permutation of [0, n) that is computed, not stored: a Feistel network over the smallest even number of bits that
// holds n; what falls beyond n goes round again (Black and Rogaway 2002, "cycle walking"; below 4 rounds on average).
class Shuffle {
 public:
  Shuffle(uint64_t n, uint64_t seed) : n_(n), half_((std::bit_width(n < 2 ? uint64_t{1} : n - 1) + 1) / 2) {
    for (uint64_t& key : keys_) key = seed = scramble(seed);
  }

  uint64_t size() const { return n_; }

  // i < size().
  uint64_t operator()(uint64_t i) const {
    if (n_ < 2) return 0;
    const uint64_t mask = (uint64_t{1} << half_) - 1;
    do {
      uint64_t left = i >> half_, right = i & mask;
      for (uint64_t key : keys_) {
        const uint64_t next = left ^ (scramble(right ^ key) & mask);
        left = right;
        right = next;
      }
      i = left << half_ | right;
    } while (i >= n_);
    return i;
  }

 private:
  uint64_t n_;
  int half_;
  std::array<uint64_t, 8> keys_;
};

}  // namespace hone
