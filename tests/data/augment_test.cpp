// Augmentation against Pillow's operations, its laws, and batches that do not depend on who makes them.
#include "data/augment.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <set>

#include "data/image_batches.h"
#include "data/loader.h"
#include "data/pack.h"
#include "data/scene.h"
#include "support.h"

namespace hone {
namespace {

Image copy(const ImageView& v) {
  Image out{v.width, v.height, {}};
  for (int y = 0; y < v.height; ++y) out.pixels.insert(out.pixels.end(), v.row(y), v.row(y) + 3 * v.width);
  return out;
}

TEST(ImageOps, EqualPillows) {
  const Image image = test::scene(), small = copy(crop(image, 14, 6, 32, 24));
  const std::vector<std::function<void(Image&)>> operations = {
      [](Image& i) { brightness(i, 1.4); }, [](Image& i) { brightness(i, 0.3); }, [](Image& i) { contrast(i, 0.6); }, [](Image& i) { contrast(i, 1.8); },
      [](Image& i) { saturation(i, 1.7); }, [](Image& i) { saturation(i, 0.2); }, [](Image& i) { sharpness(i, 1.9); }, [](Image& i) { sharpness(i, 0.1); },
      [](Image& i) { posterize(i, 3); },    [](Image& i) { solarize(i, 100); },   [](Image& i) { invert(i); },         [](Image& i) { autocontrast(i); },
      [](Image& i) { equalize(i); },        [](Image& i) { flip(i); },            [](Image& i) { transform(i, shear_x(0.25)); }, [](Image& i) { transform(i, translate(-5, 3)); },
      [](Image& i) { transform(i, rotation(17, 32, 24)); }};
  const std::string expected = test::frozen_image("operations.rgb");
  ASSERT_EQ(expected.size(), operations.size() * small.pixels.size());
  for (size_t k = 0; k < operations.size(); ++k) {
    Image result = small;
    operations[k](result);
    int different = 0;
    for (size_t i = 0; i < result.pixels.size(); ++i) different += result.pixels[i] != uint8_t(expected[k * small.pixels.size() + i]);
    EXPECT_EQ(different, 0) << "operation " << k;
  }
}

TEST(ImageOps, HueTurnsTheCircle) {
  Image image{4, 1, {255, 0, 0, 10, 200, 30, 90, 90, 90, 200, 180, 20}};
  const Image before = image;
  hue(image, 1.0 / 3);
  EXPECT_EQ(image.pixels, (std::vector<uint8_t>{0, 255, 0, 30, 10, 200, 90, 90, 90, 20, 200, 180}));
  hue(image, -1.0 / 3);
  EXPECT_EQ(image.pixels, before.pixels);
  hue(image, 0.5);
  EXPECT_EQ(std::vector<uint8_t>(image.pixels.begin(), image.pixels.begin() + 3), (std::vector<uint8_t>{0, 255, 255}));
}

TEST(ImageOps, RandAugmentOfEveryStrengthKeepsTheSize) {
  for (const auto list : {RandAugmentList::torchvision, RandAugmentList::timm})
    for (double magnitude = 0; magnitude <= (list == RandAugmentList::timm ? 10 : 30); magnitude += 2.5) {
      std::set<std::string> seen;
      for (uint64_t seed = 0; seed < 40; ++seed) {
        Image image = test::scene();
        Rng rng(seed), again(seed);
        rand_augment(image, {2, magnitude, 0.5, list}, rng);
        ASSERT_EQ(image.pixels.size(), 61u * 43 * 3);
        Image second = test::scene();
        rand_augment(second, {2, magnitude, 0.5, list}, again);
        ASSERT_EQ(image.pixels, second.pixels);
        seen.emplace(image.pixels.begin(), image.pixels.end());
      }
      EXPECT_GT(seen.size(), magnitude > 0 ? 20u : 3u);
    }
}

std::vector<float> applied(const Transform& t, const Image& image, uint64_t seed) {
  std::vector<float> out(size_t(3 * t.width * t.height));
  Image scratch;
  const ImageSize size{image.width, image.height};
  apply(t, image, size, choose_part(t, size, seed), seed, scratch, out.data());
  return out;
}

TEST(Transform, CentreIsResizeThenCut) {
  Transform t = evaluation_transform(21);
  t.resize = 24;
  const Image image = test::scene(), whole = resize(image, 34, 24);  // 24 * 61 / 43 = 34.05
  std::vector<float> expected(3 * 21 * 21);
  to_floats(crop(whole, 6, 2, 21, 21), t.normalise, t.layout, expected.data());  // (34 - 21) / 2 = 6.5, (24 - 21) / 2 = 1.5: to even
  EXPECT_EQ(applied(t, image, 5), expected);
}

TEST(Transform, RandomPartsHaveTheAskedAreaAndShape) {
  const Transform t = training_transform(32);
  const ImageSize size{400, 300};
  double area = 0;
  const int rounds = 4000;
  for (int seed = 0; seed < rounds; ++seed) {
    const Region r = choose_part(t, size, uint64_t(seed));
    const double w = r.right - r.left, h = r.bottom - r.top;
    ASSERT_TRUE(r.left >= 0 && r.top >= 0 && r.right <= 400 && r.bottom <= 300);
    ASSERT_GT(w * h, 0.075 * 120000);
    ASSERT_NEAR(std::clamp(w / h, 0.74, 1.35), w / h, 1e-9);
    area += w * h / 120000 / rounds;
  }
  EXPECT_NEAR(area, 0.435, 0.015);  // below 0.54, the middle of [0.08, 1]: large parts fit in few shapes (0.433 by simulation)
}

TEST(Transform, PaddedCropsShiftByAtMostThePadding) {
  Transform t = small_image_transform(32);
  t.flip = 0;
  t.normalise = {{0, 0, 0}, {1, 1, 1}};
  Image image{32, 32, std::vector<uint8_t>(3 * 32 * 32)};
  image.pixels[3 * (16 * 32 + 16)] = 255;
  std::set<std::pair<size_t, size_t>> places;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    const auto out = applied(t, image, seed);
    const size_t at = size_t(std::max_element(out.begin(), out.end()) - out.begin()) / 3;
    places.insert({at % 32, at / 32});
  }
  EXPECT_EQ(places.size(), 81u);
  EXPECT_EQ(places.begin()->first, 12u);
  EXPECT_EQ(places.rbegin()->first, 20u);
}

TEST(Transform, FlipAndEraseHappenAsOftenAsAsked) {
  Transform t;
  t.crop = Crop::stretch;
  t.width = 61, t.height = 43;
  t.flip = 0.3;
  const Image image = test::scene();
  const auto plain = applied([&] { Transform p = t; p.flip = 0; return p; }(), image, 0);
  int flipped = 0, erased = 0;
  double share = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) flipped += applied(t, image, seed) != plain;
  EXPECT_NEAR(flipped / 2000.0, 0.3, 0.04);
  t.flip = 0;
  t.erase = 0.6;
  for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
    t.layout = layout;
    erased = 0;
    share = 0;
    for (uint64_t seed = 0; seed < 1000; ++seed) {
      const auto out = applied(t, image, seed);
      const auto zeros = std::count(out.begin(), out.end(), 0.0f);
      erased += zeros > 0;
      share += double(zeros) / double(out.size());
      ASSERT_LT(zeros, 0.36 * double(out.size()));
    }
    EXPECT_NEAR(erased / 1000.0, 0.6, 0.05);
    EXPECT_NEAR(share / erased, 0.165, 0.03);
  }
}

