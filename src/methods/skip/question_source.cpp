#include <fmt/format.h>

#include <algorithm>

#include "data/question_answers.h"
#include "methods/skip/text_source.h"

namespace hone::methods {

namespace {

class QuestionSource final : public TextSource {
 public:
  QuestionSource(const QuestionTrainOptions& o, QuestionData data, uint64_t seed) : TextSource(o, std::move(data), seed) {
    single_ = std::ranges::all_of(set().questions, [](const Question& q) { return q.answers.size() <= 1 && (q.answers.empty() || q.answers[0].score == 1); });
  }

  Status shape(Arch& arch) const override {
    arch.head.classes = static_cast<int64_t>(set().answers.size());
    return data_.shape(arch, o_.text_length);
  }
  Status fit(const Graph& g) override {
    HONE_TRY_ASSIGN(inputs_, QuestionInputs::of(g, set()));
    const Shape& out = g.value(g.outputs[0]).type.shape;
    if (out.size() != 2 || out[1] != static_cast<int64_t>(set().answers.size()))
      return fail(Code::invalid, fmt::format("gives {}, the data have {} answers", to_string(out), set().answers.size()), g.name, "the head and the answers of the data must be of one vocabulary, in one order");
    return open_batches(0);
  }
  int64_t val_batch() const override { return o_.val_batch; }
  std::string unit() const override { return "questions"; }

  Result<Examples> next(int64_t step, int64_t micro, int64_t micros) override {
    HONE_TRY_ASSIGN(const int64_t size, part_size(micros));
    if (step != step_) {
      HONE_TRY_ASSIGN(const auto batch, learnt_->at(step));
      now_ = examples(*batch, o_.batch);
      step_ = step;
    }
    Examples part{{}, now_.targets.narrow(0, micro * size, size)};
    for (const at::Tensor& t : now_.inputs) part.inputs.push_back(t.narrow(0, micro * size, size));
    return part;
  }
  Result<Examples> of(const std::string& split, int64_t first, int64_t count) override {
    HONE_TRY_ASSIGN(const QuestionBatch batch, fixed(split, first, count));
    return examples(batch, count);
  }

  Result<train::Metrics> measures(const std::string& split, const std::vector<int64_t>& chosen) override {
    HONE_TRY_ASSIGN(const QuestionSet::Split* found, data_.named(split));
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
    HONE_TRY_ASSIGN(const QuestionSet::Split* found, data_.named(split));
    const std::vector<uint32_t> labels(chosen.begin(), chosen.end());
    return set().task == QuestionTask::verify ? nlvr2_predictions(set(), found->questions, labels) : vqa_submission(set(), found->questions, labels);
  }

 private:
  // A batch as tensors; one that is shorter repeats its last question.
  Examples examples(const QuestionBatch& b, int64_t count) const {
    const auto n = static_cast<int64_t>(b.questions.size()), classes = static_cast<int64_t>(set().answers.size());
    const auto full = [&](const at::Tensor& t) { return n == count ? t : t.index_select(0, at::arange(count).clamp_max(n - 1)); };
    const at::Tensor scores = at::from_blob(const_cast<float*>(b.targets.data()), {n, classes}, at::kFloat);
    Examples out{inputs_.order(full(ids_of(b, o_.text_length).select(1, 0)), full(mask_of(b, o_.text_length).select(1, 0)), full(images_of(b))), full(single_ ? scores.argmax(1) : scores.clone())};
    return out;
  }

  bool single_ = false;                 // every question has one right answer: cross-entropy
  int64_t step_ = -1;
  Examples now_;
};

}  // namespace

Result<std::unique_ptr<ExampleSource>> question_source(const QuestionTrainOptions& o, double held, uint64_t seed) {
  HONE_TRY_ASSIGN(QuestionData data, open_question_data(o, held, false));
  if (data.set->task == QuestionTask::retrieve) return retrieval_source(o, std::move(data), seed);
  return std::unique_ptr<ExampleSource>(std::make_unique<QuestionSource>(o, std::move(data), seed));
}

}  // namespace hone::methods
