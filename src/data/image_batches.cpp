#include "data/image_batches.h"

#include <fmt/format.h>

#include <algorithm>

namespace hone {

namespace {
constexpr uint64_t kOrder = 1, kSample = 2, kMix = 3;  // streams of the seed
constexpr uint64_t kTries = 100;                       // unreadable pictures in a row that are stepped over
}  // namespace

Result<ImageBatches> ImageBatches::make(std::shared_ptr<const ImageFolder> folder, const std::string& split, const BatchOptions& options) {
  HONE_TRY(check(options.transform));
  if (options.batch < 1 || options.batch > 1 << 20) return fail(Code::usage, fmt::format("is {}, expected 1 to {}", options.batch, 1 << 20), "batch");
  if (options.ranks < 1 || options.rank < 0 || options.rank >= options.ranks) return fail(Code::usage, fmt::format("rank {} of {} does not exist", options.rank, options.ranks));
  ImageBatches out;
  out.split_ = folder->split(split);
  if (!out.split_) {
    std::string names;
    for (const auto& s : folder->splits) names += (names.empty() ? "" : ", ") + s.name;
    return fail(Code::usage, fmt::format("has no split '{}'", split), folder->files->path(), "it has: " + names);
  }
  out.folder_ = std::move(folder);
  out.options_ = options;
  if (options.shuffle && out.steps_per_epoch() == 0)
    return fail(Code::usage, fmt::format("split '{}' has {} pictures, less than a batch of {} x {}", split, out.split_->items.size(), options.ranks, options.batch), "batch");
  return out;
}

int64_t ImageBatches::steps_per_epoch() const {
  const auto n = static_cast<int64_t>(split_->items.size()), step = int64_t{options_.batch} * options_.ranks;
  return options_.shuffle ? n / step : (n + step - 1) / step;
}

Status ImageBatches::operator()(int64_t step, ImageBatch& batch) const {
  const Transform& t = options_.transform;
  const int64_t steps = steps_per_epoch();
  batch.epoch = step / steps;
  batch.replaced = 0;
  batch.first_unreadable.clear();
  const uint64_t n = split_->items.size();
  const Shuffle order(n, derive_seed(options_.seed, kOrder, static_cast<uint64_t>(batch.epoch)));
  const uint64_t begin = static_cast<uint64_t>(step % steps * options_.ranks + options_.rank) * static_cast<uint64_t>(options_.batch);
  const uint64_t count = begin < n ? std::min<uint64_t>(static_cast<uint64_t>(options_.batch), n - begin) : 0;
  batch.labels.resize(count);
  batch.items.resize(count);
  batch.images.resize(count * 3 * static_cast<size_t>(t.width) * static_cast<size_t>(t.height));
  for (uint64_t i = 0; i < count; ++i) HONE_TRY(load(options_.shuffle ? order(begin + i) : begin + i, batch.epoch, batch, i));
  batch.mix = plan_mix(options_.mix, static_cast<int>(count), t.width, t.height, derive_seed(options_.seed, kMix, static_cast<uint64_t>(step), static_cast<uint64_t>(options_.rank)));
  apply_mix(batch.mix, t.width, t.height, t.layout, batch.images.data());
  return {};
}

Status ImageBatches::load(uint64_t wanted, int64_t epoch, ImageBatch& batch, size_t slot) const {
  const Transform& t = options_.transform;
  const uint64_t n = split_->items.size();
  float* out = batch.images.data() + slot * 3 * static_cast<size_t>(t.width) * static_cast<size_t>(t.height);
  const uint64_t seed = derive_seed(options_.seed, kSample, static_cast<uint64_t>(epoch), wanted);
  Error error;
  for (uint64_t k = 0; k < std::min(n, kTries); ++k) {
    const uint64_t index = (wanted + k) % n;
    const ImageFolder::Item& item = split_->items[index];
    Status loaded = [&]() -> Status {
      HONE_TRY_ASSIGN(const Bytes bytes, folder_->files->read(item.file));
      return load_transformed(t, {bytes.data, bytes.size}, folder_->files->full_name(item.file), seed, out);
    }();
    if (loaded) {
      batch.labels[slot] = item.label;
      batch.items[slot] = static_cast<uint32_t>(index);
      return {};
    }
    error = std::move(loaded).error();
    if (options_.unreadable == Unreadable::refuse) return fail(std::move(error));
    ++batch.replaced;
    if (batch.first_unreadable.empty()) batch.first_unreadable = error.text();
  }
  error.hint = fmt::format("{} pictures in a row cannot be read", std::min(n, kTries));
  return fail(std::move(error));
}

}  // namespace hone
