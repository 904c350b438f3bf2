#include "data/question_batches.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "data/shuffle.h"

namespace hone {

namespace {
constexpr uint64_t kOrder = 1, kPicture = 2, kCaptions = 3;  // streams of the seed
}

// Fitted pictures, kept until the room is used up: the first ones stay, so nothing is read twice that had room once.
struct QuestionBatches::Cache {
  std::mutex mutex;
  std::unordered_map<uint32_t, std::shared_ptr<const Image>> images;
  int64_t bytes = 0;
};

Result<QuestionBatches> QuestionBatches::make(std::shared_ptr<const QuestionSet> set, const std::string& split, const QuestionBatchOptions& o) {
  HONE_TRY(check(o.transform));
  const auto outside = [](const char* name, int64_t value, int64_t low, int64_t high) { return fail(Code::usage, fmt::format("is {}, expected {} to {}", value, low, high), name); };
  if (!o.tokenizer) return fail(Code::usage, "a tokenizer is needed", "tokenizer");
  if (o.max_text < 3 || o.max_text > 4096) return outside("max_text", o.max_text, 3, 4096);
  if (o.batch < 1 || o.batch > 1 << 20) return outside("batch", o.batch, 1, 1 << 20);
  if (o.false_texts < 0 || o.false_texts > 1024) return outside("false_texts", o.false_texts, 0, 1024);
  if (o.false_texts > 0 && set->task != QuestionTask::retrieve) return fail(Code::usage, "false texts belong to retrieval", "false_texts");
  if (o.ranks < 1 || o.rank < 0 || o.rank >= o.ranks) return fail(Code::usage, fmt::format("rank {} of {} does not exist", o.rank, o.ranks));
  for (const auto& [name, side] : {std::pair("width", o.width), std::pair("height", o.height)})
    if (side < 0 || side > 1 << 14) return outside(name, side, 0, 1 << 14);
  QuestionBatches out;
  out.split_ = set->split(split);
  if (!out.split_) {
    std::string names;
    for (const auto& s : set->splits) names += (names.empty() ? "" : ", ") + s.name;
    return fail(Code::usage, fmt::format("has no split '{}'", split), set->name, "it has: " + names);
  }
  out.set_ = std::move(set);
  out.options_ = o;
  out.cache_ = std::make_shared<Cache>();
  if (out.split_->questions.empty()) return fail(Code::usage, fmt::format("split '{}' is empty", split), out.set_->name);
  if (o.shuffle && out.steps_per_epoch() == 0)
    return fail(Code::usage, fmt::format("split '{}' has {} questions, less than a batch of {} x {}", split, out.split_->questions.size(), o.ranks, o.batch), "batch");
  if (o.false_texts > 0) {
    const auto image = [&](uint32_t q) { return out.set_->questions[q].images[0]; };
    if (std::ranges::all_of(out.split_->questions, [&](uint32_t q) { return image(q) == image(out.split_->questions[0]); }))
      return fail(Code::usage, fmt::format("split '{}' has captions of one picture only: none is false", split), "false_texts");
  }
  return out;
}

int64_t QuestionBatches::steps_per_epoch() const {
  const auto n = static_cast<int64_t>(split_->questions.size()), step = int64_t{options_.batch} * options_.ranks;
  return options_.shuffle ? n / step : (n + step - 1) / step;
}

Result<std::shared_ptr<const Image>> QuestionBatches::fitted(uint32_t image, uint64_t seed) const {
  const bool kept = options_.transform.rand_augment.operations == 0;
  if (kept) {
    const std::lock_guard lock(cache_->mutex);
    if (const auto at = cache_->images.find(image); at != cache_->images.end()) return at->second;
  }
  HONE_TRY_ASSIGN(const Image full, set_->images[image].load());
  auto out = std::make_shared<const Image>(fit(options_.transform, full, seed));
  if (kept) {
    const std::lock_guard lock(cache_->mutex);
    if (const auto bytes = static_cast<int64_t>(out->pixels.size()); cache_->bytes + bytes <= options_.cache_bytes && cache_->images.emplace(image, out).second) cache_->bytes += bytes;
  }
  return out;
}

Status QuestionBatches::operator()(int64_t step, QuestionBatch& b) const {
  const QuestionBatchOptions& o = options_;
  const int64_t steps = steps_per_epoch();
  b.epoch = step / steps;
  b.truncated = 0;
  const auto epoch = static_cast<uint64_t>(b.epoch);
  const uint64_t total = split_->questions.size();
  const Shuffle order(total, derive_seed(o.seed, kOrder, epoch));
  const uint64_t begin = static_cast<uint64_t>(step % steps * o.ranks + o.rank) * static_cast<uint64_t>(o.batch);
  const size_t n = begin < total ? std::min<uint64_t>(static_cast<uint64_t>(o.batch), total - begin) : 0;
  b.questions.resize(n);
  for (size_t i = 0; i < n; ++i) b.questions[i] = split_->questions[o.shuffle ? order(begin + i) : begin + i];

  const auto pictures = static_cast<size_t>(set_->images_per_question);
  std::vector<std::shared_ptr<const Image>> images;
  b.valid.clear();
  b.width = o.width;
  b.height = o.height;
  for (const uint32_t q : b.questions)
    for (size_t k = 0; k < pictures; ++k) {
      HONE_TRY_ASSIGN(auto image, fitted(set_->questions[q].images[k], derive_seed(o.seed, kPicture, epoch, uint64_t{q} << 1 | k)));
      const ImageSize size{image->width, image->height};
      if ((o.width && size.width > o.width) || (o.height && size.height > o.height))
        return fail(Code::usage, fmt::format("is {}x{} after its transform, more than the field of {}x{}", size.width, size.height, o.width, o.height), set_->images[set_->questions[q].images[k]].id);
      if (!o.width) b.width = std::max(b.width, size.width);
      if (!o.height) b.height = std::max(b.height, size.height);
      b.valid.push_back(size);
      images.push_back(std::move(image));
    }
  const size_t field = 3 * static_cast<size_t>(b.width) * static_cast<size_t>(b.height);
  b.images.resize(images.size() * field);
  for (size_t i = 0; i < images.size(); ++i) place(o.transform, *images[i], b.width, b.height, b.images.data() + i * field);

  const size_t texts = 1 + static_cast<size_t>(o.false_texts), room = static_cast<size_t>(o.max_text);
  b.tokens.resize(n * texts * room);
  b.token_mask.resize(n * texts * room);
  for (size_t i = 0; i < n; ++i) {
    const Question& question = set_->questions[b.questions[i]];
    Rng rng(derive_seed(o.seed, kCaptions, epoch, b.questions[i]));
    for (size_t t = 0; t < texts; ++t) {
      const Question* text = &question;
      while (t > 0 && text->images[0] == question.images[0]) text = &set_->questions[split_->questions[rng.below(total)]];
      const size_t at = (i * texts + t) * room;
      b.truncated += o.tokenizer->encode_row(text->text, o.max_text, b.tokens.data() + at, b.token_mask.data() + at);
    }
  }
  b.targets.assign(set_->task == QuestionTask::retrieve ? 0 : n * set_->answers.size(), 0.f);
  if (!b.targets.empty())
    for (size_t i = 0; i < n; ++i)
      for (const AnswerScore& a : set_->questions[b.questions[i]].answers) b.targets[i * set_->answers.size() + a.answer] = a.score;
  return {};
}

}  // namespace hone
