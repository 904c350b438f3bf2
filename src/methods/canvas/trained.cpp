#include "methods/canvas/trained.h"

namespace hone::methods {

Result<TrainedSelector> open_selector(const std::string& path) {
  TrainedSelector out;
  HONE_TRY_ASSIGN(out.run, open_selector_run(path));
  HONE_TRY_ASSIGN(out.selector, Selector::make(out.run.options, static_cast<int64_t>(out.run.canvases.size()), 0));
  HONE_TRY_ASSIGN(const Graph graph, out.selector.graph(1));
  HONE_TRY_ASSIGN(const auto report, out.selector.params().load(graph, out.run.tensors, true, false));
  (void)report;
  out.selector.params() = out.selector.params().clone();
  return out;
}

}  // namespace hone::methods
