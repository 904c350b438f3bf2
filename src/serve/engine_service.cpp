#include "serve/engine_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "retrieval/indexing.h"
#include "retrieval/photo_encoder.h"

namespace hone {

namespace {

constexpr size_t kExamples = 6;

// The encoder of a run: its own, or the one that a selector's run names.
Result<SketchRun> encoder_of(const std::string& run) {
  HONE_TRY_ASSIGN(const std::string task, task_of(run));
  if (task != "canvas") return open_sketch_run(run);
  HONE_TRY_ASSIGN(const SelectorRun selector, open_selector_run(run));
  return open_sketch_run(selector.encoder);
}

struct Gallery {
  std::shared_ptr<const SearchIndex> index;
  std::vector<Photo> photos;                          // of the folder or set
  std::vector<int64_t> photo_of;                      // row of the index -> number in photos, -1 where it is gone
  std::vector<Sketch> examples;
};

Result<std::shared_ptr<const SearchIndex>> open_index(const std::string& path, const SketchRun& run, const EngineServiceOptions& o) {
  if (!path.empty()) return SearchIndex::open(path);
  HONE_TRY_ASSIGN(Engine* const engine, open_engine(o.engine));
  HONE_TRY_ASSIGN(const std::vector<Photo> photos, open_gallery("data:test", run.data));
  HONE_TRY_ASSIGN(auto store, embed_gallery(run, *engine, photos, "data:test", o.workers * o.threads));
  return SearchIndex::of(std::move(store));
}

// Drawings of photos that training has not seen, one of each category while there are several.
std::vector<Sketch> examples_of(const SketchData& data) {
  std::vector<Sketch> out;
  const auto set = open_set(data);
  if (!set) return out;  // the data may be gone; the run is not
  std::set<std::string> categories;
  std::set<uint32_t> photos;
  for (const bool repeat : {false, true})
    for (const uint32_t i : set->test) {
      if (out.size() == kExamples) break;
      const auto& item = set->items[i];
      const Photo& photo = set->photos[item.photo];
      if (photos.count(item.photo) || (!repeat && !categories.insert(photo.category).second)) continue;
      photos.insert(item.photo);
      out.push_back(item.sketch);
      out.back().label = photo.category.empty() ? photo.id : photo.category;
    }
  return out;
}

Result<std::shared_ptr<const Gallery>> open_gallery_of(const SketchRun& run, const EngineServiceOptions& o) {
  auto gallery = std::make_shared<Gallery>();
  HONE_TRY_ASSIGN(gallery->index, open_index(o.index, run, o));
  const EmbeddingStore& store = gallery->index->store();
  HONE_TRY_ASSIGN(gallery->photos, open_gallery(store.facts().photos.empty() ? "data:test" : store.facts().photos, run.data));
  std::unordered_map<std::string_view, int64_t> number;
  for (size_t i = 0; i < gallery->photos.size(); ++i) number.emplace(gallery->photos[i].id, static_cast<int64_t>(i));
  for (int64_t row = 0; row < store.count(); ++row) {
    const auto at = number.find(store.id(row));
    gallery->photo_of.push_back(at == number.end() ? -1 : at->second);
  }
  gallery->examples = examples_of(run.data);
  return std::shared_ptr<const Gallery>(std::move(gallery));
}

class EngineService final : public QueryService {
 public:
  EngineService(std::shared_ptr<const Gallery> gallery, std::unique_ptr<QueryPath> path, std::unique_ptr<QueryPath> full, GalleryFacts facts)
      : gallery_(std::move(gallery)), path_(std::move(path)), full_(std::move(full)), facts_(std::move(facts)) {}

  const GalleryFacts& facts() const override { return facts_; }
  Result<Answer> ask(const Sketch& sketch, const Ask& ask) override { return path_->ask(sketch, ask); }
  Result<Answer> ask_full(const Sketch& sketch, int64_t top) override {
    QueryPath& path = full_ ? *full_ : *path_;
    HONE_TRY_ASSIGN(Answer answer, path.ask(sketch, {top, path.canvases().back(), SearchMode::best}));
    if (full_) {  // numbers of its own index become ours
      for (Found& f : answer.found) f.item = gallery_->index->store().find(f.id);
      std::erase_if(answer.found, [](const Found& f) { return f.item < 0; });
    }
    return answer;
  }
  PhotoFacts photo_facts(int64_t photo) const override {
    const int64_t at = gallery_->photo_of[static_cast<size_t>(photo)];
    return {std::string(gallery_->index->store().id(photo)), at < 0 ? "" : gallery_->photos[static_cast<size_t>(at)].category};
  }
  Result<Image> photo(int64_t photo) const override {
    const int64_t at = gallery_->photo_of[static_cast<size_t>(photo)];
    if (at < 0) return fail(Code::not_found, fmt::format("the photo {} is no longer where it was indexed", gallery_->index->store().id(photo)));
    return gallery_->photos[static_cast<size_t>(at)].load();
  }
  std::vector<Sketch> examples() const override { return gallery_->examples; }

 private:
  std::shared_ptr<const Gallery> gallery_;
  std::unique_ptr<QueryPath> path_, full_;
  GalleryFacts facts_;
};

}  // namespace

Result<std::vector<std::unique_ptr<QueryService>>> open_engine_services(const EngineServiceOptions& o) {
  HONE_TRY_ASSIGN(const SketchRun run, encoder_of(o.run));
  HONE_TRY_ASSIGN(const auto gallery, open_gallery_of(run, o));
  std::shared_ptr<const SearchIndex> full_index;
  if (!o.full_run.empty()) {
    HONE_TRY_ASSIGN(const SketchRun full, encoder_of(o.full_run));
    HONE_TRY_ASSIGN(full_index, open_index(o.full_index, full, o));
  }
  HONE_TRY_ASSIGN(Engine* const engine, open_engine(o.engine));
  const EmbeddingStore& store = gallery->index->store();
  std::vector<std::unique_ptr<QueryService>> out;
  for (int w = 0; w < std::max(1, o.workers); ++w) {
    HONE_TRY_ASSIGN(auto path, QueryPath::open(o.run, gallery->index, {o.engine, o.threads, "f32"}));
    HONE_TRY(path->warm_up());
    std::unique_ptr<QueryPath> full;
    if (full_index) {
      HONE_TRY_ASSIGN(full, QueryPath::open(o.full_run, full_index, {o.engine, o.threads, "f32"}));
      HONE_TRY(full->warm_up());
    }
    GalleryFacts facts;
    facts.run = o.run;
    facts.network = store.facts().network;
    const std::string version = engine->version();  // "2026.4.1-22982-...": the build says nothing to people
    facts.engine = engine->name() + " " + version.substr(0, version.find('-'));
    facts.search = gallery->index->graph() ? "graph search" : "exact search";
    facts.full = full ? full_index->store().facts().network + fmt::format(" at {0} × {0}", full->canvases().back()) : fmt::format("full size, {0} × {0}", path->canvases().back());
    facts.gallery = fmt::format("{:016x}", store.checksum());
    facts.canvases = path->canvases();
    for (const int64_t canvas : facts.canvases) facts.macs.push_back(path->macs(canvas));
    facts.selector = path->has_selector();
    facts.photos = store.count(), facts.dim = store.dim();
    out.push_back(std::make_unique<EngineService>(gallery, std::move(path), std::move(full), std::move(facts)));
  }
  return out;
}

}  // namespace hone
