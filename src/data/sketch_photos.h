// Sets of sketches and the photos that they show: what fine-grained retrieval is trained on and measured with.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "formats/image.h"
#include "formats/strokes.h"

namespace hone {

struct Photo {
  std::string id, category;
  std::function<Result<Image>()> load;  // thread-safe; decodes anew at every call
};

// What was found wrong in a set: named, counted, and skipped by rule. Anything worse is an error of the reader.
struct DataNote {
  std::string kind;                   // "missing photo", "unreadable image", "sketch without strokes", "duplicate id", "split size"
  int64_t count = 0;
  std::vector<std::string> examples;  // at most five
};
std::string describe(const DataNote& note);  // "9 x missing photo: a; b; c; d; e; ..."

struct SketchPhotoSet {
  struct Item {
    Sketch sketch;
    uint32_t photo;  // index into photos: the one that the sketch shows
  };
  std::string name;
  std::vector<Photo> photos;
  std::vector<Item> items;
  std::vector<uint32_t> train, test;  // indices into items, in the set's order; no photo is in both
  std::vector<DataNote> notes;
  std::string checksum;               // SHA-256 over ids and strokes, for the manifest of a run

  // Unique photos of these items in order of first appearance: the gallery of a split.
  std::vector<uint32_t> gallery(const std::vector<uint32_t>& of) const;
};

}  // namespace hone
