#include "methods/tasks.h"

#include "methods/canvas/task.h"
#include "methods/distil/task.h"
#include "methods/pretrain/task.h"
#include "methods/skip/task.h"
#include "methods/supernet/start.h"
#include "methods/supernet/task.h"
#include "train/loop_options.h"

namespace hone::methods {

namespace {

Result<train::MakeTask> read_classify(Recipe& recipe, const train::Compute& compute) { return train::read_classify(recipe, compute, start_from_member); }

Result<train::MakeTask> read_sketch(Recipe& recipe, const train::Compute& compute) {
  return [options = read_sketch_options(recipe), compute](RunDir& run) -> Result<std::unique_ptr<train::Task>> {
    SketchOptions o = options;
    HONE_TRY_ASSIGN(const auto start, start_from_member(o.network.net, o.network.canvases.empty() ? 0 : o.network.canvases.back(), run));
    if (start) {
      o.network.net = start->network;
      if (o.network.weights.empty()) o.network.weights = start->weights;
    }
    return SketchTask::make(o, compute, run.path());
  };
}

Result<train::MakeTask> read_canvas(Recipe& recipe, const train::Compute& compute) {
  return [options = read_canvas_options(recipe), compute](RunDir&) -> Result<std::unique_ptr<train::Task>> { return CanvasTask::make(options, compute); };
}

Result<train::MakeTask> read_supernet(Recipe& recipe, const train::Compute& compute) {
  HONE_TRY_ASSIGN(SupernetOptions options, read_supernet_options(recipe, compute));
  return train::MakeTask([options](RunDir&) { return SupernetTask::make(options); });
}

Result<train::MakeTask> read_skip(Recipe& recipe, const train::Compute& compute) {
  SkipOptions options = read_skip_options(recipe, compute);
  HONE_TRY_ASSIGN(const auto loop, train::read_loop_options(recipe));
  options.total_steps = [loop](int64_t steps_per_epoch) { return loop->total_steps(steps_per_epoch); };
  return [options, compute](RunDir& run) -> Result<std::unique_ptr<train::Task>> { return SkipTask::make(options, compute, &run); };
}

Result<train::MakeTask> read_pretrain(Recipe& recipe, const train::Compute& compute) {
  return [options = read_pretrain_options(recipe), compute](RunDir& run) -> Result<std::unique_ptr<train::Task>> { return PretrainTask::make(options, compute, &run); };
}

}  // namespace

std::vector<train::TaskKind> tasks() {
  std::vector<train::TaskKind> all = train::basic_tasks();
  for (train::TaskKind& kind : all)
    if (kind.name == "classify") kind.read = read_classify;
  all.push_back({"sketch", "an encoder of sketches and photos: triplets, and a teacher's distances", read_sketch});
  all.push_back({"canvas", "the policy that picks a sketch's canvas", read_canvas});
  all.push_back({"supernet", "the networks of a search space, all in one set of weights", read_supernet});
  all.push_back({"pretrain", "a vision-language network learns hidden words and whether text and picture match", read_pretrain});
  all.push_back({"skip", "a frozen network adapted with some of its modules left out: the search, and the training", read_skip});
  return all;
}

}  // namespace hone::methods
