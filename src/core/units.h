// Numbers for people: 4089184256 <-> "4.09 G", bytes, milliseconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hone {

std::string format_count(int64_t n);          // "4.09 G", "25.6 M", "812"
std::string format_exact(int64_t n);          // "4,089,184,256"
std::string format_bytes(int64_t n);          // "97.5 MiB"
std::string format_percent(double share);     // 0.1197 -> "11.97 %"
// Reads "4G", "300M", "1.5k", "4e9", "4089184256" (decimal suffixes k M G T, upper or lower case, blanks ignored).
std::optional<double> parse_count(std::string_view text);
// Reads "24MiB", "1.5GB", "4096" as bytes (binary suffixes KiB MiB GiB, decimal KB MB GB).
std::optional<double> parse_bytes(std::string_view text);

}  // namespace hone
