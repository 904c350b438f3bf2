// Sets of questions on disk: recognised by their layout, read as they were published, checked, counted.
#pragma once

#include <string>
#include <vector>

#include "data/questions.h"

namespace hone {

struct QuestionSetOptions {
  std::string images;               // folder of the pictures; empty: beside the questions, as below
  std::vector<std::string> answers; // labels of a trained head, in its order; empty: from the data
  int64_t least = 9;                // VQAv2: answers given less often are no labels
  bool strict = false;              // bad data is refused instead of skipped
};

// Layouts, below DIR, DIR/annotations or DIR/data:
//   VQAv2      v2_OpenEnded_mscoco_{train2014,val2014,test2015,test-dev2015}_questions.json, v2_mscoco_{train,val}2014_annotations.json;
//              pictures in {train,val}2014/ and test2015/. Splits train, val, test, test-dev, and of val's pictures rest_val
//              (1000, drawn by their ids; half where there are fewer than 2000) and trainable_val (the others). Targets: soft scores of
//              the ten answers, over the answers that are given most often for at least `least` questions.
//   NLVR2      {train,dev,test1}.json of one object a line; pictures in images/train/<directory>/, dev/, test1/ (each also below
//              images/). Answers false, true.
//   Karpathy   dataset_flickr30k.json or dataset_coco.json; pictures in flickr30k-images/ or <filepath>/. One question a caption;
//              captions that a picture has twice are dropped.
//   easy-VQA   {train,test}/questions.json of [question, answer, picture], answers.txt, pictures in {train,test}/images/<id>.png
//
// Skipped by rule, named in `notes`: a question whose picture is missing, the second of two with one id, one of a training
// split without a known answer, answers without a question. Refused: JSON that is not the layout's, pictures that are all
// missing (the error says where they were looked for), nothing left.
//
// Files are read in one pass, an element at a time; pictures are listed by folder and opened only when asked for.
Result<QuestionSet> open_questions(const std::string& path, const QuestionSetOptions& options = {});

// Decodes every picture with `threads` threads: "unreadable image", with the error.
std::vector<DataNote> check_question_images(const QuestionSet& set, int threads);

}  // namespace hone
