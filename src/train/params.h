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
    bool trainable = true; // false: frozen; always false for a buffer
    int64_t centred = -1;  // first dimension that a slice takes from the middle: 2 of a convolution's weight (spatial), -1: none
    int64_t parts = 1;     // dimension 0 is this many equal parts (3: q, k and v in one table); a slice takes the head of each
  };

  // The graph's own contents where it has them, the rest fresh from `seed` (rewrite/weights.h).
  static Result<Params> of(const Graph& graph, uint64_t seed, bool channels_last = true);

  const std::vector<Entry>& entries() const { return entries_; }
  std::vector<Entry>& entries() { return entries_; }
  const Entry* find(const std::string& name) const;
  // One more entry, that no graph declares (a projection that only training needs). A name that is taken: an error.
  Status add(std::string name, at::Tensor tensor, bool buffer);

  // Tensors for `program` in the order of its state(): the entry's own tensor where shapes agree, else a slice view.
  // Leading slice in every dimension, centre crop in the spatial dimensions of a convolution kernel. An entry of several
  // parts whose first dimension is cut gives a copy that autograd follows, so a buffer must not be cut that way.
  // A missing name, another rank or type, or a dimension larger than the store's: an error with the name and both shapes.
  Result<std::vector<at::Tensor>> bind(const Program& program) const;

  // One slice of an entry, as bind() makes it.
  Result<at::Tensor> slice(const Entry& entry, at::IntArrayRef shape) const;
  // Where the slice begins, in elements behind the entry's first; its strides are the entry's. An entry of several parts has no
  // such place: Code::invalid.
  Result<int64_t> offset(const Entry& entry, at::IntArrayRef shape) const;

  // Freezes or thaws the parameters whose name matches a pattern (train/pattern.h); returns how many.
  int64_t set_trainable(const std::string& pattern, bool trainable);
  // Declares the parts of dimension 0 (see Entry) of what matches; returns how many.
  int64_t set_parts(const std::string& pattern, int64_t parts);
  // Declares from which dimension on (see Entry) slices of what matches are central; returns how many.
  int64_t set_centred(const std::string& pattern, int64_t first);

  Params clone() const;                       // deep copy, detached and frozen (a teacher, an average)
  void to(at::Device device);

  // What a checkpoint gave, for the report of a run.
  struct LoadReport {
    std::vector<std::string> loaded, resized, missing, unused, mismatched;  // names; mismatched with both shapes
    std::string how;                                                       // renaming that was done, see formats/checkpoint.h
    std::string text() const;                                              // one line: counts, and the first names of what went wrong
  };
  // Copies what matches by name and shape. Position tables of another length are resized when `resize`: 2-D grids, bicubically in fp32, with antialiasing
  // as timm does, CLIP's ("positional_embedding") without as METER does; class tokens in front are kept, relative tables ("relative_position_bias_table")
  // have odd grids, a text's table loses its last rows; a table of modalities gets a row for a second picture. `strict`: anything missing or mismatched
  // is an error, and nothing was copied then. BatchNorm's batch counters are never missed.
  Result<LoadReport> load(const Graph& graph, NamedTensors tensors, bool strict, bool resize);
  NamedTensors save() const;                  // contiguous copies in the checkpoint's layout

 private:
  std::vector<Entry> entries_;
  std::unordered_map<std::string, size_t> by_name_;
};

// The position table `from` for a network that wants `shape`; undefined when it is no grid, a text's is too short, or the rest differs.
at::Tensor resize_positions(const std::string& name, const at::Tensor& from, at::IntArrayRef shape);

}  // namespace hone::train
