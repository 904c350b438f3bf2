// Supernet training as a task of the loop: every step trains several members on one batch, their gradients added in the
// store's tensors (docs/supernet.md).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "methods/supernet/calibrate.h"
#include "methods/supernet/options.h"
#include "methods/supernet/teachers.h"

namespace hone::methods {

// Pictures that a run trains on, and those that it keeps for search: functions of the recipe alone.
struct PictureSplit {
  std::vector<int64_t> train, search;   // indices into LabelledSet::train
};
PictureSplit split_pictures(int64_t count, double search_share, uint64_t seed);

class SupernetTask : public train::Task {
 public:
  static Result<std::unique_ptr<train::Task>> make(const SupernetOptions& options);

  train::Params& params() override { return store_->params(); }
  int64_t steps_per_epoch() const override { return batches_.steps_per_epoch(); }
  int64_t samples_per_step() const override { return options_.pictures.batch; }
  bool runs_backward() const override { return true; }
  Result<train::Losses> forward(int64_t step, int64_t micro, int64_t micros) override;
  Status gradients_done(int64_t step, train::Ranks& ranks) override;
  Status after_step(int64_t step, train::Ranks& ranks) override;
  // Some twenty times an epoch, what each level's bank holds: entries, best, mean and worst quality, mean cost.
  std::vector<Event> news(int64_t step) override;
  std::string blame() const override { return blame_; }
  Result<train::Metrics> validate(const train::Params& params) override;
  std::string watched() const override { return "top1"; }
  std::vector<DataFacts> data() const override { return {set_.facts}; }
  std::vector<std::string> notes() const override { return notes_; }
  train::State save() const override;
  Status load(const train::State& state) override;

 private:
  struct Pass;
  Status open();
  Result<at::Tensor> targets_of(at::Tensor& images, const at::Tensor& labels, int64_t step, int64_t micro);
  // Forward and backward of one member; its gradients, divided by `micros`, go to `grads`.
  Result<Pass> train_member(const Drawn& drawn, Sides& images, const at::Tensor& targets, bool follow, int64_t micros, std::vector<at::Tensor>& grads);
  // Minus the cross-entropy of members on a batch, with the batch's own statistics; training's are left alone.
  Result<double> quality(const space::Member& member, const train::Batch& batch);
  bool scores_on_step(const Drawn& drawn) const;
  Result<train::Batch> scoring_batch(int64_t step);
  Status rescore(int64_t step, train::Ranks& ranks);
  double epoch_of(int64_t step) const { return static_cast<double>(step) / static_cast<double>(steps_per_epoch()); }

  SupernetOptions options_;
  train::LabelledSet set_;
  PictureSplit split_;
  std::optional<Store> store_;
  std::optional<Sampler> sampler_;
  std::optional<Teachers> teachers_;
  std::vector<std::string> notes_;
  std::vector<space::Member> watch_;
  std::optional<train::Batch> fixed_;          // pictures that quality is measured on

  int64_t planned_ = -1;                       // step that plan_ is of
  std::vector<Drawn> plan_;
  std::vector<double> quality_;                // of this rank's micro-batches, by pass
  std::vector<at::Tensor> largest_grads_;      // set apart for projection
  std::string blame_;
  train::TrainingBatches batches_;             // last: it reads the set ahead
};

}  // namespace hone::methods
