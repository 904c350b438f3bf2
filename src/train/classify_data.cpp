#include "train/classify_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <future>
#include <numbers>
#include <numeric>

#include "core/rng.h"

namespace hone::train {

namespace {

uint64_t mixed(uint64_t a, uint64_t b, uint64_t c) { return Rng(a ^ Rng(b ^ Rng(c).next()).next()).next(); }

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
  set.load = [=](int64_t i, int, Image& out) -> Status {
    out = draw_pattern(i % classes, classes, side, mixed(seed, static_cast<uint64_t>(i), 0));
    return {};
  };
  return set;
}

Region random_crop(int width, int height, double min_area, Rng& rng) {
  const double area = static_cast<double>(width) * height;
  for (int tries = 0; tries < 10 && min_area < 1; ++tries) {  // Inception's crop (Szegedy et al. 2015)
    const double target = area * (min_area + (1 - min_area) * rng.uniform()), ratio = std::exp(std::log(4.0 / 3) * (2 * rng.uniform() - 1));
    const double w = std::round(std::sqrt(target * ratio)), h = std::round(std::sqrt(target / ratio));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const double x = static_cast<double>(rng.below(static_cast<uint64_t>(width - w) + 1)), y = static_cast<double>(rng.below(static_cast<uint64_t>(height - h) + 1));
    return {x, y, x + w, y + h};
  }
  const double side = std::min(width, height), x = (width - side) / 2, y = (height - side) / 2;
  return {x, y, x + side, y + side};
}

void flip_rows(Image& image) {
  for (int y = 0; y < image.height; ++y) {
    uint8_t* row = image.pixels.data() + size_t{3} * static_cast<size_t>(y) * static_cast<size_t>(image.width);
    for (int a = 0, b = image.width - 1; a < b; ++a, --b) std::swap_ranges(row + 3 * a, row + 3 * a + 3, row + 3 * b);
  }
}

// A rectangle of 2 to 33 % of the picture becomes the mean, which is 0 after normalisation.
void erase_rectangle(float* nhwc, int side, Rng& rng) {
  const double area = side * side * (0.02 + 0.31 * rng.uniform()), ratio = std::exp(std::log(3.3) * (2 * rng.uniform() - 1));
  const int w = std::min(side, static_cast<int>(std::lround(std::sqrt(area * ratio)))), h = std::min(side, static_cast<int>(std::lround(std::sqrt(area / ratio))));
  const int x = static_cast<int>(rng.below(static_cast<uint64_t>(side - w) + 1)), y = static_cast<int>(rng.below(static_cast<uint64_t>(side - h) + 1));
  for (int row = y; row < y + h; ++row) std::fill_n(nhwc + 3 * (row * side + x), 3 * w, 0.0f);
}

}  // namespace

Result<LabelledSet> labelled_folder(const std::string& path, const std::string& train_split, const std::string& val_split) {
  HONE_TRY_ASSIGN(ImageFolder opened, open_image_folder(path));
  auto folder = std::make_shared<const ImageFolder>(std::move(opened));
  LabelledSet set;
  set.classes = folder->classes;
  set.facts = {"images", path, folder->checksum, {}};
  for (const DataNote& note : folder->notes) {
    std::string line = fmt::format("{}: {}", note.kind, note.count);
    for (const std::string& e : note.examples) line += (&e == note.examples.data() ? " (" : ", ") + e;
    set.notes.push_back(line + (note.examples.empty() ? "" : ")"));
  }
  for (auto [name, part] : {std::pair{train_split, &set.train}, std::pair{val_split, &set.val}}) {
    const ImageFolder::Split* split = folder->split(name);
    if (!split) {
      std::string there;
      for (const auto& s : folder->splits) there += (there.empty() ? "" : ", ") + s.name;
      return fail(Code::not_found, fmt::format("has no split '{}'", name), path, "it has: " + there + "; see [data] train and val of the recipe");
    }
    part->name = name;
    for (const auto& item : split->items) part->labels.push_back(item.label);
    part->load = [folder, split](int64_t i, int min_side, Image& out) {
      DecodeOptions options;
      options.min_side = min_side;
      return folder->load(split->items[static_cast<size_t>(i)], options, out);
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

std::vector<int64_t> epoch_order(int64_t size, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), 0);
  Rng rng(mixed(seed, static_cast<uint64_t>(epoch), 0x6f72646572));
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);  // Fisher and Yates
  return order;
}

Result<Batch> load_batch(const LabelledImages& set, const std::vector<int64_t>& indices, int side, const Normalise& normalise, const Augment* augment, uint64_t seed, int64_t key,
                         int64_t first, int workers) {
  const auto n = static_cast<int64_t>(indices.size());
  Batch batch{at::empty({n, 3, side, side}, at::TensorOptions(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast)), at::empty({n}, at::kLong)};
  float* pixels = batch.images.mutable_data_ptr<float>();
  int64_t* labels = batch.labels.mutable_data_ptr<int64_t>();
  const auto one = [&](int64_t i, Image& image, Image& sized) -> Status {
    const int64_t index = indices[static_cast<size_t>(i)];
    labels[i] = set.labels[static_cast<size_t>(index)];
    HONE_TRY(set.load(index, augment ? side : side * 8 / 7, image));
    Rng rng(mixed(seed, static_cast<uint64_t>(key), static_cast<uint64_t>(first + i)));
    Region region;
    if (augment) {
      region = random_crop(image.width, image.height, augment->min_area, rng);
    } else {
      const double keep = image.width == side && image.height == side ? 1 : 0.875;  // a picture of the right size is taken whole
      const double short_side = keep * std::min(image.width, image.height), x = (image.width - short_side) / 2, y = (image.height - short_side) / 2;
      region = {x, y, x + short_side, y + short_side};
    }
    resize(image, region, side, side, Filter::bilinear, sized);
    if (augment && augment->flip && rng.uniform() < 0.5) flip_rows(sized);
    float* out = pixels + i * int64_t{3} * side * side;
    to_floats(sized, normalise, Layout::nhwc, out);
    if (augment && augment->erase > 0 && rng.uniform() < augment->erase) erase_rectangle(out, side, rng);
    return {};
  };
  const auto some = [&](int64_t from, int64_t to) -> Status {
    Image image, sized;
    for (int64_t i = from; i < to; ++i) HONE_TRY(one(i, image, sized));
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
