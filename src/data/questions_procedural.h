// Questions about drawn scenes, with no download: coloured shapes of two sizes on a plain ground.
#pragma once

#include <string>

#include "data/questions.h"

namespace hone {

struct ProceduralQuestions {
  uint64_t seed = 1;
  int64_t images = 1000;
  int64_t questions_per_image = 4;
  double val_share = 0.1, test_share = 0.1;  // of the images, rounded; their questions with them
  int least_objects = 1, most_objects = 5;   // on a picture
  int side = 64;                             // of the pictures, in pixels
  std::vector<std::string> kinds;            // empty: all, see procedural_question_kinds()
};

// Image i and its questions are functions of (seed, i) and the options: the same on every machine, whatever was made before.
// Within each kind the answers are balanced as far as the scenes allow: a scene is drawn to fit the answer that was drawn.
Result<QuestionSet> procedural_questions(const ProceduralQuestions& options = {});

// "shape", "colour", "count", "exists", "relation", "compare", "size".
const std::vector<std::string>& procedural_question_kinds();

}  // namespace hone
