// Pictures in class folders, in a directory or an archive:
//
//   <class>/.../x.jpg              one split, "all"
//   <split>/<class>/.../x.jpg      split: train, training, val, valid, validation, test
//
// Folders that hold everything (an archive's top folder) are stepped over. Classes are sorted by name, over all splits.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/archive.h"
#include "formats/image.h"

namespace hone {

struct ImageFolder {
  struct Item {
    uint32_t file, label;  // index into files->files(), index into classes
  };
  struct Split {
    std::string name;
    std::vector<Item> items;  // in the order of their names
  };

  std::shared_ptr<const Archive> files;
  std::vector<std::string> classes;
  std::vector<Split> splits;    // never empty; in the order train, val, test
  // "empty file", "not a picture", "picture outside a class folder", "class without pictures in split", and the archive's own.
  std::vector<DataNote> notes;
  std::string checksum;         // SHA-256 over names and sizes, for the manifest of a run

  const Split* split(const std::string& name) const;  // nullptr when there is none
  // Thread-safe; an error names the picture.
  Status load(const Item& item, const DecodeOptions& options, Image& out) const;
};

// An error when there is no picture in any class folder.
Result<ImageFolder> open_image_folder(const std::string& path);

struct PictureCheck {
  std::vector<DataNote> notes;   // "unreadable image", with the error
  std::vector<ImageSize> sizes;  // of the readable ones, in the order of splits and items
};
// Decodes every picture with `threads` threads.
PictureCheck check_pictures(const ImageFolder& folder, int threads);

}  // namespace hone
