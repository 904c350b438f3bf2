// A page of pictures with their questions and answers, to look at.
#pragma once

#include "data/questions.h"

namespace hone {

struct QuestionSheetOptions {
  int rows = 8, columns = 2;  // pictures down and across
  int side = 128;             // of a picture's square, in pixels
  int letters = 44;           // of a line of text beside it
};
// Pictures spread evenly over the split (all questions when null), each with its first questions and their best answers. Text is
// lower-case, other than Latin letters are boxes. A picture that cannot be read is an error.
Result<Image> question_sheet(const QuestionSet& set, const QuestionSet::Split* split, const QuestionSheetOptions& options = {});

}  // namespace hone
