// What libhone_train.so offers the command line besides training (train/plugin_api.h). No torch here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "run/report.h"

namespace hone::methods {

struct EvalRequest {
  std::vector<std::string> runs;          // several: one method trained with several seeds
  std::vector<std::string> against;       // the same for the method that it is compared with
  std::string split = "test";             // or validation
};

struct RetrieveRequest {
  std::string run;                        // a sketch run, or a selector's
  std::vector<std::string> sketches;      // files of strokes; none: test sketches of the run's data
  std::string gallery;                    // folder of photos; "": the test photos of the run's data
  int64_t top = 10, limit = 12;           // photos a sketch, sketches in all
};

// extern "C" symbols of the library: hone_eval_run, hone_retrieve_run.
using EvalRun = void(const EvalRequest& request, Result<Report>& reply);
using RetrieveRun = void(const RetrieveRequest& request, Result<Report>& reply);

}  // namespace hone::methods
