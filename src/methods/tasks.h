// Everything that `hone train` can train: the tasks of the training room and those of the methods.
#pragma once

#include "train/tasks.h"

namespace hone::methods {

std::vector<train::TaskKind> tasks();

}  // namespace hone::methods
