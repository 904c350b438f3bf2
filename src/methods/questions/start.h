// The weights that a network of texts and pictures begins with: fresh ones, a checkpoint's, or those of several checkpoints that each
// hold a part of it, as METER begins with CLIP's pictures and RoBERTa's texts.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "formats/checkpoint.h"
#include "ir/graph.h"
#include "train/params.h"

namespace hone::methods {

// What weights bring along. A run directory stands for its best checkpoint: the entry of `weights` becomes that file. A run that read
// texts holds their vocabulary: `tokenizer` becomes it when it is empty; another vocabulary than the run's is an error, since its ids
// would mean other words.
Status use_weights_of_runs(std::vector<std::string>& weights, std::string& tokenizer);

// Fresh dense layers get this standard deviation; embeddings keep theirs. 0: nothing changes.
void set_dense_start(Graph& graph, double deviation);

struct Start {
  std::vector<std::string> loaded;  // names of the network's tensors that a file gave
  std::vector<std::string> notes;   // per file what was loaded, resized, of another shape and unused; what is missing from all of them
};
// Copies what the files hold into `params`, the store of `graph`; `prepare` sees the tensors of each file before, under its own names.
// Errors: a file that gives nothing, a tensor that two files give (neither is preferred).
using Prepare = std::function<Status(const std::string& file, NamedTensors& tensors)>;
Result<Start> start_from(const std::vector<std::string>& files, const Graph& graph, train::Params& params, const Prepare& prepare);

}  // namespace hone::methods
