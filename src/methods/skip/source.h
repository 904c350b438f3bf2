// What a network is adapted to: examples as batches, functions of (seed, step) alone.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "ir/infer.h"
#include "run/manifest.h"
#include "train/pictures.h"
#include "zoo/arch.h"

namespace hone::methods {

struct Examples {
  std::vector<at::Tensor> inputs;  // in the order of the network's inputs
  at::Tensor targets;              // N classes (int64), or N x classes scores in [0, 1]: an answer may be right in part
};

class ExampleSource {
 public:
  virtual ~ExampleSource() = default;
  // Sets what the data decide: classes, vocabulary, length of texts.
  virtual void shape(Arch& arch) const = 0;
  virtual Bindings bindings(int64_t batch) const = 0;
  // Checks the network's inputs and outputs against the data.
  virtual Status fit(const Graph& typed) = 0;
  virtual int64_t steps_per_epoch() const = 0;
  virtual int64_t batch() const = 0;
  virtual int64_t val_batch() const = 0;
  virtual int64_t val_size() const = 0;
  virtual int64_t held_size() const = 0;   // of the examples that rewards are measured on; never trained on
  virtual Result<Examples> next(int64_t step, int64_t micro, int64_t micros) = 0;
  virtual Result<Examples> validation(int64_t first, int64_t count) = 0;  // the last one repeated beyond the end
  virtual Result<Examples> held(int64_t first, int64_t count) = 0;        // going round
  virtual std::string unit() const { return "images"; }
  virtual DataFacts facts() const = 0;
  virtual std::vector<std::string> notes() const = 0;
  // What must be kept with the weights, as files of the run: the vocabulary of texts, the answers in the head's order.
  virtual std::vector<std::pair<std::string, std::string>> files() const { return {}; }
};

// Labelled images for a network with one square RGB input. `held` is the share of training images kept for rewards.
Result<std::unique_ptr<ExampleSource>> image_source(train::PictureOptions options, int64_t resolution, double held, uint64_t seed);

// Questions about pictures, for ViLT and METER. `held` is the share of pictures whose questions are kept for rewards.
struct QuestionTrainOptions {
  std::string path;                 // "procedural", or a folder as in data/question_sets.h
  std::string train = "train", val = "val";
  std::string tokenizer;            // vocabulary files; empty: WordPiece learnt from the training texts
  int64_t images = 1000;            // procedural: pictures to draw
  int64_t vocabulary = 512, text_length = 24;
  int64_t batch = 32, val_batch = 64;
};
Result<std::unique_ptr<ExampleSource>> question_source(const QuestionTrainOptions& options, double held, uint64_t seed);

// Mean over the batch: cross-entropy for classes; for scores the binary cross-entropy summed over classes (VQA's loss).
at::Tensor loss_of(const at::Tensor& logits, const at::Tensor& targets, double label_smoothing);
// Sum over the batch of what the most likely class scores: 0 or 1 for classes.
at::Tensor score_of(const at::Tensor& logits, const at::Tensor& targets);

}  // namespace hone::methods
