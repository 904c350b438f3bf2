#include "data/tar.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <optional>

namespace hone {

namespace {

constexpr uint64_t kBlock = 512;

std::string_view field(std::string_view header, size_t at, size_t n) {
  const std::string_view text = header.substr(at, n);
  return text.substr(0, text.find('\0'));
}

// Octal digits, or from GNU tar a big-endian number behind a byte 0x80.
std::optional<uint64_t> number(std::string_view header, size_t at, size_t n) {
  const std::string_view raw = header.substr(at, n);
  uint64_t value = 0;
  if (static_cast<unsigned char>(raw[0]) == 0x80) {
    for (size_t i = 1; i < n; ++i) {
      if (value >> 55) return std::nullopt;
      value = value << 8 | static_cast<unsigned char>(raw[i]);
    }
    return value;
  }
  bool any = false;
  for (char c : raw) {
    if (c >= '0' && c <= '7') {
      if (value >> 60) return std::nullopt;
      value = value << 3 | static_cast<uint64_t>(c - '0');
      any = true;
    } else if (c == ' ' && !any) continue;
    else if (c == ' ' || c == '\0') break;
    else return std::nullopt;
  }
  return value;
}

bool checksum_is_right(std::string_view header) {
  uint64_t sum = 8 * ' ';  // its own field counts as blanks
  for (size_t i = 0; i < kBlock; ++i)
    if (i < 148 || i >= 156) sum += static_cast<unsigned char>(header[i]);
  return number(header, 148, 8) == sum;
}

// "27 path=some/name\n": length of the record, key, value.
void read_pax(std::string_view records, std::string& path, int64_t& size) {
  while (!records.empty()) {
    size_t length = 0;
    const auto [end, ec] = std::from_chars(records.data(), records.data() + records.size(), length);
    const size_t start = static_cast<size_t>(end - records.data()) + 1;
    if (ec != std::errc() || length <= start || length > records.size()) return;
    const std::string_view record = records.substr(start, length - start - 1);
    if (record.starts_with("path=")) path = record.substr(5);
    if (record.starts_with("size=")) {
      int64_t value = 0;
      const std::string_view digits = record.substr(5);
      if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec == std::errc() && value >= 0) size = value;
    }
    records.remove_prefix(length);
  }
}

}  // namespace

bool is_tar(std::string_view file) { return file.size() >= kBlock && file.substr(257, 5) == "ustar" && checksum_is_right(file.substr(0, kBlock)); }

Result<std::vector<TarMember>> read_tar_directory(const Bytes& file, const std::string& source) {
  const std::string_view text(reinterpret_cast<const char*>(file.data), file.size);
  std::vector<TarMember> out;
  std::string long_name;
  int64_t long_size = -1;  // none
  for (uint64_t at = 0; at < text.size();) {
    const auto bad = [&](const std::string& what) { return fail(Code::invalid, fmt::format("{} at byte {}", what, at), source); };
    if (text.size() - at < kBlock) return bad("the archive is cut short");
    const std::string_view header = text.substr(at, kBlock);
    if (header.find_first_not_of('\0') == header.npos) return out;  // the end is a block of zeros
    if (!checksum_is_right(header)) return bad("a header is damaged");
    std::optional<uint64_t> size = number(header, 124, 12);
    const char kind = header[156];
    const bool regular = kind == '0' || kind == '\0' || kind == '7';
    if (regular && long_size >= 0) size = static_cast<uint64_t>(long_size);
    const uint64_t begin = at + kBlock;
    if (!size || *size > text.size() - begin) return bad("a member reaches beyond the end of the file");
    if (kind == 'L') long_name = field(text, begin, *size);
    else if (kind == 'x') read_pax(text.substr(begin, *size), long_name, long_size);
    else if (kind != 'g' && kind != 'K') {
      std::string name(field(header, 0, 100));
      if (header.substr(257, 6) == std::string_view("ustar\0", 6))
        if (const std::string_view prefix = field(header, 345, 155); !prefix.empty()) name = std::string(prefix) + "/" + name;
      if (!long_name.empty()) name = long_name;
      if (regular && !name.ends_with('/')) out.push_back({std::move(name), begin, *size});
      long_name.clear();
      long_size = -1;
    }
    at = begin + (*size + kBlock - 1) / kBlock * kBlock;
  }
  return fail(Code::invalid, "the archive is cut short: it lacks its end", source);
}

}  // namespace hone
