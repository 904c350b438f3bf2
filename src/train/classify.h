// Supervised classification of images: any network of the zoo or from a file, pictures in class folders or drawn patterns.
// Recipe keys stand in tables [network], [data], [augment], [loss] and [batch_norm]; docs/training.md lists them.
#pragma once

#include "train/tasks.h"

namespace hone::train {

Result<MakeTask> read_classify(Recipe& recipe, const Compute& compute);

}  // namespace hone::train
