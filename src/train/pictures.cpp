#include "train/pictures.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "data/shuffle.h"

namespace hone::train {

PictureOptions read_pictures(Recipe& r, PictureOptions o) {
  o.kind = r.text("data.kind", o.kind, "folder: class folders in a directory, zip or tar; patterns: drawn gratings", {"folder", "patterns"});
  if (o.kind == "folder") {
    o.path = r.text("data.path", o.path, "the directory or archive");
    o.train_split = r.text("data.train", o.train_split, "its split to train on");
    o.val_split = r.text("data.val", o.val_split, "its split to validate on");
  } else {
    o.classes = r.integer("data.classes", o.classes, "kinds of gratings", 2, 1000);
    o.train_size = r.integer("data.train_size", o.train_size, "pictures to train on", 1, 1 << 24);
    o.val_size = r.integer("data.val_size", o.val_size, "pictures to validate on", 1, 1 << 24);
    o.side = r.integer("data.side", o.side, "their side in pixels", 8, 1024);
  }
  o.batch = r.integer("data.batch", o.batch, "images of an optimiser step, over all micro-batches and ranks", 1, 1 << 20);
  o.val_batch = r.integer("data.val_batch", o.val_batch, "images at once in validation", 1, 1 << 16);
  o.workers = r.integer("data.workers", o.workers, "threads that decode; their number changes no result", 1, 256);
  Normalise normalise = o.augment.normalise;
  const auto triple = [&](const char* key, std::array<float, 3>& value, const char* about) {
    const auto decimal = [](float v) { return std::round(static_cast<double>(v) * 1e6) / 1e6; };  // 0.485, not the float beside it
    const std::vector<double> given = r.reals(key, {decimal(value[0]), decimal(value[1]), decimal(value[2])}, about);
    for (size_t i = 0; i < std::min<size_t>(3, given.size()); ++i) value[i] = static_cast<float>(given[i]);
  };
  triple("data.mean", normalise.mean, "red, green, blue; subtracted from values in [0, 1]");
  triple("data.std", normalise.std, "then divided by");
  Transform& t = o.augment;
  const std::string crop = r.text("augment.crop", o.kind == "folder" ? "random_resized" : "padded", "how a picture becomes the network's size", {"random_resized", "padded", "centre", "stretch"});
  t.crop = crop == "padded" ? Crop::padded : crop == "centre" ? Crop::centre : crop == "stretch" ? Crop::stretch : Crop::random_resized;
  t.min_area = r.real("augment.min_area", t.min_area, "random_resized: smallest share of the picture", 0.001, 1);
  t.padding = static_cast<int>(r.integer("augment.padding", t.padding, "padded: pixels at either side", 0, 1024));
  t.flip = r.real("augment.flip", t.flip, "probability of exchanging left and right", 0, 1);
  t.brightness = r.real("augment.brightness", t.brightness, "colour jitter: factor in 1 +- value", 0, 1);
  t.contrast = r.real("augment.contrast", t.contrast, "likewise", 0, 1);
  t.saturation = r.real("augment.saturation", t.saturation, "likewise", 0, 1);
  t.hue = r.real("augment.hue", t.hue, "turn in +- value", 0, 0.5);
  t.rand_augment.operations = static_cast<int>(r.integer("augment.rand_augment", t.rand_augment.operations, "operations of RandAugment; 0: off", 0, 16));
  t.rand_augment.magnitude = r.real("augment.magnitude", t.rand_augment.magnitude, "of RandAugment, 0 to 30", 0, 30);
  t.rand_augment.magnitude_std = r.real("augment.magnitude_std", t.rand_augment.magnitude_std, "spread of that magnitude from picture to picture", 0, 30);
  t.erase = r.real("augment.erase", t.erase, "probability of an erased rectangle", 0, 1);
  t.normalise = o.evaluate.normalise = normalise;
  return o;
}

void read_mixing(Recipe& r, PictureOptions& o) {
  o.mixup = r.real("loss.mixup", o.mixup, "alpha of mixup; 0: off", 0);
  o.cutmix = r.real("loss.cutmix", o.cutmix, "alpha of cutmix; 0: off; with mixup, each step draws one of them", 0);
}

Status set_side(PictureOptions& o, int side) {
  for (Transform* t : {&o.augment, &o.evaluate}) t->width = t->height = side;
  if (o.kind == "patterns") o.evaluate.crop = Crop::stretch;
  o.evaluate.resize = side * 8 / 7;
  for (const Transform* t : {&o.augment, &o.evaluate}) HONE_TRY(check(*t));
  return {};
}

Result<LabelledSet> open_pictures(const PictureOptions& o) {
  if (o.kind == "patterns") return drawn_patterns(o.classes, o.train_size, o.val_size, static_cast<int>(o.side));
  if (o.path.empty()) return fail(Code::usage, "data.path is empty: no images to train on", "recipe", "--set data.path=DIRECTORY, or --set data.kind=patterns");
  return labelled_folder(o.path, o.train_split, o.val_split);
}

TrainingBatches::TrainingBatches(const LabelledImages& set, const PictureOptions& options, uint64_t seed, std::vector<int64_t> of)
    : set_(&set), options_(options), seed_(seed), of_(std::move(of)) {}

Result<Batch> TrainingBatches::batch_of(int64_t step, int64_t micro, int64_t micros) const {
  const int64_t epoch = step / steps_per_epoch(), n = options_.batch / micros, first = micro * n;
  const Shuffle order(static_cast<uint64_t>(this->size()), derive_seed(seed_, static_cast<uint64_t>(epoch)));
  std::vector<int64_t> indices(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    const uint64_t at = order(static_cast<uint64_t>((step % steps_per_epoch()) * options_.batch + first + i));
    indices[static_cast<size_t>(i)] = of_.empty() ? static_cast<int64_t>(at) : of_[at];
  }
  return load_batch(*set_, indices, options_.augment, seed_, step, first, static_cast<int>(options_.workers));
}

Result<Batch> TrainingBatches::next(int64_t step, int64_t micro, int64_t micros) {
  const Wish now{step, micro, micros};
  Result<Batch> batch = ahead_.valid() ? ahead_.get() : batch_of(step, micro, micros);
  if (ahead_wish_ != now) batch = batch_of(step, micro, micros);
  if (last_.step == step && micro > last_.micro) stride_ = micro - last_.micro;
  if (last_.step != step) first_ = micro;
  last_ = now;
  ahead_wish_ = micro + stride_ < micros ? Wish{step, micro + stride_, micros} : Wish{step + 1, first_, micros};
  ahead_ = std::async(std::launch::async, [this, w = ahead_wish_] { return batch_of(w.step, w.micro, w.micros); });
  return batch;
}

at::Tensor mix(at::Tensor& images, const at::Tensor& labels, int64_t classes, const PictureOptions& options, const Compute& compute, int64_t step, int64_t micro) {
  at::NoGradGuard no_grad;
  Compute here = compute;
  here.device = at::kCPU;
  at::Generator generator = step_generator(here, step, micro + (int64_t{1} << 40));
  const auto number = [&] { return at::rand({1}, generator).item<double>(); };
  const bool cut = options.cutmix > 0 && (options.mixup <= 0 || number() < 0.5);
  const at::Tensor alpha = at::full({2}, cut ? options.cutmix : options.mixup, at::kDouble);
  const at::Tensor gammas = at::_standard_gamma(alpha, generator);  // Beta(a, a) from two Gamma(a)
  double share = gammas[0].item<double>() / std::max(1e-30, gammas.sum().item<double>());
  const at::Tensor other = images.flip(0);
  if (cut) {
    const int64_t h = images.size(2), w = images.size(3);
    const double side = std::sqrt(1 - share), cy = number() * static_cast<double>(h), cx = number() * static_cast<double>(w);
    const auto edge = [](double at, int64_t size) { return std::clamp<int64_t>(std::llround(at), 0, size); };
    const int64_t y0 = edge(cy - side * static_cast<double>(h) / 2, h), y1 = edge(cy + side * static_cast<double>(h) / 2, h), x0 = edge(cx - side * static_cast<double>(w) / 2, w),
                  x1 = edge(cx + side * static_cast<double>(w) / 2, w);
    images.slice(2, y0, y1).slice(3, x0, x1).copy_(other.slice(2, y0, y1).slice(3, x0, x1));
    share = 1 - static_cast<double>((y1 - y0) * (x1 - x0)) / static_cast<double>(h * w);
  } else {
    images = images * share + other * (1 - share);
  }
  const at::Tensor hot = at::one_hot(labels, classes).to(at::kFloat);
  return hot * share + hot.flip(0) * (1 - share);
}

}  // namespace hone::train
