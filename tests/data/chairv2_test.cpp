// Real data where it is at hand: counts of QMUL-ChairV2 and, on two of its sketches, simplification and rasters to the
// point and pixel.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "data/raster.h"
#include "data/simplify.h"
#include "formats/strokes_read.h"
#include "support.h"

namespace hone {
namespace {

class ChairV2 : public testing::Test {
 protected:
  void SetUp() override {
    const auto shared = test::shared_dir();
    const std::string path = shared.value_or("") + "/data/qmul-chairv2/ChairV2_Coordinate";
    if (!shared || !test::read_file(path)) GTEST_SKIP() << "no QMUL-ChairV2: set HONE_SHARED";
    auto read = read_strokes(path);
    ASSERT_TRUE(read.has_value()) << read.error().text();
    sketches = std::move(*read);
  }
  const Sketch& find(const std::string& id) const {
    return *std::find_if(sketches.begin(), sketches.end(), [&](const Sketch& s) { return s.id == id; });
  }
  std::vector<Sketch> sketches;
};

size_t ink(const Sketch& s, int side, int dilations) {
  const auto pixels = rasterise(s, PixelRaster{.side = side, .dilations = dilations});
  return static_cast<size_t>(std::count(pixels.begin(), pixels.end(), 255));
}

TEST_F(ChairV2, Counts) {
  std::set<std::string> train, test;
  size_t train_sketches = 0, points = 0, most = 0, least = 1000, most_strokes = 0;
  double low = 256, high = 0;
  for (const Sketch& s : sketches) {
    const bool is_train = s.id.starts_with("/train/");
    train_sketches += is_train;
    (is_train ? train : test).insert(s.label);
    points += s.points();
    most = std::max(most, s.points());
    least = std::min(least, s.points());
    most_strokes = std::max(most_strokes, s.strokes.size());
    for (const Stroke& stroke : s.strokes)
      for (const Point& p : stroke) low = std::min({low, p.x, p.y}), high = std::max({high, p.x, p.y});
  }
  EXPECT_EQ(sketches.size(), 1275u);
  EXPECT_EQ(train_sketches, 952u);
  EXPECT_EQ(train.size(), 300u);
  EXPECT_EQ(test.size(), 100u);
  EXPECT_NEAR(double(points) / double(sketches.size()), 113, 0.5);
  EXPECT_EQ(least, 40u);
  EXPECT_EQ(most, 519u);
  EXPECT_EQ(most_strokes, 15u);
  EXPECT_NEAR(low, 33, 1e-6);
  EXPECT_NEAR(high, 223, 1e-6);
}

TEST_F(ChairV2, CarbonChair) {
  const Sketch& s = find("/test/9910-02-carbon_1");
  std::vector<size_t> lengths;
  for (const Stroke& stroke : s.strokes) lengths.push_back(stroke.size());
  EXPECT_EQ(lengths, (std::vector<size_t>{31, 23, 12, 14, 7, 12, 10, 8, 11, 10}));
  EXPECT_NEAR(s.strokes.front().front().x, 46.751315, 5e-7);
  EXPECT_NEAR(s.strokes.front().front().y, 66.725869, 5e-7);
  EXPECT_NEAR(s.strokes.back().back().x, 76.644699, 5e-7);
  EXPECT_NEAR(s.strokes.back().back().y, 187.065903, 5e-7);
  std::vector<size_t> left, pixels;
  for (int epsilon = 1; epsilon <= 4; ++epsilon) left.push_back(simplify(s, epsilon).points());
  EXPECT_EQ(left, (std::vector<size_t>{83, 68, 61, 55}));
  for (int side : {32, 64, 128, 256}) pixels.insert(pixels.end(), {ink(s, side, 0), ink(s, side, 1)});
  EXPECT_EQ(pixels, (std::vector<size_t>{173, 384, 374, 941, 753, 2123, 1507, 4468}));
}

TEST_F(ChairV2, FinboChair) {
  const Sketch& s = find("/train/finbo_1");
  std::vector<size_t> lengths, left, pixels;
  for (const Stroke& stroke : s.strokes) lengths.push_back(stroke.size());
  EXPECT_EQ(lengths, (std::vector<size_t>{22, 7, 8, 21, 14, 6}));
  for (int epsilon = 1; epsilon <= 4; ++epsilon) left.push_back(simplify(s, epsilon).points());
  EXPECT_EQ(left, (std::vector<size_t>{60, 50, 41, 36}));
  for (int side : {32, 64, 128, 256}) pixels.insert(pixels.end(), {ink(s, side, 0), ink(s, side, 1)});
  EXPECT_EQ(pixels, (std::vector<size_t>{104, 259, 215, 603, 422, 1247, 857, 2523}));
}

// Lengths after simplification over the whole set.
TEST_F(ChairV2, LengthsAfterSimplification) {
  const double want_mean[] = {106, 68, 55, 48, 43};
  const size_t want_most[] = {497, 310, 238, 211, 194};
  const double want_share[] = {24, 77, 92, 96, 98};
  for (int epsilon = 0; epsilon <= 4; ++epsilon) {
    double points = 0, fit80 = 0;
    size_t most = 0;
    for (const Sketch& s : sketches) {
      const size_t n = simplify(s, epsilon).points();
      points += double(n);
      fit80 += n <= 80;
      most = std::max(most, n);
      EXPECT_LE(simplify_to(s, 80).points(), 80u);
    }
    EXPECT_NEAR(points / double(sketches.size()), want_mean[epsilon], 0.6) << epsilon;
    EXPECT_NEAR(100 * fit80 / double(sketches.size()), want_share[epsilon], 0.5) << epsilon;
    EXPECT_EQ(most, want_most[epsilon]) << epsilon;
  }
}

TEST(QuickDrawFolder, EveryClassIsRead) {
  const auto shared = test::shared_dir();
  if (!shared || !std::filesystem::is_directory(*shared + "/data/quickdraw")) GTEST_SKIP() << "no QuickDraw: set HONE_SHARED";
  const auto sketches = read_strokes(*shared + "/data/quickdraw");
  ASSERT_TRUE(sketches.has_value()) << sketches.error().text();
  EXPECT_EQ(sketches->size(), 344u * 25);
  for (const Sketch& s : *sketches) {
    EXPECT_EQ(s.frame, 256);
    EXPECT_FALSE(s.strokes.empty() || s.label.empty());
  }
}

}  // namespace
}  // namespace hone
