// Training of the canvas selector as a Task of the loop. The encoder is a finished sketch run and stays frozen.
#pragma once

#include <memory>
#include <string>

#include "methods/canvas/memory.h"
#include "methods/canvas/policy.h"
#include "methods/canvas/selector.h"
#include "train/loop.h"

namespace hone::methods {

struct CanvasOptions {
  std::string encoder;           // run directory of a sketch run with several canvases
  std::vector<std::string> folds;  // runs like it that held other photos back: cross-fitting
  SelectorOptions selector;
  RewardOptions reward;
  bool exact = true;             // exact gradient of the expected reward instead of one sampled canvas
  double baseline = 0;           // share of the new mean in the moving-average baseline; 0: no baseline
  double entropy = 0;            // weight of the entropy bonus
  bool held_out = true;          // learns from the photos that the encoder did not train on
  int64_t batch = 16;
  double margin = 0.2;
};

CanvasOptions read_canvas_options(Recipe& recipe);

class CanvasTask final : public train::Task {
 public:
  static Result<std::unique_ptr<CanvasTask>> make(const CanvasOptions& options, const train::Compute& compute);

  train::Params& params() override { return selector_.params(); }
  int64_t steps_per_epoch() const override { return std::max<int64_t>(1, static_cast<int64_t>(learn_.items.size()) / options_.batch); }
  int64_t samples_per_step() const override { return options_.batch; }
  std::string unit() const override { return "sketches"; }
  Result<train::Losses> forward(int64_t step, int64_t micro, int64_t micros) override;
  // With arg-max canvases on the held-out sketches: mean reward (the encoder's and the selector's FLOPs in giga), Acc@1, shares of canvases.
  Result<train::Metrics> validate(const train::Params& params) override;
  std::string watched() const override { return "reward"; }
  std::vector<DataFacts> data() const override { return data_; }
  std::vector<std::string> notes() const override { return notes_; }
  train::State save() const override;
  Status load(const train::State& state) override;

 private:
  CanvasTask() = default;
  Result<CanvasMemory> from_folds(const SketchPhotoSet& set, const PhotoCache& photos, const std::vector<uint32_t>& gallery, const std::vector<uint32_t>& kept);
  CanvasOptions options_;
  train::Compute compute_;
  std::vector<int64_t> canvases_;
  Selector selector_;
  CanvasMemory learn_, held_;
  at::Tensor learn_reward_, held_reward_;
  std::vector<DataFacts> data_;       // the set, and the checkpoint of every encoder that ranks come from
  std::vector<std::string> notes_;
  double baseline_ = 0;
  bool has_baseline_ = false;
};

}  // namespace hone::methods
