// hone data show|sheet|convert: sets of sketches and photos, stroke files and class folders, before anything is trained on them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>

#include "cli/commands.h"
#include "cli/data_images.h"
#include "core/file.h"
#include "data/sketch_procedural.h"
#include "data/sketch_sets.h"
#include "data/sketch_sheet.h"
#include "formats/strokes_read.h"

namespace hone::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kProcedural = "procedural";

// Where a set comes from, for all three commands.
struct Source {
  std::string path;
  std::optional<int64_t> seed, photos, sketches;
  bool strict = false;
};

void add_source(Command& c, Source& s) {
  c.arguments.push_back({"DATA", &s.path, "a folder of sketches and photos, class folders of pictures (also in a zip or tar), a file or folder of strokes, or 'procedural'"});
  c.options.push_back({"--seed", "N", &s.seed, "of the procedural set; 1 by default"});
  c.options.push_back({"--photos", "N", &s.photos, "of the procedural set; 200 by default"});
  c.options.push_back({"--sketches", "N", &s.sketches, "of each photo of the procedural set; 3 by default"});
  c.options.push_back({"--strict", "", &s.strict, "refuse bad data instead of skipping it"});
}

Result<SketchPhotoSet> open_set(const Source& s) {
  if (s.path != kProcedural) {
    if (s.seed || s.photos || s.sketches) return fail(Code::usage, "--seed, --photos and --sketches belong to 'procedural'", s.path);
    return open_sketch_photos(s.path, {.strict = s.strict});
  }
  ProceduralSketches o;
  if (s.seed) o.seed = static_cast<uint64_t>(*s.seed);
  if (s.photos) o.photos = *s.photos;
  if (s.sketches) o.sketches_per_photo = *s.sketches;
  return procedural_sketch_photos(o);
}

// Strokes without photos: a file, or a folder that has none of the layouts.
bool is_set(const Source& s) {
  std::error_code ec;
  if (s.path == kProcedural) return true;
  if (!fs::is_directory(s.path, ec)) return !fs::exists(s.path, ec);  // what is not there is reported as a set
  for (fs::directory_iterator it(s.path, ec); !ec && it != fs::directory_iterator(); it.increment(ec)) {
    const std::string name = it->path().filename().string();
    if (name == "sketches.ndjson" || name == "photo" || name == "photos" || name.ends_with("_Coordinate")) return true;
  }
  return false;
}

// How many strokes and points sketches have: least, median, mean, most.
Table lengths(const std::vector<const Sketch*>& sketches) {
  Table table{"lengths", "per sketch", {{"of", "of"}, {"least", "least"}, {"median", "median"}, {"mean", "mean"}, {"most", "most"}}};
  const auto row = [&](const char* name, auto measure) {
    std::vector<int64_t> n;
    double sum = 0;
    for (const Sketch* s : sketches) {
      n.push_back(static_cast<int64_t>(measure(*s)));
      sum += static_cast<double>(n.back());
    }
    if (n.empty()) return;
    std::sort(n.begin(), n.end());
    table.rows.push_back({std::string(name), n.front(), n[n.size() / 2], std::round(10 * sum / static_cast<double>(n.size())) / 10, n.back()});
  };
  row("points", [](const Sketch& s) { return s.points(); });
  row("strokes", [](const Sketch& s) { return s.strokes.size(); });
  return table;
}

Table categories(const std::map<std::string, std::pair<int64_t, int64_t>>& counts, bool photos) {
  Table table{"categories", fmt::format("{} categor{}", counts.size(), counts.size() == 1 ? "y" : "ies"), {{"category", "category"}}};
  if (photos) table.columns.push_back({"photos", "photos"});
  table.columns.push_back({"sketches", "sketches"});
  for (const auto& [name, n] : counts) {
    if (photos) table.rows.push_back({name, n.first, n.second});
    else table.rows.push_back({name, n.second});
  }
  return table;
}

