// TOML as plain ASCII text: what toml++ 3.3 reads without undefined behaviour (it has some on characters beyond ASCII).
#pragma once

#include <string>
#include <string_view>

#include "core/error.h"

namespace hone {

// Characters beyond ASCII become escapes inside "strings" and '?' in comments; elsewhere they are an error with its line.
Result<std::string> toml_ascii(std::string_view toml, const std::string& source);

std::string toml_quoted(std::string_view text);  // "\u00E9..."
std::string toml_number(double value);           // shortest form that reads back equal, and as a float

}  // namespace hone
