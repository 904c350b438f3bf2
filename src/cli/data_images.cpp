#include "cli/data_images.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "data/image_folder.h"

namespace hone::cli {

namespace {

int64_t count(size_t n) { return static_cast<int64_t>(n); }

std::string classes(const ImageFolder& folder) { return fmt::format("{} class{}", folder.classes.size(), folder.classes.size() == 1 ? "" : "es"); }

Table by_class(const ImageFolder& folder) {
  Table table{"classes", classes(folder), {{"class", "class"}}};
  std::vector<std::vector<int64_t>> counts;
  for (const auto& split : folder.splits) {
    table.columns.push_back({split.name, split.name});
    std::vector<int64_t>& n = counts.emplace_back(folder.classes.size());
    for (const auto& item : split.items) ++n[item.label];
  }
  for (size_t c = 0; c < folder.classes.size(); ++c) {
    std::vector<Cell> row = {folder.classes[c]};
    for (const auto& n : counts) row.emplace_back(n[c]);
    table.rows.push_back(std::move(row));
  }
  // A thousand classes are no reading matter.
  if (folder.classes.size() > 40) table.forms = kJson;
  return table;
}

Table sides(const std::vector<ImageSize>& sizes) {
  Table table{"sizes", "pixels", {{"of", "of"}, {"least", "least"}, {"median", "median"}, {"most", "most"}}};
  const auto row = [&](const char* name, auto side) {
    std::vector<int64_t> n;
    for (const ImageSize& s : sizes) n.push_back(side(s));
    if (n.empty()) return;
    std::sort(n.begin(), n.end());
    table.rows.push_back({std::string(name), n.front(), n[n.size() / 2], n.back()});
  };
  row("width", [](const ImageSize& s) { return s.width; });
  row("height", [](const ImageSize& s) { return s.height; });
  return table;
}

}  // namespace

Result<Report> show_image_folder(const std::string& path, bool decode) {
  HONE_TRY_ASSIGN(const ImageFolder folder, open_image_folder(path));
  std::vector<DataNote> notes = folder.notes;
  PictureCheck check;
  if (decode) {
    check = check_pictures(folder, static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 64u)));
    notes.insert(notes.end(), check.notes.begin(), check.notes.end());
  }
  size_t pictures = 0;
  for (const auto& split : folder.splits) pictures += split.items.size();

  Report report;
  const std::filesystem::path named = path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
  report.title = fmt::format("{}: {} pictures in {}", named.filename().string(), pictures, classes(folder));
  report.parts.push_back(Facts{"", "", {{"pictures", "pictures", count(pictures), Unit::none, "", kJson}, {"checksum", "checksum", folder.checksum}}});
  Table splits{"splits", "", {{"split", "split"}, {"pictures", "pictures"}}};
  for (const auto& split : folder.splits) splits.rows.push_back({split.name, count(split.items.size())});
  report.parts.push_back(std::move(splits));
  report.parts.push_back(by_class(folder));
  if (decode) report.parts.push_back(sides(check.sizes));

  Table found{"notes", "found", {{"kind", "kind"}, {"count", "count"}, {"examples", "examples"}}};
  for (const DataNote& n : notes) found.rows.push_back({n.kind, n.count, n.examples});
  found.forms = kJson;
  report.parts.push_back(std::move(found));
  for (const DataNote& n : notes) report.parts.push_back(Note{Note::Level::warning, describe(n)});
  return report;
}

}  // namespace hone::cli
