// Archives made in a test: zip (stored or deflated) and tar, with every field as the writer wants it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#if HONE_IMAGE
#include <zlib.h>
#endif

namespace hone::test {

using Files = std::vector<std::pair<std::string, std::string>>;  // name, contents

inline std::string little(uint64_t v, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += char(v >> (8 * i));
  return out;
}

#if HONE_IMAGE
inline std::string zip(const Files& files, bool deflate = false) {
  std::string out, directory;
  for (const auto& [name, contents] : files) {
    const uint32_t crc = uint32_t(crc32(0, reinterpret_cast<const Bytef*>(contents.data()), uInt(contents.size())));
    std::string packed = contents;
    if (deflate) {
      z_stream z{};
      deflateInit2(&z, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
      packed.resize(deflateBound(&z, uLong(contents.size())));
      z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(contents.data()));
      z.avail_in = uInt(contents.size());
      z.next_out = reinterpret_cast<Bytef*>(packed.data());
      z.avail_out = uInt(packed.size());
      ::deflate(&z, Z_FINISH);
      packed.resize(z.total_out);
      deflateEnd(&z);
    }
    const std::string common = little(20, 2) + little(0, 2) + little(deflate ? 8 : 0, 2) + little(0, 4) + little(crc, 4) + little(packed.size(), 4) + little(contents.size(), 4) + little(name.size(), 2) + little(0, 2);
    directory += "PK\x01\x02" + little(20, 2) + common + little(0, 2) + little(0, 2) + little(0, 2) + little(0, 4) + little(out.size(), 4) + name;
    out += "PK\x03\x04" + common + name + packed;
  }
  const uint64_t at = out.size();
  return out + directory + "PK\x05\x06" + little(0, 4) + little(files.size(), 2) + little(files.size(), 2) + little(directory.size(), 4) + little(at, 4) + little(0, 2);
}
#endif

inline std::string tar_member(const std::string& name, const std::string& contents, char kind) {
  std::string h(512, '\0');
  h.replace(0, std::min<size_t>(name.size(), 100), name.substr(0, 100));
  char text[16];
  std::snprintf(text, sizeof text, "%011zo", contents.size());
  h.replace(124, 11, text);
  h[156] = kind;
  h.replace(257, 8, std::string("ustar\00000", 8));
  unsigned sum = 8 * ' ';
  for (unsigned char c : h) sum += c;
  std::snprintf(text, sizeof text, "%06o", sum);
  h.replace(148, 8, std::string(text, 7) + ' ');
  std::string body = contents;
  body.resize((body.size() + 511) / 512 * 512);
  return h + body;
}
inline std::string tar(const Files& files) {
  std::string out;
  for (const auto& [name, contents] : files) {
    if (name.size() > 100) out += tar_member("././@LongLink", name + '\0', 'L');
    out += tar_member(name, contents, '0');
  }
  return out + std::string(1024, '\0');
}

// A folder of its own that goes with the object.
class Scratch {
 public:
  Scratch() : path_(std::filesystem::temp_directory_path() / ("hone_data_" + std::to_string(reinterpret_cast<uintptr_t>(this)) + "_" + std::to_string(std::rand()))) { std::filesystem::create_directories(path_); }
  ~Scratch() { std::filesystem::remove_all(path_); }
  std::string write(const std::string& name, const std::string& contents) const {
    const auto file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << contents;
    return file.string();
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace hone::test
