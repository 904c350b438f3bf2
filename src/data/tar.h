// The members of a tar archive; what data/archive.cpp builds on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "ir/types.h"

namespace hone {

struct TarMember {
  std::string name;
  uint64_t begin = 0, size = 0;  // bytes in the file
};

bool is_tar(std::string_view file);

// Regular files in the archive's order: POSIX ustar, with pax paths and sizes and GNU long names. Links and devices are
// left out. A header whose checksum is wrong, or a member that lies outside the file, is an error with its offset.
Result<std::vector<TarMember>> read_tar_directory(const Bytes& file, const std::string& source);

}  // namespace hone
