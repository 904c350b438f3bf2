// The directory of a zip archive whose entries are stored, not compressed, as torch.save writes them (zip64 included).
#pragma once

#include <map>
#include <string>

#include "core/error.h"
#include "ir/types.h"

namespace hone {

// Names to views into `file`. A compressed or encrypted entry, a name that stands twice, or an entry that lies outside
// the file is an error that names it. Checksums are not computed: weights are not touched.
Result<std::map<std::string, Bytes>> read_stored_zip(const Bytes& file, const std::string& source);

}  // namespace hone
