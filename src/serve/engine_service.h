// The query path on the engine (retrieval/query.h) as what the server asks, one a worker over one shared index.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "serve/service.h"

namespace hone {

struct EngineServiceOptions {
  std::string run;                 // a sketch run, or a selector's
  std::string index;               // "": the test photos of the run's data, embedded now
  std::string full_run;            // what answers are compared with; "": the same run on its largest canvas
  std::string full_index;          // as `index`, for full_run
  std::string engine = "openvino";
  int workers = 1;                 // questions answered at once
  int threads = 1;                 // of one question
};

// Networks are compiled before this returns. Errors: those of QueryPath::open, and of reading the index.
Result<std::vector<std::unique_ptr<QueryService>>> open_engine_services(const EngineServiceOptions& options);

}  // namespace hone
