// Questions about pictures: what vision-language networks are trained on and measured with.
//
// One value holds a set of any of three tasks: questions answered from a vocabulary (VQAv2, easy-VQA, the procedural
// set), statements about a pair of pictures that hold or not (NLVR2), and captions to be found by pictures and the
// reverse (Flickr30K, COCO). Pictures are not held: each is read when it is asked for.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/sketch_photos.h"
#include "formats/image.h"

namespace hone {

enum class QuestionTask : uint8_t {
  answer,    // one of the vocabulary's answers
  verify,    // answer 1 (true) or 0 (false) about two pictures
  retrieve,  // a caption of a picture; no answers
};

struct QuestionImage {
  std::string id;
  std::function<Result<Image>()> load;  // thread-safe; decodes anew at every call
};

// A label with what choosing it earns, 0 < score <= 1. Under VQAv2 several answers of one question earn something.
struct AnswerScore {
  uint32_t answer = 0;  // index into QuestionSet::answers
  float score = 0;
  bool operator==(const AnswerScore&) const = default;
};

struct Question {
  std::string id, text;
  std::array<uint32_t, 2> images = {};  // indices into QuestionSet::images; the second only where images_per_question is 2
  uint16_t kind = 0;                    // index into QuestionSet::kinds
  std::vector<AnswerScore> answers;     // by ascending answer; empty where the answer is not known (test splits)
  std::vector<uint32_t> given;          // VQAv2: the ten answers that people gave, indices into QuestionSet::given
};

struct QuestionSet {
  struct Split {
    std::string name;                 // "train", "val", "test", "restval", "rest_val"
    std::vector<uint32_t> questions;  // indices into questions, in the files' order
  };
  std::string name;
  QuestionTask task = QuestionTask::answer;
  int images_per_question = 1;
  std::vector<QuestionImage> images;
  std::vector<std::string> answers;  // the vocabulary: label -> answer; the head of a network has this many outputs
  std::vector<std::string> kinds;    // "yes/no", "number", "other"; never empty, the first may be ""
  std::vector<std::string> given;    // answers as people typed them, each once
  std::vector<Question> questions;
  std::vector<Split> splits;
  std::vector<DataNote> notes;
  std::string checksum;              // SHA-256 over texts, answers, pictures' names and splits, for the manifest of a run

  const Split* split(const std::string& name) const;  // nullptr when there is none
};

// What QuestionSet::checksum holds.
std::string checksum_of(const QuestionSet& set);

// How often each answer is the best one of a question, by kind of question.
struct AnswerKind {
  uint16_t kind = 0;
  int64_t questions = 0;
  std::vector<int64_t> answers;  // of each label
};
std::vector<AnswerKind> count_answers(const QuestionSet& set, const QuestionSet::Split& split);

}  // namespace hone
