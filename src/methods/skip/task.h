// Task "skip": a frozen pre-trained network is adapted with small trained parts while some of its modules are left out (DAS).
//
// Phase search: a supernet holds the adapters of every kept candidate and one in place of every skipped one; each micro-batch
// trains the sub-network without a drawn set, and a bandit (bandit.h) compares sub-networks on held-out examples. The run's
// skip_set.json says which set the newest validation had, and how it came;
// checkpoints/best.safetensors is of that validation too.
// Phase train: starts again from the pre-trained weights with fresh adapters and one set.
//
// The bandit's event of a step comes before the step's first backward pass, with the parameters of the step before it, in
// evaluation mode. Every rank computes it from the same numbers, so all hold the same scores.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "methods/skip/choose.h"
#include "methods/skip/options.h"
#include "methods/skip/source.h"
#include "methods/skip/subnets.h"
#include "rewrite/skip_set.h"
#include "train/loop.h"

namespace hone::methods {

// What a sub-network makes of a split.
struct SkipAnswers {
  std::vector<int64_t> chosen;   // class of each example
  double score = 0, loss = 0;    // means; the score of an example is what its class earns
  int64_t examples = 0;
  train::Metrics measures;       // sketches: of their ranks, the score first. Others: ExampleSource::measures() says them
};

class SkipTask final : public train::Task {
 public:
  static Result<std::unique_ptr<SkipTask>> make(const SkipOptions& options, const train::Compute& compute, const RunDir* run);

  train::Params& params() override { return params_; }
  int64_t steps_per_epoch() const override { return source_->steps_per_epoch(); }
  int64_t samples_per_step() const override { return source_->batch(); }
  std::string unit() const override { return source_->unit(); }
  Result<train::Losses> forward(int64_t step, int64_t micro, int64_t micros) override;
  // Score and loss of the chosen set's sub-network on the validation split; also writes skip_set.json.
  Result<train::Metrics> validate(const train::Params& params) override;
  std::string watched() const override { return "score"; }
  // A search's result is its newest set: the checkpoint that is kept as the best one belongs to skip_set.json.
  bool keeps_newest() const override { return o_.search; }
  std::vector<DataFacts> data() const override { return {source_->facts()}; }
  std::vector<std::string> notes() const override { return notes_; }
  train::State save() const override;
  Status load(const train::State& state) override;

  // The set as it stands: the search's best by its method, or the one that is trained.
  Result<SkipSet> chosen(const train::Params& params);
  Result<SkipAnswers> answer(const train::Params& params, const SkipNumbers& set, const std::string& split);
  const SkipNumbers& set() const { return set_; }   // phase train
  const train::Compute& compute() const { return compute_; }
  ExampleSource& source() { return *source_; }
  const Bandit& bandit() const { return *bandit_; }
  Subnets& subnets() { return subnets_; }

 private:
  SkipTask() = default;
  Status open();
  Status start_bandit(int64_t candidates);
  Result<SkipNumbers> given_set();
  // `given`: tensors that weights gave.
  Status set_trainable(const std::vector<std::string>& given);
  // Once a step: the policy that its micro-batches draw by, and its event.
  Status begin(int64_t step, int64_t micros);
  Result<SkipAnswers> retrieve(const train::Params& params, const SkipNumbers& set, const Gallery& gallery);
  at::Tensor whole_loss(const std::vector<at::Tensor>& outputs, const Examples& examples, double label_smoothing) const;
  Result<double> held_loss(const train::Params& params, const SkipNumbers& set, int64_t first_batch, int64_t batches);
  std::vector<double> weight_sizes(const train::Params& params) const;

  SkipOptions o_;
  train::Compute compute_;
  const RunDir* run_ = nullptr;
  std::unique_ptr<ExampleSource> source_;
  Subnets subnets_;
  train::Params params_;
  std::string name_;                        // of the network, at the resolution of this run
  std::optional<Bandit> bandit_, policy_;   // policy: the bandit as it was when the step began
  int64_t begun_ = -1, events_ = 0;
  std::vector<SkipEvent> history_;
  SkipNumbers set_;                         // phase train
  std::string set_method_;                  // how it was found
  std::vector<std::string> notes_;
};

}  // namespace hone::methods
