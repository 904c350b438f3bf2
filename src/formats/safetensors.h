// safetensors: named tensors in one file, read in place.
//
//   bytes 0..7    length n of the header, unsigned 64-bit little-endian, at most 100 MB
//   8..8+n        JSON {"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, ...,
//                       "__metadata__": {"key": "text"}}, padded with blanks
//   8+n..         the tensors' bytes, little-endian, row-major; offsets count from here, without holes or overlaps
//
// Nothing of the header is believed: lengths against the file, products in checked arithmetic, each name once.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "ir/types.h"

namespace hone {

struct SafeTensors {
  std::vector<std::pair<std::string, Tensor>> tensors;  // in the header's order
  std::map<std::string, std::string> metadata;
  std::vector<std::string> notes;                       // what the tolerant mode let pass
};

// `tolerant` accepts holes and bytes after the last tensor, and says so in `notes`; everything else stays an error.
// The tensors' bytes are views into the mapped file.
Result<SafeTensors> read_safetensors(const std::string& path, bool tolerant = false);
// The same from memory that `owner` keeps alive; `source` names it in errors.
Result<SafeTensors> read_safetensors(Bytes file, const std::string& source, bool tolerant = false);

// Atomic; refuses to overwrite without `force`. Every tensor needs contents, of a type that the format has.
Status write_safetensors(const SafeTensors& file, const std::string& path, bool force);

}  // namespace hone
