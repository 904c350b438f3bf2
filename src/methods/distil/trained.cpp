#include "methods/distil/trained.h"

#include <fmt/format.h>

#include <filesystem>

#include "run/recipe.h"

namespace hone::methods {

Result<std::string> checkpoint_of(const RunDir& run) {
  for (const char* name : {"checkpoints/best.safetensors", "checkpoints/last.safetensors"})
    if (std::filesystem::exists(run.file(name))) return run.file(name);
  return fail(Code::not_found, "the run has no checkpoint yet", run.path(), "train it first: hone train RECIPE " + run.path());
}

Result<std::string> task_of(const std::string& path) {
  HONE_TRY_ASSIGN(const RunDir run, RunDir::open(path));
  HONE_TRY_ASSIGN(const std::string text, run.recipe());
  HONE_TRY_ASSIGN(Recipe recipe, Recipe::parse(text, run.file("recipe.toml")));
  return recipe.text("task", "", "");
}

Result<SketchOptions> sketch_options_of(const std::string& path) {
  HONE_TRY_ASSIGN(const RunDir run, RunDir::open(path));
  HONE_TRY_ASSIGN(const std::string text, run.recipe());
  HONE_TRY_ASSIGN(Recipe recipe, Recipe::parse(text, run.file("recipe.toml")));
  if (const std::string task = recipe.text("task", "", ""); task != "sketch")
    return fail(Code::usage, fmt::format("a sketch run is needed, this run's task is '{}'", task), path, "train one with a recipe of recipes/sketch");
  return read_sketch_options(recipe);
}

Result<TrainedEncoder> open_trained(const std::string& path) {
  TrainedEncoder out;
  HONE_TRY_ASSIGN(out.options, sketch_options_of(path));
  HONE_TRY_ASSIGN(const RunDir run, RunDir::open(path));
  HONE_TRY_ASSIGN(out.checkpoint, checkpoint_of(run));
  EncoderOptions network = out.options.network;
  network.weights.clear();  // the checkpoint holds every tensor
  HONE_TRY_ASSIGN(out.encoder, Encoder::make(network, 0));
  HONE_TRY_ASSIGN(NamedTensors tensors, read_checkpoint(out.checkpoint));
  HONE_TRY_ASSIGN(const auto report, out.encoder.params().load(out.encoder.graph(), std::move(tensors), true, false));
  (void)report;
  out.encoder.params() = out.encoder.params().clone();
  return out;
}

}  // namespace hone::methods
