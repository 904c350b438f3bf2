// Batches of a class folder for classification: what data/loader.h calls in its threads.
//
//   ImageBatches batches = *ImageBatches::make(folder, "train", options);
//   Loader<ImageBatch> loader(first, batches.steps_per_epoch() * epochs, std::ref(batches));
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/augment.h"
#include "data/image_folder.h"
#include "data/mix.h"
#include "data/shuffle.h"

namespace hone {

enum class Unreadable : uint8_t {
  replace,  // by the next readable picture of the split, in the split's own order; counted
  refuse,   // an error that names it
};

struct BatchOptions {
  Transform transform;
  MixOptions mix;
  int batch = 32;              // pictures of this process's batch
  uint64_t seed = 0;
  bool shuffle = true;         // anew each epoch; else the split's order, and the last batch of an epoch may be shorter
  Unreadable unreadable = Unreadable::replace;
  int rank = 0, ranks = 1;     // this process's share of every step
};

struct ImageBatch {
  int64_t epoch = 0;
  std::vector<float> images;     // labels.size() pictures in the transform's layout
  std::vector<int64_t> labels;
  std::vector<uint32_t> items;   // indices into the split; for a replaced picture, what stands in for it
  MixPlan mix;                   // labels of the partners: labels[mix.partner[i]]
  int64_t replaced = 0;          // unreadable pictures
  std::string first_unreadable;  // the error of one of them
};

class ImageBatches {
 public:
  // An error for an unknown split (the hint lists them), options that make no sense, or more ranks x batch than pictures when shuffled.
  static Result<ImageBatches> make(std::shared_ptr<const ImageFolder> folder, const std::string& split, const BatchOptions& options);

  // With shuffle, incomplete last steps are left out.
  int64_t steps_per_epoch() const;
  // Step 0 begins epoch 0. A function of the step: the same batch whoever asks, whenever. Thread-safe.
  Status operator()(int64_t step, ImageBatch& batch) const;
  const ImageFolder& folder() const { return *folder_; }

 private:
  ImageBatches() = default;
  Status load(uint64_t wanted, int64_t epoch, ImageBatch& batch, size_t slot) const;
  std::shared_ptr<const ImageFolder> folder_;
  const ImageFolder::Split* split_ = nullptr;
  BatchOptions options_;
};

}  // namespace hone
