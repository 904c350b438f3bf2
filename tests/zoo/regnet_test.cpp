// The RegNet generator and the width rules, on the tables of zoo.md 2.6 and the examples of scaling.md 4.3.
#include "zoo/regnet.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

#include "zoo/catalog.h"

namespace hone {
namespace {

using Ints = std::vector<int64_t>;
struct Row {
  RegNetSpace space;
  int64_t group;
  Ints depths, raw, fitted;
};
const Row kRows[] = {
    {{13, 24, 36.44, 2.49}, 8, {1, 1, 4, 7}, {24, 56, 152, 368}, {24, 56, 152, 368}},
    {{22, 24, 24.48, 2.54}, 16, {1, 2, 7, 12}, {24, 64, 152, 392}, {32, 64, 160, 384}},  // 24/16 and 392/16 are halves
    {{16, 48, 36.97, 2.24}, 24, {1, 3, 5, 7}, {48, 104, 240, 536}, {48, 96, 240, 528}},
    {{16, 56, 35.73, 2.28}, 16, {1, 3, 7, 5}, {56, 128, 288, 664}, {64, 128, 288, 672}},
    {{18, 80, 34.01, 2.25}, 24, {2, 4, 10, 2}, {80, 176, 408, 912}, {72, 168, 408, 912}},
    {{25, 88, 26.31, 2.25}, 48, {2, 6, 15, 2}, {88, 200, 448, 1000}, {96, 192, 432, 1008}},
    {{23, 96, 38.65, 2.43}, 40, {2, 5, 14, 2}, {96, 232, 568, 1376}, {80, 240, 560, 1360}},
    {{17, 184, 60.83, 2.07}, 56, {2, 4, 10, 1}, {184, 384, 792, 1632}, {168, 392, 784, 1624}},
    {{23, 80, 49.56, 2.88}, 120, {2, 5, 15, 1}, {80, 232, 664, 1912}, {80, 240, 720, 1920}},
    {{19, 168, 73.36, 2.37}, 112, {2, 5, 11, 1}, {168, 400, 944, 2240}, {224, 448, 896, 2240}},
    {{22, 216, 55.59, 2.1}, 128, {2, 6, 13, 1}, {216, 456, 952, 2000}, {256, 512, 896, 2048}},
    {{23, 320, 69.86, 2.0}, 168, {2, 7, 13, 1}, {320, 640, 1280, 2560}, {336, 672, 1344, 2520}},
    {{16, 48, 27.89, 2.09}, 8, {1, 3, 6, 6}, {48, 104, 208, 440}, {48, 104, 208, 440}},
    {{15, 48, 32.54, 2.32}, 16, {1, 3, 7, 4}, {48, 112, 256, 600}, {48, 112, 256, 608}},
    {{14, 56, 38.84, 2.4}, 16, {1, 3, 8, 2}, {56, 136, 320, 776}, {64, 128, 320, 768}},
    {{27, 48, 20.71, 2.65}, 24, {2, 6, 17, 2}, {48, 128, 336, 896}, {48, 120, 336, 888}},
    {{21, 80, 42.63, 2.66}, 24, {2, 5, 13, 1}, {80, 216, 568, 1504}, {72, 216, 576, 1512}},
    {{22, 96, 31.41, 2.24}, 64, {2, 6, 12, 2}, {96, 216, 480, 1080}, {128, 192, 512, 1088}},
    {{25, 112, 33.22, 2.27}, 72, {2, 7, 14, 2}, {112, 256, 576, 1312}, {144, 288, 576, 1296}},
    {{17, 192, 76.82, 2.19}, 56, {2, 4, 10, 1}, {192, 424, 920, 2016}, {168, 448, 896, 2016}},
    {{18, 200, 106.23, 2.48}, 112, {2, 4, 11, 1}, {200, 496, 1232, 3048}, {224, 448, 1232, 3024}},
    {{20, 232, 115.89, 2.53}, 232, {2, 5, 12, 1}, {232, 584, 1488, 3760}, {232, 696, 1392, 3712}},
    {{20, 352, 147.48, 2.4}, 328, {2, 5, 12, 1}, {352, 848, 2024, 4864}, {328, 984, 1968, 4920}},
    {{27, 456, 160.83, 2.52}, 264, {2, 7, 17, 1}, {456, 1152, 2896, 7296}, {528, 1056, 2904, 7392}},
    {{27, 640, 230.83, 2.53}, 373, {2, 7, 17, 1}, {640, 1616, 4096, 10368}, {746, 1492, 4103, 10444}},
    {{21, 16, 10.7, 2.51}, 4, {1, 4, 9, 7}, {16, 40, 104, 256}, {16, 40, 104, 256}},
};

TEST(RegNet, StagesAndFittedWidthsOfThePublishedNetworks) {
  for (const Row& row : kRows) {
    auto stages = regnet_stages(row.space);
    ASSERT_TRUE(stages) << stages.error().text();
    Ints depths, raw, fitted;
    for (Stage s : *stages) {
      depths.push_back(s.depth);
      raw.push_back(s.width);
      s.group_width = row.group;
      fit_groups(s);
      fitted.push_back(s.width);
      EXPECT_EQ(s.group_width, std::min(row.group, raw.back()));
    }
    EXPECT_EQ(depths, row.depths) << row.space.w0 << " " << row.space.wa;
    EXPECT_EQ(raw, row.raw) << row.space.w0 << " " << row.space.wa;
    EXPECT_EQ(fitted, row.fitted) << row.space.w0 << " " << row.space.wa;
  }
}

TEST(RegNet, TorchvisionRoundsOtherwise) {
  auto widths = [](const char* name) {
    Ints out;
    const Arch arch = find_arch(name).value();
    for (const Stage& s : arch.stages) out.push_back(s.width);
    return out;
  };
  EXPECT_EQ(widths("torchvision/regnet_x_400mf"), (Ints{32, 64, 160, 400}));
  EXPECT_EQ(widths("torchvision/regnet_y_800mf"), (Ints{64, 144, 320, 784}));
  EXPECT_EQ(widths("torchvision/regnet_y_8gf"), (Ints{224, 448, 896, 2016}));
  EXPECT_EQ(widths("pycls/RegNetY-8.0GF"), (Ints{168, 448, 896, 2016}));
  Stage x40{.width = 96, .group_width = 40};
  fit_groups(x40, GroupFit::ninety);
  EXPECT_EQ(x40.width, 120);
}

TEST(RegNet, RefusesWhatIsNoRegNet) {
  for (const RegNetSpace& bad : {RegNetSpace{0, 24, 36, 2.5}, {13, 20, 36, 2.5}, {13, 0, 36, 2.5}, {13, 24, -1, 2.5}, {13, 24, 36, 1}, {13, 24, NAN, 2.5}})
    EXPECT_FALSE(regnet_stages(bad));
}

// After the fit the group width divides the inner width, a whole multiplier divides it too, and fitting again changes nothing.
TEST(RegNet, PropertyFit) {
  EXPECT_TRUE(rc::check([] {
    Stage s;
    s.width = *rc::gen::inRange<int64_t>(1, 5000);
    s.group_width = *rc::gen::inRange<int64_t>(1, 400);
    s.expand = *rc::gen::element(0.25, 0.5, 1.0, 2.0, 4.0);
    for (GroupFit rule : {GroupFit::nearest, GroupFit::ninety}) {
      Stage once = s;
      fit_groups(once, rule);
      RC_ASSERT(once.width >= 1);
      RC_ASSERT(std::fmod(static_cast<double>(once.width) * once.expand, static_cast<double>(once.group_width)) == 0);
      Stage twice = once;
      fit_groups(twice, rule);
      RC_ASSERT(twice == once);
    }
  }));
}

}  // namespace
}  // namespace hone
