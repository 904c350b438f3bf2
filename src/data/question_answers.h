// Answers of people to labels of a network and back: normalisation, vocabulary, soft scores and the official measures.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/error.h"
#include "data/questions.h"

namespace hone {

// VQA's normalisation (public evaluation code; dandelin/ViLT, vilt/utils/glossary.py): punctuation removed or made a space,
// periods, lower case, number words, articles, contractions. Both defects of the original are kept, because labels depend on
// them: a period goes even behind a digit, and of more than 32 periods the rest stay.
std::string normalise_answer(std::string_view answer);

// Answers counted in the order they are seen, and those that occur often enough as labels: by first occurrence.
class AnswerCounter {
 public:
  void add(const std::string& normalised);
  std::vector<std::string> vocabulary(int64_t least = 9) const;

 private:
  std::vector<std::pair<std::string, int64_t>> counts_;  // by first occurrence
  std::unordered_map<std::string, size_t> places_;
};

// What an answer earns that `n` of ten people gave: 0, 0.3, 0.6, 0.9, then 1.
float soft_score(int64_t n);

// VQA accuracy of an answer to a question that people gave `given` to: over the subsets that leave one of them out, the mean of
// min(agreeing / 3, 1). Both sides are normalised first where people disagree, and compared as they stand where not.
double vqa_accuracy(std::string_view answer, std::span<const std::string> given);

// An error when the labels of a network's head are others, fewer, more or in another order than the data's: what it
// answers would be read as other words. It names the first that differs.
Status check_labels(const QuestionSet& set, const std::vector<std::string>& head, const std::string& network);

// Labels from a file: one a line, or a Hugging Face config.json with id2label.
Result<std::vector<std::string>> read_labels(const std::string& path);

// [{"question_id": 1, "answer": "yes"}, ...] as the evaluation server takes it. One label for each question.
std::string vqa_submission(const QuestionSet& set, std::span<const uint32_t> questions, std::span<const uint32_t> labels);

// NLVR2: lines "identifier,True" as its evaluation takes them (lil-lab/nlvr, nlvr2/eval/metrics.py). Label 1 is true.
std::string nlvr2_predictions(const QuestionSet& set, std::span<const uint32_t> questions, std::span<const uint32_t> labels);

// NLVR2: share of right statements, and share of sentences of which every pair of pictures is right.
struct PairScore {
  double accuracy = 0, consistency = 0;
};
// `right[i]` tells whether questions[i] was answered rightly. An id is "split-set-pair-sentence"; what remains without the
// pair names the sentence.
PairScore pair_score(const QuestionSet& set, std::span<const uint32_t> questions, const std::vector<bool>& right);

// Recall of retrieval in both directions: shares of queries with a true one among the first 1, 5 and 10.
struct RecallScore {
  double text[3] = {};   // captions found by pictures (TR@1, 5, 10)
  double image[3] = {};  // pictures found by captions (IR@1, 5, 10)
};
// scores[i * captions + c] of picture i and caption c; `picture_of[c]` is the caption's own picture. Equal scores count as
// ranked before the true one.
RecallScore recall(std::span<const float> scores, std::span<const uint32_t> picture_of, size_t pictures);

}  // namespace hone
