// What became of a supernet run, in one report: the levels that its steps trained, its memory banks over time, what its searches
// scored, and what members are worth beside networks that were trained by themselves.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "run/run_dir.h"
#include "search/search_report.h"

namespace hone::search {

// A network of the space that another run trained by itself, and the same member with the supernet's weights on the same pictures.
struct Alone {
  std::string run;
  space::Member member;
  double accuracy = 0, inherited = 0;   // top-1 on the validation split
  int64_t images = 0;
};

struct SupernetStory {
  std::string run;
  space::Space space;                    // with the run's levels
  std::vector<Event> events;
  std::vector<ArchiveFile> archives;     // of one space, split and weights, the newest first
  std::vector<space::Member> bank;       // at the run's end
  std::vector<Alone> alone;
};

// Parts that the run has nothing for are left out; a note says what would fill them.
Report supernet_report(const SupernetStory& story);

}  // namespace hone::search
