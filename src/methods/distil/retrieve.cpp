#include "methods/distil/retrieve.h"

#include <fmt/format.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <numeric>
#include <thread>

#include "core/file.h"
#include "data/raster.h"
#include "methods/canvas/trained.h"
#include "methods/distil/trained.h"

namespace hone::methods {

namespace {

namespace fs = std::filesystem;

// Photos of a folder, named by file, in order of names.
Result<std::vector<Photo>> photos_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code ec;
  for (fs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
    std::string extension = it->path().extension().string();
    std::transform(extension.begin(), extension.end(), extension.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (extension == ".png" || extension == ".jpg" || extension == ".jpeg") names.push_back(it->path().filename().string());
  }
  if (ec) return fail(Code::io, "cannot read the gallery: " + ec.message(), folder);
  if (names.empty()) return fail(Code::invalid, "the gallery has no .png or .jpg photo", folder);
  std::sort(names.begin(), names.end());
  std::vector<Photo> out;
  for (const std::string& name : names) {
    const std::string path = (fs::path(folder) / name).string();
    out.push_back({name, "", [path]() -> Result<Image> {
                     HONE_TRY_ASSIGN(const auto file, MappedFile::open(path));
                     return decode_image(file->bytes(), path);
                   }});
  }
  return out;
}

Image picture_of(const Sketch& sketch, int side) {
  const std::vector<uint8_t> ink = rasterise(sketch, SmoothRaster{side, 2.5, 0, true});
  Image out{side, side, {}};
  for (uint8_t v : ink) out.pixels.insert(out.pixels.end(), 3, v);
  return out;
}

}  // namespace

Result<Report> retrieve(const RetrieveRequest& request) {
  if (request.top < 1 || request.limit < 1) return fail(Code::usage, "--top and --limit are at least 1");
  HONE_TRY_ASSIGN(const std::string task, task_of(request.run));
  std::optional<TrainedSelector> selector;
  if (task == "canvas") {
    HONE_TRY_ASSIGN(selector, open_selector(request.run));
  }
  HONE_TRY_ASSIGN(const TrainedEncoder t, open_trained(selector ? selector->run.encoder : request.run));

  // The set that is searched and the sketches that ask: the run's own test split, or files.
  SketchPhotoSet set;
  std::vector<uint32_t> asked, gallery;
  bool known = false;  // whether a sketch's photo is in the gallery
  if (request.gallery.empty() || request.sketches.empty()) {
    HONE_TRY_ASSIGN(set, open_set(t.run.data));
    if (request.gallery.empty()) gallery = set.gallery(set.test);
    if (request.sketches.empty()) {
      if (!request.gallery.empty()) return fail(Code::usage, "a gallery of your own needs sketches of your own", {}, "name files of strokes behind the run");
      asked = set.test;
      known = true;
    }
  }
  if (!request.gallery.empty()) {
    HONE_TRY_ASSIGN(set.photos, photos_in(request.gallery));
    gallery.resize(set.photos.size());
    std::iota(gallery.begin(), gallery.end(), 0);
  }
  if (!request.sketches.empty()) {
    set.items.clear();
    for (const std::string& file : request.sketches) {
      HONE_TRY_ASSIGN(std::vector<Sketch> sketches, read_strokes(file));
      for (Sketch& s : sketches) {
        if (static_cast<int64_t>(set.items.size()) == request.limit) break;
        asked.push_back(static_cast<uint32_t>(set.items.size()));
        set.items.push_back({std::move(s), 0});
      }
    }
  }
  // Evenly over the split, so that a few stand for all.
  if (static_cast<int64_t>(asked.size()) > request.limit) {
    std::vector<uint32_t> some;
    for (int64_t i = 0; i < request.limit; ++i) some.push_back(asked[static_cast<size_t>(i) * asked.size() / static_cast<size_t>(request.limit)]);
    asked = some;
  }
  if (asked.empty()) return fail(Code::invalid, "there is no sketch to search with", request.sketches.empty() ? t.run.data.path : request.sketches[0]);

  HONE_TRY_ASSIGN(const PhotoCache photos, PhotoCache::load(set, gallery, t.encoder.side(), static_cast<int>(std::max(1u, std::thread::hardware_concurrency()))));
  HONE_TRY_ASSIGN(const Embeddings vectors, embed_photos(t.encoder, t.encoder.params(), photos, gallery));

  Report report;
  report.command = "retrieve";
  report.title = request.run;
  report.subtitle = fmt::format("{} sketches, gallery of {} photos", asked.size(), gallery.size());
  Table table{"sketches", "", {{"sketch", "sketch"}, {"canvas", "canvas"}, {"flops", "FLOPs", Unit::count}, {"ms", "ms"}, {"nearest", "nearest photo"}, {"distance", "distance"}, {"photos", "", Unit::none, false, kJson}, {"rank", "rank of its photo"}}, {}};
  Pictures pictures{"Retrieved photos", "Each row: the sketch, then photos from the nearest on; its own photo is marked as a hit.", {}, 96};
  const torch::autograd::AutoGradMode no_grad(false);
  int64_t hits = 0;
  for (uint32_t i : asked) {
    const Sketch& sketch = set.items[i].sketch;
    const auto start = std::chrono::steady_clock::now();
    int64_t canvas = t.encoder.side(), flops = 0;
    if (selector) {
      const std::vector<at::Tensor> rows{selector->selector.rows(sketch)};
      canvas = selector->run.canvases[static_cast<size_t>(selector->selector.logits(rows, selector->selector.params()).argmax(1).item<int64_t>())];
      flops += selector->selector.flops(rows[0].size(0));
    }
    const std::vector<uint32_t> one{i};
    HONE_TRY_ASSIGN(const Embeddings query, embed_sketches(t.encoder, t.encoder.params(), set, one, canvas));
    const std::vector<Neighbour> found = nearest(query.row(0), vectors, static_cast<size_t>(request.top));
    const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    HONE_TRY_ASSIGN(const Graph graph, at_canvas(t.encoder.graph(), canvas));
    HONE_TRY_ASSIGN(const int64_t encoder_flops, paper_flops(graph));
    flops += encoder_flops;

    Cell rank;
    if (known) {
      const auto at = std::find(gallery.begin(), gallery.end(), set.items[i].photo);
      const std::vector<uint32_t> truth{static_cast<uint32_t>(at - gallery.begin())};
      HONE_TRY_ASSIGN(const std::vector<int64_t> r, ranks(query, vectors, truth));
      rank = r[0];
      hits += r[0] == 1;
    }
    std::vector<std::string> names;
    PictureRow row{fmt::format("{} at {} x {}", sketch.id, canvas, canvas), {}};
    HONE_TRY_ASSIGN(std::string drawn, encode_png(picture_of(sketch, 128)));
    row.pictures.push_back({std::move(drawn), "sketch", Picture::Mark::query});
    for (const Neighbour& n : found) {
      const uint32_t photo = gallery[n.item];
      names.push_back(set.photos[photo].id);
      HONE_TRY_ASSIGN(std::string jpeg, encode_jpeg(photos.image(photo), 80));
      row.pictures.push_back({std::move(jpeg), fmt::format("{:.3f}", n.distance), known && photo == set.items[i].photo ? Picture::Mark::hit : Picture::Mark::none});
    }
    pictures.rows.push_back(std::move(row));
    table.rows.push_back({sketch.id, canvas, flops, std::round(ms * 100) / 100, names.empty() ? "" : names[0], found.empty() ? Cell() : Cell(found[0].distance), names, rank});
  }
  if (known) report.parts.push_back(Facts{"", "", {{"acc1", "right at once", static_cast<double>(hits) / static_cast<double>(asked.size()), Unit::share}}, true});
  report.parts.push_back(std::move(table));
  report.parts.push_back(std::move(pictures));
  return report;
}

}  // namespace hone::methods
