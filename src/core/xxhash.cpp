#include "core/xxhash.h"

#include <bit>
#include <cstring>

namespace hone {

namespace {

constexpr uint64_t kPrime[5] = {0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5};

template <class T>
T load(const uint8_t* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

uint64_t round(uint64_t lane, uint64_t input) { return std::rotl(lane + input * kPrime[1], 31) * kPrime[0]; }
uint64_t merge(uint64_t hash, uint64_t lane) { return (hash ^ round(0, lane)) * kPrime[0] + kPrime[3]; }

}  // namespace

uint64_t xxh64(const void* data, size_t size, uint64_t seed) {
  const auto* p = static_cast<const uint8_t*>(data);
  const uint8_t* const end = p + size;
  uint64_t hash = seed + kPrime[4];
  if (size >= 32) {
    uint64_t lane[4] = {seed + kPrime[0] + kPrime[1], seed + kPrime[1], seed, seed - kPrime[0]};
    for (; end - p >= 32; p += 32)
      for (int i = 0; i < 4; ++i) lane[i] = round(lane[i], load<uint64_t>(p + 8 * i));
    hash = std::rotl(lane[0], 1) + std::rotl(lane[1], 7) + std::rotl(lane[2], 12) + std::rotl(lane[3], 18);
    for (uint64_t l : lane) hash = merge(hash, l);
  }
  hash += size;
  for (; end - p >= 8; p += 8) hash = std::rotl(hash ^ round(0, load<uint64_t>(p)), 27) * kPrime[0] + kPrime[3];
  if (end - p >= 4) {
    hash = std::rotl(hash ^ (load<uint32_t>(p) * kPrime[0]), 23) * kPrime[1] + kPrime[2];
    p += 4;
  }
  for (; p < end; ++p) hash = std::rotl(hash ^ (*p * kPrime[4]), 11) * kPrime[0];
  hash = (hash ^ (hash >> 33)) * kPrime[1];
  hash = (hash ^ (hash >> 29)) * kPrime[2];
  return hash ^ (hash >> 32);
}

}  // namespace hone
