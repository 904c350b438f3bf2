// The directory of a zip archive (zip64 included), and its entries as views into the mapped file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "ir/types.h"

namespace hone {

struct ZipEntry {
  std::string name;  // as written; a folder ends in '/'
  uint16_t flags = 0, method = 0;
  uint32_t crc = 0;
  uint64_t packed = 0, size = 0, header = 0;  // bytes in the file, bytes unpacked, where its local header lies
};

// In the directory's order; names are neither unique nor safe. Nothing but the directory is touched.
Result<std::vector<ZipEntry>> read_zip_directory(const Bytes& file, const std::string& source);

// The entry's bytes as they lie in the file. An encrypted entry, or one that lies outside the file, is an error.
Result<Bytes> zip_packed(const Bytes& file, const ZipEntry& entry, const std::string& source);

// The entry's contents: a view when it is stored, unpacked when it is deflated. A stated size that its packed bytes cannot
// reach is refused before memory is taken; contents of another size are an error. Unpacking needs zlib.
Result<Bytes> zip_contents(const Bytes& file, const ZipEntry& entry, const std::string& source);

// An error when the contents do not have the entry's CRC-32. Without zlib nothing is computed.
Status check_crc(const ZipEntry& entry, const Bytes& contents, const std::string& source);

// An archive whose entries are stored, not compressed, as torch.save writes them: names to views into `file`.
// A compressed or encrypted entry, a name that stands twice, or an entry that lies outside the file is an error that
// names it. Checksums are not computed: weights are not touched.
Result<std::map<std::string, Bytes>> read_stored_zip(const Bytes& file, const std::string& source);

}  // namespace hone
