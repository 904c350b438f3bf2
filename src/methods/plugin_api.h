// What libhone_train.so offers the command line besides training (train/plugin_api.h). No torch here.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "run/report.h"
#include "zoo/catalog.h"
#include "zoo/space.h"

namespace hone::methods {

struct EvalRequest {
  std::vector<std::string> runs;          // several: one method trained with several seeds
  std::vector<std::string> against;       // the same for the method that it is compared with
  std::string split = "test";             // or validation, or for runs of task skip a split of their data
  std::string answers;                    // file to write one run's answers to, as the data's evaluation takes them; empty: none. Of task skip
  bool force = false;                     // overwrite it
  // Median milliseconds of one inference of each of these runs; empty: nothing is timed. Of task skip.
  std::function<Result<std::vector<double>>(const std::vector<std::string>& runs)> times;
};

// extern "C" symbol of the library: hone_eval_run.
using EvalRun = void(const EvalRequest& request, Result<Report>& reply);

// How well a member does with the weights that it inherits, after its BatchNorm statistics were measured anew.
struct MemberScore {
  double accuracy = 0, loss = 0;   // top-1 share and cross-entropy
  int64_t images = 0;
};

struct SupernetRequest {
  std::string run;                    // directory of a supernet run
  int threads = 1;                    // of libtorch
  int64_t calibration_batches = -1;   // training batches that statistics are measured on; -1: what the run's recipe says
  int64_t images = 0;                 // of the split that scores use, the first ones of a seeded order; 0: all
  std::vector<std::string> settings;  // "table.key=value" over the run's recipe (where the data lie)
};

// A trained supernet, opened for search and export. Calibrated statistics are kept by member, so that asking twice costs
// nothing. Not thread-safe: open one for each thread.
class Supernet {
 public:
  virtual ~Supernet() = default;
  virtual const space::Space& space() const = 0;
  // `split`: "search" (training pictures that no step trained on), or "val". A member outside the space: Code::usage with
  // the gene and its choices.
  virtual Result<MemberScore> score(const space::Member& member, const std::string& split) = 0;
  // The member by itself: its Graph with the sliced weights and its own statistics inside, and in the metadata where they come from.
  virtual Result<Network> network(const space::Member& member) = 0;
  // Which weights these are: another text once they have been trained further; it begins with weights_id(). Searches keep
  // scores under it.
  virtual std::string weights() const = 0;
  // Members of the run's memory banks, the best of each level first; empty without banks, an error where they cannot be read.
  virtual Result<std::vector<space::Member>> bank() const = 0;
};

// Of a checkpoint whose SHA-256 is this.
inline std::string weights_id(const std::string& sha256) { return sha256.substr(0, 16); }

// extern "C" symbol of the library: hone_supernet_open. Errors: no run directory, a run of another task, no checkpoint yet.
using SupernetOpen = void(const SupernetRequest& request, Result<std::unique_ptr<Supernet>>& reply);

// What members over the cost range are worth, in one run or several.
struct SupernetEvalRequest {
  std::vector<std::string> runs;          // "NAME-0", "NAME-1", ... are one method with several seeds
  int64_t members = 20;                   // drawn of each level; the same for every run
  std::vector<std::string> archs;         // in place of drawn ones: files with encodings or stage tables
  std::string split = "val";
  int64_t images = 0, calibration_batches = -1;   // as in SupernetRequest
  int threads = 1;
  std::vector<std::string> settings;
};
// extern "C" symbol of the library: hone_supernet_eval.
using SupernetEval = void(const SupernetEvalRequest& request, Result<Report>& reply);

// How far the gradients of members agree on the weights that they share.
struct SupernetConflictRequest {
  std::vector<std::string> runs;
  int64_t members = 4, batches = 2;       // drawn of each level (and as many of its bank); batches that cosines are means over
  int threads = 1;
  std::vector<std::string> settings;
};
// extern "C" symbol of the library: hone_supernet_conflict.
using SupernetConflict = void(const SupernetConflictRequest& request, Result<Report>& reply);

}  // namespace hone::methods
