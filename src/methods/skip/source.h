// What a network is adapted to: examples as batches, functions of (seed, step) alone.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "ir/infer.h"
#include "methods/questions/question_data.h"
#include "methods/skip/recall.h"
#include "run/manifest.h"
#include "train/pictures.h"
#include "zoo/arch.h"

namespace hone::methods {

struct Examples {
  std::vector<at::Tensor> inputs;  // in the order of the network's inputs
  at::Tensor targets;              // N classes (int64), or N x classes scores in [0, 1]: an answer may be right in part
  int64_t choices = 1;             // rows of the inputs to a target: a network's single outputs for them are its classes
  at::Tensor same;                 // sketches, N x N: the outputs embed N sketches and then the photo of each; true where another
                                   // row shows the same photo, and is no wrong answer
  double temperature = 1;          // of those similarities
};

// Sketches of a split and the photos that they are to find.
struct Gallery {
  int64_t photos = 0;
  std::vector<uint32_t> truth;     // of each sketch: its photo
  std::function<at::Tensor(int64_t first, int64_t count)> load_sketches, load_photos;   // N x 3 x side x side
};

class ExampleSource {
 public:
  virtual ~ExampleSource() = default;
  // Sets what the data decide: classes, vocabulary, length of texts. An error where such data are not for this family.
  virtual Status shape(Arch& arch) const = 0;
  // What the network must become for them: an encoder, where there are no classes. Typed in and out.
  virtual Result<Graph> adapt(Graph graph) const { return graph; }
  virtual Bindings bindings(int64_t batch) const = 0;
  // Checks the network's inputs and outputs against the data.
  virtual Status fit(const Graph& typed) = 0;
  virtual int64_t steps_per_epoch() const = 0;
  virtual int64_t batch() const = 0;
  virtual int64_t val_batch() const = 0;
  virtual Result<Examples> next(int64_t step, int64_t micro, int64_t micros) = 0;
  // Examples of a split without augmentation, in its order: "validation", "held" (kept for rewards, never trained on), or one of the
  // data's own names. Beyond the end of "held" from its beginning again, of others the last one repeated.
  virtual Result<int64_t> size(const std::string& split) = 0;
  virtual Result<Examples> of(const std::string& split, int64_t first, int64_t count) = 0;
  // Official measures of a split, `chosen` being the class of each of its examples. Shares; none where the split's answers are not known.
  virtual Result<train::Metrics> measures(const std::string& split, const std::vector<int64_t>& chosen) = 0;
  // What is answered, as the data's official evaluation takes it.
  virtual Result<std::string> answers_file(const std::string& split, const std::vector<int64_t>& chosen) {
    (void)split, (void)chosen;
    return fail(Code::unsupported, "answers are asked for of questions with labels, and these data have none", facts().path);
  }
  // Captions and pictures of a split, for retrieval over all pairs; nothing where the data are no captions.
  virtual Result<std::optional<PairSet>> pairs(const std::string& split) { (void)split; return std::nullopt; }
  // Sketches of a split that find their photos by embeddings; nothing where the data have classes.
  virtual Result<std::optional<Gallery>> gallery(const std::string& split) { (void)split; return std::nullopt; }
  // Checks what a checkpoint was trained with against the data.
  virtual Status agree(const std::string& weights, const NamedTensors& tensors) const { (void)weights, (void)tensors; return {}; }
  // Token that begins a text.
  virtual int64_t begin_token() const { return 0; }
  virtual std::string unit() const { return "images"; }
  virtual DataFacts facts() const = 0;
  virtual std::vector<std::string> notes() const = 0;
  // What must be kept with the weights, as files of the run: the vocabulary of texts, the answers in the head's order.
  virtual std::vector<std::pair<std::string, std::string>> files() const { return {}; }
};

// Labelled images for a network with one square RGB input. `held` is the share of training images kept for rewards.
Result<std::unique_ptr<ExampleSource>> image_source(train::PictureOptions options, int64_t resolution, double held, uint64_t seed);

// Questions about pictures, or captions, for ViLT and METER. `held` is the share of pictures whose texts are kept for rewards.
Result<std::unique_ptr<ExampleSource>> question_source(const QuestionTrainOptions& options, double held, uint64_t seed);
// Input N x 3 x side x side; 0: the network's own side.
Bindings picture_bindings(int64_t batch, int64_t side);
// Side of a network's one input of square RGB pictures. An error where it has another.
Result<int64_t> picture_side(const Graph& typed);

// Captions alone: what question_source() gives for them.
std::unique_ptr<ExampleSource> retrieval_source(const QuestionTrainOptions& options, QuestionData data, uint64_t seed);

// Scores of classes from the network's first output: as it is; a row for each target where there are choices; for sketches their
// similarities with the photos of the batch.
at::Tensor logits_of(const at::Tensor& output, const Examples& examples);
// Mean over the batch: cross-entropy for classes; for scores the binary cross-entropy summed over classes (VQA's loss).
at::Tensor loss_of(const at::Tensor& logits, const at::Tensor& targets, double label_smoothing);
// What the most likely class of each example scores: 0 or 1 for classes.
at::Tensor scores_of(const at::Tensor& logits, const at::Tensor& targets);

}  // namespace hone::methods
