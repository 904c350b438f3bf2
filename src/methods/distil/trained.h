// A finished (or running) sketch run, opened for use: its encoder with the best checkpoint.
#pragma once

#include <string>

#include "methods/distil/options.h"
#include "run/run_dir.h"

namespace hone::methods {

struct TrainedEncoder {
  SketchOptions options;
  Encoder encoder;         // parameters of the checkpoint, frozen
  std::string checkpoint;  // file they came from
};

// Errors: no run directory, a run of another task, no checkpoint yet (hint: train first).
Result<TrainedEncoder> open_trained(const std::string& run);
// What the run's recipe says, without its network.
Result<SketchOptions> sketch_options_of(const std::string& run);

// "sketch", "canvas", ...: the task of a run's recipe.
Result<std::string> task_of(const std::string& run);
// The best checkpoint of a run, else its last.
Result<std::string> checkpoint_of(const RunDir& run);

}  // namespace hone::methods
