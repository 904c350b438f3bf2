// A finished (or running) sketch run, opened for use in libtorch: its encoder with the best checkpoint.
#pragma once

#include <string>

#include "methods/distil/encoder.h"
#include "retrieval/trained.h"

namespace hone::methods {

struct TrainedEncoder {
  SketchRun run;
  Encoder encoder;  // parameters of the checkpoint, frozen
};
// Errors: no run directory, a run of another task, no checkpoint yet (hint: train first).
Result<TrainedEncoder> open_trained(const std::string& run);

}  // namespace hone::methods
