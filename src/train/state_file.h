// State: named tensors and texts that a task, optimiser or bank saves and gets back, bit for bit; kept in one safetensors
// file (texts are its metadata). And the checkpoints of a run, which survive a crash at any moment.
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <optional>
#include <string>

#include "core/error.h"
#include "run/run_dir.h"
#include "train/params.h"

namespace hone::train {

struct State {
  std::map<std::string, at::Tensor> tensors;
  std::map<std::string, std::string> texts;   // JSON, counters, generator states

  // Everything of `other` under "prefix.": how parts of a checkpoint share one file.
  void put(const std::string& prefix, const State& other);
  State part(const std::string& prefix) const;
  // A text that must be there and be a whole number, or a number ("%a", exact).
  Result<int64_t> integer(const std::string& name) const;
  Result<double> real(const std::string& name) const;
  void set(const std::string& name, int64_t value);
  void set(const std::string& name, double value);
};

// Atomic: the old file stays until the new one is complete on the disk.
Status write_state(const State& state, const std::string& path);
Result<State> read_state(const std::string& path);

// checkpoints/last.safetensors (parameters) and checkpoints/last.state (the rest) belong together. Both are written as
// next.*, complete and flushed, before either is renamed; next.state comes second, so its presence says that the pair is
// complete, and a reader finishes the renames that a crash left undone.
struct Checkpoint {
  NamedTensors params;
  State state;
};
Status write_checkpoint(const RunDir& run, const Params& params, const State& state);
// Finishes what a killed writer left half done and removes its scraps; only for the process that holds the run's lock.
Status recover_checkpoint(const RunDir& run);
// Nothing when the run has none.
Result<std::optional<Checkpoint>> read_checkpoint(const RunDir& run);
// One file of parameters, checkpoints/NAME.safetensors.
Status write_params(const RunDir& run, const std::string& name, const Params& params, const std::map<std::string, std::string>& metadata);

}  // namespace hone::train
