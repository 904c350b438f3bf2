#include "methods/pretrain/task.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>

#include "data/shuffle.h"
#include "ir/infer.h"
#include "methods/pretrain/masking.h"
#include "methods/questions/start.h"
#include "zoo/catalog.h"

namespace hone::methods {

namespace {

enum Purpose : uint64_t { kWords = 0x6d6c6d, kMatching = 0x69746d };
constexpr uint64_t kValidation = uint64_t{1} << 62;  // in the place of an epoch: the same draws at every validation

double right(const at::Tensor& logits, const at::Tensor& labels) { return logits.detach().argmax(-1).eq(labels).sum().item<double>(); }

}  // namespace

PretrainOptions read_pretrain_options(Recipe& r) {
  PretrainOptions o;
  o.network = r.text("network.name", "vilt/tiny-mlm-itm", "a network with heads for words and matching: name, arch.toml or .hone");
  o.weights = r.files("network.weights", "checkpoint or run to begin from; a list: checkpoints that each hold a part of the network; empty: fresh weights");
  o.init = r.real("network.init", 0, "standard deviation of fresh dense layers; 0: the network's own, 0.02, which suits widths of several hundred", 0, 1);
  o.mask = r.real("pretrain.mask", 0.15, "share of a text's words that are hidden: 80 % as the mask token, 10 % as another one, 10 % as they are", 0.01, 0.9);
  o.words_weight = r.real("pretrain.words", 1, "weight of the loss of hidden words", 0);
  o.matching_weight = r.real("pretrain.matching", 1, "weight of the loss of image-text matching", 0);
  o.questions = read_questions(r, true);
  return o;
}

Result<std::unique_ptr<PretrainTask>> PretrainTask::make(const PretrainOptions& options, const train::Compute& compute, const RunDir* run) {
  auto task = std::unique_ptr<PretrainTask>(new PretrainTask());
  task->o_ = options;
  task->compute_ = compute;
  HONE_TRY(task->open());
  if (run)
    for (const auto& [name, contents] : task->data_.files()) HONE_TRY(run->write(name, contents));
  return task;
}

Status PretrainTask::open() {
  HONE_TRY(use_weights_of_runs(o_.weights, o_.questions.tokenizer));
  HONE_TRY_ASSIGN(data_, open_question_data(o_.questions, 0, true));
  if (data_.tokenizer->special().mask < 0) return fail(Code::usage, "has no mask token", o_.questions.tokenizer, "masked words need a vocabulary with one");
  HONE_TRY_ASSIGN(Network network, open_network(o_.network));
  if (network.arch) {
    HONE_TRY(data_.shape(*network.arch, o_.questions.text_length));
    HONE_TRY_ASSIGN(network.graph, build(*network.arch));
  }
  graph_ = std::move(network.graph);
  set_dense_start(graph_, o_.init);
  HONE_TRY_ASSIGN(const Inferred one, infer(graph_, {.batch = 1}));
  HONE_TRY_ASSIGN(inputs_, QuestionInputs::of(one.graph, *data_.set));
  for (size_t i = 0; i < one.graph.outputs.size(); ++i) {
    const Shape& s = one.graph.value(one.graph.outputs[i]).type.shape;
    if (s.size() == 3 && s[1] == o_.questions.text_length && s[2] == data_.tokenizer->size()) words_ = static_cast<int>(i);
    if (s.size() == 2 && s[1] == 2) matching_ = static_cast<int>(i);
  }
  if (words_ < 0 && matching_ < 0)
    return fail(Code::usage, fmt::format("gives neither words (N x {} x {}) nor matching (N x 2)", o_.questions.text_length, data_.tokenizer->size()), o_.network, "networks with such heads are called -mlm-itm");
  if (o_.words_weight == 0) words_ = -1;
  if (o_.matching_weight == 0) matching_ = -1;
  if (words_ < 0 && matching_ < 0) return fail(Code::usage, "nothing is learnt", "pretrain.words, pretrain.matching", "one of the weights must be above 0");
  HONE_TRY_ASSIGN(params_, train::Params::of(one.graph, compute_.seed));
  if (!o_.weights.empty()) {
    HONE_TRY_ASSIGN(Start start, start_from(o_.weights, one.graph, params_, [&](const std::string& file, const NamedTensors& tensors) { return data_.agree(file, tensors); }));
    notes_ = std::move(start.notes);
  }
  params_.to(compute_.device);
  for (std::string& note : data_.notes()) notes_.push_back(std::move(note));
  const auto& texts = data_.split("learnt");
  const auto first_image = [&](uint32_t q) { return data_.set->questions[q].images[0]; };
  if (std::ranges::all_of(texts, [&](uint32_t q) { return first_image(q) == first_image(texts[0]); })) return fail(Code::usage, "all texts are of one picture: none can be swapped", o_.questions.path);
  for (uint32_t q : texts) {
    const size_t asked = data_.asked[q];
    if (same_question_.size() <= asked) same_question_.resize(asked + 1);
    same_question_[asked].push_back(q);
  }
  HONE_TRY_ASSIGN(QuestionBatches learnt, inputs_.batches(data_, "learnt", o_.questions, o_.questions.batch, true, compute_.seed));
  learnt_.emplace(std::move(learnt));
  HONE_TRY_ASSIGN(QuestionBatches validation, inputs_.batches(data_, data_.val, o_.questions, o_.questions.val_batch, false, 0));
  validation_.emplace(std::move(validation));
  return {};
}

Result<const train::Program*> PretrainTask::program(int64_t batch) {
  if (const auto found = programs_.find(batch); found != programs_.end()) return &found->second;
  HONE_TRY_ASSIGN(const Inferred typed, infer(graph_, {.batch = batch}));
  HONE_TRY_ASSIGN(train::Program compiled, train::Program::compile(typed.graph));
  return &programs_.emplace(batch, std::move(compiled)).first->second;
}

const std::string& PretrainTask::swapped(uint32_t text, Rng& rng) const {
  const Question& own = data_.set->questions[text];
  const auto usable = [&](const Question& q) { return q.images[0] != own.images[0] && q.text != own.text; };
  const size_t asked = data_.asked[text];
  for (const auto* from : {asked < same_question_.size() ? &same_question_[asked] : nullptr, &data_.split("learnt")})
    for (int tries = 0; from && !from->empty() && tries < 32; ++tries)
      if (const Question& q = data_.set->questions[(*from)[rng.below(from->size())]]; usable(q)) return q.text;
  for (uint32_t q : data_.split("learnt"))  // nearly all texts are one: the first that is not
    if (usable(data_.set->questions[q])) return data_.set->questions[q].text;
  return own.text;
}

PretrainTask::Pairs PretrainTask::pairs_of(const QuestionBatch& b, uint64_t key) const {
  const int64_t length = o_.questions.text_length, n = static_cast<int64_t>(b.questions.size());
  const at::Tensor ids = ids_of(b, length).select(1, 0), mask = mask_of(b, length).select(1, 0);
  at::Tensor hidden = ids.clone(), shown = ids.clone(), shown_mask = mask.clone();
  Pairs out;
  out.images = images_of(b);
  out.labels = at::empty({n, length}, at::kLong);
  out.match = at::ones({n}, at::kLong);
  std::vector<int32_t> row(static_cast<size_t>(length));
  std::vector<uint8_t> row_mask(row.size());
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t text = b.questions[static_cast<size_t>(i)];
    Rng words(derive_seed(compute_.seed, kWords, key, text)), matching(derive_seed(compute_.seed, kMatching, key, text));
    out.hidden += mask_words(hidden.mutable_data_ptr<int64_t>() + i * length, out.labels.mutable_data_ptr<int64_t>() + i * length, length, *data_.tokenizer, o_.mask, words);
    if (matching.below(2)) continue;
    out.match.mutable_data_ptr<int64_t>()[i] = 0;
    data_.tokenizer->encode_row(swapped(text, matching), length, row.data(), row_mask.data());
    std::ranges::copy(row, shown.mutable_data_ptr<int64_t>() + i * length);
    std::ranges::copy(row_mask, shown_mask.mutable_data_ptr<int64_t>() + i * length);
  }
  out.ids = at::cat({hidden, shown});
  out.mask = at::cat({mask, shown_mask});
  return out;
}