TEST(Transform, MistakesAreNamed) {
  EXPECT_TRUE(check(evaluation_transform(224)));
  EXPECT_TRUE(check(training_transform(1)));
  Transform t;
  t.flip = 1.5;
  EXPECT_EQ(check(t).error().where, "transform.flip");
  t = {};
  t.max_area = 0.01;
  EXPECT_EQ(check(t).error().where, "transform.min_area, max_area");
  t = {};
  t.resize = 100;
  EXPECT_EQ(check(t).error().where, "transform.resize");
  t = {};
  t.hue = std::nan("");
  EXPECT_EQ(check(t).error().where, "transform.hue");
}

TEST(Mix, LambdaIsBetaAndBoxesMatchIt) {
  double mean = 0, square = 0;
  const int rounds = 20000;
  for (int seed = 0; seed < rounds; ++seed) {
    const MixPlan plan = plan_mix({0.4, 0}, 4, 32, 32, uint64_t(seed));
    ASSERT_TRUE(plan.lambda >= 0 && plan.lambda <= 1);
    mean += plan.lambda / rounds;
    square += plan.lambda * plan.lambda / rounds;
  }
  EXPECT_NEAR(mean, 0.5, 0.01);
  EXPECT_NEAR(square - mean * mean, 1 / (4 * 1.8), 0.005);  // 1 / (4 (2 alpha + 1))
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const MixPlan plan = plan_mix({0, 1}, 3, 20, 10, seed);
    ASSERT_EQ(plan.kind, MixPlan::Kind::cutmix);
    for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
      std::vector<float> images(3 * 3 * 20 * 10);
      for (size_t i = 0; i < images.size(); ++i) images[i] = float(i / 600);
      apply_mix(plan, 20, 10, layout, images.data());
      for (size_t i = 0; i < 3; ++i)
        if (plan.partner[i] != i) {
          EXPECT_NEAR(double(std::count(&images[600 * i], &images[600 * i] + 600, float(i))) / 600, plan.lambda, 1e-9);
        }
    }
  }
  EXPECT_EQ(plan_mix({0.4, 1, 0}, 4, 8, 8, 1).kind, MixPlan::Kind::none);
  EXPECT_EQ(plan_mix({0.4, 1}, 1, 8, 8, 1).kind, MixPlan::Kind::none);
}

