#include "data/sketch_sets.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "core/file.h"
#include "core/sha256.h"
#include "data/sketch_layouts.h"
#include "formats/strokes_read.h"

namespace hone {

namespace fs = std::filesystem;

namespace {

using layouts::Found;
using layouts::Notes;
using layouts::Row;

Result<Image> load_photo(const std::string& path) {
  HONE_TRY_ASSIGN(const auto file, MappedFile::open(path));
  return decode_image(file->bytes(), path);
}

// What fails to decode, by id, with the reason.
std::map<std::string, std::string> unreadable(const std::map<std::string, std::string>& photos, const std::unordered_set<std::string>& used) {
  std::vector<const std::pair<const std::string, std::string>*> all;
  for (const auto& photo : photos)
    if (used.contains(photo.first)) all.push_back(&photo);
  std::vector<std::string> reasons(all.size());
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i; (i = next++) < all.size();)
      if (const auto image = load_photo(all[i]->second); !image) reasons[i] = image.error().text();
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 1; i < std::max(1u, std::thread::hardware_concurrency()) && i < 16; ++i) threads.emplace_back(work);
    work();
  }
  std::map<std::string, std::string> out;
  for (size_t i = 0; i < all.size(); ++i)
    if (!reasons[i].empty()) out.emplace(all[i]->first, reasons[i]);
  return out;
}

// Sizes as papers print them: train sketches and photos, test sketches and photos. The released files differ.
struct Published {
  std::string_view name;
  size_t sizes[4];
};
constexpr Published kPublished[] = {{"ChairV2", {951, 300, 324, 100}}, {"ShoeV2", {6051, 1800, 679, 200}}};

std::array<size_t, 4> sizes(const SketchPhotoSet& set) { return {set.train.size(), set.gallery(set.train).size(), set.test.size(), set.gallery(set.test).size()}; }

void compare_with_published(const SketchPhotoSet& set, Notes& notes) {
  for (const Published& p : kPublished) {
    if (set.name.find(p.name) == std::string::npos) continue;
    const auto n = sizes(set);
    if (!std::equal(n.begin(), n.end(), p.sizes))
      notes.add("split size", fmt::format("train {} sketches of {} photos, test {} of {}; papers print {} of {} and {} of {}", n[0], n[1], n[2], n[3], p.sizes[0], p.sizes[1], p.sizes[2], p.sizes[3]));
  }
}

Result<SketchPhotoSet> check(Found found, const std::string& path, const SketchSetOptions& options, Notes& notes) {
  std::unordered_set<std::string> used;
  for (const Row& r : found.rows) used.insert(r.photo);
  std::map<std::string, std::string> broken;
  if (options.check_photos) broken = unreadable(found.photos, used);
  for (const auto& [id, reason] : broken) notes.add("unreadable image", reason);
  for (const auto& [id, file] : found.photos)
    if (!used.contains(id)) notes.add("photo without sketches", id);

  SketchPhotoSet set;
  set.name = std::move(found.name);
  std::unordered_map<std::string, uint32_t> index;
  std::unordered_map<std::string, std::string> split_of;
  std::unordered_set<std::string> ids, missing;
  for (Row& r : found.rows) {
    if (!ids.insert(r.sketch.id).second) {
      notes.add("duplicate id", r.sketch.id);
      continue;
    }
    if (r.sketch.strokes.empty()) {
      notes.add("sketch without strokes", r.sketch.id);
      continue;
    }
    const auto photo = found.photos.find(r.photo);
    if (photo == found.photos.end()) {
      notes.add("missing photo", fmt::format("{} of sketch {}", r.photo, r.sketch.id));
      continue;
    }
    if (broken.contains(r.photo)) {
      notes.add("sketch of an unreadable image", r.sketch.id);
      continue;
    }
    if (const auto [it, fresh] = split_of.emplace(r.photo, r.split); !fresh && it->second != r.split)
      return fail(Code::invalid, fmt::format("photo '{}' has sketches in both splits", r.photo), path, "a photo seen in training cannot be tested on");
    const auto [at, fresh] = index.emplace(r.photo, static_cast<uint32_t>(set.photos.size()));
    if (fresh) {
      const auto category = found.categories.find(r.photo);
      set.photos.push_back({r.photo, category == found.categories.end() ? "" : category->second, [file = photo->second] { return load_photo(file); }});
    }
    (r.split == "train" ? set.train : set.test).push_back(static_cast<uint32_t>(set.items.size()));
    set.items.push_back({std::move(r.sketch), at->second});
  }
  if (options.strict && !notes.all().empty()) {
    const DataNote& n = notes.all().front();
    return fail(Code::invalid, fmt::format("{} times {}, as in: {}", n.count, n.kind, n.examples.front()), path, "without strict, these are skipped and counted");
  }
  if (set.items.empty()) return fail(Code::invalid, "no sketch is left that has strokes and a photo", path);
  compare_with_published(set, notes);
  set.notes = notes.take();
  set.checksum = checksum_of(set);
  return set;
}

