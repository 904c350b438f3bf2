#include "formats/zip.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>

#ifdef HONE_ZLIB
#include <zlib.h>
#endif

namespace hone {

namespace {

class Reader {
 public:
  Reader(const Bytes& file, const std::string& source) : file_(file), source_(source) {}

  Result<std::vector<ZipEntry>> entries() {
    HONE_TRY(find_directory());
    std::vector<ZipEntry> out;
    uint64_t at = directory_;
    // A record takes 46 bytes at least, so the count is bounded by the file's size.
    for (uint64_t i = 0; i < count_; ++i) HONE_TRY(read_entry(at, out));
    return out;
  }

  Result<Bytes> contents(const ZipEntry& e) const {
    if (e.flags & 1) return fail(Code::unsupported, fmt::format("entry '{}' is encrypted", e.name), source_);
    if (!has(e.header, 30) || get<uint32_t>(e.header) != 0x04034b50) return bad(fmt::format("entry '{}' does not lie where the directory says", e.name));
    const uint64_t begin = e.header + 30 + get<uint16_t>(e.header + 26) + get<uint16_t>(e.header + 28);
    if (!has(begin, e.packed)) return bad(fmt::format("entry '{}' of {} bytes lies outside the file", e.name, e.packed));
    return Bytes{file_.owner, file_.data + begin, e.packed};
  }

 private:
  tl::unexpected<Error> bad(std::string message) const { return fail(Code::invalid, std::move(message), source_); }
  bool has(uint64_t at, uint64_t n) const { return at <= file_.size && n <= file_.size - at; }
  template <class T>
  T get(uint64_t at) const {
    T v;
    std::memcpy(&v, file_.data + at, sizeof v);
    return v;
  }

  Status find_directory() {
    constexpr uint64_t kRecord = 22;
    if (file_.size < kRecord) return bad(fmt::format("is {} bytes long, which is too short for a zip archive", file_.size));
    const uint64_t lowest = file_.size - std::min<uint64_t>(file_.size, kRecord + 65535);
    for (uint64_t at = file_.size - kRecord + 1; at-- > lowest;) {
      if (get<uint32_t>(at) != 0x06054b50) continue;
      count_ = get<uint16_t>(at + 10);
      directory_ = get<uint32_t>(at + 16);
      if (count_ == 0xffff || directory_ == 0xffffffff) return find_zip64(at);
      return {};
    }
    return bad("has no zip directory at its end; it is cut short, or no zip archive");
  }

  Status find_zip64(uint64_t end_record) {
    if (end_record < 20 || get<uint32_t>(end_record - 20) != 0x07064b50) return bad("lacks the zip64 directory that it announces");
    const uint64_t at = get<uint64_t>(end_record - 12);
    if (!has(at, 56) || get<uint32_t>(at) != 0x06064b50) return bad("has a damaged zip64 directory");
    count_ = get<uint64_t>(at + 32);
    directory_ = get<uint64_t>(at + 48);
    return {};
  }

  Status read_entry(uint64_t& at, std::vector<ZipEntry>& out) {
    if (!has(at, 46) || get<uint32_t>(at) != 0x02014b50) return bad(fmt::format("has a damaged zip directory at byte {}", at));
    ZipEntry e;
    e.flags = get<uint16_t>(at + 8);
    e.method = get<uint16_t>(at + 10);
    e.crc = get<uint32_t>(at + 16);
    e.packed = get<uint32_t>(at + 20);
    e.size = get<uint32_t>(at + 24);
    e.header = get<uint32_t>(at + 42);
    const uint16_t name_size = get<uint16_t>(at + 28), extra = get<uint16_t>(at + 30), comment = get<uint16_t>(at + 32);
    if (!has(at + 46, uint64_t{name_size} + extra + comment)) return bad(fmt::format("has a damaged zip directory at byte {}", at));
    e.name.assign(reinterpret_cast<const char*>(file_.data) + at + 46, name_size);
    HONE_TRY(read_zip64_extra(at + 46 + name_size, extra, e.size, e.packed, e.header));
    at += uint64_t{46} + name_size + extra + comment;
    out.push_back(std::move(e));
    return {};
  }

  // Field 1 holds, in this order, those of the three numbers that did not fit 32 bits.
  Status read_zip64_extra(uint64_t at, uint64_t length, uint64_t& size, uint64_t& packed, uint64_t& local) {
    const uint64_t end = at + length;
    while (at + 4 <= end) {
      const uint16_t id = get<uint16_t>(at), n = get<uint16_t>(at + 2);
      at += 4;
      if (at + n > end) return bad("has a damaged zip directory");
      if (id == 1) {
        uint64_t field = at;
        for (uint64_t* number : {&size, &packed, &local}) {
          if (*number != 0xffffffff) continue;
          if (field + 8 > at + n) return bad("has a damaged zip64 field");
          *number = get<uint64_t>(field);
          field += 8;
        }
      }
      at += n;
    }
    return {};
  }

