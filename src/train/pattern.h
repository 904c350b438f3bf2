// Name patterns of recipes: `*` stands for any run of characters (dots included), `?` for one, the rest for itself.
//   features.*   everything below features        *.bn.*   every parameter of a module called bn        *.bias
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hone::train {

bool matches(std::string_view pattern, std::string_view name);
bool matches_any(const std::vector<std::string>& patterns, std::string_view name);

}  // namespace hone::train
