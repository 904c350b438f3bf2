// Question sets opened for training, and what the networks that read texts and pictures take of them.
#pragma once

#include <ATen/ATen.h>

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "data/question_batches.h"
#include "formats/checkpoint.h"
#include "ir/graph.h"
#include "run/manifest.h"
#include "run/recipe.h"
#include "zoo/arch.h"

namespace hone::methods {

struct QuestionTrainOptions {
  std::string path;                 // "procedural", or a folder as in data/question_sets.h
  std::string train = "train", val = "val";
  std::vector<std::string> kinds;   // of questions, that are learnt from and validated on; empty: all
  double val_share = 0;             // above 0: of the pictures of `train`, validated on instead of `val`
  std::string tokenizer;            // vocabulary files; empty: WordPiece learnt from the training texts
  std::string answers;              // labels of a trained head, in its order; empty: from the data
  int64_t images = 1000;            // procedural: pictures to draw
  int64_t objects = 5;              // procedural: on a picture at most
  int64_t vocabulary = 512, text_length = 24;
  int64_t false_texts = 15;         // captions of other pictures that a picture's own one stands among
  int64_t augment = 0;              // operations of RandAugment on a picture in training
  double augment_magnitude = 9;
  int64_t batch = 32, val_batch = 64;
};
// Keys of [questions], and data.batch and data.val_batch. Only the path is asked for where it is empty and may be.
QuestionTrainOptions read_questions(Recipe& recipe, bool needed);

// Splits of the set beside its own: "learnt", "held" and, with val_share, "validation"; they share no picture.
struct QuestionData {
  std::shared_ptr<const QuestionSet> set;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::string val;                  // name of the split that is validated on
  std::vector<uint32_t> asked;      // statements made of questions: a number for each wording; texts of one number differ in their answers

  const std::vector<uint32_t>& split(const std::string& name) const { return set->split(name)->questions; }
  // A split by name, "validation" being the one that is validated on. An error lists the names there are.
  Result<const QuestionSet::Split*> named(const std::string& split) const;
  // What the data decide of a network: length of texts, vocabulary, a mask of padding. An error where the family reads no texts.
  Status shape(Arch& arch, int64_t text_length) const;
  DataFacts facts(const QuestionTrainOptions& options) const;
  std::vector<std::string> notes() const;
  // vocab.txt and answers.txt: what ids and labels of the weights mean.
  std::vector<std::pair<std::string, std::string>> files() const;
  // An error where a checkpoint was trained with another vocabulary, or its run with the same answers in another order: ids and
  // labels would mean other words.
  Status agree(const std::string& weights, const NamedTensors& tensors) const;
};
// `captions`: questions become statements, the text followed by its best answer, and the set one of captions.
// `held` is the share of the training pictures whose questions are kept for rewards; 0: no such split.
Result<QuestionData> open_question_data(const QuestionTrainOptions& options, double held, bool captions);

// The inputs of a network of texts and pictures, in order, and how a picture becomes one.
struct QuestionInputs {
  std::vector<std::string> names;
  int width = 0, height = 0;
  VisionTransform transform;

  // Errors: an input that is neither text nor picture; another number of pictures than the data's questions have.
  static Result<QuestionInputs> of(const Graph& graph, const QuestionSet& set);
  // ids and mask: N x T, int64; images: N x pictures x 3 x H x W.
  std::vector<at::Tensor> order(const at::Tensor& ids, const at::Tensor& mask, const at::Tensor& images) const;
  // Batches in shuffled order are of training: their pictures are augmented, where that is asked for.
  Result<QuestionBatches> batches(const QuestionData& data, const std::string& split, const QuestionTrainOptions& options, int64_t batch, bool shuffle, uint64_t seed, int false_texts = 0) const;
};
// Tensors of a batch, copies of their own: ids and mask (N x texts x T, int64), images (N x pictures x 3 x H x W).
at::Tensor ids_of(const QuestionBatch& batch, int64_t text_length);
at::Tensor mask_of(const QuestionBatch& batch, int64_t text_length);
at::Tensor images_of(const QuestionBatch& batch);

// Batches by step: each is loaded once, the next one while the network computes.
class QuestionFeed {
 public:
  explicit QuestionFeed(QuestionBatches batches) : batches_(std::move(batches)) {}
  int64_t steps_per_epoch() const { return batches_.steps_per_epoch(); }
  Result<std::shared_ptr<const QuestionBatch>> at(int64_t step);

 private:
  Result<std::shared_ptr<const QuestionBatch>> load(int64_t step) const;
  QuestionBatches batches_;
  int64_t step_ = -1, ahead_step_ = -1;
  std::shared_ptr<const QuestionBatch> now_;
  std::future<Result<std::shared_ptr<const QuestionBatch>>> ahead_;  // last: it uses the members above, and is waited for first
};

}  // namespace hone::methods
