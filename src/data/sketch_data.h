// Which sketches and photos a run works on: a recipe's table [data], the set that it names, and its splits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/sketch_changes.h"
#include "data/sketch_photos.h"
#include "run/manifest.h"
#include "run/recipe.h"

namespace hone {

struct SketchData {
  std::string path;                  // of a set (hone data show), or "procedural"
  double validation = 0.15;          // share of the training photos held back to choose checkpoints by
  uint64_t split_seed = 0;
  int64_t procedural_photos = 0, procedural_sketches = 0;
  uint64_t procedural_seed = 0;
};
// Asks the recipe for a table, "data" where a run knows no other data.
SketchData read_sketch_data(Recipe& recipe, const std::string& table = "data");
// augment.sketch_rotate, .sketch_scale, .sketch_shift, .stroke_drop.
SketchChanges read_sketch_changes(Recipe& recipe);

Result<SketchPhotoSet> open_set(const SketchData& data);

// Items of a set by what they are for. No photo is in two of them.
struct Splits {
  std::vector<uint32_t> train, validation, test;
};
// Validation photos are drawn from the training photos by `split_seed` alone, so that teacher, student and selector hold back the same.
Splits split(const SketchPhotoSet& set, double validation, uint64_t split_seed);

// What a run says of its data: in its manifest, and to a person before the first step (split sizes, bad data by name).
DataFacts facts_of(const SketchPhotoSet& set, const SketchData& data, const Splits& splits);
std::vector<std::string> notes_of(const SketchPhotoSet& set, const SketchData& data, const Splits& splits);

}  // namespace hone
