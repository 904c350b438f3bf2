#include "retrieval/indexing.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>

#include "data/archive.h"
#include "retrieval/parts.h"
#include "retrieval/photo_encoder.h"
#include "run/progress.h"

namespace hone {

namespace {

constexpr int64_t kBlockRows = 256;

// Photos from..to of a list, decoded on several threads; where one cannot be read, why.
std::vector<Result<Image>> load(std::span<const Photo* const> photos, int threads) {
  std::vector<Result<Image>> out(photos.size());
  in_parts(static_cast<int64_t>(photos.size()), threads, [&](int, int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) out[static_cast<size_t>(i)] = photos[static_cast<size_t>(i)]->load();
  }, 1);
  return out;
}

// Embeds in order and hands on each batch: take(ids, values). Decodes the next batch while the network computes this one.
template <class Take>
Status embed_all(PhotoEncoder& encoder, const std::vector<const Photo*>& photos, int threads, std::vector<DataNote>& notes, const Take& take) {
  const size_t batch = static_cast<size_t>(encoder.batch());
  const auto part = [&](size_t begin) { return std::span(photos).subspan(std::min(begin, photos.size()), std::min(batch, photos.size() - std::min(begin, photos.size()))); };
  std::future<std::vector<Result<Image>>> next;
  if (!photos.empty()) next = std::async(std::launch::async, load, part(0), threads);
  for (size_t begin = 0; begin < photos.size(); begin += batch) {
    std::vector<Result<Image>> loaded = next.get();
    if (begin + batch < photos.size()) next = std::async(std::launch::async, load, part(begin + batch), threads);
    std::vector<Image> images;
    std::vector<std::string> ids;
    for (size_t i = 0; i < loaded.size(); ++i) {
      const Photo& photo = *photos[begin + i];
      if (!loaded[i]) {
        add_note(notes, "unreadable photo", photo.id + ": " + loaded[i].error().message);
        continue;
      }
      images.push_back(*std::move(loaded[i]));
      ids.push_back(photo.id);
    }
    auto values = encoder.embed(images);
    const Status taken = values ? take(ids, *values, begin + loaded.size()) : Status(fail(values.error()));
    if (!taken) {
      if (next.valid()) next.wait();  // it reads the list
      return taken;
    }
  }
  return {};
}

}  // namespace

Result<Indexed> index_photos(const IndexRequest& r) {
  const auto start = std::chrono::steady_clock::now();
  HONE_TRY_ASSIGN(Engine* const engine, open_engine(r.engine));
  HONE_TRY_ASSIGN(const std::string task, task_of(r.run));
  std::string encoder_run = r.run;
  if (task == "canvas") {
    HONE_TRY_ASSIGN(const SelectorRun selector, open_selector_run(r.run));
    encoder_run = selector.encoder;
  }
  HONE_TRY_ASSIGN(const SketchRun run, open_sketch_run(encoder_run));
  HONE_TRY_ASSIGN(const std::vector<Photo> photos, open_gallery(r.photos, run.data));
  Indexed out;
  std::error_code ec;
  const std::string source = r.photos.starts_with("data:") ? r.photos : std::filesystem::absolute(r.photos, ec).lexically_normal().string();
  out.facts = facts_of(run, source);
  out.photos = static_cast<int64_t>(photos.size());
  if (r.again) {
    // Only a store is taken away: another file that stands there is not ours.
    if (std::filesystem::exists(r.store, ec)) {
      HONE_TRY_ASSIGN(const StoreDamage found, examine_store(r.store));
      (void)found;
      std::filesystem::remove(r.store, ec);
    }
    std::filesystem::remove(graph_path(r.store), ec);
  }
  HONE_TRY_ASSIGN(StoreWriter writer, StoreWriter::open(r.store, out.facts));
  std::vector<const Photo*> todo;
  for (const Photo& p : photos)
    if (writer.holds(p.id)) ++out.kept;
    else todo.push_back(&p);
  if (!todo.empty()) {
    HONE_TRY_ASSIGN(const std::unique_ptr<PhotoEncoder> encoder, PhotoEncoder::open(run, *engine, std::min<int64_t>(r.batch, static_cast<int64_t>(todo.size())), r.threads));
    Progress progress("index", out.photos, "photos", 1, out.kept);
    std::vector<std::string> ids;
    std::vector<float> values;
    const auto flush = [&]() -> Status {
      HONE_TRY(writer.append(ids, values));
      out.added += static_cast<int64_t>(ids.size());
      ids.clear();
      values.clear();
      return {};
    };
    HONE_TRY(embed_all(*encoder, todo, r.threads, out.notes, [&](const std::vector<std::string>& new_ids, const std::vector<float>& rows, size_t done) -> Status {
      ids.insert(ids.end(), new_ids.begin(), new_ids.end());
      values.insert(values.end(), rows.begin(), rows.end());
      if (static_cast<int64_t>(ids.size()) >= kBlockRows) HONE_TRY(flush());
      progress.step(out.kept + static_cast<int64_t>(done));
      return {};
    }));
    HONE_TRY(flush());
  }
  out.rows = writer.count();
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return out;
}

Result<std::shared_ptr<const EmbeddingStore>> embed_gallery(const SketchRun& run, Engine& engine, const std::vector<Photo>& photos, const std::string& source, int threads) {
  std::vector<const Photo*> all;
  for (const Photo& p : photos) all.push_back(&p);
  HONE_TRY_ASSIGN(const std::unique_ptr<PhotoEncoder> encoder, PhotoEncoder::open(run, engine, std::clamp<int64_t>(static_cast<int64_t>(all.size()), 1, 16), threads));
  std::vector<std::string> ids;
  std::vector<float> values;
  std::vector<DataNote> notes;
  HONE_TRY(embed_all(*encoder, all, threads, notes, [&](const std::vector<std::string>& new_ids, const std::vector<float>& rows, size_t) -> Status {
    ids.insert(ids.end(), new_ids.begin(), new_ids.end());
    values.insert(values.end(), rows.begin(), rows.end());
    return {};
  }));
  if (!notes.empty()) return fail(Code::invalid, fmt::format("{} photos cannot be read, the first: {}", notes[0].count, notes[0].examples[0]), source, "hone index leaves them out and names them: search what it wrote with --index");
  return EmbeddingStore::of(facts_of(run, source), ids, values);
}

}  // namespace hone
