// Files written whole or not at all.
#pragma once

#include <string>
#include <string_view>

#include "core/error.h"

namespace hone {

// Writes beside `path`, flushes, and renames; a crash leaves the old file or the new one. An existing file is refused
// unless `force`.
Status write_file(const std::string& path, std::string_view contents, bool force);

// The error that write_file gives for an existing `path`, for writers that must know before they work. Ok with `force`.
Status check_writable(const std::string& path, bool force);

}  // namespace hone