Result<Report> show_set(const Source& source) {
  HONE_TRY_ASSIGN(const SketchPhotoSet set, open_set(source));
  Report report;
  report.title = set.name;
  const auto count = [](size_t n) { return static_cast<int64_t>(n); };
  report.parts.push_back(Facts{"", "", {{"name", "set", set.name, Unit::none, "", kJson}, {"checksum", "checksum", set.checksum}}});
  Table splits{"splits", "", {{"split", "split"}, {"sketches", "sketches"}, {"photos", "photos"}}};
  splits.rows.push_back({std::string("train"), count(set.train.size()), count(set.gallery(set.train).size())});
  splits.rows.push_back({std::string("test"), count(set.test.size()), count(set.gallery(set.test).size())});
  report.parts.push_back(std::move(splits));
  std::vector<const Sketch*> sketches;
  std::map<std::string, std::pair<int64_t, int64_t>> by_category;
  for (const Photo& p : set.photos)
    if (!p.category.empty()) ++by_category[p.category].first;
  for (const auto& item : set.items) {
    sketches.push_back(&item.sketch);
    if (const std::string& c = set.photos[item.photo].category; !c.empty()) ++by_category[c].second;
  }
  report.parts.push_back(lengths(sketches));
  if (!by_category.empty()) report.parts.push_back(categories(by_category, true));
  Table notes{"notes", "found", {{"kind", "kind"}, {"count", "count"}, {"examples", "examples"}}};
  for (const DataNote& n : set.notes) notes.rows.push_back({n.kind, n.count, n.examples});
  notes.forms = kJson;
  report.parts.push_back(std::move(notes));
  for (const DataNote& n : set.notes) report.parts.push_back(Note{Note::Level::warning, describe(n)});
  return report;
}

Result<Report> show_strokes(const Source& source) {
  HONE_TRY_ASSIGN(const auto sketches, read_strokes(source.path));
  Report report;
  report.title = fmt::format("{}: {} sketches", fs::path(source.path).filename().string(), sketches.size());
  report.parts.push_back(Facts{"", "", {{"sketches", "sketches", static_cast<int64_t>(sketches.size()), Unit::none, "", kJson}}});
  std::vector<const Sketch*> all;
  std::map<std::string, std::pair<int64_t, int64_t>> by_label;
  for (const Sketch& s : sketches) {
    all.push_back(&s);
    if (!s.label.empty()) ++by_label[s.label].second;
  }
  report.parts.push_back(lengths(all));
  if (!by_label.empty()) report.parts.push_back(categories(by_label, false));
  return report;
}

// What has no layout of sketches and photos: class folders of pictures, else strokes.
Result<Report> show_other(const Source& source, bool decode) {
  auto images = show_image_folder(source.path, decode);
  if (images || (images.error().code != Code::invalid && images.error().code != Code::unsupported)) return images;
  auto strokes = show_strokes(source);
  // A folder or archive in which there are neither.
  if (!strokes && images.error().code == Code::invalid && fs::is_directory(source.path)) return images;
  return strokes;
}

struct SheetCommand {
  Source source;
  std::string output;
  std::optional<int64_t> rows, columns, side;
  bool force = false;
};

Result<Outcome> run_sheet(const SheetCommand& o) {
  HONE_TRY(check_writable(o.output, o.force));
  SheetOptions how;
  for (const auto& [from, to] : {std::pair(o.rows, &how.rows), std::pair(o.columns, &how.columns), std::pair(o.side, &how.side)})
    if (from) *to = static_cast<int>(std::clamp<int64_t>(*from, 0, 100000));
  if (!is_set(o.source)) {
    HONE_TRY_ASSIGN(const auto sketches, read_strokes(o.source.path));
    if (!o.columns) how.columns = 8;
    HONE_TRY_ASSIGN(const Image sheet, contact_sheet(sketches, how));
    HONE_TRY_ASSIGN(const std::string png, encode_png(sheet));
    HONE_TRY(write_file(o.output, png, o.force));
    return Outcome{};
  }
  HONE_TRY_ASSIGN(const SketchPhotoSet set, open_set(o.source));
  HONE_TRY_ASSIGN(const Image sheet, contact_sheet(set, how));
  HONE_TRY_ASSIGN(const std::string png, encode_png(sheet));
  HONE_TRY(write_file(o.output, png, o.force));
  return Outcome{"", 0, describe(set)};
}

