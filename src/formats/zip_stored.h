// The directory of a zip archive (zip64 included), and its entries: stored ones as views, deflated ones unpacked.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/error.h"
#include "ir/types.h"

namespace hone {

struct ZipEntry {
  Bytes packed;       // a view into the archive
  uint64_t size = 0;  // of the contents, as the directory states
  uint16_t method = 0;  // 0 stored, 8 deflated; others are not read
};
// A name that stands twice, an encrypted entry, or one that lies outside the file is an error that names it.
Result<std::map<std::string, ZipEntry>> read_zip_directory(const Bytes& file, const std::string& source);
// An entry's contents; unpacked (with zlib) when it is deflated. A stated size that its packed bytes cannot reach is
// refused before memory is taken; contents of another size are an error. Checksums are not computed.
Result<Bytes> zip_contents(const ZipEntry& entry, const std::string& name, const std::string& source);

// Of an archive as torch.save writes it. Names to views into `file`. A compressed or encrypted entry, a name that stands twice, or an entry that lies outside
// the file is an error that names it. Checksums are not computed: weights are not touched.
Result<std::map<std::string, Bytes>> read_stored_zip(const Bytes& file, const std::string& source);

}  // namespace hone
