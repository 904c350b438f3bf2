// Questions about a few drawn pictures, for tasks that open in a moment.
#pragma once

#include "methods/questions/question_data.h"

namespace hone::test {

inline methods::QuestionTrainOptions procedural(int64_t images, int64_t batch, int64_t val_batch) {
  methods::QuestionTrainOptions q;
  q.path = "procedural";
  q.images = images;
  q.batch = batch;
  q.val_batch = val_batch;
  return q;
}

}  // namespace hone::test
