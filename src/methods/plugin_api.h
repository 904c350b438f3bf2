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

// extern "C" symbol of the library: hone_eval_run.
using EvalRun = void(const EvalRequest& request, Result<Report>& reply);

}  // namespace hone::methods
