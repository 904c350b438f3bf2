#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "data/question_answers.h"
#include "methods/skip/source.h"

namespace hone::methods {

namespace {

class QuestionSource final : public ExampleSource {
 public:
  QuestionSource(const QuestionTrainOptions& o, QuestionData data, uint64_t seed) : o_(o), data_(std::move(data)), seed_(seed) {
    single_ = std::ranges::all_of(set().questions, [](const Question& q) { return q.answers.size() <= 1 && (q.answers.empty() || q.answers[0].score == 1); });
  }

  void shape(Arch& arch) const override {
    arch.head.classes = static_cast<int64_t>(set().answers.size());
    data_.shape(arch, o_.text_length);
  }
  Bindings bindings(int64_t batch) const override {
    Bindings b;
    b.batch = batch;
    return b;
  }
  Status fit(const Graph& g) override {
    HONE_TRY_ASSIGN(inputs_, QuestionInputs::of(g, set()));
    const Shape& out = g.value(g.outputs[0]).type.shape;
    if (out.size() != 2 || out[1] != static_cast<int64_t>(set().answers.size()))
      return fail(Code::invalid, fmt::format("gives {}, the data have {} answers", to_string(out), set().answers.size()), g.name, "the head and the answers of the data must be of one vocabulary, in one order");
    HONE_TRY_ASSIGN(QuestionBatches batches, inputs_.batches(data_, "learnt", o_, o_.batch, true, seed_));
    learnt_.emplace(std::move(batches));
    return {};
  }
  int64_t steps_per_epoch() const override { return learnt_->steps_per_epoch(); }
  int64_t batch() const override { return o_.batch; }
  int64_t val_batch() const override { return o_.val_batch; }
  std::string unit() const override { return "questions"; }

  Result<Examples> next(int64_t step, int64_t micro, int64_t micros) override {
    if (o_.batch % micros) return fail(Code::usage, fmt::format("a batch of {} cannot be cut into {} equal micro-batches", o_.batch, micros), "data.batch", "choose a multiple of ranks and train.accumulate");
    if (step != step_) {
      HONE_TRY_ASSIGN(const auto batch, learnt_->at(step));
      now_ = examples(*batch, o_.batch);
      step_ = step;
    }
    const int64_t size = o_.batch / micros;
    Examples part{{}, now_.targets.narrow(0, micro * size, size)};
    for (const at::Tensor& t : now_.inputs) part.inputs.push_back(t.narrow(0, micro * size, size));
    return part;
  }

  Result<int64_t> size(const std::string& split) override {
    HONE_TRY_ASSIGN(const QuestionSet::Split* found, named(split));
    return static_cast<int64_t>(found->questions.size());
  }
  Result<Examples> of(const std::string& split, int64_t first, int64_t count) override {
    HONE_TRY_ASSIGN(const QuestionSet::Split* found, named(split));
    auto at = fixed_.find({found->name, count});
    if (at == fixed_.end()) {
      HONE_TRY_ASSIGN(QuestionBatches made, inputs_.batches(data_, found->name, o_, count, false, seed_));
      at = fixed_.emplace(std::pair(found->name, count), std::move(made)).first;
    }
    QuestionBatch batch;
    HONE_TRY(at->second(first / count, batch));
    return examples(batch, count);
  }

  Result<train::Metrics> measures(const std::string& split, const std::vector<int64_t>& chosen) override {
    HONE_TRY_ASSIGN(const QuestionSet::Split* found, named(split));
    const auto& questions = found->questions;
    if (std::ranges::all_of(questions, [&](uint32_t q) { return set().questions[q].answers.empty(); })) return train::Metrics{};
    const auto n = static_cast<double>(questions.size());
    std::vector<double> score(questions.size());
    const bool people = std::ranges::any_of(questions, [&](uint32_t q) { return !set().questions[q].given.empty(); });
    for (size_t i = 0; i < questions.size(); ++i) {
      const Question& q = set().questions[questions[i]];
      if (people) {
        std::vector<std::string> given;
        for (uint32_t g : q.given) given.push_back(set().given[g]);
        score[i] = vqa_accuracy(set().answers[static_cast<size_t>(chosen[i])], given);
      } else {
        for (const AnswerScore& a : q.answers)
          if (a.answer == chosen[i]) score[i] = a.score;
      }
    }
    double sum = 0;
    for (double s : score) sum += s;
    train::Metrics out{{people ? "VQA accuracy" : "accuracy", sum / n}};
    if (set().task == QuestionTask::verify) {
      std::vector<bool> right;
      for (double s : score) right.push_back(s > 0);
      out.emplace_back("consistency", pair_score(set(), questions, right).consistency);
    }
    if (set().kinds.size() > 1)
      for (size_t k = 0; k < set().kinds.size(); ++k) {
        double of_kind = 0, there = 0;
        for (size_t i = 0; i < questions.size(); ++i)
          if (set().questions[questions[i]].kind == k) of_kind += score[i], there += 1;
        if (there > 0) out.emplace_back(set().kinds[k], of_kind / there);
      }
    return out;
  }

  Result<std::string> answers_file(const std::string& split, const std::vector<int64_t>& chosen) override {
    HONE_TRY_ASSIGN(const QuestionSet::Split* found, named(split));
    const std::vector<uint32_t> labels(chosen.begin(), chosen.end());
    return set().task == QuestionTask::verify ? nlvr2_predictions(set(), found->questions, labels) : vqa_submission(set(), found->questions, labels);
  }

  DataFacts facts() const override { return data_.facts(o_); }
  Status agree(const std::string& weights, const NamedTensors& tensors) const override { return data_.agree(weights, tensors); }
  int64_t begin_token() const override { return data_.tokenizer->special().begin; }
  std::vector<std::string> notes() const override { return data_.notes(); }
  std::vector<std::pair<std::string, std::string>> files() const override { return data_.files(); }

 private:
  const QuestionSet& set() const { return *data_.set; }

  Result<const QuestionSet::Split*> named(const std::string& split) const { return data_.named(split); }

  // A batch as tensors; one that is shorter repeats its last question.
  Examples examples(const QuestionBatch& b, int64_t count) const {
    const auto n = static_cast<int64_t>(b.questions.size()), classes = static_cast<int64_t>(set().answers.size());
    const auto full = [&](const at::Tensor& t) { return n == count ? t : t.index_select(0, at::arange(count).clamp_max(n - 1)); };
    const at::Tensor scores = at::from_blob(const_cast<float*>(b.targets.data()), {n, classes}, at::kFloat);
    Examples out{inputs_.order(full(ids_of(b, o_.text_length).select(1, 0)), full(mask_of(b, o_.text_length).select(1, 0)), full(images_of(b))), full(single_ ? scores.argmax(1) : scores.clone())};
    return out;
  }

  QuestionTrainOptions o_;
  QuestionData data_;
  uint64_t seed_;
  bool single_ = false;                 // every question has one right answer: cross-entropy
  QuestionInputs inputs_;
  std::map<std::pair<std::string, int64_t>, QuestionBatches> fixed_;
  int64_t step_ = -1;
  Examples now_;
  std::optional<QuestionFeed> learnt_;
};

}  // namespace

Result<std::unique_ptr<ExampleSource>> question_source(const QuestionTrainOptions& o, double held, uint64_t seed) {
  HONE_TRY_ASSIGN(QuestionData data, open_question_data(o, held, false));
  if (data.set->task == QuestionTask::retrieve) return retrieval_source(o, std::move(data), seed);
  return std::unique_ptr<ExampleSource>(std::make_unique<QuestionSource>(o, std::move(data), seed));
}

}  // namespace hone::methods
