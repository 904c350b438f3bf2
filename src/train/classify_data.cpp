#include "train/classify_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <future>
#include <numbers>

#include "core/rng.h"
#include "data/shuffle.h"

namespace hone::train {

namespace {

// One grating with random phase, colours, contrast and noise.
Image draw_pattern(int64_t label, int64_t classes, int side, uint64_t seed) {
  Rng rng(seed);
  const int64_t angles = (classes + 1) / 2;
  const double angle = std::numbers::pi * static_cast<double>(label % angles) / static_cast<double>(angles) + 0.1 * (rng.uniform() - 0.5);
  const double waves = (label < angles ? 3 : 6) * (0.9 + 0.2 * rng.uniform()), phase = rng.uniform(), contrast = 0.25 + 0.75 * rng.uniform();
  double dark[3], light[3];
  for (int c = 0; c < 3; ++c) {
    dark[c] = 120 * rng.uniform();
    light[c] = 135 + 120 * rng.uniform();
  }
  Image image{side, side, std::vector<uint8_t>(static_cast<size_t>(side) * static_cast<size_t>(side) * 3)};
  size_t at = 0;
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      const double t = (x * std::cos(angle) + y * std::sin(angle)) / side, wave = 0.5 + 0.5 * contrast * std::sin(2 * std::numbers::pi * (waves * t + phase));
      for (int c = 0; c < 3; ++c) image.pixels[at++] = static_cast<uint8_t>(std::clamp(dark[c] + (light[c] - dark[c]) * wave + 60 * (rng.uniform() - 0.5), 0.0, 255.0));
    }
  return image;
}

LabelledImages patterns(const std::string& name, int64_t classes, int64_t size, int side, uint64_t seed) {
  LabelledImages set;
  set.name = name;
  set.labels.resize(static_cast<size_t>(size));
  for (int64_t i = 0; i < size; ++i) set.labels[static_cast<size_t>(i)] = i % classes;
  set.write = [=](int64_t i, const Transform& transform, uint64_t chance, float* out) -> Status {
    const Image image = draw_pattern(i % classes, classes, side, derive_seed(seed, static_cast<uint64_t>(i)));
    const ImageSize full{image.width, image.height};
    Image scratch;
    apply(transform, image, full, choose_part(transform, full, chance), chance, scratch, out);
    return {};
  };
  return set;
}

}  // namespace

Result<LabelledSet> labelled_folder(const std::string& path, const std::string& train_split, const std::string& val_split) {
  HONE_TRY_ASSIGN(ImageFolder opened, open_image_folder(path));
  auto folder = std::make_shared<const ImageFolder>(std::move(opened));
  LabelledSet set;
  set.classes = folder->classes;
  set.facts = {"images", path, folder->checksum, {}};
  for (const DataNote& note : folder->notes) set.notes.push_back(fmt::format("{}: {}", path, describe(note)));
  for (auto [name, part] : {std::pair{train_split, &set.train}, std::pair{val_split, &set.val}}) {
    const ImageFolder::Split* split = folder->split(name);
    if (!split) {
      std::string there;
      for (const auto& s : folder->splits) there += (there.empty() ? "" : ", ") + s.name;
      return fail(Code::not_found, fmt::format("has no split '{}'", name), path, "it has: " + there + "; see [data] train and val of the recipe");
    }
    part->name = name;
    for (const auto& item : split->items) part->labels.push_back(item.label);
    part->write = [folder, split](int64_t i, const Transform& transform, uint64_t chance, float* out) -> Status {
      const size_t file = split->items[static_cast<size_t>(i)].file;
      HONE_TRY_ASSIGN(const Bytes bytes, folder->files->read(file));
      return load_transformed(transform, {bytes.data, bytes.size}, folder->files->full_name(file), chance, out);
    };
    set.facts.counts[name + " images"] = static_cast<int64_t>(part->labels.size());
  }
  set.facts.counts["classes"] = static_cast<int64_t>(set.classes.size());
  return set;
}

LabelledSet drawn_patterns(int64_t classes, int64_t train_size, int64_t val_size, int side) {
  LabelledSet set;
  set.train = patterns("train", classes, train_size, side, 1);
  set.val = patterns("val", classes, val_size, side, 2);
  for (int64_t c = 0; c < classes; ++c) set.classes.push_back(fmt::format("grating {}", c));
  set.facts = {"patterns", "", "", {{"train images", train_size}, {"val images", val_size}, {"classes", classes}, {"side", side}}};
  return set;
}

Result<Batch> load_batch(const LabelledImages& set, const std::vector<int64_t>& indices, const Transform& transform, uint64_t seed, int64_t key, int64_t first, int workers) {
  const auto n = static_cast<int64_t>(indices.size()), pixels = int64_t{transform.height} * transform.width;
  Batch batch{at::empty({n, 3, transform.height, transform.width}, at::TensorOptions(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast)), at::empty({n}, at::kLong)};
  float* images = batch.images.mutable_data_ptr<float>();
  int64_t* labels = batch.labels.mutable_data_ptr<int64_t>();
  const auto some = [&](int64_t from, int64_t to) -> Status {
    for (int64_t i = from; i < to; ++i) {
      const int64_t index = indices[static_cast<size_t>(i)];
      labels[i] = set.labels[static_cast<size_t>(index)];
      HONE_TRY(set.write(index, transform, derive_seed(seed, static_cast<uint64_t>(key), static_cast<uint64_t>(first + i)), images + i * 3 * pixels));
    }
    return {};
  };
  const int64_t parts = std::clamp<int64_t>(workers, 1, std::max<int64_t>(1, n));
  std::vector<std::future<Status>> others;
  for (int64_t p = 1; p < parts; ++p) others.push_back(std::async(std::launch::async, some, n * p / parts, n * (p + 1) / parts));
  Status status = some(0, n / parts);
  for (auto& other : others)
    if (Status s = other.get(); !s && status) status = std::move(s);
  if (!status) return fail(std::move(status).error());
  return batch;
}

}  // namespace hone::train
