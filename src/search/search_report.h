// What a search found, and what an archive holds for a budget, as reports.
#pragma once

#include <string>

#include "run/report.h"
#include "search/search.h"

namespace hone::search {

// Best members, the front of accuracy against cost with what else is known (memory bank, published networks where the space
// is of their kind), how the best grew.
Report search_report(const SearchResult& result, const std::string& run);

// The chart of accuracy against cost, with its tables: the front, the bank, a share of the rest, published networks where they compare.
void add_accuracy_chart(Report& report, const SearchResult& result);

struct Picked {
  ArchiveHeader header;   // of the search that found it
  std::string path;
  Entry entry;            // with the costs that the budget asks for
  size_t members = 0, archives = 0;
  std::vector<std::string> notes;
};
// The best member within the budget of all archives in `folder` that compare (comparable_archives()); nothing is evaluated.
// Code::not_found without archives, Code::budget_not_met when none of their members meets it.
Result<Picked> pick(const std::string& folder, const std::string& budget, const std::string& weights = {});
Report pick_report(const Picked& picked, const std::string& run, const std::string& budget);

}  // namespace hone::search
