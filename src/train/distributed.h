// Data-parallel training: the ranks of one run, on PyTorch's own c10d (Gloo on CPUs, NCCL on GPUs).
//
// A step's batch is cut into micro-batches; rank r computes those with index r, r + world, ... Gradients are summed over
// ranks bucket by bucket while backward still runs (Li et al. 2020, "PyTorch Distributed"), so the step equals that of one
// rank that accumulates the same micro-batches, up to rounding. BatchNorm normalises by its micro-batch's statistics, as
// it does under accumulation; running statistics are averaged over ranks after every step.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"

namespace hone::train {

// Where a process stands among the ranks of a run.
struct Place {
  int rank = 0, local_rank = 0, world = 1, local_world = 1;  // local: on this machine
  std::string address;
  int port = 0;
};
// By torchrun's variables (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT) or Slurm's (SLURM_PROCID, SLURM_NTASKS,
// SLURM_LOCALID, with MASTER_ADDR and MASTER_PORT); without them the only one.
Result<Place> place_from_environment();

class Ranks {
 public:
  Ranks();  // one rank: every collective is a no-op
  // Waits for all ranks to come; `say` is told who is missing, after a while and then now and again.
  using Say = std::function<void(const std::string&)>;
  static Result<Ranks> join(const Place& place, double timeout_seconds, const Say& say = {}, double patience_seconds = 10);
  Ranks(Ranks&&) noexcept;
  Ranks& operator=(Ranks&&) noexcept;
  ~Ranks();

  int rank() const { return rank_; }
  int world() const { return world_; }
  bool first() const { return rank_ == 0; }

  Status sum(at::Tensor& values);         // over all ranks, in place
  Status broadcast(at::Tensor& values);   // from rank 0
  Status barrier();

 private:
  friend class GradientSum;
  struct Backend;
  int rank_ = 0, world_ = 1;
  std::unique_ptr<Backend> backend_;
};

// Sums gradients over ranks while backward runs. Made once; prepare() before the last backward of each step, finish() after.
class GradientSum {
 public:
  // Hooks stay on the parameters until this ends; buckets are filled from the last parameter to the first, as backward does.
  GradientSum(Ranks& ranks, const std::vector<at::Tensor>& parameters, int64_t bucket_bytes = 25 << 20);
  ~GradientSum();
  GradientSum(const GradientSum&) = delete;
  GradientSum& operator=(const GradientSum&) = delete;

  void prepare();
  // Waits for all buckets and hands the sums back as gradients. A parameter without a gradient on any rank stays without.
  Status finish();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hone::train
