// Recipe keys of task skip: [network], [skip], [adapters], [questions] or [data] and [augment], [loss] and [batch_norm]; docs/skipping.md.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "methods/skip/bandit.h"
#include "methods/skip/sketch_source.h"
#include "methods/skip/source.h"
#include "rewrite/adapters.h"
#include "run/recipe.h"
#include "train/loop.h"

namespace hone::methods {

struct SkipOptions {
  std::string network;
  std::vector<std::string> weights;  // one checkpoint, or several that each hold a part of the network
  bool classifier_token = false;
  int64_t resolution = 0;
  double init = 0;                 // network.init: deviation of fresh dense layers; 0: the network's own

  bool search = true;              // skip.phase
  std::string variant, set, method;
  BanditOptions bandit;
  double warmup = 1;               // epochs; the task turns it into steps
  std::function<int64_t(int64_t steps_per_epoch)> total_steps;  // of the training, where there is one
  double ramp = 0;                 // epochs
  double held = 0.05;
  int64_t reward_batch = 64, reward_batches = 1, choose_batches = 8;
  std::vector<std::string> trainable;

  Adapters adapters;
  train::PictureOptions pictures;  // where there are no questions
  SketchTrainOptions sketches;     // with a path: sketches that find their photos
  QuestionTrainOptions questions;  // with a path: questions about pictures
  double label_smoothing = 0, matching_weight = 0;
  bool bn_freeze = true;
  double bn_momentum = 0.1;
};

SkipOptions read_skip_options(Recipe& recipe, const train::Compute& compute);

}  // namespace hone::methods