TEST(Mix, MixupIsTheWeightedSum) {
  MixPlan plan{MixPlan::Kind::mixup, 0.75, 0, 0, 0, 0, {1, 0}};
  std::vector<float> images = {0, 0, 0, 4, 4, 4};
  apply_mix(plan, 1, 1, Layout::nhwc, images.data());
  EXPECT_EQ(images, (std::vector<float>{1, 1, 1, 3, 3, 3}));
}

#if HONE_IMAGE

// 40 pictures in two classes, some of them damaged.
std::shared_ptr<const ImageFolder> pictures(const test::Scratch& folder, const std::set<int>& damaged = {}) {
  test::Files files;
  for (int i = 0; i < 40; ++i) {
    Image image = test::scene();
    brightness(image, 0.5 + i / 40.0);
    std::string file = *encode_jpeg(image, 90);
    if (damaged.count(i)) file.resize(file.size() / 2);
    files.emplace_back((i < 20 ? "train/a/" : "train/b/") + std::to_string(100 + i) + ".jpg", file);
  }
  auto set = open_image_folder(folder.write("set.zip", test::zip(files)));
  EXPECT_TRUE(set);
  return std::make_shared<const ImageFolder>(std::move(*set));
}

BatchOptions everything() {
  BatchOptions o;
  o.transform = training_transform(24);
  o.transform.brightness = o.transform.contrast = o.transform.saturation = 0.4;
  o.transform.hue = 0.1;
  o.transform.rand_augment.operations = 2;
  o.transform.erase = 0.5;
  o.transform.erase_with_noise = true;
  o.mix = {0.2, 1.0, 0.8};
  o.batch = 8;
  o.seed = 11;
  return o;
}

TEST(ImageBatches, TheSameWhateverTheThreadsAndWhereverItStarts) {
  const test::Scratch folder;
  const auto set = pictures(folder, {3, 30});
  const auto batches = ImageBatches::make(set, "train", everything());
  ASSERT_TRUE(batches) << batches.error().text();
  EXPECT_EQ(batches->steps_per_epoch(), 5);
  std::vector<std::vector<float>> expected;
  ImageBatch batch;
  int64_t replaced = 0;
  for (int64_t step = 0; step < 15; ++step) {
    ASSERT_TRUE((*batches)(step, batch));
    EXPECT_EQ(batch.epoch, step / 5);
    expected.push_back(batch.images);
    replaced += batch.replaced;
  }
  EXPECT_EQ(replaced, 6);  // two in each of three epochs
  EXPECT_NE(expected[0], expected[5]);
  for (const int threads : {0, 1, 2, 5})
    for (const int64_t start : {0, 4}) {
      Loader<ImageBatch> loader(start, 15, std::cref(*batches), {threads, 3});
      for (int64_t step = start; step < 15; ++step) {
        const auto next = loader.next();
        ASSERT_TRUE(next && *next);
        ASSERT_EQ((*next)->images, expected[size_t(step)]) << step << " with " << threads;
      }
    }
}

