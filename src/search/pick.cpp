#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "search/search_report.h"

namespace hone::search {

namespace fs = std::filesystem;

Result<Picked> pick(const std::string& folder, const std::string& budget) {
  HONE_TRY(parse_budget(budget));
  std::vector<std::pair<fs::file_time_type, std::string>> files;
  std::error_code failed;
  for (const auto& file : fs::directory_iterator(folder, failed))
    if (file.path().extension() == ".jsonl") files.emplace_back(file.last_write_time(failed), file.path().string());
  if (files.empty()) return fail(Code::not_found, "holds no archive of a search", folder, "hone search RUN --budget ... makes one");
  std::sort(files.rbegin(), files.rend());
  std::vector<std::pair<ArchiveFile, std::string>> archives;
  Picked out;
  for (const auto& [time, path] : files) {
    HONE_TRY_ASSIGN(ArchiveFile a, read_archive(path));
    // Scores of other weights, or of other pictures, cannot be compared.
    if (!archives.empty()) {
      const ArchiveHeader& first = archives[0].first.header;
      if (a.header.weights != first.weights || !(a.header.space == first.space) || a.header.split != first.split || a.header.images != first.images) {
        out.notes.push_back(fmt::format("{} was left out: its scores are of other weights, pictures or another space", path));
        continue;
      }
    }
    archives.emplace_back(std::move(a), path);
  }
  HONE_TRY_ASSIGN(const Constraint constraint, Constraint::make(archives[0].first.header.space, budget));
  struct Place {
    size_t archive;
    const Entry* entry;
  };
  std::vector<Place> all;
  for (size_t i = 0; i < archives.size(); ++i)
    for (const Entry& e : archives[i].first.entries) all.push_back({i, &e});
  std::stable_sort(all.begin(), all.end(), [](const Place& a, const Place& b) {
    return a.entry->score.accuracy != b.entry->score.accuracy ? a.entry->score.accuracy > b.entry->score.accuracy : a.entry->score.loss < b.entry->score.loss;
  });
  out.members = all.size();
  out.archives = archives.size();
  double nearest = 0;
  for (const Place& p : all) {
    HONE_TRY_ASSIGN(const MemberCost cost, constraint.cost(p.entry->member));
    if (!constraint.meets(cost)) {
      const double full = constraint.fullness(cost);
      if (nearest == 0 || full < nearest) nearest = full;
      continue;
    }
    out.header = archives[p.archive].first.header;
    out.path = archives[p.archive].second;
    out.entry = *p.entry;
    out.entry.cost = cost;
    return out;
  }
  return fail(Code::budget_not_met, fmt::format("none of the {} members evaluated so far meets {}; the nearest takes {:.2f} times as much", all.size(), budget, nearest), folder, "hone search RUN --budget looks for one");
}

}  // namespace hone::search
