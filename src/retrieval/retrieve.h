// Sketches in, ranked photos out: what a trained run is for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "retrieval/query.h"
#include "run/report.h"

namespace hone {

struct RetrieveRequest {
  std::string run;                    // a sketch run, or a selector's
  std::vector<std::string> sketches;  // files of strokes; none: test sketches of the run's data
  std::string index;                  // store that is searched; "": the gallery is embedded for this once
  std::string gallery;                // photos as open_gallery() takes them; "": those of the index, else the test photos of the run's data
  SearchMode mode = SearchMode::best;
  int64_t canvas = 0;                 // 0: the selector's choice
  int64_t top = 10, limit = 12;       // photos a sketch, sketches in all
  QueryOptions options;
};

// A row per sketch: canvas, work and milliseconds of each step, the nearest photos; and the same as pictures, hits marked
// where the photo is known. Errors: no sketch, an empty gallery, a photo that cannot be read.
Result<Report> retrieve(const RetrieveRequest& request);

}  // namespace hone
