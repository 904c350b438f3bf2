#include "measure/peak.h"

#include <gtest/gtest.h>

namespace hone {
namespace {

TEST(Peak, TheRoofIsTheLowerOfTwo) {
  const MachinePeak peak{1, "AVX2", 100, {{"memory", 1, 20}}};
  EXPECT_DOUBLE_EQ(roof(peak, peak.levels[0], 2), 40);
  EXPECT_DOUBLE_EQ(roof(peak, peak.levels[0], 5), 100);
  EXPECT_DOUBLE_EQ(roof(peak, peak.levels[0], 50), 100);
}

// Bounds that any machine keeps: a vector unit beats one FLOP a nanosecond, no core does a thousand; the memory is behind
// the caches.
TEST(Peak, IsPlausibleAndNamesItsLevels) {
  const MachinePeak peak = measure_peak(1);
  EXPECT_GT(peak.gflop_per_second, 1);
  EXPECT_LT(peak.gflop_per_second, 1000);
  ASSERT_FALSE(peak.levels.empty());
  EXPECT_EQ(peak.levels.back().level, "memory");
  for (const Bandwidth& b : peak.levels) {
    EXPECT_GT(b.gb_per_second, 0.1) << b.level;
    EXPECT_LT(b.gb_per_second, 2000) << b.level;
    EXPECT_GT(b.bytes, 0);
  }
}

}  // namespace
}  // namespace hone
