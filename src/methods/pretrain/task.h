// Task "pretrain": a vision-language network learns texts and pictures before any task, by the two objectives of ViLT and METER
// (Kim et al. 2021, section 3.2): masked words read with their own picture, and whether text and picture belong together, half of
// the texts being another picture's. Texts are captions, or questions followed by their answers.
//
// A swapped text is one that asks what the picture's own text asks and answers it differently, where another picture has such a
// one (statements made of questions): of a few words about simple pictures, most others would hold of this picture too.
//
// The network's outputs say what it learns: words (N x T x vocabulary), matching (N x 2, class 1 a match), or both; networks with
// such heads are called -mlm-itm. What is hidden and swapped is a function of (seed, epoch, text).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/rng.h"
#include "methods/questions/question_data.h"
#include "train/loop.h"
#include "train/program.h"

namespace hone::methods {

struct PretrainOptions {
  std::string network;
  std::vector<std::string> weights;  // as of task skip
  QuestionTrainOptions questions;
  double init = 0;                             // deviation of fresh dense layers; 0: the network's own
  double mask = 0.15;                          // share of the words that are hidden
  double words_weight = 1, matching_weight = 1;
};
PretrainOptions read_pretrain_options(Recipe& recipe);

class PretrainTask final : public train::Task {
 public:
  static Result<std::unique_ptr<PretrainTask>> make(const PretrainOptions& options, const train::Compute& compute, const RunDir* run);

  train::Params& params() override { return params_; }
  int64_t steps_per_epoch() const override { return learnt_->steps_per_epoch(); }
  int64_t samples_per_step() const override { return o_.questions.batch; }
  std::string unit() const override { return "texts"; }
  Result<train::Losses> forward(int64_t step, int64_t micro, int64_t micros) override;
  Result<train::Metrics> validate(const train::Params& params) override;
  std::string watched() const override { return "-loss"; }
  std::vector<DataFacts> data() const override { return {data_.facts(o_.questions)}; }
  std::vector<std::string> notes() const override { return notes_; }

 private:
  // n pairs to learn words from, and n to learn matching from.
  struct Pairs {
    at::Tensor ids, mask;              // 2 n x T: hidden words with their own picture, then whole texts, half of them false
    at::Tensor images;                 // n x 1 x 3 x H x W
    at::Tensor labels;                 // n x T: hidden tokens
    at::Tensor match;                  // n: 1 where the text is the picture's own
    int64_t hidden = 0;
  };
  struct Sums {                        // over a batch, with their graph
    at::Tensor words, matching;        // losses; undefined without such an output
    double words_right = 0, matching_right = 0;
  };
  PretrainTask() = default;
  Status open();
  Result<const train::Program*> program(int64_t batch);
  Pairs pairs_of(const QuestionBatch& batch, uint64_t key) const;
  const std::string& swapped(uint32_t text, Rng& rng) const;   // a text of another picture
  Result<Sums> run(const train::Params& params, const Pairs& pairs, const train::RunOptions& options);

  PretrainOptions o_;
  train::Compute compute_;
  QuestionData data_;
  QuestionInputs inputs_;
  Graph graph_;
  std::map<int64_t, train::Program> programs_;  // by rows
  train::Params params_;
  int words_ = -1, matching_ = -1;              // which outputs; -1: none, or of no weight
  std::optional<QuestionBatches> validation_;
  std::vector<std::vector<uint32_t>> same_question_;  // texts that are learnt from, by QuestionData::asked
  std::vector<std::string> notes_;
  int64_t step_ = -1;
  Pairs now_;
  std::optional<QuestionFeed> learnt_;
};

}  // namespace hone::methods
