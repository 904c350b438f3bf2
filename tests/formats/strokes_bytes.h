// Stroke files made in memory, for tests and for the seeds of fuzzing.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#ifdef HONE_ZLIB
#include <zlib.h>
#endif

namespace hone::test {

template <class T>
std::string packed(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}
template <class T>
std::string little(T v) {
  return packed(std::vector<T>{v});
}

inline std::string npy(const std::string& type, const std::string& shape, const std::string& data, bool column_major = false) {
  std::string header = "{'descr': '" + type + "', 'fortran_order': " + (column_major ? "True" : "False") + ", 'shape': " + shape + ", }";
  header.resize((10 + header.size() + 64) / 64 * 64 - 11, ' ');
  header += '\n';
  return std::string("\x93NUMPY\x01\x00", 8) + little(static_cast<uint16_t>(header.size())) + header + data;
}

// As Python 3 pickles {key: float64 array of N x 3} at protocol 3.
inline std::string coordinate_pickle(const std::vector<std::pair<std::string, std::vector<double>>>& sketches) {
  std::string out = "\x80\x03}(";
  for (const auto& [key, values] : sketches) {
    const std::string data = packed(values);
    out += "X" + little(static_cast<uint32_t>(key.size())) + key;
    out += "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + std::string("K\0\x85", 3) + "C\x01" "b\x87R";
    out += std::string("(K\1K", 4) + static_cast<char>(values.size() / 3) + "K\3\x86";
    out += std::string("cnumpy\ndtype\nX\2\0\0\0f8K\0K\1\x87R", 26) + std::string("(K\3X\1\0\0\0<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb", 26);
    out += "\x89" "B" + little(static_cast<uint32_t>(data.size())) + data + "tb";
  }
  return out + "u.";
}

// As Python 2 pickles an array of int16 arrays of N x 3 at protocol 2.
inline std::string object_array_pickle(const std::vector<std::vector<int16_t>>& sketches) {
  const std::string array = "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + std::string("K\0\x85", 3) + "U\1b\x87R";
  const auto dtype = [](const std::string& name, const std::string& order) {
    return "cnumpy\ndtype\nU\2" + name + std::string("K\0K\1\x87R(K\3U\1", 11) + order + std::string("NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb", 17);
  };
  std::string out = "\x80\x02" + array + std::string("(K\1K", 4) + static_cast<char>(sketches.size()) + "\x85" + dtype("O8", "|") + "\x89](";
  for (const auto& values : sketches) {
    const std::string data = packed(values);
    out += array + std::string("(K\1K", 4) + static_cast<char>(values.size() / 3) + "K\3\x86" + dtype("i2", "<") + "\x89U" + static_cast<char>(data.size()) + data + "tb";
  }
  return out + "etb.";
}

using Packer = std::string (*)(const std::string&);
#ifdef HONE_ZLIB
inline std::string deflate(const std::string& data) {
  z_stream z{};
  deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(data.size() + 100, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  z.avail_in = static_cast<uInt>(data.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  ::deflate(&z, Z_FINISH);
  out.resize(out.size() - z.avail_out);
  deflateEnd(&z);
  return out;
}
#endif

inline std::string zip(const std::vector<std::pair<std::string, std::string>>& files, Packer pack = nullptr) {
  std::string out, directory;
  for (const auto& [name, data] : files) {
    const std::string body = pack ? pack(data) : data;
    const std::string common = little<uint16_t>(20) + little<uint16_t>(0) + little<uint16_t>(pack ? 8 : 0) + little<uint32_t>(0) + little<uint32_t>(0) + little(static_cast<uint32_t>(body.size())) +
                               little(static_cast<uint32_t>(data.size())) + little(static_cast<uint16_t>(name.size())) + little<uint16_t>(0);
    directory += "PK\1\2" + little<uint16_t>(20) + common + little<uint16_t>(0) + little<uint16_t>(0) + little<uint16_t>(0) + little<uint32_t>(0) + little(static_cast<uint32_t>(out.size())) + name;
    out += "PK\3\4" + common + name + body;
  }
  const auto at = static_cast<uint32_t>(out.size());
  const auto n = static_cast<uint16_t>(files.size());
  return out + directory + "PK\5\6" + little<uint32_t>(0) + little(n) + little(n) + little(static_cast<uint32_t>(directory.size())) + little(at) + little<uint16_t>(0);
}

}  // namespace hone::test
