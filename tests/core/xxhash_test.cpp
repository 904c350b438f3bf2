#include "core/xxhash.h"

#include <gtest/gtest.h>

#include <string>

namespace hone {
namespace {

// Vectors of the specification's reference implementation: bytes of its generator (prime32 multiplied with itself, top byte).
TEST(Xxh64, EqualsTheReferenceImplementation) {
  std::string bytes(222, '\0');
  uint64_t generator = 2654435761u;
  for (char& b : bytes) {
    b = static_cast<char>(generator >> 56);
    generator *= 11400714785074694797ull;
  }
  constexpr uint64_t kSeed = 2654435761u;
  EXPECT_EQ(xxh64("", 0), 0xEF46DB3751D8E999u);
  EXPECT_EQ(xxh64("", 0, kSeed), 0xAC75FDA2929B17EFu);
  EXPECT_EQ(xxh64(bytes.data(), 1), 0xE934A84ADB052768u);
  EXPECT_EQ(xxh64(bytes.data(), 1, kSeed), 0x5014607643A9B4C3u);
  EXPECT_EQ(xxh64(bytes.data(), 14), 0x8282DCC4994E35C8u);
  EXPECT_EQ(xxh64(bytes.data(), 14, kSeed), 0xC3BD6BF63DEB6DF0u);
  EXPECT_EQ(xxh64(bytes.data(), 222), 0xB641AE8CB691C174u);
  EXPECT_EQ(xxh64(bytes.data(), 222, kSeed), 0x20CB8AB7AE10C14Au);
  EXPECT_EQ(xxh64("abc", 3), 0x44BC2CF5AD770999u);
}

}  // namespace
}  // namespace hone
