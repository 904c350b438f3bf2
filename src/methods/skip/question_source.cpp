#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <future>
#include <map>
#include <set>

#include "data/question_batches.h"
#include "data/question_sets.h"
#include "data/questions_procedural.h"
#include "data/shuffle.h"
#include "formats/tokenizer_models.h"
#include "formats/tokenizer_train.h"
#include "methods/skip/source.h"

namespace hone::methods {

namespace {

// Splits one split by picture: "learnt", and "held" with about `share` of the pictures. The same ones for every seed.
Status split_by_picture(QuestionSet& set, const std::string& from, double share) {
  const QuestionSet::Split* split = set.split(from);
  if (!split) {
    std::string there;
    for (const auto& s : set.splits) there += (there.empty() ? "" : ", ") + s.name;
    return fail(Code::not_found, fmt::format("has no split '{}'", from), set.name, "it has: " + there + "; see questions.train of the recipe");
  }
  const auto pictures = static_cast<uint64_t>(set.images.size());
  const Shuffle order(pictures, 0x686f6c64);
  QuestionSet::Split learnt{"learnt", {}}, held{"held", {}};
  const auto kept = static_cast<uint64_t>(std::max<int64_t>(1, std::llround(share * static_cast<double>(pictures))));
  std::vector<bool> away(set.images.size());
  for (uint64_t i = 0; i < kept; ++i) away[order(i)] = true;
  for (uint32_t q : split->questions) {
    const auto& images = set.questions[q].images;
    const bool out = away[images[0]] || (set.images_per_question > 1 && away[images[1]]);
    (out ? held : learnt).questions.push_back(q);
  }
  if (held.questions.empty()) return fail(Code::usage, fmt::format("no question of split '{}' is kept for rewards", from), set.name, "--set skip.held=0.2");
  set.splits.push_back(std::move(learnt));
  set.splits.push_back(std::move(held));
  return {};
}

class QuestionSource final : public ExampleSource {
 public:
  QuestionSource(const QuestionTrainOptions& o, std::shared_ptr<const QuestionSet> set, std::shared_ptr<const Tokenizer> tokenizer, uint64_t seed)
      : o_(o), set_(std::move(set)), tokenizer_(std::move(tokenizer)), seed_(seed) {
    single_ = std::all_of(set_->questions.begin(), set_->questions.end(), [](const Question& q) { return q.answers.size() <= 1 && (q.answers.empty() || q.answers[0].score == 1); });
  }

  void shape(Arch& arch) const override {
    arch.head.classes = static_cast<int64_t>(set_->answers.size());
    arch.options["vocabulary"] = tokenizer_->size();
    arch.options["text_length"] = o_.text_length;
    arch.options["text_mask"] = true;
  }
  Bindings bindings(int64_t batch) const override {
    Bindings b;
    b.batch = batch;
    return b;
  }
  Status fit(const Graph& g) override {
    for (ValueId v : g.inputs) names_.push_back(g.value(v).name);
    for (const std::string& n : names_)
      if (n != "input_ids" && n != "attention_mask" && !n.starts_with("pixel_values")) return fail(Code::unsupported, fmt::format("has an input '{}', expected a text and pictures", n), g.name);
    const auto pictures = std::count_if(names_.begin(), names_.end(), [](const std::string& n) { return n.starts_with("pixel_values"); });
    if (pictures != set_->images_per_question)
      return fail(Code::usage, fmt::format("takes {} pictures, a question of {} has {}", pictures, set_->name, set_->images_per_question), g.name, "networks for pairs are called -nlvr2");
    for (ValueId v : g.inputs) {
      const Shape& s = g.value(v).type.shape;
      if (g.value(v).name.starts_with("pixel_values")) height_ = static_cast<int>(s[2]), width_ = static_cast<int>(s[3]);
    }
    const Shape& out = g.value(g.outputs[0]).type.shape;
    if (out.size() != 2 || out[1] != static_cast<int64_t>(set_->answers.size()))
      return fail(Code::invalid, fmt::format("gives {}, the data have {} answers", to_string(out), set_->answers.size()), g.name, "the head and the answers of the data must be of one vocabulary, in one order");
    transform_ = g.name.starts_with("meter/") ? meter_transform(height_) : vilt_transform(height_);
    transform_.fit = width_ == height_ ? Fit::stretch : Fit::multiples;
    HONE_TRY(check(transform_));
    HONE_TRY_ASSIGN(learnt_, batches("learnt", o_.batch, true));
    return {};
  }
  int64_t steps_per_epoch() const override { return learnt_->steps_per_epoch(); }
  int64_t batch() const override { return o_.batch; }
  int64_t val_batch() const override { return o_.val_batch; }
  int64_t val_size() const override { return static_cast<int64_t>(set_->split(o_.val)->questions.size()); }
  int64_t held_size() const override { return static_cast<int64_t>(set_->split("held")->questions.size()); }
  std::string unit() const override { return "questions"; }

