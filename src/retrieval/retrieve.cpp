#include "retrieval/retrieve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <thread>
#include <unordered_map>

#include "data/archive.h"
#include "data/raster.h"
#include "data/resize.h"
#include "retrieval/indexing.h"
#include "retrieval/photo_encoder.h"
#include "retrieval/trained.h"

namespace hone {

namespace {

constexpr int kPictureSide = 128;

struct Asked {
  Sketch sketch;
  std::string photo;  // id of the one that it shows; empty where that is not known
};

Image picture_of(const Sketch& sketch) {
  const std::vector<uint8_t> ink = rasterise(sketch, SmoothRaster{kPictureSide, 2.5, 0, true});
  Image out{kPictureSide, kPictureSide, {}};
  for (uint8_t v : ink) out.pixels.insert(out.pixels.end(), 3, v);
  return out;
}

// Evenly over the list, so that a few stand for all.
Result<std::vector<Asked>> test_sketches(const SketchData& data, int64_t limit) {
  HONE_TRY_ASSIGN(const SketchPhotoSet set, open_set(data));
  std::vector<Asked> out;
  const int64_t all = static_cast<int64_t>(set.test.size()), n = std::min(all, limit);
  for (int64_t i = 0; i < n; ++i) {
    const SketchPhotoSet::Item& item = set.items[set.test[static_cast<size_t>(i * all / n)]];
    out.push_back({item.sketch, set.photos[item.photo].id});
  }
  return out;
}

Result<std::vector<Asked>> sketches_of(const std::vector<std::string>& files, int64_t limit) {
  std::vector<Asked> out;
  for (const std::string& file : files) {
    HONE_TRY_ASSIGN(std::vector<Sketch> sketches, read_strokes(file));
    for (Sketch& s : sketches)
      if (static_cast<int64_t>(out.size()) < limit) out.push_back({std::move(s), ""});
  }
  return out;
}

double rounded(double ms) { return std::round(ms * 1000) / 1000; }

}  // namespace

Result<Report> retrieve(const RetrieveRequest& r) {
  if (r.top < 1 || r.limit < 1) return fail(Code::usage, "--top and --limit are at least 1");
  HONE_TRY_ASSIGN(const std::string task, task_of(r.run));
  std::optional<SelectorRun> selector;
  if (task == "canvas") {
    HONE_TRY_ASSIGN(selector, open_selector_run(r.run));
  }
  HONE_TRY_ASSIGN(const SketchRun run, open_sketch_run(selector ? selector->encoder : r.run));

  std::shared_ptr<const SearchIndex> index;
  std::string source = r.gallery;
  if (!r.index.empty()) {
    HONE_TRY_ASSIGN(index, SearchIndex::open(r.index));
    if (source.empty()) source = index->store().facts().photos;
  } else if (source.empty()) {
    source = "data:test";
  }
  if (r.sketches.empty() && !source.starts_with("data:")) return fail(Code::usage, "a gallery of your own needs sketches of your own", {}, "name files of strokes behind the run");
  // An index is searched without its photos, too; then there are no pictures of them.
  std::vector<Photo> photos;
  auto opened = open_gallery(source, run.data);
  if (opened) photos = *std::move(opened);
  else if (!index) return fail(std::move(opened).error());
  if (!index) {
    HONE_TRY_ASSIGN(Engine* const engine, open_engine(r.options.engine));
    HONE_TRY_ASSIGN(auto store, embed_gallery(run, *engine, photos, source, static_cast<int>(std::max(1u, std::thread::hardware_concurrency()))));
    index = SearchIndex::of(std::move(store));
  }
  if (index->store().count() == 0) return fail(Code::invalid, "the index is empty", r.index, "add photos: hone index");
  std::unordered_map<std::string_view, const Photo*> by_id;
  for (const Photo& p : photos) by_id.emplace(p.id, &p);

  std::vector<Asked> asked;
  if (r.sketches.empty()) {
    HONE_TRY_ASSIGN(asked, test_sketches(run.data, r.limit));
  } else {
    HONE_TRY_ASSIGN(asked, sketches_of(r.sketches, r.limit));
  }
  if (asked.empty()) return fail(Code::invalid, "there is no sketch to search with", r.sketches.empty() ? run.data.path : r.sketches[0]);

  HONE_TRY_ASSIGN(const std::unique_ptr<QueryPath> path, QueryPath::open(r.run, index, r.options));
  HONE_TRY(path->warm_up());
  Report report;
  report.command = "retrieve";
  report.title = r.run;
  report.subtitle = fmt::format("{} sketch{}, gallery of {} photos", asked.size(), asked.size() == 1 ? "" : "es", index->store().count());
  Table table{"sketches", "",
              {{"sketch", "sketch"}, {"canvas", "canvas"}, {"flops", "FLOPs", Unit::count}, {"macs", "MACs", Unit::count, false, kJson}, {"ms", "ms"}, {"selector_ms", "selector"}, {"picture_ms", "picture"}, {"network_ms", "network"},
               {"search_ms", "search"}, {"nearest", "nearest photo"}, {"distance", "distance"}, {"photos", "", Unit::none, false, kJson}, {"distances", "", Unit::none, false, kJson}, {"rank", "rank of its photo"}}, {}};
  Pictures pictures{"Retrieved photos", "Each row: the sketch, then photos from the nearest on; its own photo is marked as a hit.", {}, 96};
  int64_t hits = 0, known = 0;
  std::vector<DataNote> lacking;  // sketches that no answer can be right for
  for (const Asked& a : asked) {
    HONE_TRY_ASSIGN(const Answer answer, path->ask(a.sketch, {r.top, r.canvas, r.mode}));
    // As the paper counts: the encoder at its canvas, and the selector where it chose.
    HONE_TRY_ASSIGN(const Graph graph, at_canvas(run.options, run.graph, answer.canvas));
    HONE_TRY_ASSIGN(int64_t flops, paper_flops(graph));
    if (answer.points > 0) {
      HONE_TRY_ASSIGN(const Graph policy, selector_graph(selector->options, static_cast<int64_t>(selector->canvases.size()), answer.points));
      HONE_TRY_ASSIGN(const int64_t own, paper_flops(policy));
      flops += own;
    }
    Cell rank;
    if (const int64_t item = a.photo.empty() ? -1 : index->store().find(a.photo); item >= 0) {
      const double truth = distance(answer.vector, index->store().row(item));
      int64_t nearer = 0;  // ties count against us, as in ranks()
      for (int64_t i = 0; i < index->store().count(); ++i) nearer += distance(answer.vector, index->store().row(i)) <= truth;
      rank = nearer;
      hits += nearer == 1;
      ++known;
    } else if (!a.photo.empty()) {
      add_note(lacking, "sketch whose photo the gallery lacks", fmt::format("{} of {}", a.photo, a.sketch.id));
    }
    PictureRow row{fmt::format("{} at {} x {}", a.sketch.id, answer.canvas, answer.canvas), {}};
    HONE_TRY_ASSIGN(std::string drawn, encode_png(picture_of(a.sketch)));
    row.pictures.push_back({std::move(drawn), "sketch", Picture::Mark::query});
    std::vector<std::string> names;
    std::vector<double> distances;
    for (const Found& f : answer.found) {
      names.push_back(f.id);
      distances.push_back(f.distance);
      Picture picture{"", fmt::format("{:.3f}", f.distance), f.id == a.photo ? Picture::Mark::hit : Picture::Mark::none};
      if (const auto photo = by_id.find(f.id); photo != by_id.end())
        if (const auto image = photo->second->load()) {
          HONE_TRY_ASSIGN(picture.image, encode_jpeg(resize(*image, kPictureSide, kPictureSide), 80));
        }
      row.pictures.push_back(std::move(picture));
    }
    pictures.rows.push_back(std::move(row));
    const auto ms = [&](std::string_view step) {
      for (const QueryStep& s : answer.steps)
        if (s.name == step) return Cell(rounded(s.milliseconds));
      return Cell();
    };
    table.rows.push_back({a.sketch.id, answer.canvas, flops, answer.macs(), rounded(answer.milliseconds()), ms("selector"), ms("picture"), ms("network"), ms("search"), names.empty() ? "" : names[0],
                          distances.empty() ? Cell() : Cell(distances[0]), names, distances, rank});
  }
  if (known > 0) report.parts.push_back(Facts{"", "", {{"acc1", "right at once", static_cast<double>(hits) / static_cast<double>(known), Unit::share}}, true});
  report.parts.push_back(std::move(table));
  Table notes{"notes", "", {{"kind", "kind"}, {"count", "count"}, {"examples", "examples"}}, {}, false, kJson};
  for (const DataNote& n : lacking) {
    notes.rows.push_back({n.kind, n.count, n.examples});
    report.parts.push_back(Note{Note::Level::warning, describe(n)});
  }
  report.parts.push_back(std::move(notes));
  report.parts.push_back(std::move(pictures));
  return report;
}

}  // namespace hone
