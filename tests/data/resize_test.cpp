// Resizing against Pillow's results (tests/data/images/make.py), and the way into a batch.
#include "data/resize.h"

#include <gtest/gtest.h>

#include <random>

#include "data/resize_kernels.h"
#include "data/scene.h"
#include "support.h"

namespace hone {
namespace {

TEST(Resize, EqualsPillowByteForByte) {
  struct Case {
    std::string name;
    int width, height;
    Filter filter;
    Region region;
  };
  const Region all{0, 0, 61, 43};
  const std::vector<Case> cases = {{"down", 20, 14, Filter::bilinear, all},  {"down_cubic", 23, 11, Filter::bicubic, all},
                                   {"up", 80, 64, Filter::bilinear, all},    {"up_cubic", 70, 50, Filter::bicubic, all},
                                   {"box", 24, 24, Filter::bilinear, {5.5, 3.25, 50.75, 40.5}}, {"box_cubic", 16, 20, Filter::bicubic, {0, 7.5, 33.125, 43}}};
  const Image image = test::scene();
  for (const Case& c : cases) {
    Image out;
    resize(image, c.region, c.width, c.height, c.filter, out);
    EXPECT_TRUE(std::string(out.pixels.begin(), out.pixels.end()) == test::frozen_image("resize_" + c.name + ".rgb")) << c.name;
  }
}

TEST(Resize, SameSizeIsTheSamePicture) {
  const Image image = test::scene();
  EXPECT_EQ(resize(image, 61, 43).pixels, image.pixels);
  EXPECT_EQ(resize(image, 61, 43, Filter::bicubic).pixels, image.pixels);
}

// Resizing the whole and cutting out a part is resizing a region: how the loader makes a centre crop.
TEST(Resize, ARegionIsAPartOfTheWholeResized) {
  const Image image = test::scene(), whole = resize(image, 32, 24);
  Image part;
  resize(image, {61.0 * 4 / 32, 43.0 * 6 / 24, 61.0 * 20 / 32, 43.0 * 18 / 24}, 16, 12, Filter::bilinear, part);
  for (int y = 0; y < 12; ++y)
    for (int i = 0; i < 48; ++i) ASSERT_EQ(part.pixels[size_t(y * 48 + i)], whole.pixels[size_t((y + 6) * 96 + 12 + i)]) << y << " " << i;
}

TEST(Resize, ACropReadsNothingOutside) {
  Image image = test::scene();
  const ImageView inside = crop(image, 10, 5, 20, 30);
  ASSERT_EQ(inside.width, 20);
  ASSERT_EQ(inside.height, 30);
  Image before, after;
  resize(inside, {0, 0, 20, 30}, 7, 9, Filter::bicubic, before);
  for (int y = 0; y < 43; ++y)
    for (int x = 0; x < 61; ++x)
      if (x < 10 || x >= 30 || y < 5 || y >= 35) image.pixels[size_t(3 * (y * 61 + x))] ^= 0xff;
  resize(inside, {0, 0, 20, 30}, 7, 9, Filter::bicubic, after);
  EXPECT_EQ(before.pixels, after.pixels);
  EXPECT_EQ(crop(image, -5, 40, 10, 10).width, 5);
  EXPECT_EQ(crop(image, -5, 40, 10, 10).height, 3);
  EXPECT_EQ(crop(image, 100, 0, 10, 10).width, 0);
}

TEST(Resize, SmallestSizes) {
  const Image dot{1, 1, {10, 20, 30}};
  const Image grown = resize(dot, 5, 3);
  for (size_t i = 0; i < grown.pixels.size(); ++i) EXPECT_EQ(grown.pixels[i], 10 * (1 + i % 3));
  EXPECT_EQ(resize(test::scene(), 1, 1).pixels.size(), 3u);
  EXPECT_TRUE(resize(test::scene(), 0, 3).pixels.empty());
  EXPECT_TRUE(resize(Image{}, 4, 4).pixels.empty());
  Image out{1, 1, {1, 2, 3}};
  resize(test::scene(), {70, 0, 80, 43}, 4, 4, Filter::bilinear, out);
  EXPECT_TRUE(out.pixels.empty());
}

// Widths around the vectors' lengths, weights of both signs.
TEST(Resize, EveryProcessorGivesTheSame) {
  std::mt19937 random(3);
  const auto& plain = kernels::portable();
  const auto& best = kernels::best();
  for (int width : {1, 2, 5, 7, 8, 9, 15, 16, 17, 33, 100}) {
    kernels::Taps taps;
    taps.stride = 5;
    for (int x = 0; x < width; ++x) {
      taps.first.push_back(x / 2);
      taps.count.push_back(1 + x % 5);
    }
    for (int i = 0; i < 5 * width; ++i) taps.weights.push_back(int32_t(random() % (1 << 20)) - (1 << 18));
    taps.count.back() = 5;  // the window that ends last
    std::vector<uint8_t> input(size_t(4 * 3 * taps.end()));
    for (uint8_t& v : input) v = uint8_t(random());
    const uint8_t* rows[4];
    for (int r = 0; r < 4; ++r) rows[r] = input.data() + 3 * r * taps.end();
    std::vector<int32_t> line(size_t(16 * taps.end()));
    const auto across = [&](const kernels::Resizing& k) {
      std::vector<std::vector<uint8_t>> out(4, std::vector<uint8_t>(size_t(3 * width + 1)));
      uint8_t* to[4] = {out[0].data(), out[1].data(), out[2].data(), out[3].data()};
      k.across(rows, taps, width, line.data(), to);
      for (auto& row : out) row.pop_back();
      return out;
    };
    EXPECT_EQ(across(plain), across(best)) << width;

    std::vector<uint8_t> a(size_t(3 * width)), b(a.size()), stack(a.size() * 5);
    for (uint8_t& v : stack) v = uint8_t(random());
    plain.down(stack.data(), a.size(), taps.weights.data(), 5, a.size(), a.data());
    best.down(stack.data(), a.size(), taps.weights.data(), 5, a.size(), b.data());
    EXPECT_EQ(a, b) << width;

    const float factor[3] = {0.013f, 0.017f, 0.019f}, offset[3] = {-2.1f, -2.0f, -1.8f};
    std::vector<float> c(a.size()), d(a.size());
    plain.scale(stack.data(), width, factor, offset, c.data());
    best.scale(stack.data(), width, factor, offset, d.data());
    EXPECT_EQ(c, d) << width;
  }
}

TEST(Resize, FloatsAreNormalisedInBothLayouts) {
  const Image image = test::scene();
  const Normalise n;
  std::vector<float> nhwc(61 * 43 * 3), nchw(nhwc.size());
  to_floats(image, n, Layout::nhwc, nhwc.data());
  to_floats(image, n, Layout::nchw, nchw.data());
  for (size_t i = 0; i < nhwc.size(); ++i) {
    const float expected = (float(image.pixels[i]) / 255 - n.mean[i % 3]) / n.std[i % 3];
    ASSERT_NEAR(nhwc[i], expected, 1e-6f);
    ASSERT_EQ(nchw[i % 3 * 61 * 43 + i / 3], nhwc[i]);
  }
}

}  // namespace
}  // namespace hone
