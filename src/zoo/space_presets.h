// The TOML files of spaces/ in the program: cmake/spaces.cmake turns them into a table at build time.
#pragma once

#include <span>
#include <string_view>

namespace hone::space {

struct Preset {
  std::string_view name, toml;  // name: of the file, without its ending
};
std::span<const Preset> presets();

}  // namespace hone::space
