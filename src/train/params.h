// Params: a network's state, name -> tensor. A smaller graph may be bound to a bigger store: each of its parameters is then
// a view into the store's, so that training the small one trains the big one and nothing is copied.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/error.h"
#include "formats/checkpoint.h"
#include "ir/graph.h"
#include "train/program.h"

namespace hone::train {

class Params {
 public:
  struct Entry {
    std::string name;
    at::Tensor tensor;     // a leaf; requires_grad follows `trainable`
    bool buffer = false;   // BatchNorm statistics and the like: saved, averaged, never stepped
    bool trainable = true; // false: frozen
  };

  // The graph's own contents where it has them, the rest fresh from `seed` (rewrite/weights.h).
  static Result<Params> of(const Graph& graph, uint64_t seed, bool channels_last = true);

  const std::vector<Entry>& entries() const { return entries_; }
  std::vector<Entry>& entries() { return entries_; }
  const Entry* find(const std::string& name) const;

  // Tensors for `program` in the order of its state(): the entry itself where shapes agree, else a slice view. Leading
  // slice in every dimension, centre crop in the spatial dimensions of a convolution kernel. A missing name, another
  // rank, or a dimension larger than the store's: an error that names the parameter and both shapes.
  Result<std::vector<at::Tensor>> bind(const Program& program) const;

  // Freezes or thaws entries whose name matches a pattern (train/pattern.h); returns how many.
  int64_t set_trainable(const std::string& pattern, bool trainable);

  Params clone() const;                       // deep copy, detached (a teacher, an average)
  void to(at::Device device);

  // What a checkpoint gave, for the report of a run.
  struct LoadReport {
    std::vector<std::string> loaded, resized, missing, unused, mismatched;  // names; mismatched with both shapes
    std::string how;                                                       // renaming that was done, see formats/checkpoint.h
  };
  // Copies what matches by name and shape. Position tables of another length are resized bicubically when `resize` (2-D
  // grids; a leading class token is kept). `strict`: anything missing or mismatched is an error.
  Result<LoadReport> load(const Graph& graph, NamedTensors tensors, bool strict, bool resize);
  NamedTensors save() const;                  // contiguous copies in the checkpoint's layout

 private:
  std::vector<Entry> entries_;
  std::unordered_map<std::string, size_t> by_name_;
};

}  // namespace hone::train
