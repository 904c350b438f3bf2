#include "data/sketch_data.h"

#include <cmath>
#include <set>

#include "core/rng.h"
#include "data/sketch_procedural.h"
#include "data/sketch_sets.h"

namespace hone {

SketchData read_sketch_data(Recipe& r) {
  SketchData o;
  o.path = r.text("data.path", "procedural", "folder of sketches and photos, or procedural: generated");
  o.validation = r.real("data.validation", 0.15, "share of the training photos held back to choose checkpoints by", 0, 0.9);
  o.split_seed = static_cast<uint64_t>(r.integer("data.split_seed", 0, "draws the photos that are held back", 0));
  o.procedural_photos = r.integer("data.procedural_photos", 160, "procedural: how many objects", 4, 1000000);
  o.procedural_sketches = r.integer("data.procedural_sketches", 3, "procedural: sketches of each", 1, 1000);
  o.procedural_seed = static_cast<uint64_t>(r.integer("data.procedural_seed", 0, "procedural: which objects", 0));
  return o;
}

Result<SketchPhotoSet> open_set(const SketchData& data) {
  if (data.path != "procedural") return open_sketch_photos(data.path);
  ProceduralSketches how;
  how.photos = data.procedural_photos;
  how.sketches_per_photo = data.procedural_sketches;
  how.seed = data.procedural_seed;
  return procedural_sketch_photos(how);
}

Splits split(const SketchPhotoSet& set, double validation, uint64_t split_seed) {
  std::vector<uint32_t> photos = set.gallery(set.train);
  const size_t held = static_cast<size_t>(std::lround(validation * static_cast<double>(photos.size())));
  Rng rng(split_seed);
  for (size_t i = 0; i < held; ++i) std::swap(photos[i], photos[i + rng.below(photos.size() - i)]);
  const std::set<uint32_t> back(photos.begin(), photos.begin() + static_cast<std::ptrdiff_t>(held));
  Splits out{{}, {}, set.test};
  for (uint32_t i : set.train) (back.count(set.items[i].photo) ? out.validation : out.train).push_back(i);
  return out;
}

}  // namespace hone
