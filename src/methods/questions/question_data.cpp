#include "methods/questions/question_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <unordered_map>

#include "data/question_answers.h"
#include "data/question_sets.h"
#include "data/questions_procedural.h"
#include "data/shuffle.h"
#include "formats/tokenizer_models.h"
#include "formats/tokenizer_train.h"

namespace hone::methods {

namespace {

namespace fs = std::filesystem;

// Splits the training questions by picture. The same pictures for every seed, so that what a search kept for rewards stays unseen
// in the training after it.
Status split_by_picture(QuestionSet& set, const QuestionTrainOptions& o, double held_share) {
  const QuestionSet::Split* split = set.split(o.train);
  if (!split) {
    std::string there;
    for (const auto& s : set.splits) there += (there.empty() ? "" : ", ") + s.name;
    return fail(Code::not_found, fmt::format("has no split '{}'", o.train), set.name, "it has: " + there + "; see questions.train of the recipe");
  }
  std::vector<uint32_t> pictures;
  std::vector<bool> seen(set.images.size());
  for (uint32_t q : split->questions)
    for (int k = 0; k < set.images_per_question; ++k)
      if (const uint32_t image = set.questions[q].images[static_cast<size_t>(k)]; !seen[image]) seen[image] = true, pictures.push_back(image);
  const auto n = static_cast<uint64_t>(pictures.size());
  const auto share = [&](double of) { return of > 0 ? static_cast<uint64_t>(std::max<int64_t>(1, std::llround(of * static_cast<double>(n)))) : uint64_t{0}; };
  const uint64_t held_pictures = share(held_share), val_pictures = share(o.val_share);
  enum Place : uint8_t { learnt, held, validation };
  std::vector<uint8_t> place(set.images.size(), learnt);
  const Shuffle order(n, 0x686f6c64);
  for (uint64_t i = 0; i < std::min(n, held_pictures + val_pictures); ++i) place[pictures[order(i)]] = i < held_pictures ? held : validation;
  QuestionSet::Split parts[3] = {{"learnt", {}}, {"held", {}}, {"validation", {}}};
  const auto wanted = [&](const Question& q) { return o.kinds.empty() || std::ranges::find(o.kinds, set.kinds[q.kind]) != o.kinds.end(); };
  for (const std::string& kind : o.kinds)
    if (std::ranges::find(set.kinds, kind) == set.kinds.end()) {
      std::string there;
      for (const std::string& k : set.kinds) there += (there.empty() ? "" : ", ") + k;
      return fail(Code::usage, fmt::format("has no questions of kind '{}'", kind), "questions.kinds", "it has: " + there);
    }
  for (uint32_t q : split->questions) {
    if (!wanted(set.questions[q])) continue;
    uint8_t to = place[set.questions[q].images[0]];
    if (set.images_per_question > 1) to = std::max(to, place[set.questions[q].images[1]]);
    parts[to].questions.push_back(q);
  }
  if (parts[learnt].questions.empty()) return fail(Code::usage, fmt::format("no question of split '{}' is left to learn from", o.train), set.name, "lower skip.held and questions.val_share");
  if (held_share > 0 && parts[held].questions.empty()) return fail(Code::usage, fmt::format("no question of split '{}' is kept for rewards", o.train), set.name, "--set skip.held=0.2");
  if (o.val_share > 0 && parts[validation].questions.empty()) return fail(Code::usage, fmt::format("no question of split '{}' is kept for validation", o.train), set.name, "--set questions.val_share=0.2");
  set.splits.push_back(std::move(parts[learnt]));
  if (held_share > 0) set.splits.push_back(std::move(parts[held]));
  if (o.val_share > 0) set.splits.push_back(std::move(parts[validation]));
  return {};
}

// Questions with their answers as statements; returns which of them ask the same.
std::vector<uint32_t> make_captions(QuestionSet& set) {
  std::vector<uint32_t> asked;
  std::unordered_map<std::string, uint32_t> wordings;
  for (Question& q : set.questions) {
    asked.push_back(wordings.emplace(q.text, static_cast<uint32_t>(wordings.size())).first->second);
    const auto best = std::ranges::max_element(q.answers, {}, &AnswerScore::score);
    if (best != q.answers.end()) q.text += " " + set.answers[best->answer];
    q.answers.clear();
  }
  set.task = QuestionTask::retrieve;
  return asked;
}

// Texts that the network sees only the beginning of, counted and named among the set's notes.
void note_cut_texts(QuestionSet& set, const Tokenizer& tokenizer, int64_t length) {
  DataNote note{fmt::format("text of more than {} tokens, cut", length), 0, {}};
  for (const Question& q : set.questions) {
    bool cut = false;
    tokenizer.encode(q.text, static_cast<int>(length), cut);
    if (!cut) continue;
    ++note.count;
    if (note.examples.size() < 3) note.examples.push_back(q.text);
  }
  if (note.count > 0) set.notes.push_back(std::move(note));
}

}  // namespace

QuestionTrainOptions read_questions(Recipe& r, bool needed) {
  QuestionTrainOptions q;
  q.path = r.text("questions.path", needed ? "procedural" : "",
                  needed ? "texts about pictures: procedural, or a folder of VQAv2, easy-VQA or Karpathy captions"
                         : "questions about pictures: procedural, or a folder of VQAv2, NLVR2, easy-VQA or captions; empty: labelled images, see [data]");
  if (q.path.empty()) return q;
  q.train = r.text("questions.train", "train", "their split to train on");
  q.val = r.text("questions.val", "val", "their split to validate on");
  q.val_share = r.real("questions.val_share", 0, "share of the training pictures to validate on instead, for sets without such a split", 0, 0.9);
  q.kinds = r.texts("questions.kinds", {}, "kinds of question to learn and validate with, as hone data questions lists them; empty: all");
  q.images = r.integer("questions.images", 1000, "procedural: pictures to draw", 10, 1 << 24);
  q.objects = r.integer("questions.objects", 5, "procedural: shapes on a picture at most; few make easy questions", 1, 9);
  q.tokenizer = r.text("questions.tokenizer", "", "vocabulary files of the network's text encoder; empty: that of the run that network.weights names, or WordPiece learnt from the training texts");
  q.answers = r.text("questions.answers", "", "labels of a trained head in its order: one a line, or a config.json; empty: as the data have them");
  q.vocabulary = r.integer("questions.vocabulary", 512, "tokens of a learnt vocabulary", 8, 1 << 20);
  q.text_length = r.integer("questions.text_length", 24, "tokens of a text; longer ones are cut", 4, 512);
  q.false_texts = r.integer("questions.false_texts", 15, "captions: of other pictures, that a picture's own one is found among in training", 1, 1024);
  q.augment = r.integer("questions.augment", 0, "operations of RandAugment on a picture in training; published 2", 0, 10);
  q.augment_magnitude = r.real("questions.augment_magnitude", 9, "their strength", 0, 10);
  q.batch = r.integer("data.batch", 32, "questions of an optimiser step, over all micro-batches and ranks", 1, 1 << 20);
  q.val_batch = r.integer("data.val_batch", 64, "questions at once in validation", 1, 1 << 16);
  return q;
}

Result<QuestionData> open_question_data(const QuestionTrainOptions& o, double held, bool captions) {
  QuestionSet set;
  std::vector<std::string> labels;
  if (!o.answers.empty()) {
    HONE_TRY_ASSIGN(labels, read_labels(o.answers));
  }
  if (o.path == "procedural") {
    ProceduralQuestions p;
    p.images = o.images;
    p.most_objects = static_cast<int>(o.objects);
    p.least_objects = std::min(p.least_objects, p.most_objects);
    p.kinds = o.kinds;
    HONE_TRY_ASSIGN(set, procedural_questions(p));
    if (!labels.empty()) HONE_TRY(check_labels(set, labels, o.answers));
  } else {
    HONE_TRY_ASSIGN(set, open_questions(o.path, {.answers = labels}));
  }
  QuestionData out;
  if (captions) out.asked = make_captions(set);
  HONE_TRY(split_by_picture(set, o, held));
  out.val = o.val_share > 0 ? "validation" : o.val;
  const QuestionSet::Split* val = set.split(out.val);
  if (!val || val->questions.empty()) return fail(Code::not_found, fmt::format("has no split '{}' with questions", out.val), o.path, "--set questions.val=NAME, or questions.val_share=0.1 for a part of the training pictures");
  if (o.tokenizer.empty()) {
    std::vector<std::string> texts;
    for (uint32_t q : set.split("learnt")->questions) texts.push_back(set.questions[q].text);
    VocabularyOptions v;
    v.size = o.vocabulary;
    HONE_TRY_ASSIGN(WordPieceModel model, train_wordpiece(texts, v));
    HONE_TRY_ASSIGN(out.tokenizer, make_tokenizer(std::move(model), "questions"));
  } else {
    HONE_TRY_ASSIGN(out.tokenizer, open_tokenizer(o.tokenizer));
  }
  note_cut_texts(set, *out.tokenizer, o.text_length);
  out.set = std::make_shared<const QuestionSet>(std::move(set));
  return out;
}

Status QuestionData::agree(const std::string& weights, const NamedTensors& tensors) const {
  for (const auto& [name, tensor] : tensors)
    if (name.ends_with("word_embeddings.weight") && tensor.shape.size() == 2) HONE_TRY(check_vocabulary(*tokenizer, tensor.shape[0], weights));
  const fs::path folder = fs::path(weights).parent_path();
  const std::string file = (folder.parent_path() / "answers.txt").string();
  std::error_code ec;
  if (set->task == QuestionTask::retrieve || folder.filename() != "checkpoints" || !fs::exists(file, ec)) return {};
  HONE_TRY_ASSIGN(const auto labels, read_labels(file));
  if (labels == set->answers || !std::ranges::is_permutation(labels, set->answers)) return {};  // other answers: another head
  Status order = check_labels(*set, labels, weights);
  if (order) return {};
  Error error = std::move(order).error();
  error.hint = "--set questions.answers=" + file;
  return fail(std::move(error));
}

Result<const QuestionSet::Split*> QuestionData::named(const std::string& name) const {
  const QuestionSet::Split* found = set->split(name == "validation" ? val : name);
  if (found && !found->questions.empty()) return found;
  std::string there;
  for (const auto& s : set->splits) there += (there.empty() ? "" : ", ") + s.name;
  return fail(Code::not_found, fmt::format("has no split '{}'", name), set->name, "it has: " + there);
}

Status QuestionData::shape(Arch& arch, int64_t text_length) const {
  if (arch.family != "vilt" && arch.family != "meter") return fail(Code::usage, fmt::format("reads no texts, which {} needs", set->name), arch.name, "networks of texts and pictures are called vilt/... and meter/...");
  arch.options["vocabulary"] = tokenizer->size();
  arch.options["text_length"] = text_length;
  arch.options["text_mask"] = true;
  return {};
}

DataFacts QuestionData::facts(const QuestionTrainOptions& o) const {
  DataFacts out{"questions", o.path == "procedural" ? "" : o.path, set->checksum, {}};
  for (const std::string& name : {std::string("learnt"), std::string("held"), val})
    if (set->split(name)) out.counts[name + " questions"] = static_cast<int64_t>(split(name).size());
  if (!set->answers.empty()) out.counts["answers"] = static_cast<int64_t>(set->answers.size());
  out.counts["tokens"] = tokenizer->size();
  return out;
}

std::vector<std::string> QuestionData::notes() const {
  std::vector<std::string> out;
  for (const DataNote& note : set->notes) out.push_back(describe(note));
  return out;
}

std::vector<std::pair<std::string, std::string>> QuestionData::files() const {
  std::vector<std::pair<std::string, std::string>> out;
  std::string answers, tokens;
  for (const std::string& a : set->answers) answers += a + "\n";
  for (const std::string& t : tokenizer->vocabulary()) tokens += t + "\n";
  if (!answers.empty() && set->task != QuestionTask::retrieve) out.emplace_back("answers.txt", answers);
  if (tokenizer->name() == "WordPiece") out.emplace_back("vocab.txt", tokens);  // the other kind is more than its tokens, and always given as files
  return out;
}

Result<QuestionInputs> QuestionInputs::of(const Graph& g, const QuestionSet& set) {
  QuestionInputs in;
  int64_t pictures = 0;
  for (ValueId v : g.inputs) {
    const std::string& name = g.value(v).name;
    const Shape& s = g.value(v).type.shape;
    if (name.starts_with("pixel_values") && s.size() == 4) {
      in.height = static_cast<int>(s[2]), in.width = static_cast<int>(s[3]);
      ++pictures;
    } else if (name != "input_ids" && name != "attention_mask") {
      return fail(Code::unsupported, fmt::format("has an input '{}', expected a text and pictures", name), g.name);
    }
    in.names.push_back(name);
  }
  if (pictures != set.images_per_question)
    return fail(Code::usage, fmt::format("takes {} pictures, a question of {} has {}", pictures, set.name, set.images_per_question), g.name, "networks for pairs are called -nlvr2");
  in.transform = g.name.starts_with("meter/") ? meter_transform(in.height) : vilt_transform(in.height);
  if (in.transform.fit == Fit::multiples && in.width == in.height) in.transform.fit = Fit::stretch;  // ViLT's sizes would not fill a square
  HONE_TRY(check(in.transform));
  return in;
}

std::vector<at::Tensor> QuestionInputs::order(const at::Tensor& ids, const at::Tensor& mask, const at::Tensor& images) const {
  std::vector<at::Tensor> out;
  for (const std::string& name : names) out.push_back(name == "input_ids" ? ids : name == "attention_mask" ? mask : images.select(1, name.ends_with("_1") ? 1 : 0));
  return out;
}

Result<QuestionBatches> QuestionInputs::batches(const QuestionData& data, const std::string& split, const QuestionTrainOptions& o, int64_t batch, bool shuffle, uint64_t seed, int false_texts) const {
  QuestionBatchOptions b;
  b.transform = transform;
  if (shuffle) b.transform.rand_augment.operations = static_cast<int>(o.augment), b.transform.rand_augment.magnitude = o.augment_magnitude;
  b.tokenizer = data.tokenizer;
  b.max_text = static_cast<int>(o.text_length);
  b.false_texts = false_texts;
  b.batch = static_cast<int>(batch);
  b.width = width;
  b.height = height;
  b.seed = seed;
  b.shuffle = shuffle;
  return QuestionBatches::make(data.set, split, b);
}

namespace {
// blobs are the batch's own memory: to() and clone() copy
at::Tensor rows(const void* from, at::IntArrayRef shape, at::ScalarType type) { return at::from_blob(const_cast<void*>(from), shape, type); }
int64_t count(const QuestionBatch& b) { return static_cast<int64_t>(b.questions.size()); }
}  // namespace

at::Tensor ids_of(const QuestionBatch& b, int64_t length) { return rows(b.tokens.data(), {count(b), static_cast<int64_t>(b.tokens.size()) / (count(b) * length), length}, at::kInt).to(at::kLong); }
at::Tensor mask_of(const QuestionBatch& b, int64_t length) { return rows(b.token_mask.data(), {count(b), static_cast<int64_t>(b.token_mask.size()) / (count(b) * length), length}, at::kByte).to(at::kLong); }
at::Tensor images_of(const QuestionBatch& b) { return rows(b.images.data(), {count(b), static_cast<int64_t>(b.valid.size()) / count(b), 3, b.height, b.width}, at::kFloat).clone(); }

Result<std::shared_ptr<const QuestionBatch>> QuestionFeed::load(int64_t step) const {
  auto batch = std::make_shared<QuestionBatch>();
  HONE_TRY(batches_(step, *batch));
  return std::shared_ptr<const QuestionBatch>(std::move(batch));
}

Result<std::shared_ptr<const QuestionBatch>> QuestionFeed::at(int64_t step) {
  if (step == step_) return now_;
  Result<std::shared_ptr<const QuestionBatch>> loaded = ahead_.valid() ? ahead_.get() : load(step);
  if (ahead_step_ >= 0 && ahead_step_ != step) loaded = load(step);
  if (!loaded) return loaded;
  now_ = std::move(*loaded);
  step_ = step;
  ahead_step_ = step + 1;
  ahead_ = std::async(std::launch::async, [this, next = step + 1] { return load(next); });
  return now_;
}

}  // namespace hone::methods
