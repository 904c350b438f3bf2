// What a run directory says about its run, in a few words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "run/run_dir.h"

namespace hone {

using Figures = std::vector<std::pair<std::string, double>>;

struct RunSummary {
  enum class State { running, finished, stopped };
  std::string path;
  State state = State::stopped;
  std::string writer;                // who writes it, while it runs
  int64_t step = 0;                  // of the last event
  std::string began;                 // UTC, of the first session; may be empty
  double idle_seconds = 0;           // since the last event
  std::string last_event;            // UTC, when that was
  int64_t sessions = 0;              // processes that worked on it
  // Of the finished run; of a running one `last` is its newest validation and the others are empty.
  std::string watched;               // the metric that chose the best checkpoint; "-loss": smaller is better
  int64_t best_step = 0;
  Figures best, last;

  std::string_view state_name() const;
  std::optional<double> best_value() const;  // of the watched metric
};

// Damaged files of the run are errors.
Result<RunSummary> summarise(const RunDir& run);

// Run directories at or beneath `folder`, at most four levels down, in order of name. Links are not followed.
std::vector<std::string> find_runs(const std::string& folder);

}  // namespace hone
