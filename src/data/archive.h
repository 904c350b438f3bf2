// A read-only view of the files in a folder, a zip archive or a tar archive.
//
// Names are relative, with '/', sorted by their bytes. A name that would lead outside (absolute, "..") is left out and
// noted; sizes are checked before memory is taken. A folder is followed through links, each folder once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/sketch_photos.h"
#include "ir/types.h"

namespace hone {

class Archive {
 public:
  struct File {
    std::string name;
    uint64_t size = 0;
  };

  // What it is, is told by the file itself. Code::not_found when there is nothing at `path`; a compressed tar is refused.
  static Result<std::shared_ptr<const Archive>> open(const std::string& path);
  virtual ~Archive() = default;

  const std::string& path() const { return path_; }
  const std::vector<File>& files() const { return files_; }
  const std::vector<DataNote>& notes() const { return notes_; }  // "unsafe name", "duplicate name"
  std::string full_name(size_t file) const { return path_ + ":" + files_[file].name; }

  // Contents of files()[file]; stored zip entries and tar members are views of the mapped archive, not copies.
  // Zip entries are checked against their CRC-32. Thread-safe.
  virtual Result<Bytes> read(size_t file) const = 0;

 protected:
  explicit Archive(std::string path) : path_(std::move(path)) {}
  std::string path_;
  std::vector<File> files_;
  std::vector<DataNote> notes_;
};

// Adds one to the note of this kind, with an example while there are fewer than five.
void add_note(std::vector<DataNote>& notes, const std::string& kind, const std::string& example);

}  // namespace hone