// An id as a file name: what is no letter, digit, '.', '-' or '_' becomes '_'; two that would be the same get a number.
class FileNames {
 public:
  std::string operator()(const std::string& id) {
    std::string name;
    for (const char c : id) name += std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || (c == '.' && !name.empty()) ? c : '_';
    if (name.empty()) name = "_";
    std::string out = name;
    for (int i = 2; !taken_.insert(out).second; ++i) out = fmt::format("{}_{}", name, i);
    return out;
  }

 private:
  std::unordered_set<std::string> taken_;
};

}  // namespace

Result<SketchPhotoSet> open_sketch_photos(const std::string& path, const SketchSetOptions& options) {
  std::error_code ec;
  if (!fs::exists(path, ec)) return fail(Code::not_found, "does not exist", path);
  if (!fs::is_directory(path, ec)) return fail(Code::invalid, "is a file; the folder of a set is expected", path);
  Notes notes;
  HONE_TRY_ASSIGN(auto found, layouts::qmul(path, notes));
  if (!found) {
    HONE_TRY_ASSIGN(found, layouts::plain(path, notes));
  }
  if (!found) {
    HONE_TRY_ASSIGN(found, layouts::sketchy(path, options.test_per_category, notes));
  }
  if (!found)
    return fail(Code::unsupported, "is no set of sketches and photos that hone recognises", path,
                "expected <Set>_Coordinate with photo/, sketches.ndjson with photos/, or photo/<class>/ with sketches/<class>/*.svg");
  return check(std::move(*found), path, options, notes);
}

std::string checksum_of(const SketchPhotoSet& set) {
  Sha256 hash;
  const auto text = [&](const std::string& s) {
    const uint64_t n = s.size();
    hash.update(&n, sizeof n);
    hash.update(s.data(), s.size());
  };
  std::vector<uint8_t> is_test(set.items.size(), 0);
  for (const uint32_t i : set.test) is_test[i] = 1;
  for (size_t i = 0; i < set.items.size(); ++i) {
    const auto& [sketch, photo] = set.items[i];
    text(sketch.id);
    text(set.photos[photo].id);
    hash.update(&is_test[i], 1);
    hash.update(&sketch.frame, sizeof sketch.frame);
    for (const Stroke& s : sketch.strokes) {
      const uint64_t n = s.size();
      hash.update(&n, sizeof n);
      hash.update(s.data(), n * sizeof(Point));
    }
  }
  std::string out;
  for (const uint8_t b : hash.digest()) out += fmt::format("{:02x}", b);
  return out;
}

Status write_sketch_photos(const SketchPhotoSet& set, const std::string& folder) {
  std::error_code ec;
  if (fs::exists(folder, ec) && !(fs::is_directory(folder, ec) && fs::is_empty(folder, ec))) return fail(Code::usage, "exists already and is no empty folder", folder);
  fs::create_directories(fs::path(folder) / "photos", ec);
  if (ec) return fail(Code::io, "cannot make the folder: " + ec.message(), folder);
  FileNames name_of;
  std::vector<std::string> names;
  for (const Photo& p : set.photos) {
    names.push_back(name_of(p.id));
    HONE_TRY_ASSIGN(const Image image, p.load());
    HONE_TRY_ASSIGN(const std::string png, encode_png(image));
    HONE_TRY(write_file(folder + "/photos/" + names.back() + ".png", png, false));
  }
  std::vector<bool> is_test(set.items.size(), false);
  for (const uint32_t i : set.test) is_test[i] = true;
  // Last: a folder that was cut off has no sketches.ndjson and is not taken for a set.
  HONE_TRY_ASSIGN(AtomicFile file, AtomicFile::create(folder + "/sketches.ndjson", false));
  for (size_t i = 0; i < set.items.size(); ++i) {
    StrokeRow row{set.items[i].sketch, names[set.items[i].photo], is_test[i] ? "test" : "train"};
    row.sketch.label = set.photos[set.items[i].photo].category;
    HONE_TRY(file.write(print_stroke_row(row)));
  }
  return file.commit();
}

std::string describe(const SketchPhotoSet& set) {
  const auto n = sizes(set);
  std::string out = fmt::format("{}: train {} sketches of {} photos, test {} of {}\n", set.name, n[0], n[1], n[2], n[3]);
  for (const DataNote& note : set.notes) out += fmt::format("  {}\n", describe(note));
  return out;
}

}  // namespace hone
