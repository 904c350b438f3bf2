// Optimisers over parameter groups, by their PyTorch definitions (torch.optim), stepped with fused multi-tensor kernels.
#pragma once

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "train/average.h"
#include "train/params.h"
#include "train/state_file.h"

namespace hone::train {

struct OptimiserOptions {
  enum class Kind : uint8_t { sgd, adam, adamw, lamb };
  Kind kind = Kind::adamw;
  double lr = 1e-3;
  double weight_decay = 0;       // sgd, adam: added to the gradient; adamw, lamb: decoupled
  double momentum = 0.9;         // sgd; dampening 0
  bool nesterov = false;         // sgd
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  // the others
  bool decay_all = false;        // false: vectors and scalars (norms, biases), position tables and class tokens do not decay

  // A parameter belongs to the first rule whose pattern matches; one without a rule keeps lr and weight_decay as they are.
  struct Rule {
    std::string pattern;         // train/pattern.h
    double lr = 1;               // multiplies
    double weight_decay = 1;     // multiplies; applies also where decay_all = false would exempt the parameter
  };
  std::vector<Rule> rules;
};

// Adaptive clipping before an update (train/clip.h, clip_adaptive).
struct AdaptiveClip {
  double factor = 0, eps = 1e-3;   // factor 0: none
  std::vector<bool> of;            // by position in Optimiser::parameters()
};

// LAMB (You et al. 2020, algorithm 2), bias corrected, trust ratio |w| / |update| without clamping (1 when either is 0),
// for parameters with weight decay; the others take Adam's step, as timm does.
class Optimiser {
 public:
  // Steps what is trainable now; thaw parameters before.
  Optimiser(const OptimiserOptions& options, const Params& params);

  // One update with every rate multiplied by `factor` (the schedule's). Parameters without a gradient are left alone.
  void step(double factor) { step(factor, {}, nullptr, {}); }
  // Adaptive clipping, the update, and then the average's of `params`, those that the optimiser was made with. Adam and AdamW on
  // the CPU do the three in one pass over memory (train/kernels/adam.h) and leave the gradients unclipped.
  void step(double factor, const AdaptiveClip& clip, Average* average, const Params& params);
  void zero_grad();
  const std::vector<at::Tensor>& parameters() const { return parameters_; }
  const std::vector<std::string>& names() const { return names_; }

  State save() const;
  Status load(const State& state);   // of the same parameters and kind, else an error

 private:
  struct Slot {
    size_t group = 0, entry = 0;   // entry: in Params::entries()
    at::Tensor first, second;   // momentum, or both moments of Adam; undefined before the first update
    at::Tensor steps;           // updates so far, fp32 scalar as the fused kernels want it
  };
  struct Group {
    double lr = 1, weight_decay = 0;
  };
  std::vector<bool> step_in_one_pass(double factor, const AdaptiveClip& clip, Average* average);
  void step_sgd(const Group& group, const std::vector<size_t>& members, double lr);
  void step_adam(const Group& group, const std::vector<size_t>& members, double lr);
  void step_lamb(const Group& group, const std::vector<size_t>& members, double lr);

  OptimiserOptions options_;
  std::vector<at::Tensor> parameters_;
  std::vector<std::string> names_;
  std::vector<Slot> slots_;
  std::vector<Group> groups_;
};

}  // namespace hone::train