  const Bytes& file_;
  const std::string& source_;
  uint64_t count_ = 0, directory_ = 0;
};

#ifdef HONE_ZLIB
constexpr size_t kPart = size_t{1} << 30;  // zlib counts in 32 bits

template <class Bad>
Result<Bytes> inflated(const Bytes& packed, uint64_t size, const Bad& bad) {
  constexpr uint64_t kMostPerByte = 1032;  // deflate's best: 258 bytes in two bits
  if (size / kMostPerByte > packed.size) return bad(fmt::format("states {} bytes, which {} cannot unpack to", size, packed.size));
  auto out = std::make_shared<std::vector<std::byte>>(static_cast<size_t>(size));
  z_stream z{};
  if (inflateInit2(&z, -MAX_WBITS) != Z_OK) return fail(Code::failed, "zlib cannot start");
  size_t read = 0, written = 0;
  int state = Z_OK;
  while (state == Z_OK) {
    const size_t in = std::min(packed.size - read, kPart), room = std::min(out->size() - written, kPart);
    z.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data + read));
    z.avail_in = static_cast<uInt>(in);
    std::byte spare{};  // inflate wants a place even for no bytes
    z.next_out = reinterpret_cast<Bytef*>(room > 0 ? out->data() + written : &spare);
    z.avail_out = static_cast<uInt>(room);
    state = inflate(&z, Z_NO_FLUSH);
    read += in - z.avail_in;
    written += room - z.avail_out;
  }
  inflateEnd(&z);
  if (state != Z_STREAM_END || written != out->size()) return bad(fmt::format("is damaged: {} of {} bytes unpacked", written, out->size()));
  return Bytes{out, out->data(), out->size()};
}
#endif

}  // namespace

Result<std::vector<ZipEntry>> read_zip_directory(const Bytes& file, const std::string& source) { return Reader(file, source).entries(); }

Result<Bytes> zip_packed(const Bytes& file, const ZipEntry& entry, const std::string& source) { return Reader(file, source).contents(entry); }

Result<Bytes> zip_contents(const Bytes& file, const ZipEntry& entry, const std::string& source) {
  HONE_TRY_ASSIGN(const Bytes packed, zip_packed(file, entry, source));
  const auto bad = [&](const std::string& what) { return fail(Code::invalid, fmt::format("entry '{}' {}", entry.name, what), source); };
  if (entry.method == 0 && packed.size != entry.size) return bad("is stored, but its two sizes differ");
  if (entry.method != 0 && entry.method != 8) return fail(Code::unsupported, fmt::format("entry '{}' is compressed by method {}; stored and deflated entries are read", entry.name, entry.method), source);
#ifdef HONE_ZLIB
  if (entry.method == 8) return inflated(packed, entry.size, bad);
#else
  if (entry.method == 8) return fail(Code::unsupported, fmt::format("entry '{}' is compressed, and this build has no zlib", entry.name), source);
#endif
  return packed;
}

Status check_crc(const ZipEntry& entry, const Bytes& contents, const std::string& source) {
#ifdef HONE_ZLIB
  uLong crc = 0;
  for (size_t at = 0; at < contents.size; at += kPart) crc = ::crc32(crc, reinterpret_cast<const Bytef*>(contents.data + at), static_cast<uInt>(std::min(contents.size - at, kPart)));
  if (crc != entry.crc) return fail(Code::invalid, fmt::format("entry '{}' does not have the checksum that the archive states", entry.name), source);
#else
  (void)entry, (void)contents, (void)source;
#endif
  return {};
}

Result<std::map<std::string, Bytes>> read_stored_zip(const Bytes& file, const std::string& source) {
  HONE_TRY_ASSIGN(const std::vector<ZipEntry> entries, read_zip_directory(file, source));
  std::map<std::string, Bytes> out;
  for (const ZipEntry& e : entries) {
    HONE_TRY_ASSIGN(Bytes bytes, zip_packed(file, e, source));
    if (e.method != 0 || e.packed != e.size) return fail(Code::unsupported, fmt::format("entry '{}' is compressed (method {}); torch.save stores its entries", e.name, e.method), source);
    if (!out.emplace(e.name, std::move(bytes)).second) return fail(Code::invalid, "has two entries of one name", source);
  }
  return out;
}

}  // namespace hone
