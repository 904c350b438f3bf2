// Evaluation of members: pictures at a member's resolution, BatchNorm statistics measured anew, accuracy.
//
// Running statistics in the store mix those of every member that trained, so they say nothing about one of them. A member is
// evaluated with the mean of its own statistics over some training batches, in tensors of its own: training's are not touched.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "methods/supernet/store.h"
#include "train/classify_data.h"
#include "train/loop.h"

namespace hone::methods {

// Square pictures at another side, bicubically without antialiasing as the authors' network does inside; as they are when the
// side is theirs.
at::Tensor resized(const at::Tensor& images, int64_t side);

// A batch at the sides that several members ask for, each made once.
class Sides {
 public:
  explicit Sides(at::Tensor images) : images_(std::move(images)) {}
  const at::Tensor& at(int64_t side);
  int64_t count() const { return images_.size(0); }

 private:
  at::Tensor images_;
  std::map<int64_t, at::Tensor> made_;
};

// A member with tensors to run on: weights are the store's, BatchNorm's statistics its own.
struct Calibrated {
  std::shared_ptr<const MemberProgram> program;
  std::vector<at::Tensor> tensors;
};
// Logits in eval mode.
Result<at::Tensor> logits_of(const Calibrated& member, Sides& images, const train::Compute& compute);

// Batches by index; called once for each index in order.
using Batches = std::function<Result<train::Batch>(int64_t)>;

// Statistics of several members over the same `count` batches: means over them (of the batches' unbiased variances, as PyTorch's
// cumulative average does).
Result<std::vector<Calibrated>> calibrate(const std::vector<std::shared_ptr<const MemberProgram>>& members, const train::Params& params, const Batches& batches, int64_t count,
                                          const train::Compute& compute);

struct Scored {
  double accuracy = 0, loss = 0;
  int64_t images = 0;
};
// The first `images` pictures of `count` batches.
Result<std::vector<Scored>> evaluate(const std::vector<Calibrated>& members, const Batches& batches, int64_t count, int64_t images, const train::Compute& compute);

}  // namespace hone::methods