TEST(ImageBatches, AnEpochHoldsEveryPictureOnce) {
  const test::Scratch folder;
  const auto set = pictures(folder);
  // Three ranks together make what one rank makes of the joined batch; 12 of 40 pictures a step.
  std::vector<ImageBatches> ranks;
  BatchOptions o;
  o.transform = training_transform(8);
  o.batch = 4;
  o.ranks = 3;
  for (o.rank = 0; o.rank < 3; ++o.rank) ranks.push_back(*ImageBatches::make(set, "train", o));
  BatchOptions joined = o;
  joined.rank = 0;
  joined.ranks = 1;
  joined.batch = 12;
  const ImageBatches one = *ImageBatches::make(set, "train", joined);
  std::set<uint32_t> seen;
  ImageBatch all, part;
  for (int64_t step = 0; step < one.steps_per_epoch(); ++step) {
    ASSERT_TRUE(one(step, all));
    std::vector<float> together;
    for (const ImageBatches& r : ranks) {
      ASSERT_TRUE(r(step, part));
      together.insert(together.end(), part.images.begin(), part.images.end());
    }
    EXPECT_EQ(together, all.images);
    for (size_t i = 0; i < all.items.size(); ++i) {
      EXPECT_TRUE(seen.insert(all.items[i]).second);
      EXPECT_EQ(all.labels[i], all.items[i] < 20 ? 0 : 1);
    }
  }
  EXPECT_EQ(seen.size(), 36u);
  // Without shuffling, every picture in order, the last batch shorter.
  joined.shuffle = false;
  const ImageBatches ordered = *ImageBatches::make(set, "train", joined);
  EXPECT_EQ(ordered.steps_per_epoch(), 4);
  ASSERT_TRUE(ordered(3, all));
  EXPECT_EQ(all.items, (std::vector<uint32_t>{36, 37, 38, 39}));
}

TEST(ImageBatches, UnreadablePicturesAreReplacedOrRefused) {
  const test::Scratch folder;
  const auto set = pictures(folder, {5, 6});
  BatchOptions o;
  o.transform = evaluation_transform(16);
  o.shuffle = false;
  o.batch = 10;
  ImageBatch batch;
  ASSERT_TRUE((*ImageBatches::make(set, "train", o))(0, batch));
  EXPECT_EQ(batch.items, (std::vector<uint32_t>{0, 1, 2, 3, 4, 7, 7, 7, 8, 9}));
  EXPECT_EQ(batch.replaced, 3);  // 5 and 6 for the first, 6 for the second
  EXPECT_NE(batch.first_unreadable.find("105.jpg"), std::string::npos);
  o.unreadable = Unreadable::refuse;
  const ImageBatches strict = *ImageBatches::make(set, "train", o);
  Loader<ImageBatch> loader(0, 4, std::cref(strict), {2, 2});
  const auto refused = loader.next();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().where.find("105.jpg"), std::string::npos) << refused.error().text();
  std::set<int> every;
  for (int i = 0; i < 40; ++i) every.insert(i);
  o.unreadable = Unreadable::replace;
  EXPECT_FALSE((*ImageBatches::make(pictures(folder, every), "train", o))(0, batch));
}

TEST(ImageBatches, MistakesAreNamed) {
  const test::Scratch folder;
  const auto set = pictures(folder);
  EXPECT_NE(ImageBatches::make(set, "test", {}).error().hint.find("train"), std::string::npos);
  BatchOptions o;
  o.batch = 41;
  EXPECT_EQ(ImageBatches::make(set, "train", o).error().where, "batch");
  o.batch = 0;
  EXPECT_FALSE(ImageBatches::make(set, "train", o));
}

// A picture reduced by its decoder gives nearly what the full one gives.
TEST(Transform, ReducedDecodingIsClose) {
  Image big = resize(test::scene(), 488, 344, Filter::bicubic);
  const std::string file = *encode_jpeg(big, 92);
  Transform t = training_transform(64);
  double sum = 0, worst = 0;
  int reduced = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    std::vector<float> a(3 * 64 * 64), b(a.size());
    t.reduce_on_decode = true;
    reduced += sufficient_side(t, {488, 344}, choose_part(t, {488, 344}, seed)) <= 172;
    ASSERT_TRUE(load_transformed(t, std::as_bytes(std::span(file)), "x", seed, a.data()));
    t.reduce_on_decode = false;
    ASSERT_TRUE(load_transformed(t, std::as_bytes(std::span(file)), "x", seed, b.data()));
    for (size_t i = 0; i < a.size(); ++i) {
      sum += std::abs(a[i] - b[i]) / double(a.size()) / 50;
      worst = std::max(worst, double(std::abs(a[i] - b[i])));
    }
  }
  EXPECT_GT(reduced, 20);
  EXPECT_LT(sum, 0.02);   // in standard deviations: one step of 8 bits is 0.017
  EXPECT_LT(worst, 0.7);
}

#endif

}  // namespace
}  // namespace hone
