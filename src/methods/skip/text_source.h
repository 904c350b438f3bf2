// What questions and captions share as sources of examples: their data, the network's inputs, batches of every split.
#pragma once

#include <fmt/format.h>

#include <map>
#include <optional>
#include <utility>

#include "methods/skip/source.h"

namespace hone::methods {

class TextSource : public ExampleSource {
 public:
  TextSource(const QuestionTrainOptions& o, QuestionData data, uint64_t seed) : o_(o), data_(std::move(data)), seed_(seed) {}

  Bindings bindings(int64_t batch) const override {
    Bindings b;
    b.batch = batch;
    return b;
  }
  int64_t steps_per_epoch() const override { return learnt_->steps_per_epoch(); }
  int64_t batch() const override { return o_.batch; }
  Result<int64_t> size(const std::string& split) override {
    HONE_TRY_ASSIGN(const QuestionSet::Split* found, data_.named(split));
    return static_cast<int64_t>(found->questions.size());
  }
  DataFacts facts() const override { return data_.facts(o_); }
  Status agree(const std::string& weights, const NamedTensors& tensors) const override { return data_.agree(weights, tensors); }
  int64_t begin_token() const override { return data_.tokenizer->special().begin; }
  std::vector<std::string> notes() const override { return data_.notes(); }
  std::vector<std::pair<std::string, std::string>> files() const override { return data_.files(); }

 protected:
  const QuestionSet& set() const { return *data_.set; }

  // `false_texts`: captions of other pictures beside each.
  Status open_batches(int false_texts) {
    false_texts_ = false_texts;
    HONE_TRY_ASSIGN(QuestionBatches batches, inputs_.batches(data_, "learnt", o_, o_.batch, true, seed_, false_texts));
    learnt_.emplace(std::move(batches));
    return {};
  }
  // A step's micro-batches are equal parts of one batch.
  Result<int64_t> part_size(int64_t micros) const {
    if (o_.batch % micros == 0) return o_.batch / micros;
    return fail(Code::usage, fmt::format("a batch of {} cannot be cut into {} equal micro-batches", o_.batch, micros), "data.batch", "choose a multiple of ranks and train.accumulate");
  }
  // Examples [first, first + count) of a split, `first` being a multiple of `count`; "held" begins again at its end.
  Result<QuestionBatch> fixed(const std::string& split, int64_t first, int64_t count) {
    HONE_TRY_ASSIGN(const QuestionSet::Split* found, data_.named(split));
    auto at = fixed_.find({found->name, count});
    if (at == fixed_.end()) {
      HONE_TRY_ASSIGN(QuestionBatches made, inputs_.batches(data_, found->name, o_, count, false, 0, false_texts_));
      at = fixed_.emplace(std::pair(found->name, count), std::move(made)).first;
    }
    QuestionBatch batch;
    HONE_TRY(at->second(first / count % at->second.steps_per_epoch(), batch));  // the same false captions whenever it is asked for
    return batch;
  }

  QuestionTrainOptions o_;
  QuestionData data_;
  uint64_t seed_;
  QuestionInputs inputs_;
  std::optional<QuestionFeed> learnt_;

 private:
  int false_texts_ = 0;
  std::map<std::pair<std::string, int64_t>, QuestionBatches> fixed_;
};

}  // namespace hone::methods
