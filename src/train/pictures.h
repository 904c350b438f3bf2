// Labelled pictures as training reads them: what the recipe says of data and augmentation, batches loaded ahead of their step,
// and their mixing. Shared by the tasks that learn from class labels.
#pragma once

#include <future>
#include <string>
#include <vector>

#include "run/recipe.h"
#include "train/classify_data.h"
#include "train/loop.h"

namespace hone::train {

// Tables [data] and [augment] (read_pictures), and mixup and cutmix of [loss] (read_mixing). A task changes the defaults by
// what it passes.
struct PictureOptions {
  std::string kind = "folder", path, train_split = "train", val_split = "val";
  int64_t classes = 10, train_size = 2000, val_size = 500, side = 32;   // of drawn patterns
  int64_t batch = 32, val_batch = 64, workers = 2;
  Transform augment, evaluate;                                          // sizes: set_side()
  double mixup = 0, cutmix = 0;                                         // alpha; 0: off

  PictureOptions() { augment.flip = 0.5; }
};
PictureOptions read_pictures(Recipe& recipe, PictureOptions defaults = {});
void read_mixing(Recipe& recipe, PictureOptions& options);
// Side of the pictures that a network gets; fails when a transform makes no sense. Drawn patterns have the size that was
// asked for: nothing is cut off.
Status set_side(PictureOptions& options, int side);
Result<LabelledSet> open_pictures(const PictureOptions& options);

// The batches of training. A step's batch is a function of (seed, step), however many micro-batches it is cut into.
class TrainingBatches {
 public:
  TrainingBatches() = default;
  // Pictures `of` (indices into the set), all of them when it is empty. The set must outlive this.
  TrainingBatches(const LabelledImages& set, const PictureOptions& options, uint64_t seed, std::vector<int64_t> of = {});

  int64_t size() const { return static_cast<int64_t>(of_.empty() ? set_->labels.size() : of_.size()); }
  int64_t steps_per_epoch() const { return size() / options_.batch; }
  Result<Batch> batch_of(int64_t step, int64_t micro, int64_t micros) const;
  // The same; and while the network computes, the batch that the next call will ask for is loaded. A wrong guess (other ranks'
  // strides at first, or a roll-back) costs one load.
  Result<Batch> next(int64_t step, int64_t micro, int64_t micros);

 private:
  struct Wish {
    int64_t step = -1, micro = 0, micros = 1;
    bool operator==(const Wish&) const = default;
  };
  const LabelledImages* set_ = nullptr;
  PictureOptions options_;
  uint64_t seed_ = 0;
  std::vector<int64_t> of_;
  int64_t stride_ = 1, first_ = 0;
  Wish last_, ahead_wish_;
  std::future<Result<Batch>> ahead_;   // last: it uses the members above, and is waited for first
};

// mixup (Zhang et al. 2018) or cutmix (Yun et al. 2019; with both, each micro-batch draws one) with the batch in reverse order.
// Changes `images`; gives the targets as shares of classes.
at::Tensor mix(at::Tensor& images, const at::Tensor& labels, int64_t classes, const PictureOptions& options, const Compute& compute, int64_t step, int64_t micro);

}  // namespace hone::train