  // A step's batch is loaded once, the next one while the network computes.
  Result<Examples> next(int64_t step, int64_t micro, int64_t micros) override {
    if (o_.batch % micros) return fail(Code::usage, fmt::format("a batch of {} cannot be cut into {} equal micro-batches", o_.batch, micros), "data.batch", "choose a multiple of ranks and train.accumulate");
    if (step != step_) {
      Result<Examples> loaded = ahead_.valid() ? ahead_.get() : load(*learnt_, step, o_.batch);
      if (ahead_step_ != step) loaded = load(*learnt_, step, o_.batch);
      if (!loaded) return loaded;
      now_ = std::move(*loaded);
      step_ = step;
      ahead_step_ = step + 1;
      ahead_ = std::async(std::launch::async, [this, next = step + 1] { return load(*learnt_, next, o_.batch); });
    }
    const int64_t size = o_.batch / micros;
    Examples part{{}, now_.targets.narrow(0, micro * size, size)};
    for (const at::Tensor& t : now_.inputs) part.inputs.push_back(t.narrow(0, micro * size, size));
    return part;
  }
  Result<Examples> validation(int64_t first, int64_t count) override { return of_split(o_.val, first, count); }
  Result<Examples> held(int64_t first, int64_t count) override { return of_split("held", first, count); }

  DataFacts facts() const override {
    return {"questions", o_.path == "procedural" ? "" : o_.path, set_->checksum,
            {{"learnt questions", static_cast<int64_t>(set_->split("learnt")->questions.size())}, {"held questions", held_size()}, {o_.val + " questions", val_size()},
             {"answers", static_cast<int64_t>(set_->answers.size())}, {"tokens", tokenizer_->size()}}};
  }
  std::vector<std::string> notes() const override {
    std::vector<std::string> out;
    for (const DataNote& note : set_->notes) {
      std::string line = fmt::format("{}: {}", note.kind, note.count);
      for (const std::string& e : note.examples) line += (&e == note.examples.data() ? " (" : ", ") + e;
      out.push_back(line + (note.examples.empty() ? "" : ")"));
    }
    return out;
  }
  std::vector<std::pair<std::string, std::string>> files() const override {
    std::string answers, tokens;
    for (const std::string& a : set_->answers) answers += a + "\n";
    for (const std::string& t : tokenizer_->vocabulary()) tokens += t + "\n";
    return {{"answers.txt", answers}, {"vocab.txt", tokens}};
  }

 private:
  Result<std::shared_ptr<QuestionBatches>> batches(const std::string& split, int64_t batch, bool shuffle) {
    QuestionBatchOptions b;
    b.transform = transform_;
    b.tokenizer = tokenizer_;
    b.max_text = static_cast<int>(o_.text_length);
    b.batch = static_cast<int>(batch);
    b.width = width_;
    b.height = height_;
    b.seed = seed_;
    b.shuffle = shuffle;
    HONE_TRY_ASSIGN(QuestionBatches made, QuestionBatches::make(set_, split, b));
    return std::make_shared<QuestionBatches>(std::move(made));
  }

