// Names close to a misspelt one, for hints.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hone {

// Levenshtein distance, case-blind.
size_t edit_distance(std::string_view a, std::string_view b);
// The `count` candidates of least distance, nearest first, ties in the order given.
std::vector<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates, size_t count);

}  // namespace hone
