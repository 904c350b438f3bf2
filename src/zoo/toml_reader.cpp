#include "zoo/toml_reader.h"

#include <fmt/format.h>

#include <sstream>
#include <toml++/toml.h>

namespace hone {

std::string TomlReader::at(const toml::node& n) const { return fmt::format("{}:{}:{}", source, n.source().begin.line, n.source().begin.column); }

tl::unexpected<Error> TomlReader::wrong(const toml::node& n, const std::string& path, const std::string& expected) const {
  std::ostringstream found;
  if (n.is_string())
    found << '"' << n.as_string()->get() << '"';
  else if (n.is_integer())
    found << n.as_integer()->get();
  else
    found << n.type();
  return fail(Code::invalid, fmt::format("{}: expected {}, found {}", path, expected, found.str()), at(n));
}

Status TomlReader::read(const toml::node& n, const std::string& path, int64_t& out) const {
  if (!n.is_integer()) return wrong(n, path, "an integer");
  out = n.as_integer()->get();
  return {};
}
Status TomlReader::read(const toml::node& n, const std::string& path, bool& out) const {
  if (!n.is_boolean()) return wrong(n, path, "true or false");
  out = n.as_boolean()->get();
  return {};
}
Status TomlReader::read(const toml::node& n, const std::string& path, std::string& out) const {
  if (!n.is_string()) return wrong(n, path, "a string");
  out = n.as_string()->get();
  return {};
}

}  // namespace hone