Result<Outcome> run_convert(const Source& source, const std::string& output, bool force) {
  if (is_set(source)) {
    HONE_TRY_ASSIGN(const SketchPhotoSet set, open_set(source));
    HONE_TRY(write_sketch_photos(set, output));
    return Outcome{"", 0, describe(set)};
  }
  HONE_TRY_ASSIGN(AtomicFile file, AtomicFile::create(output, force));
  HONE_TRY_ASSIGN(const auto sketches, read_strokes(source.path));
  for (const Sketch& s : sketches) HONE_TRY(file.write(print_stroke_row({s, "", ""})));
  HONE_TRY(file.commit());
  return Outcome{"", 0, fmt::format("{} sketches\n", sketches.size())};
}

}  // namespace

Command data_show_command() {
  struct Options {
    Source source;
    bool no_decode = false;
    Output output;
  };
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "data show";
  c.summary = "What a set of sketches and photos, class folders of pictures or a file of strokes holds";
  c.about = "Opens the data as training does: every photo decoded, every stroke checked. What is wrong is counted and named.";
  add_source(c, o->source);
  c.options.push_back({"--no-decode", "", &o->no_decode, "of class folders: list them without decoding every picture"});
  add_output(c, o->output, false, false);
  c.examples = {{"hone data show qmul-chairv2", "splits beside the published ones, lengths, bad data"},
                {"hone data show cifar10.zip", "train/CLASS/x.jpg and test/CLASS/x.jpg, in a folder, zip or tar"},
                {"hone data show cat.ndjson", "QuickDraw; also .bin, .npz, .svg and the other stroke formats"},
                {"hone data show procedural --photos 40 --json", "the set that needs no download"}};
  c.run = [o](const TextStyle& style) -> Result<Outcome> {
    HONE_TRY_ASSIGN(Report report, is_set(o->source) ? show_set(o->source) : show_other(o->source, !o->no_decode));
    report.command = "data show";
    return present(report, o->output, style);
  };
  return c;
}

Command data_sheet_command() {
  auto o = std::make_shared<SheetCommand>();
  Command c;
  c.name = "data sheet";
  c.summary = "Photos with their sketches on one page, as a PNG";
  add_source(c, o->source);
  c.options.push_back({"-o,--output", "FILE", &o->output, "the PNG to write; sheet.png by default"});
  c.options.push_back({"--rows", "N", &o->rows, "photos down; 12 by default"});
  c.options.push_back({"--columns", "N", &o->columns, "photos across; 2 by default, 8 for strokes without photos"});
  c.options.push_back({"--side", "PIXELS", &o->side, "of a picture; 128 by default"});
  c.options.push_back({"--force", "", &o->force, "overwrite the file"});
  o->output = "sheet.png";
  c.examples = {{"hone data sheet procedural -o sheet.png", "ten kinds of objects, each drawn by three hands"}};
  c.run = [o](const TextStyle&) { return run_sheet(*o); };
  return c;
}

Command data_convert_command() {
  struct Options {
    Source source;
    std::string output;
    bool force = false;
  };
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "data convert";
  c.summary = "A set of sketches and photos in hone's layout; strokes as .ndjson";
  add_source(c, o->source);
  c.arguments.push_back({"OUT", &o->output, "a new folder for photos and sketches.ndjson; for strokes alone, an .ndjson file"});
  c.options.push_back({"--force", "", &o->force, "overwrite the file"});
  c.examples = {{"hone data convert qmul-chairv2 chairs", "photos/ as PNG, sketches.ndjson with splits"},
                {"hone data convert svg-folder drawings.ndjson", "SVG drawings as QuickDraw-like lines"}};
  c.run = [o](const TextStyle&) { return run_convert(o->source, o->output, o->force); };
  return c;
}

}  // namespace hone::cli
