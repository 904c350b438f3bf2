#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "search/search_report.h"

namespace hone::search {

Result<Picked> pick(const std::string& folder, const std::string& budget, const std::string& weights) {
  HONE_TRY(parse_budget(budget));
  const ComparableArchives archives = comparable_archives(folder, weights);
  if (archives.damaged) return fail(*archives.damaged);
  if (archives.files.empty()) return fail(Code::not_found, "holds no archive of a search", folder, "hone search RUN --budget ... makes one");
  Picked out;
  out.notes = archives.left_out;
  HONE_TRY_ASSIGN(const Constraint constraint, Constraint::make(archives.files[0].header.space, budget));
  struct Place {
    size_t archive;
    const Entry* entry;
  };
  std::vector<Place> all;
  for (size_t i = 0; i < archives.files.size(); ++i)
    for (const Entry& e : archives.files[i].entries) all.push_back({i, &e});
  std::stable_sort(all.begin(), all.end(), [](const Place& a, const Place& b) {
    return a.entry->score.accuracy != b.entry->score.accuracy ? a.entry->score.accuracy > b.entry->score.accuracy : a.entry->score.loss < b.entry->score.loss;
  });
  out.members = all.size();
  out.archives = archives.files.size();
  std::optional<double> nearest;
  for (const Place& p : all) {
    HONE_TRY_ASSIGN(const MemberCost cost, constraint.cost(p.entry->member));
    if (!constraint.meets(cost)) {
      const double full = constraint.fullness(cost);
      if (!nearest || std::abs(std::log(full)) < std::abs(std::log(*nearest))) nearest = full;   // below an exact amount counts as above it
      continue;
    }
    out.header = archives.files[p.archive].header;
    out.path = archives.paths[p.archive];
    out.entry = *p.entry;
    out.entry.cost = cost;
    return out;
  }
  std::string message = fmt::format("none of the {} members evaluated so far meets {}", all.size(), budget);
  if (nearest) message += fmt::format("; the nearest takes {:.4g} times as much", *nearest);
  for (const std::string& note : out.notes) message += "; " + note;
  return fail(Code::budget_not_met, std::move(message), folder, "hone search RUN --budget looks for one");
}

}  // namespace hone::search
