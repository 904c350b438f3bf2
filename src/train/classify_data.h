// Pictures with labels, and batches of them as a function of (seed, step) alone.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/augment.h"
#include "data/image_folder.h"
#include "run/manifest.h"

namespace hone::train {

// Labelled pictures of one split. write() puts one into a batch as the transform says; thread-safe.
struct LabelledImages {
  std::string name;
  std::vector<int64_t> labels;
  std::function<Status(int64_t index, const Transform& transform, uint64_t seed, float* out)> write;
};

struct LabelledSet {
  LabelledImages train, val;
  std::vector<std::string> classes;
  DataFacts facts;
  std::vector<std::string> notes;
};

Result<LabelledSet> labelled_folder(const std::string& path, const std::string& train_split, const std::string& val_split);
// Gratings drawn on the spot: a class is an orientation and a frequency; phase, colour, contrast and noise are random.
// Nothing to download, learnt in a minute, and hard enough that a network without training stays at chance.
LabelledSet drawn_patterns(int64_t classes, int64_t train_size, int64_t val_size, int side);

struct Batch {
  at::Tensor images;   // N x 3 x side x side, channels-last, normalised
  at::Tensor labels;   // N, int64
};

// `indices` of `set`. Each picture is transformed by a seed of (seed, key, its place among `indices` plus `first`), so that
// neither the number of workers nor the cutting into micro-batches changes it.
Result<Batch> load_batch(const LabelledImages& set, const std::vector<int64_t>& indices, const Transform& transform, uint64_t seed, int64_t key, int64_t first, int workers);

}  // namespace hone::train
