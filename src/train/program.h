// A graph made executable on libtorch tensors: each node lowered once (train/lower_*.cpp, one function an operator), then
// run as a flat list of steps. Autograd records the run when parameters ask for it.
//
// A program does not own its parameters: the caller passes tensors in the order of state(), so that the same program runs
// with a student's, a teacher's or an averaged copy, and a small graph with slice views of a big store (train/params.h).
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "ir/graph.h"

namespace hone::train {

struct CompileOptions {
  bool channels_last = true;   // 4-D activations and convolution weights are kept as NHWC in memory
  bool fuse = true;            // norm with activation, dense layers to the faster library (train/fuse.h); same results within rounding
};

// How BatchNormalization behaves in a run.
enum class BatchNorm : uint8_t {
  eval,    // running statistics
  train,   // the batch's statistics; running ones are updated in place
};

struct RunOptions {
  bool training = false;                 // Dropout drops
  BatchNorm batch_norm = BatchNorm::eval;
  double batch_norm_momentum = 0.1;      // share of the new statistics in the running ones (PyTorch's convention)
  std::optional<at::Generator> generator;  // of Dropout; required when a node needs it in training
  at::ScalarType compute = at::kFloat;   // kBFloat16: products run in bf16, norms, softmax and losses in fp32
};

class Program {
 public:
  struct Slot {
    std::string name;    // checkpoint name
    at::IntArrayRef shape() const { return sizes; }
    std::vector<int64_t> sizes;
    at::ScalarType dtype;
    bool buffer = false;  // not trained
  };

  // `graph` must be typed (ir/infer.h); dynamic dimensions are allowed, nothing about sizes is baked in that the graph
  // does not say itself. An operator, attribute or type without lowering: Code::unsupported, "Op: reason".
  static Result<Program> compile(const Graph& graph, const CompileOptions& options = {});

  const std::vector<Slot>& state() const;                 // parameters and buffers in the graph's order
  const std::vector<std::string>& inputs() const;
  const std::vector<std::string>& outputs() const;

  // Inputs in the graph's order (an optional input left out is an undefined tensor). An error names the node.
  Result<std::vector<at::Tensor>> run(const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& state, const RunOptions& options) const;

  // True for values that run_to can give: those inside fused groups are not there.
  bool holds(const std::string& value) const;

  // The same, stopping at named values of the graph: for comparing networks node by node.
  Result<std::vector<at::Tensor>> run_to(const std::vector<std::string>& values, const std::vector<at::Tensor>& inputs,
                                         const std::vector<at::Tensor>& state, const RunOptions& options) const;

 private:
  struct Impl;
  Result<std::vector<at::Tensor>> execute(const std::vector<uint32_t>& wanted, bool keep, const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& state,
                                          const RunOptions& options) const;
  std::shared_ptr<const Impl> impl_;
};

// Tensor values to libtorch and back. Types of 2 and 4 bits come out one element per 8-bit integer (f4e2m1: per f32);
// strings: Code::unsupported.
Result<at::Tensor> to_torch(const Tensor& tensor);
Result<Tensor> from_torch(const at::Tensor& tensor);

}  // namespace hone::train
