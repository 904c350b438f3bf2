// What the loop writes into a run directory beside checkpoints: events (and TensorBoard's copy of them), result, report.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "run/tensorboard.h"
#include "train/loop.h"

namespace hone::train {

// Rank 0 makes or opens the run and holds its lock; the others open it for reading once it is there, and fail when rank 0 does.
Result<RunDir> open_run(const std::string& path, const std::string& frozen_recipe, Ranks& ranks);

// Takes back a run that open_run() has just made and that nothing was trained in. A folder with anything else in it stays.
void discard_run(const RunDir& run);

// Events go to events.jsonl and, as scalars, to tensorboard/. TensorBoard keeps the newer of steps that repeat after a resume.
class Log {
 public:
  static Result<Log> open(RunDir& run);
  Status append(const Event& event);

 private:
  Log(RunDir& run, TensorBoard board) : run_(&run), board_(std::move(board)) {}
  RunDir* run_;
  TensorBoard board_;
};

// result.json: {"steps", "stopped_early", "watched", "best_step", "best": {metric: value}, "last": {...}}
Status write_result(const RunDir& run, const Finished& finished, const std::string& watched);

// report.html: what `hone runs show` says, with its curves.
Status write_report(const RunDir& run);

}  // namespace hone::train
