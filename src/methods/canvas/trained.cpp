#include "methods/canvas/trained.h"

#include <fmt/format.h>

#include "run/recipe.h"
#include "run/run_dir.h"

namespace hone::methods {

Result<TrainedSelector> open_selector(const std::string& path) {
  HONE_TRY_ASSIGN(const RunDir run, RunDir::open(path));
  HONE_TRY_ASSIGN(const std::string text, run.recipe());
  HONE_TRY_ASSIGN(Recipe recipe, Recipe::parse(text, run.file("recipe.toml")));
  if (const std::string task = recipe.text("task", "", ""); task != "canvas") return fail(Code::usage, fmt::format("a selector's run is needed, this run's task is '{}'", task), path);
  TrainedSelector out;
  out.options = read_canvas_options(recipe);
  HONE_TRY_ASSIGN(out.checkpoint, checkpoint_of(run));
  HONE_TRY_ASSIGN(const SketchOptions encoder, sketch_options_of(out.options.encoder));
  out.canvases = encoder.network.canvases;
  HONE_TRY_ASSIGN(out.selector, Selector::make(out.options.selector, static_cast<int64_t>(out.canvases.size()), 0));
  HONE_TRY_ASSIGN(NamedTensors tensors, read_checkpoint(out.checkpoint));
  HONE_TRY_ASSIGN(const Graph graph, out.selector.graph(1));
  HONE_TRY_ASSIGN(const auto report, out.selector.params().load(graph, std::move(tensors), true, false));
  (void)report;
  out.selector.params() = out.selector.params().clone();
  return out;
}

}  // namespace hone::methods