  Result<Examples> of_split(const std::string& split, int64_t first, int64_t count) {
    auto& of = fixed_[{split, count}];
    if (!of) {
      HONE_TRY_ASSIGN(of, batches(split, count, false));
    }
    return load(*of, first / count, count);
  }

  // A batch as tensors; one that is shorter repeats its last question.
  Result<Examples> load(const QuestionBatches& from, int64_t step, int64_t count) const {
    QuestionBatch b;
    HONE_TRY(from(step, b));
    const auto n = static_cast<int64_t>(b.questions.size()), classes = static_cast<int64_t>(set_->answers.size());
    const at::Tensor rows = at::arange(count).clamp_max(n - 1);
    const auto take = [&](const at::Tensor& t) { return n == count ? t.clone() : t.index_select(0, rows); };
    const at::Tensor ids = at::from_blob(b.tokens.data(), {n, o_.text_length}, at::kInt).to(at::kLong), mask = at::from_blob(b.token_mask.data(), {n, o_.text_length}, at::kByte).to(at::kLong);
    const at::Tensor images = at::from_blob(b.images.data(), {n, set_->images_per_question, 3, b.height, b.width}, at::kFloat);
    const at::Tensor scores = at::from_blob(b.targets.data(), {n, classes}, at::kFloat);
    Examples out{{}, take(single_ ? scores.argmax(1) : scores)};
    for (const std::string& name : names_) {
      if (name == "input_ids") out.inputs.push_back(take(ids));
      else if (name == "attention_mask") out.inputs.push_back(take(mask));
      else out.inputs.push_back(take(images.select(1, name.ends_with("_1") ? 1 : 0)));
    }
    return out;
  }

  QuestionTrainOptions o_;
  std::shared_ptr<const QuestionSet> set_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  uint64_t seed_;
  bool single_ = false;                 // every question has one right answer: cross-entropy
  std::vector<std::string> names_;      // of the network's inputs
  int width_ = 0, height_ = 0;
  VisionTransform transform_;
  std::shared_ptr<QuestionBatches> learnt_;
  std::map<std::pair<std::string, int64_t>, std::shared_ptr<QuestionBatches>> fixed_;
  int64_t step_ = -1, ahead_step_ = -1;
  Examples now_;
  std::future<Result<Examples>> ahead_;  // last: it uses the members above, and is waited for first
};

}  // namespace

Result<std::unique_ptr<ExampleSource>> question_source(const QuestionTrainOptions& o, double held, uint64_t seed) {
  QuestionSet set;
  if (o.path == "procedural") {
    ProceduralQuestions p;
    p.images = o.images;
    HONE_TRY_ASSIGN(set, procedural_questions(p));
  } else {
    HONE_TRY_ASSIGN(set, open_questions(o.path));
  }
  if (set.task == QuestionTask::retrieve) return fail(Code::unsupported, "captions have no answers to learn", o.path, "question sets: VQAv2, NLVR2, easy-VQA, procedural");
  HONE_TRY(split_by_picture(set, o.train, held));
  const QuestionSet::Split* val = set.split(o.val);
  if (!val || val->questions.empty()) return fail(Code::not_found, fmt::format("has no split '{}' with questions", o.val), o.path, "--set questions.val=NAME");
  std::shared_ptr<const Tokenizer> tokenizer;
  if (o.tokenizer.empty()) {
    std::vector<std::string> texts;
    for (uint32_t q : set.split("learnt")->questions) texts.push_back(set.questions[q].text);
    VocabularyOptions v;
    v.size = o.vocabulary;
    HONE_TRY_ASSIGN(WordPieceModel model, train_wordpiece(texts, v));
    HONE_TRY_ASSIGN(tokenizer, make_tokenizer(std::move(model), "questions"));
  } else {
    HONE_TRY_ASSIGN(tokenizer, open_tokenizer(o.tokenizer));
  }
  return std::unique_ptr<ExampleSource>(std::make_unique<QuestionSource>(o, std::make_shared<const QuestionSet>(std::move(set)), std::move(tokenizer), seed));
}

}  // namespace hone::methods
