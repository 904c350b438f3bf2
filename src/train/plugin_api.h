// What libhone_train.so offers the command line. No torch here: the command line includes this and loads the library when
// a command needs it (cli/plugin.h). Both are built together, so C++ values cross the border.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"

namespace hone::train {

struct TrainRequest {
  std::string recipe, run;              // a recipe file or a run directory; the run directory
  std::vector<std::string> settings;    // "table.key=value"
  bool frozen_only = false;             // print the recipe with every default and stop
};

struct TrainReply {
  std::string frozen;                   // when asked for
  int64_t steps = 0, best_step = 0;
  bool stopped_early = false;
  int rank = 0;
  std::string watched;
  std::vector<std::pair<std::string, double>> best, last;
};

// extern "C" symbols of the library:
//   const char* hone_train_version()                                the version of libtorch
//   void hone_train_run(const TrainRequest&, Result<TrainReply>&)
using TrainRun = void(const TrainRequest& request, Result<TrainReply>& reply);

}  // namespace hone::train
