// Tasks by name: a recipe says `task = "classify"`, and the task's own keys stand beside those of the loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "train/loop.h"

namespace hone::train {

// Makes the task inside its run, which is open and locked by then.
using MakeTask = std::function<Result<std::unique_ptr<Task>>(RunDir& run)>;

struct TaskKind {
  std::string name, about;
  // Asks the recipe for every key of the task. Nothing is opened yet that takes long or writes.
  Result<MakeTask> (*read)(Recipe& recipe, const Compute& compute);
};

// Those of this room; methods add theirs (methods/tasks.h).
std::vector<TaskKind> basic_tasks();

// What `hone train` does: reads the recipe with `settings` over it, opens or makes the run, and trains to the end. A run
// directory in place of a recipe goes on with the recipe frozen in it.
struct Trained {
  Finished finished;
  std::string watched;
  int rank = 0;
};
Result<Trained> run_training(const std::string& recipe, const std::string& run, const std::vector<std::string>& settings, const std::vector<TaskKind>& tasks);

// The recipe with every default of its task and the loop written out.
Result<std::string> frozen_recipe(const std::string& recipe, const std::vector<std::string>& settings, const std::vector<TaskKind>& tasks);

}  // namespace hone::train
