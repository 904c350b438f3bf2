// Batches of questions for training and evaluation: what data/loader.h calls in its threads.
//
//   QuestionBatches batches = *QuestionBatches::make(set, "train", options);
//   Loader<QuestionBatch> loader(first, batches.steps_per_epoch() * epochs, std::ref(batches));
//
// What a batch holds is a function of (seed, step); what happens to a picture a function of (seed, epoch, question).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/questions.h"
#include "data/vision_input.h"
#include "formats/tokenizer.h"

namespace hone {

struct QuestionBatchOptions {
  VisionTransform transform;
  std::shared_ptr<const Tokenizer> tokenizer;
  int max_text = 40;          // tokens of a text with its begin and end
  int false_texts = 0;        // retrieve: captions of other pictures beside the true one (15 in training)
  int batch = 32;             // questions of this process's batch
  int width = 0, height = 0;  // of the pictures' field; 0: the largest picture of the batch
  uint64_t seed = 0;
  bool shuffle = true;        // anew each epoch; else the split's order, and the last batch of an epoch may be shorter
  int rank = 0, ranks = 1;    // this process's share of every step
  int64_t cache_bytes = int64_t{256} << 20;  // of decoded and fitted pictures kept in memory; not with augmentation
};

// n questions, each with i = images_per_question pictures and t = 1 + false_texts texts.
struct QuestionBatch {
  int64_t epoch = 0;
  int width = 0, height = 0;
  std::vector<float> images;        // [n, i, 3, height, width], or [n, i, height, width, 3]; zeros beyond a picture
  std::vector<ImageSize> valid;     // [n, i]: the part that is picture, from the upper left
  std::vector<int32_t> tokens;      // [n, t, max_text], padded at the right; the true text first
  std::vector<uint8_t> token_mask;  // [n, t, max_text]: 1 for a token, 0 for padding
  std::vector<float> targets;       // [n, answers]: scores; empty for retrieve
  std::vector<uint32_t> questions;  // [n]: indices into the set's questions
  int64_t truncated = 0;            // texts that were longer than max_text and have been cut
};

class QuestionBatches {
 public:
  // An error for an unknown split (the hint lists them), options that make no sense, no tokenizer, or less than one
  // batch of questions when shuffled.
  static Result<QuestionBatches> make(std::shared_ptr<const QuestionSet> set, const std::string& split, const QuestionBatchOptions& options);

  // With shuffle, incomplete last steps are left out.
  int64_t steps_per_epoch() const;
  // Step 0 begins epoch 0. Thread-safe. A picture that cannot be read is an error that names it.
  Status operator()(int64_t step, QuestionBatch& batch) const;
  const QuestionSet& set() const { return *set_; }
  const std::vector<uint32_t>& split() const { return split_->questions; }

 private:
  struct Cache;
  QuestionBatches() = default;
  Result<std::shared_ptr<const Image>> fitted(uint32_t image, uint64_t seed) const;
  std::shared_ptr<const QuestionSet> set_;
  const QuestionSet::Split* split_ = nullptr;
  QuestionBatchOptions options_;
  std::shared_ptr<Cache> cache_;
};

}  // namespace hone
