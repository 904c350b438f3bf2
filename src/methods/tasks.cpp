#include "methods/tasks.h"

#include "methods/canvas/task.h"
#include "methods/distil/task.h"

namespace hone::methods {

namespace {

Result<train::MakeTask> read_sketch(Recipe& recipe, const train::Compute& compute) {
  return [options = read_sketch_options(recipe), compute](RunDir& run) -> Result<std::unique_ptr<train::Task>> { return SketchTask::make(options, compute, run.path()); };
}

Result<train::MakeTask> read_canvas(Recipe& recipe, const train::Compute& compute) {
  return [options = read_canvas_options(recipe), compute](RunDir&) -> Result<std::unique_ptr<train::Task>> { return CanvasTask::make(options, compute); };
}

}  // namespace

std::vector<train::TaskKind> tasks() {
  std::vector<train::TaskKind> all = train::basic_tasks();
  all.push_back({"sketch", "an encoder of sketches and photos: triplets, and a teacher's distances", read_sketch});
  all.push_back({"canvas", "the policy that picks a sketch's canvas", read_canvas});
  return all;
}

}  // namespace hone::methods
