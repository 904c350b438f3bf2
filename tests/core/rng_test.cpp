#include "core/rng.h"

#include <gtest/gtest.h>

namespace hone {
namespace {

TEST(Rng, SameSeedSameStream) {
  Rng a(7), b(7), c(8);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const uint64_t x = a.next();
    EXPECT_EQ(x, b.next());
    differs |= x != c.next();
  }
  EXPECT_TRUE(differs);
}

TEST(Rng, ReferenceStream) {
  // SplitMix64(0) gives e220a8397b1dcdaf 6e789e6aa1b965f4 06c45d188009454f f88bb8a8724c81ec (the authors' C code); the
  // first xoshiro256** output is rotl(s1 * 5, 7) * 9.
  const uint64_t s1 = 0x6e789e6aa1b965f4, x = s1 * 5;
  EXPECT_EQ(Rng(0).next(), ((x << 7) | (x >> 57)) * 9);
}

TEST(Rng, BelowIsUniform) {
  Rng rng(1);
  int seen[6] = {};
  for (int i = 0; i < 60000; ++i) ++seen[rng.below(6)];
  for (int n : seen) EXPECT_NEAR(n, 10000, 500);
  double sum = 0;
  for (int i = 0; i < 10000; ++i) sum += rng.uniform();
  EXPECT_NEAR(sum / 10000, 0.5, 0.02);
}

}  // namespace
}  // namespace hone
