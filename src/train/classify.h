// Supervised classification of images: any network of the zoo or from a file, pictures in class folders or drawn patterns.
// Recipe keys stand in tables [network], [data], [augment], [loss] and [batch_norm]; docs/training.md lists them.
#pragma once

#include <optional>
#include <string>

#include "train/tasks.h"

namespace hone::train {

// A network and a checkpoint that a run starts with, as files. Methods know networks that are found in other runs: for their names
// this says where they lie, in pictures of `side` (0: their own); nothing for any other name.
struct Start {
  std::string network, weights;
};
using FindStart = Result<std::optional<Start>> (*)(const std::string& name, int64_t side, const RunDir& run);

Result<MakeTask> read_classify(Recipe& recipe, const Compute& compute, FindStart find_start = nullptr);

}  // namespace hone::train
