// Values of a TOML file with places in what is said about them; arch_toml.cpp and space_toml.cpp read their tables with it.
#pragma once

#include <cstdint>
#include <string>
#include <toml++/impl/forward_declarations.h>

#include "core/error.h"

namespace hone {

struct TomlReader {
  std::string source;

  std::string at(const toml::node& n) const;  // "FILE:LINE:COLUMN"
  tl::unexpected<Error> wrong(const toml::node& n, const std::string& path, const std::string& expected) const;
  Status read(const toml::node& n, const std::string& path, int64_t& out) const;
  Status read(const toml::node& n, const std::string& path, bool& out) const;
  Status read(const toml::node& n, const std::string& path, std::string& out) const;
};

}  // namespace hone
