#include "data/sketch_data.h"

#include <fmt/format.h>

#include <cmath>
#include <set>

#include "core/rng.h"
#include "data/sketch_procedural.h"
#include "data/sketch_sets.h"

namespace hone {

SketchData read_sketch_data(Recipe& r, const std::string& table) {
  SketchData o;
  o.path = r.text(table + ".path", "procedural", "folder of sketches and photos, or procedural: generated");
  o.validation = r.real(table + ".validation", 0.15, "share of the training photos held back to choose checkpoints by", 0, 0.9);
  o.split_seed = static_cast<uint64_t>(r.integer(table + ".split_seed", 0, "draws the photos that are held back", 0));
  o.procedural_photos = r.integer(table + ".procedural_photos", 160, "procedural: how many objects", 4, 1000000);
  o.procedural_sketches = r.integer(table + ".procedural_sketches", 3, "procedural: sketches of each", 1, 1000);
  o.procedural_seed = static_cast<uint64_t>(r.integer(table + ".procedural_seed", 0, "procedural: which objects", 0));
  return o;
}

SketchChanges read_sketch_changes(Recipe& r) {
  SketchChanges o;
  o.rotate = r.real("augment.sketch_rotate", 0, "degrees either way", 0, 180);
  o.scale = r.real("augment.sketch_scale", 0, "side lengths by up to this share", 0, 0.9);
  o.shift = r.real("augment.sketch_shift", 0, "by up to this share of the frame", 0, 0.5);
  o.drop = r.real("augment.stroke_drop", 0, "chance that a stroke is left out", 0, 0.95);
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

DataFacts facts_of(const SketchPhotoSet& set, const SketchData& data, const Splits& splits) {
  DataFacts facts{set.name, data.path, set.checksum, {}};
  for (const auto& [what, items] : {std::pair{"train", &splits.train}, std::pair{"validation", &splits.validation}, std::pair{"test", &splits.test}}) {
    facts.counts[fmt::format("{} sketches", what)] = static_cast<int64_t>(items->size());
    facts.counts[fmt::format("{} photos", what)] = static_cast<int64_t>(set.gallery(*items).size());
  }
  for (const DataNote& note : set.notes) facts.counts[note.kind] = note.count;
  return facts;
}

std::vector<std::string> notes_of(const SketchPhotoSet& set, const SketchData& data, const Splits& splits) {
  std::vector<std::string> out;
  out.push_back(fmt::format("{}: train {} sketches of {} photos, validation {} of {}, test {} of {}", data.path, splits.train.size(), set.gallery(splits.train).size(), splits.validation.size(),
                            set.gallery(splits.validation).size(), splits.test.size(), set.gallery(splits.test).size()));
  for (const DataNote& note : set.notes) out.push_back(fmt::format("{}: {}", data.path, describe(note)));
  return out;
}

}  // namespace hone
