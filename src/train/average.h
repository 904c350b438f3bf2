// Exponential moving average of a network's parameters and buffers.
#pragma once

#include <vector>

#include "train/params.h"
#include "train/state_file.h"

namespace hone::train {

class Average {
 public:
  // average <- d average + (1 - d) params with d = min(decay, (1 + n) / (10 + n)) after n updates: early averages forget
  // the random start. `warm_up` false: d = decay from the first update.
  Average(const Params& params, double decay, bool warm_up);

  void update(const Params& params, const std::vector<bool>& done = {});   // integers (batch counters) are copied; entries marked in `done` have their update
  double next_decay() const;           // d of the next update
  Params& params() { return average_; }
  const Params& params() const { return average_; }

  State save() const;
  Status load(const State& state);

 private:
  Params average_;
  double decay_;
  bool warm_up_;
  int64_t updates_ = 0;
};

// Copies saved tensors over a store's own, all of them and nothing else: a checkpoint of another network is an error.
Status restore(Params& params, const std::map<std::string, at::Tensor>& tensors);

}  // namespace hone::train
