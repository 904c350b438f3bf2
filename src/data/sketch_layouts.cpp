#include "data/sketch_layouts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>

#include "core/file.h"
#include "formats/strokes_read.h"

namespace hone::layouts {

namespace fs = std::filesystem;

namespace {

std::string lower(std::string s) {
  std::transform(s.begin(), s.end(), s.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return s;
}
bool is_photo(const fs::path& p) {
  const std::string e = lower(p.extension().string());
  return e == ".png" || e == ".jpg" || e == ".jpeg";
}
// Entries of a folder in order of their names; empty when it cannot be listed.
std::vector<fs::path> listing(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code ec;
  for (fs::directory_iterator it(folder, ec); !ec && it != fs::directory_iterator(); it.increment(ec)) out.push_back(it->path());
  std::sort(out.begin(), out.end());
  return out;
}
bool is_folder(const fs::path& p) {
  std::error_code ec;
  return fs::is_directory(p, ec);
}
std::string folder_name(const std::string& folder) {
  const fs::path p = fs::path(folder).lexically_normal();
  return (p.has_filename() ? p : p.parent_path()).filename().string();
}

// Photos of one folder by their stem. Paths come from the disk, never from a file's keys.
void add_photos(const fs::path& folder, const std::string& category, Found& out, Notes& notes) {
  for (const fs::path& p : listing(folder)) {
    if (!is_photo(p)) continue;
    if (out.photos.emplace(p.stem().string(), p.string()).second) {
      if (!category.empty()) out.categories[p.stem().string()] = category;
    } else {
      notes.add("duplicate id", p.string());
    }
  }
}

// Lines of a list of names, without folders and endings; "#" starts a comment.
std::set<std::string> names_in(const fs::path& file) {
  std::set<std::string> out;
  const auto text = read_file(file.string());
  if (!text) return out;
  for (size_t begin = 0; begin < text->size();) {
    const size_t end = std::min(text->find('\n', begin), text->size());
    std::string line = text->substr(begin, end - begin);
    begin = end + 1;
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.pop_back();
    if (!line.empty() && line[0] != '#') out.insert(fs::path(line).stem().string());
  }
  return out;
}

// Sketchy's folders: straight below, or below the variant that is scaled like its photo.
std::optional<fs::path> sketchy_root(const fs::path& folder, std::initializer_list<const char*> names) {
  for (const char* name : names)
    for (const char* variant : {"tx_000000000000", ""})
      if (const fs::path p = variant[0] ? folder / name / variant : folder / name; is_folder(p)) return p;
  return std::nullopt;
}

// Sketchy was drawn on 640 x 480 and its photos were stretched to squares; the SVG reader centres the drawing in 640.
void stretch(Sketch& s) {
  constexpr double kWidth = 640, kHeight = 480;
  if (s.frame != kWidth) return;
  for (Stroke& stroke : s.strokes)
    for (Point& p : stroke) p = {p.x / kWidth * 256, (p.y - (kWidth - kHeight) / 2) / kHeight * 256};
  s.frame = 256;
}

}  // namespace

void Notes::add(const std::string& kind, const std::string& example) {
  auto it = std::find_if(notes_.begin(), notes_.end(), [&](const DataNote& n) { return n.kind == kind; });
  if (it == notes_.end()) it = notes_.insert(notes_.end(), DataNote{kind, 0, {}});
  ++it->count;
  if (it->examples.size() < 5) it->examples.push_back(example);
}

Result<std::optional<Found>> qmul(const std::string& folder, Notes& notes) {
  std::vector<fs::path> pickles;
  for (const fs::path& p : listing(folder))
    if (p.filename().string().ends_with("_Coordinate")) pickles.push_back(p);
  if (pickles.empty()) return std::optional<Found>();
  if (pickles.size() > 1) return fail(Code::invalid, fmt::format("holds {} coordinate files; one is expected", pickles.size()), folder);
  const fs::path photos = fs::path(folder) / "photo";
  if (!is_folder(photos)) return fail(Code::not_found, "has coordinates, but no folder 'photo' beside them", folder);
  Found out;
  const std::string file = pickles[0].filename().string();
  out.name = file.substr(0, file.size() - std::string_view("_Coordinate").size());
  add_photos(photos, "", out, notes);
  HONE_TRY_ASSIGN(auto sketches, read_strokes(pickles[0].string()));
  for (Sketch& s : sketches) {
    const bool test = s.id.starts_with("/test/");
    if (!test && !s.id.starts_with("/train/")) return fail(Code::invalid, fmt::format("key '{}' names no split; /train/ or /test/ is expected", s.id), pickles[0].string());
    Row row;
    row.photo = s.label;
    row.split = test ? "test" : "train";
    row.sketch = std::move(s);
    out.rows.push_back(std::move(row));
  }
  return std::optional(std::move(out));
}

Result<std::optional<Found>> sketchy(const std::string& folder, int test_per_category, Notes& notes) {
  const fs::path base = folder;
  const auto photos = sketchy_root(base, {"photo", "photos"}), sketches = sketchy_root(base, {"sketches", "sketch"});
  if (!photos || !sketches) return std::optional<Found>();
  std::vector<fs::path> classes;
  for (const fs::path& p : listing(*photos))
    if (is_folder(p)) classes.push_back(p);
  if (classes.empty()) return std::optional<Found>();
  Found out;
  out.name = folder_name(folder);
  std::set<std::string> test, invalid;
  bool listed = false;
  for (const char* name : {"info/testset.txt", "testset.txt"})
    if (std::error_code ec; !listed && fs::exists(base / name, ec)) {
      test = names_in(base / name);
      listed = true;
    }
  for (const fs::path& p : listing(base / "info"))
    if (p.filename().string().starts_with("invalid") && p.extension() == ".txt") invalid.merge(names_in(p));
  size_t rendered = 0;
  for (const fs::path& of : classes) {
    const std::string category = of.filename().string();
    add_photos(of, category, out, notes);
    if (!listed) {
      std::vector<std::string> ids;
      for (const fs::path& p : listing(of))
        if (is_photo(p)) ids.push_back(p.stem().string());
      for (size_t i = ids.size() - std::min(ids.size(), static_cast<size_t>(std::max(0, test_per_category))); i < ids.size(); ++i) test.insert(ids[i]);
    }
    for (const fs::path& p : listing(*sketches / category)) {
      rendered += is_photo(p);
      if (p.extension() != ".svg") continue;
      const std::string id = p.stem().string();
      if (invalid.contains(id)) {
        notes.add("marked invalid", id);
        continue;
      }
      HONE_TRY_ASSIGN(auto strokes, read_strokes(p.string()));
      Row row;
      row.sketch = std::move(strokes.front());
      row.sketch.id = id;
      row.sketch.label = category;
      stretch(row.sketch);
      row.photo = id.substr(0, id.find_last_of('-'));
      row.split = test.contains(row.photo) ? "test" : "train";
      out.rows.push_back(std::move(row));
    }
  }
  if (out.rows.empty() && rendered > 0)
    return fail(Code::unsupported, fmt::format("has {} sketches as pictures, but none as strokes", rendered), sketches->string(),
                "put the SVG originals of the full release into sketches/<class>/<id>-<k>.svg");
  return std::optional(std::move(out));
}

Result<std::optional<Found>> plain(const std::string& folder, Notes& notes) {
  const fs::path file = fs::path(folder) / "sketches.ndjson", photos = fs::path(folder) / "photos";
  std::error_code ec;
  if (!fs::exists(file, ec)) return std::optional<Found>();
  if (!is_folder(photos)) return fail(Code::not_found, "has sketches.ndjson, but no folder 'photos' beside it", folder);
  HONE_TRY_ASSIGN(const auto mapped, MappedFile::open(file.string()));
  HONE_TRY_ASSIGN(auto rows, read_stroke_rows(mapped->text(), file.string()));
  Found out;
  out.name = folder_name(folder);
  add_photos(photos, "", out, notes);
  for (StrokeRow& r : rows) {
    if (r.photo.empty()) return fail(Code::invalid, fmt::format("sketch '{}' names no photo", r.sketch.id), file.string());
    if (r.split != "train" && r.split != "test") return fail(Code::invalid, fmt::format("sketch '{}' has split '{}'; train or test is expected", r.sketch.id, r.split), file.string());
    if (!r.sketch.label.empty()) out.categories.emplace(r.photo, r.sketch.label);
    out.rows.push_back({std::move(r.sketch), std::move(r.photo), std::move(r.split)});
  }
  return std::optional(std::move(out));
}

}  // namespace hone::layouts