Result<PretrainTask::Sums> PretrainTask::run(const train::Params& params, const Pairs& p, const train::RunOptions& options) {
  const int64_t n = p.match.size(0), from = words_ < 0 ? n : 0, rows = (matching_ < 0 ? n : 2 * n) - from;  // no row without a use
  const at::Tensor images = rows > n ? at::cat({p.images, p.images}) : p.images;
  std::vector<at::Tensor> inputs = inputs_.order(p.ids.narrow(0, from, rows), p.mask.narrow(0, from, rows), images);
  for (at::Tensor& t : inputs) t = t.to(compute_.device);
  HONE_TRY_ASSIGN(const train::Program* compiled, program(rows));
  HONE_TRY_ASSIGN(const auto state, params.bind(*compiled));
  HONE_TRY_ASSIGN(const auto outputs, compiled->run(inputs, state, options));
  Sums s;
  if (words_ >= 0) {  // only hidden places are compared
    const at::Tensor at = p.labels.view({-1}).ne(kNotMasked).nonzero().squeeze(1).to(compute_.device);
    const at::Tensor labels = p.labels.view({-1}).to(compute_.device).index_select(0, at);
    const at::Tensor logits = outputs[static_cast<size_t>(words_)].narrow(0, 0, n).flatten(0, 1).index_select(0, at).to(at::kFloat);
    s.words = at::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum);
    s.words_right = right(logits, labels);
  }
  if (matching_ >= 0) {
    const at::Tensor match = p.match.to(compute_.device), logits = outputs[static_cast<size_t>(matching_)].narrow(0, rows - n, n).to(at::kFloat);
    s.matching = at::cross_entropy_loss(logits, match, {}, at::Reduction::Sum);
    s.matching_right = right(logits, match);
  }
  return s;
}

