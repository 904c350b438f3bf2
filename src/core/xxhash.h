// XXH64 (Collet, xxHash specification 0.1.1): a quick checksum against damage, not against malice.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hone {

uint64_t xxh64(const void* data, size_t size, uint64_t seed = 0);

}  // namespace hone
