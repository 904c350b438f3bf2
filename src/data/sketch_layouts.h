// What the layouts of sketch_sets.h say, before anything is checked across files.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/sketch_photos.h"

namespace hone::layouts {

struct Row {
  Sketch sketch;
  std::string photo, split;  // "train" or "test"
};
struct Found {
  std::string name;
  std::map<std::string, std::string> photos;      // id -> path
  std::map<std::string, std::string> categories;  // of photos; may be empty
  std::vector<Row> rows;
};

// Collects notes by kind, in order of first appearance.
class Notes {
 public:
  void add(const std::string& kind, const std::string& example);
  std::vector<DataNote> take() { return std::move(notes_); }
  const std::vector<DataNote>& all() const { return notes_; }

 private:
  std::vector<DataNote> notes_;
};

// Nothing when the folder does not have that layout.
Result<std::optional<Found>> qmul(const std::string& folder, Notes& notes);
Result<std::optional<Found>> sketchy(const std::string& folder, int test_per_category, Notes& notes);
Result<std::optional<Found>> plain(const std::string& folder, Notes& notes);

}  // namespace hone::layouts
