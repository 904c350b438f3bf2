#include "train/run_files.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "run/run_report.h"

namespace hone::train {

using Json = nlohmann::ordered_json;

namespace {

Json numbers(const Metrics& metrics) {
  Json out = Json::object();
  for (const auto& [name, value] : metrics) out[name] = std::isfinite(value) ? Json(value) : Json(fmt::format("{}", value));
  return out;
}

std::string text_of(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace

Result<RunDir> open_run(const std::string& path, const std::string& frozen_recipe, Ranks& ranks) {
  Result<RunDir> run = ranks.first() ? RunDir::open_for_writing(path, frozen_recipe) : Result<RunDir>(fail(Code::failed, "rank 0 could not open the run directory", path));
  at::Tensor opened = at::full({1}, ranks.first() && run ? 1.0 : 0.0);
  const Status sent = ranks.broadcast(opened);
  if (ranks.first() && !run) return run;
  HONE_TRY(sent);
  if (!ranks.first() && opened.item<double>() != 0) run = RunDir::open(path);
  return run;
}

void discard_run(const RunDir& run) {
  namespace fs = std::filesystem;
  std::error_code ec;
  if (!fs::is_empty(run.file("checkpoints"), ec) || ec) return;
  for (const char* name : {"checkpoints", "recipe.toml", "events.jsonl", "lock"}) fs::remove(run.file(name), ec);
  fs::remove(run.path(), ec);  // not when something else is in it
}

Result<Log> Log::open(RunDir& run) {
  HONE_TRY_ASSIGN(TensorBoard board, TensorBoard::create(run.file("tensorboard")));
  return Log(run, std::move(board));
}

Status Log::append(const Event& event) {
  HONE_TRY(run_->append(event));
  return board_.append(event);
}

Status write_result(const RunDir& run, const Finished& finished, const std::string& watched) {
  const Json result = {{"steps", finished.steps}, {"stopped_early", finished.stopped_early}, {"watched", watched}, {"best_step", finished.best_step}, {"best", numbers(finished.best)}, {"last", numbers(finished.last)}};
  return run.write("result.json", text_of(result));
}

Status write_report(const RunDir& run) {
  HONE_TRY_ASSIGN(const Report report, run_report(run));
  return run.write("report.html", to_html(report));
}

}  // namespace hone::train
