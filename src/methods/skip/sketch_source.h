// Sketches and the photos that they show, as examples of task skip: the network becomes an encoder (rewrite/embed.h) whose
// embeddings of a sketch and its photo are to be nearest.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <vector>

#include "data/sketch_changes.h"
#include "data/sketch_data.h"
#include "data/sketch_input.h"
#include "methods/skip/source.h"
#include "rewrite/embed.h"
#include "run/recipe.h"

namespace hone::methods {

struct SketchTrainOptions {
  SketchData data;                  // an empty path: no sketches
  InputStyle style;
  Pool pool = Pool::average;
  SketchChanges changes;
  bool mirror = true;               // sketch and photo together, half of the time
  double photo_crop = 1;            // smallest share of the side that a photo shows
  double temperature = 0.07;        // of the softmax over a batch's photos
  int64_t batch = 16, val_batch = 64;
};
// Keys of [sketches], and of [network] what pictures look like. Only the path is asked for where it is empty.
SketchTrainOptions read_sketches(Recipe& recipe, const std::string& network);

// `held` is the share of the training photos whose sketches are kept for rewards.
Result<std::unique_ptr<ExampleSource>> sketch_source(const SketchTrainOptions& options, int64_t resolution, double held, uint64_t seed);

}  // namespace hone::methods