Result<train::Losses> PretrainTask::forward(int64_t step, int64_t micro, int64_t micros) {
  const int64_t batch = o_.questions.batch;
  if (batch % micros) return fail(Code::usage, fmt::format("a batch of {} cannot be cut into {} equal micro-batches", batch, micros), "data.batch", "choose a multiple of ranks and train.accumulate");
  if (step != step_) {
    HONE_TRY_ASSIGN(const auto loaded, learnt_->at(step));
    now_ = pairs_of(*loaded, static_cast<uint64_t>(loaded->epoch));
    step_ = step;
  }
  const int64_t n = batch / micros;
  const auto cut = [&](const at::Tensor& t, int64_t begin) { return t.narrow(0, begin + micro * n, n); };
  Pairs part;
  part.ids = at::cat({cut(now_.ids, 0), cut(now_.ids, batch)});
  part.mask = at::cat({cut(now_.mask, 0), cut(now_.mask, batch)});
  part.images = cut(now_.images, 0);
  part.labels = cut(now_.labels, 0);
  part.match = cut(now_.match, 0);
  train::RunOptions run_options;
  run_options.training = true;
  run_options.generator = train::step_generator(compute_, step, micro);
  run_options.compute = compute_.type;
  HONE_TRY_ASSIGN(const Sums s, run(params_, part, run_options));
  // Means over the whole step's hidden words and texts, so that cutting it changes nothing.
  const double words = static_cast<double>(std::max<int64_t>(1, now_.hidden)) / static_cast<double>(micros), texts = static_cast<double>(n);
  train::Losses out;
  const auto add = [&](const at::Tensor& loss, double weight) { out.total = out.total.defined() ? out.total + weight * loss : weight * loss; };
  if (words_ >= 0) {
    add(s.words / words, o_.words_weight);
    out.parts.emplace_back("words_loss", (s.words / words).detach());
    out.parts.emplace_back("words_right", at::scalar_tensor(s.words_right / words));
  }
  if (matching_ >= 0) {
    add(s.matching / texts, o_.matching_weight);
    out.parts.emplace_back("matching_loss", (s.matching / texts).detach());
    out.parts.emplace_back("matching_right", at::scalar_tensor(s.matching_right / texts));
  }
  for (auto& [name, value] : out.parts) value = value.to(compute_.device);
  return out;
}

Result<train::Metrics> PretrainTask::validate(const train::Params& params) {
  at::NoGradGuard no_grad;
  train::RunOptions run_options;
  run_options.compute = compute_.type;
  double words = 0, matching = 0, words_right = 0, matching_right = 0, texts = 0, hidden = 0;
  for (int64_t step = 0; step < validation_->steps_per_epoch(); ++step) {
    QuestionBatch batch;
    HONE_TRY((*validation_)(step, batch));
    const Pairs pairs = pairs_of(batch, kValidation);
    HONE_TRY_ASSIGN(const Sums s, run(params, pairs, run_options));
    if (words_ >= 0) words += s.words.item<double>();
    if (matching_ >= 0) matching += s.matching.item<double>();
    words_right += s.words_right;
    matching_right += s.matching_right;
    texts += static_cast<double>(batch.questions.size());
    hidden += static_cast<double>(pairs.hidden);
  }
  hidden = std::max(1.0, hidden);
  train::Metrics out{{"loss", o_.words_weight * words / hidden + o_.matching_weight * matching / texts}};
  if (words_ >= 0) out.insert(out.end(), {{"words_right", words_right / hidden}, {"words_loss", words / hidden}});
  if (matching_ >= 0) out.insert(out.end(), {{"matching_right", matching_right / texts}, {"matching_loss", matching / texts}});
  return out;
}

}  // namespace hone::methods
