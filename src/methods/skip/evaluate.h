// What trained runs of task skip are worth: accuracy by the official measures of their data, against what they cost.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"
#include "methods/skip/task.h"
#include "run/report.h"

namespace hone::methods {

struct SkipEvaluation {
  std::string run, network, split;
  train::Metrics measures;             // the first one is the accuracy that methods are compared by
  double loss = 0;
  int64_t examples = 0;
  int64_t trained = 0, adapters = 0;   // parameters: all that training moved, and those of adapters among them
  int64_t params = 0, macs = 0;        // of the network as it answers
  int64_t backbone_macs = 0;           // of the network with every module and no adapter
  int64_t pictures = 0;                // retrieval: all pairs of so many pictures with the examples
  int64_t encoded_macs = 0, pair_macs = 0;  // retrieval: of one caption and one picture, each once; of a pair
  std::string answers;                 // where they were asked for: a file as the data's official evaluation takes it
  std::vector<std::string> notes;      // what of the data was left out
  SkipSet set;
  int64_t candidates = 0;
  double seconds = 0;                  // that the run's processes took, validation included; 0: not known
  double search_seconds = 0;           // the same of the search that its set came from; 0: none, or not there any more
};

// A run's network with its set (skip_set.json), its best checkpoint and the data that it was adapted to.
Result<std::unique_ptr<SkipTask>> open_skip_run(const std::string& run);

// `split`: "test" or "validation", or a name of the data's. With `answers` a split whose answers are not known is answered too, and
// has no measures. Errors: a run of another task, no checkpoint, an unknown split, questions without answers; answers of data without questions.
Result<SkipEvaluation> evaluate_skip(const std::string& run, const std::string& split, bool answers = false);

// What answers(`file`) of a run hold; the whole report where nothing can be measured.
Facts answers_facts(const SkipEvaluation& run, const std::string& file);

// `ms`: time of one inference of each run, or empty.
Result<Report> skip_report(const std::vector<SkipEvaluation>& runs, const std::vector<double>& ms);

}  // namespace hone::methods
