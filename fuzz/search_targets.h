// What the fuzz targets of search spaces and of search archives do with their bytes; see targets.h.
#pragma once

#include <fmt/format.h>

#include "core/rng.h"
#include "core/xxhash.h"
#include "search/archive.h"
#include "targets.h"
#include "zoo/space.h"

namespace hone::fuzz {

// Any bytes: a space that prints and reads back as it is, whose members are drawn and written as encodings that read back, or an
// error. Bytes behind a NUL are an encoding.
inline void space_toml(std::string_view bytes) {
  const size_t nul = bytes.find('\0');
  const auto space = space::parse_space(std::string(bytes.substr(0, nul)), "fuzz");
  if (!space) return require(!space.error().message.empty(), "an error of parse_space() has a message");
  const std::string printed = space::print_space(*space);
  const auto again = space::parse_space(printed, "printed");
  if (!again) std::fprintf(stderr, "%s\n%s\n", printed.c_str(), again.error().text().c_str());
  require(again.has_value() && *again == *space, "a printed space reads back as it is");
  require(space::size_estimate(*space) >= 1, "a space has members");
  const auto whole = [&](const space::Member& m) {
    require(space::check(*space, m).has_value(), "a member that was drawn is one");
    const auto read = space::parse_member(*space, space::print_member(*space, m), "fuzz");
    require(read.has_value() && *read == m, "an encoding reads back as it is");
  };
  whole(space::smallest(*space));
  whole(space::largest(*space));
  Rng rng(1);
  for (int i = 0; i < 4; ++i) whole(space::sample(*space, rng));
  for (const int64_t level : space->levels.at) whole(space::smallest_of_level(*space, level));
  if (nul == std::string_view::npos) return;
  const auto member = space::parse_member(*space, std::string(bytes.substr(nul + 1)), "fuzz");
  if (!member) return require(!member.error().message.empty(), "an error of parse_member() has a message");
  whole(*member);
  const auto back = space::member_of(*space, space::to_arch(*space, *member, "member"));
  require(back.has_value() && *back == *member, "a member's stage table is the member's");
}

// Any bytes as lines of an archive: as they are, and with checksums that fit, which an attacker can make as well.
inline void search_archive(std::string_view bytes) {
  const auto promises = [](const Result<search::ArchiveFile>& file) {
    if (!file) return require(!file.error().message.empty(), "an error of an archive has a message");
    for (size_t i = 0; i < file->entries.size(); ++i) {
      const search::Entry& e = file->entries[i];
      require(e.index == static_cast<int64_t>(i), "lines are numbered");
      require(space::check(file->header.space, e.member).has_value(), "a member of an archive is one of its space");
      for (const int64_t p : e.parents) require(p >= 0 && p < e.index, "parents come before their children");
    }
    require(!file->header.id().empty(), "an archive has a name");
  };
  promises(search::parse_archive(bytes, "fuzz"));
  std::string sealed;
  for (size_t at = 0; at < bytes.size();) {
    size_t end = bytes.find('\n', at);
    if (end == std::string_view::npos) end = bytes.size();
    std::string line(bytes.substr(at, end - at));
    if (line.ends_with('}')) line.pop_back();
    if (const size_t sum = line.rfind(",\"sum\":\""); sum != std::string::npos) line.resize(sum);
    sealed += fmt::format("{},\"sum\":\"{:016x}\"}}\n", line, xxh64(line.data(), line.size()));
    at = end + 1;
  }
  promises(search::parse_archive(sealed, "fuzz"));
}

}  // namespace hone::fuzz
