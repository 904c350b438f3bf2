#include "methods/skip/sketch_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/rng.h"
#include "data/photo_cache.h"
#include "data/shuffle.h"
#include "ir/infer.h"
#include "retrieval/encoder.h"

namespace hone::methods {

namespace {

enum Purpose : uint64_t { kForOrder = 0x736b6f72, kForView };

class SketchSource final : public ExampleSource {
 public:
  SketchSource(const SketchTrainOptions& options, int64_t resolution, SketchPhotoSet set, std::map<std::string, std::vector<uint32_t>> splits, uint64_t seed)
      : o_(options), side_(resolution), seed_(seed), set_(std::move(set)), splits_(std::move(splits)) {}

  Status shape(Arch&) const override { return {}; }
  Result<Graph> adapt(Graph graph) const override { return embedding_network(std::move(graph), o_.pool); }
  Bindings bindings(int64_t batch) const override { return picture_bindings(batch, side_); }
  Status fit(const Graph& g) override {
    HONE_TRY_ASSIGN(side_, picture_side(g));
    return photos_of("learnt");
  }
  int64_t steps_per_epoch() const override { return static_cast<int64_t>(splits_.at("learnt").size()) / o_.batch; }
  int64_t batch() const override { return o_.batch; }
  int64_t val_batch() const override { return o_.val_batch; }

  Result<Examples> next(int64_t step, int64_t micro, int64_t micros) override {
    if (o_.batch % micros != 0 || o_.batch / micros < 2)
      return fail(Code::usage, fmt::format("a batch of {} sketches cannot be cut into {} parts of two or more", o_.batch, micros), "sketches.batch", "a multiple of train.accumulate x ranks");
    const std::vector<uint32_t>& items = splits_.at("learnt");
    const int64_t n = o_.batch / micros, epoch = step / steps_per_epoch(), first = step % steps_per_epoch() * o_.batch + micro * n;
    const Shuffle order(items.size(), derive_seed(seed_, kForOrder, static_cast<uint64_t>(epoch)));
    std::vector<Row> rows;
    for (int64_t i = 0; i < n; ++i) {
      Rng rng(derive_seed(seed_, kForView, static_cast<uint64_t>(step), static_cast<uint64_t>(micro * n + i)));
      const SketchPhotoSet::Item& item = set_.items[items[order(static_cast<uint64_t>(first + i))]];
      const bool mirror = o_.mirror && rng.uniform() < 0.5;
      PhotoCache::View view{mirror};
      view.crop = 1 - rng.uniform() * (1 - o_.photo_crop);
      view.x = rng.uniform();
      view.y = rng.uniform();
      rows.push_back({changed(item.sketch, o_.changes, rng), item.photo, view});
    }
    return pairs_of(rows, "learnt");
  }
  Result<int64_t> size(const std::string& split) override {
    HONE_TRY_ASSIGN(const std::vector<uint32_t>* items, items_of(split));
    return static_cast<int64_t>(items->size());
  }
  Result<Examples> of(const std::string& split, int64_t first, int64_t count) override {
    HONE_TRY_ASSIGN(const std::vector<uint32_t>* items, items_of(split));
    HONE_TRY(photos_of(split));
    const auto n = static_cast<int64_t>(items->size());
    std::vector<Row> rows;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t at = split == "held" ? (first + i) % n : std::min(first + i, n - 1);
      const SketchPhotoSet::Item& item = set_.items[(*items)[static_cast<size_t>(at)]];
      rows.push_back({item.sketch, item.photo, {}});
    }
    return pairs_of(rows, split);
  }
  Result<std::optional<Gallery>> gallery(const std::string& split) override {
    HONE_TRY_ASSIGN(const std::vector<uint32_t>* items, items_of(split));
    HONE_TRY(photos_of(split));
    Gallery g;
    const auto photos = std::make_shared<const std::vector<uint32_t>>(set_.gallery(*items));
    std::map<uint32_t, uint32_t> place;
    for (size_t i = 0; i < photos->size(); ++i) place[(*photos)[i]] = static_cast<uint32_t>(i);
    for (const uint32_t i : *items) g.truth.push_back(place.at(set_.items[i].photo));
    g.photos = static_cast<int64_t>(photos->size());
    g.load_sketches = [this, items](int64_t first, int64_t count) {
      at::Tensor out = blank(count);
      for (int64_t i = 0; i < count; ++i) draw(set_.items[(*items)[static_cast<size_t>(first + i)]].sketch, side_, false, o_.style, row(out, i));
      return out.permute({0, 3, 1, 2});
    };
    g.load_photos = [this, photos, cache = &caches_.at(key(split))](int64_t first, int64_t count) {
      at::Tensor out = blank(count);
      for (int64_t i = 0; i < count; ++i) cache->fill((*photos)[static_cast<size_t>(first + i)], {}, o_.style, row(out, i));
      return out.permute({0, 3, 1, 2});
    };
    return std::optional<Gallery>(std::move(g));
  }
  Result<train::Metrics> measures(const std::string&, const std::vector<int64_t>&) override { return train::Metrics{}; }  // ranks in the gallery say all
  std::string unit() const override { return "sketches"; }
  DataFacts facts() const override {
    DataFacts f{set_.name, o_.data.path, set_.checksum, {}};
    for (const auto& [name, items] : splits_) f.counts[name + " sketches"] = static_cast<int64_t>(items.size());
    for (const DataNote& note : set_.notes) f.counts[note.kind] = note.count;
    return f;
  }
  std::vector<std::string> notes() const override {
    std::vector<std::string> out;
    for (const DataNote& note : set_.notes) out.push_back(fmt::format("{}: {}", o_.data.path, describe(note)));
    return out;
  }

