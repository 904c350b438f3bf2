// A selector's run, opened for use.
#pragma once

#include <string>

#include "methods/canvas/task.h"

namespace hone::methods {

struct TrainedSelector {
  CanvasOptions options;
  std::vector<int64_t> canvases;
  Selector selector;       // parameters of the checkpoint, frozen
  std::string checkpoint;
};
Result<TrainedSelector> open_selector(const std::string& run);

}  // namespace hone::methods
