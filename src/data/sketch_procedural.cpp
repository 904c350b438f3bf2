#include "data/sketch_procedural.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/rng.h"
#include "data/shuffle.h"
#include "data/sketch_hand.h"
#include "data/sketch_render.h"
#include "data/sketch_sets.h"

namespace hone {

namespace {

using procedural::kCategories;
using procedural::Traits;

// A generator of its own for each thing that is drawn, so that asking for more photos leaves the first ones as they were.
Rng stream(uint64_t seed, uint64_t what, uint64_t index, uint64_t part = 0) { return Rng(derive_seed(seed, what, index, part)); }
enum : uint64_t { kObject = 1, kPhoto = 2, kSketch = 3, kSplit = 4 };

Traits traits(uint64_t seed, uint64_t index) {
  Rng rng = stream(seed, kObject, index);
  Traits t;
  for (double& v : t.shape) v = rng.uniform();
  for (double& v : t.choice) v = rng.uniform();
  for (double& v : t.look) v = rng.uniform();
  return t;
}

// Nobody draws the proportions that they saw.
Traits remembered(Traits t, double abstraction, Rng& rng) {
  for (double& v : t.shape) v = std::clamp(v + (0.02 + 0.07 * abstraction) * (2 * rng.uniform() - 1), 0.0, 1.0);
  return t;
}

}  // namespace

std::vector<std::string> procedural_categories() { return {kCategories.begin(), kCategories.end()}; }

Result<SketchPhotoSet> procedural_sketch_photos(const ProceduralSketches& o) {
  constexpr int64_t kMost = 1'000'000;
  const auto wrong = [](const char* what) { return fail(Code::usage, what, "procedural set"); };
  if (o.photos < 1 || o.photos > kMost || o.sketches_per_photo < 1 || o.sketches_per_photo > kMost / o.photos) return wrong("needs at least one photo and one sketch of each, and at most a million sketches");
  if (!(o.test_share >= 0 && o.test_share <= 1)) return wrong("test_share is a share, 0 to 1");
  if (!(o.abstraction_low >= 0 && o.abstraction_low <= o.abstraction_high && o.abstraction_high <= 1)) return wrong("abstraction runs from a low to a high value within 0 to 1");
  if (o.side < 16 || o.side > 4096) return wrong("photos have a side of 16 to 4096 pixels");
  std::vector<size_t> categories;
  for (const std::string& name : o.categories) {
    const auto it = std::find(kCategories.begin(), kCategories.end(), name);
    if (it == kCategories.end()) return fail(Code::usage, fmt::format("has no category '{}'", name), "procedural set", fmt::format("categories: {}", fmt::join(kCategories, ", ")));
    categories.push_back(static_cast<size_t>(it - kCategories.begin()));
  }
  if (categories.empty())
    for (size_t i = 0; i < kCategories.size(); ++i) categories.push_back(i);

  SketchPhotoSet set;
  set.name = fmt::format("procedural-{}", o.seed);
  for (int64_t i = 0; i < o.photos; ++i) {
    const auto index = static_cast<uint64_t>(i);
    const size_t category = categories[index % categories.size()];
    const uint64_t look = stream(o.seed, kPhoto, index).next();
    set.photos.push_back({fmt::format("{}-{}", kCategories[category], index), std::string(kCategories[category]), [category, seed = o.seed, index, look, side = o.side]() -> Result<Image> {
                            return procedural::render_photo(procedural::make_object(category, traits(seed, index)), look, side);
                          }});
  }
  // Which photos are for testing: a shuffle (Fisher and Yates), the first ones taken.
  std::vector<size_t> order(set.photos.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  Rng shuffle = stream(o.seed, kSplit, 0);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[shuffle.below(i)]);
  std::vector<bool> is_test(set.photos.size(), false);
  for (size_t i = 0; i < static_cast<size_t>(std::lround(o.test_share * static_cast<double>(order.size()))); ++i) is_test[order[i]] = true;

  for (size_t i = 0; i < set.photos.size(); ++i) {
    const size_t category = categories[i % categories.size()];
    const Traits seen = traits(o.seed, i);
    for (int64_t k = 0; k < o.sketches_per_photo; ++k) {
      Rng rng = stream(o.seed, kSketch, i, static_cast<uint64_t>(k));
      const double abstraction = o.abstraction_low + (o.abstraction_high - o.abstraction_low) * rng.uniform();
      Sketch sketch;
      sketch.id = fmt::format("{}-{}", set.photos[i].id, k + 1);
      sketch.label = set.photos[i].category;
      sketch.strokes = procedural::draw_strokes(procedural::make_object(category, remembered(seen, abstraction, rng)), abstraction, rng);
      (is_test[i] ? set.test : set.train).push_back(static_cast<uint32_t>(set.items.size()));
      set.items.push_back({std::move(sketch), static_cast<uint32_t>(i)});
    }
  }
  set.checksum = checksum_of(set);
  return set;
}

}  // namespace hone