 private:
  struct Row {
    Sketch sketch;
    uint32_t photo;
    PhotoCache::View view;
  };

  static std::string key(const std::string& split) { return split == "held" ? "learnt" : split; }  // photos decoded together
  at::Tensor blank(int64_t count) const { return at::empty({count, side_, side_, 3}); }
  float* row(at::Tensor& pictures, int64_t i) const { return pictures.data_ptr<float>() + i * side_ * side_ * 3; }

  Result<const std::vector<uint32_t>*> items_of(const std::string& split) const {
    const auto found = splits_.find(split == "train" ? "learnt" : split);
    if (found == splits_.end()) return fail(Code::not_found, fmt::format("there is no split '{}'", split), o_.data.path, "splits: train, held, validation, test");
    return &found->second;
  }
  Status photos_of(const std::string& split) {
    if (caches_.contains(key(split))) return {};
    std::vector<uint32_t> photos = set_.gallery(splits_.at(key(split)));
    if (key(split) == "learnt")
      for (const uint32_t p : set_.gallery(splits_.at("held"))) photos.push_back(p);
    HONE_TRY_ASSIGN(PhotoCache cache, PhotoCache::load(set_, photos, side_, 2));
    caches_.emplace(key(split), std::move(cache));
    return {};
  }
  // Sketches first, then the photo of each: 2N x 3 x side x side.
  Result<Examples> pairs_of(const std::vector<Row>& rows, const std::string& split) {
    const auto n = static_cast<int64_t>(rows.size());
    const PhotoCache& photos = caches_.at(key(split));
    at::Tensor pictures = blank(2 * n);
    Examples e;
    e.same = at::empty({n, n}, at::kBool);
    for (int64_t i = 0; i < n; ++i) {
      const Row& r = rows[static_cast<size_t>(i)];
      draw(r.sketch, side_, r.view.mirror, o_.style, row(pictures, i));
      photos.fill(r.photo, r.view, o_.style, row(pictures, n + i));
      for (int64_t j = 0; j < n; ++j) e.same.data_ptr<bool>()[i * n + j] = i != j && r.photo == rows[static_cast<size_t>(j)].photo;
    }
    e.inputs = {pictures.permute({0, 3, 1, 2})};
    e.targets = at::arange(n, at::kLong);
    e.temperature = o_.temperature;
    return e;
  }

  SketchTrainOptions o_;
  int64_t side_;
  uint64_t seed_;
  SketchPhotoSet set_;
  std::map<std::string, std::vector<uint32_t>> splits_;   // learnt, held, validation, test: items of the set
  std::map<std::string, PhotoCache> caches_;
};

}  // namespace

SketchTrainOptions read_sketches(Recipe& r, const std::string& network) {
  SketchTrainOptions o;
  o.data.path = r.text("sketches.path", "", "sketches and their photos: a folder (hone data show), or procedural; empty: other data");
  if (o.data.path.empty()) return o;
  o.data = read_sketch_data(r, "sketches");
  o.style = read_style(r, "network", network);
  o.pool = r.text("network.pool", "average", "what follows the features", {"max", "average"}) == "max" ? Pool::max : Pool::average;
  o.batch = r.integer("sketches.batch", o.batch, "sketches a step, each with its photo", 2, 4096);
  o.val_batch = r.integer("sketches.val_batch", o.val_batch, "pictures at once in validation", 1, 4096);
  o.temperature = r.real("loss.temperature", o.temperature, "of the softmax over a batch's photos", 1e-4, 100);
  o.mirror = r.flag("augment.mirror", o.mirror, "sketch and photo together, half of the time");
  o.photo_crop = r.real("augment.photo_crop", o.photo_crop, "photos show at least this share of their side", 0.1, 1);
  o.changes = read_sketch_changes(r);
  return o;
}

Result<std::unique_ptr<ExampleSource>> sketch_source(const SketchTrainOptions& options, int64_t resolution, double held, uint64_t seed) {
  HONE_TRY_ASSIGN(SketchPhotoSet set, open_set(options.data));
  const Splits whole = split(set, options.data.validation, options.data.split_seed);
  // Photos kept for rewards, and so never trained on after a search either: the same for every seed.
  const std::vector<uint32_t> photos = set.gallery(whole.train);
  const Shuffle order(photos.size(), 0x686f6c64);
  const auto kept = static_cast<uint64_t>(std::max(1.0, held * static_cast<double>(photos.size())));
  std::set<uint32_t> away;
  for (uint64_t i = 0; i < std::min<uint64_t>(kept, photos.size()); ++i) away.insert(photos[order(i)]);
  std::map<std::string, std::vector<uint32_t>> splits{{"learnt", {}}, {"held", {}}, {"validation", whole.validation}, {"test", whole.test}};
  for (const uint32_t i : whole.train) splits[away.contains(set.items[i].photo) ? "held" : "learnt"].push_back(i);
  if (static_cast<int64_t>(splits["learnt"].size()) < options.batch)
    return fail(Code::usage, fmt::format("{} of {} sketches are left to train on, less than one batch of {}", splits["learnt"].size(), set.items.size(), options.batch), options.data.path, "--set sketches.batch=N");
  if (splits["validation"].empty()) return fail(Code::usage, "no photo is held back for validation", options.data.path, "raise sketches.validation");
  return std::unique_ptr<ExampleSource>(std::make_unique<SketchSource>(options, resolution, std::move(set), std::move(splits), seed));
}

}  // namespace hone::methods
