#include "train/tasks.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "core/file.h"
#include "run/run_paths.h"
#include "train/classify.h"
#include "train/loop_options.h"
#include "train/run_files.h"

namespace hone::train {

namespace {

struct Plan {
  std::string frozen;
  std::shared_ptr<const LoopOptions> options;
  MakeTask make;
};

Result<Plan> plan(const std::string& path, const std::vector<std::string>& settings, const std::vector<TaskKind>& tasks) {
  std::error_code ec;
  const std::string file = std::filesystem::is_directory(path, ec) ? path + "/recipe.toml" : path;
  HONE_TRY_ASSIGN(Recipe recipe, Recipe::read(file, settings));
  std::vector<std::string> names;
  for (const TaskKind& t : tasks) names.push_back(t.name);
  const std::string name = recipe.text("task", "", "what is trained", names);
  const auto kind = std::ranges::find(tasks, name, &TaskKind::name);
  if (kind == tasks.end()) {
    HONE_TRY(recipe.finish());  // a misspelt task has its message there
    std::string list;
    for (const std::string& n : names) list += (list.empty() ? "" : ", ") + n;
    return fail(recipe.error("task", "the recipe does not say what is trained", "task = one of: " + list));
  }
  Plan plan;
  HONE_TRY_ASSIGN(plan.options, read_loop_options(recipe));
  HONE_TRY_ASSIGN(plan.make, kind->read(recipe, plan.options->compute));
  HONE_TRY(recipe.finish());
  plan.frozen = recipe.frozen();
  return plan;
}

// The recipe as the run has it where both say the same. A run of an earlier hone lacks keys that came since: they have their
// defaults there.
std::string as_in_the_run(const std::string& frozen, const std::string& run, const std::vector<TaskKind>& tasks) {
  auto own = read_file(run + "/recipe.toml");
  if (!own) return frozen;
  const auto today = plan(run, {}, tasks);
  return today && today->frozen == frozen ? std::move(*own) : frozen;
}

}  // namespace

std::vector<TaskKind> basic_tasks() { return {{"classify", "images to classes", [](Recipe& recipe, const Compute& compute) { return read_classify(recipe, compute); }}}; }

Result<std::string> frozen_recipe(const std::string& recipe, const std::vector<std::string>& settings, const std::vector<TaskKind>& tasks) {
  HONE_TRY_ASSIGN(Plan p, plan(recipe, settings, tasks));
  return std::move(p.frozen);
}

Result<Trained> run_training(const std::string& recipe, const std::string& run, const std::vector<std::string>& settings, const std::vector<TaskKind>& tasks) {
  HONE_TRY_ASSIGN(const Plan p, plan(recipe, settings, tasks));
  HONE_TRY_ASSIGN(const Place place, place_from_environment());
  HONE_TRY_ASSIGN(Ranks ranks, Ranks::join(place, p.options->timeout, [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }));
  HONE_TRY_ASSIGN(RunDir dir, open_run(run, as_in_the_run(p.frozen, run, tasks), ranks));
  try {
    at::set_num_threads(p.options->compute.threads);
    Result<std::unique_ptr<Task>> made = p.make(dir);
    if (!made) {
      if (ranks.first() && !dir.resumed()) discard_run(dir);  // a mistake in the recipe can be put right under the same name
      return fail(std::move(made).error());
    }
    const std::unique_ptr<Task> task = std::move(*made);
    if (ranks.first()) HONE_TRY(keep_named_files(dir, p.frozen));
    HONE_TRY_ASSIGN(Finished finished, train(*p.options, dir, *task, ranks));
    return Trained{std::move(finished), task->watched(), ranks.rank()};
  } catch (const c10::Error& e) {
    return fail(Code::failed, fmt::format("libtorch: {}", e.what_without_backtrace()));
  } catch (const std::exception& e) {
    return fail(Code::failed, e.what());
  }
}

}  // namespace hone::train
