// A selector's run, opened for use in libtorch.
#pragma once

#include <string>

#include "methods/canvas/selector.h"
#include "retrieval/trained.h"

namespace hone::methods {

struct TrainedSelector {
  SelectorRun run;
  Selector selector;  // parameters of the checkpoint, frozen
};
Result<TrainedSelector> open_selector(const std::string& run);

}  // namespace hone::methods
