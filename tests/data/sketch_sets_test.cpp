// Sets on disk, whole and damaged, in small folders made here.
#include "data/sketch_sets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "../formats/strokes_bytes.h"
#include "core/file.h"
#include "data/sketch_procedural.h"
#include "data/sketch_sheet.h"
#include "support.h"

namespace hone {
namespace {

namespace fs = std::filesystem;

#ifdef HONE_IMAGE
constexpr bool kPictures = true;
#else
constexpr bool kPictures = false;
#endif

class Sets : public testing::Test {
 protected:
  void SetUp() override {
    if (!kPictures) GTEST_SKIP() << "this build reads no pictures";
    dir = fs::path(testing::TempDir()) / ("hone_sets_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(dir);
    fs::create_directories(dir);
  }
  void TearDown() override {
    if (!dir.empty()) fs::remove_all(dir);
  }

  void put(const std::string& name, const std::string& contents) const {
    fs::create_directories((dir / name).parent_path());
    std::ofstream(dir / name, std::ios::binary) << contents;
  }
  static std::string png(uint8_t value) {
    Image image{2, 2, std::vector<uint8_t>(12, value)};
    return encode_png(image).value();
  }
  Result<SketchPhotoSet> open(const SketchSetOptions& options = {}) const { return open_sketch_photos(dir.string(), options); }
  std::string error(const SketchSetOptions& options = {}) const {
    const auto set = open(options);
    return set ? "" : set.error().text();
  }
  static const DataNote* note(const SketchPhotoSet& set, const std::string& kind) {
    const auto it = std::find_if(set.notes.begin(), set.notes.end(), [&](const DataNote& n) { return n.kind == kind; });
    return it == set.notes.end() ? nullptr : &*it;
  }
  static std::string row(const std::string& id, const std::string& photo, const std::string& split, const std::string& drawing = "[[[1,2],[3,4]]]") {
    return "{\"id\":\"" + id + "\",\"photo\":\"" + photo + "\",\"split\":\"" + split + "\",\"drawing\":" + drawing + "}\n";
  }
  fs::path dir;
};

TEST_F(Sets, QmulLayout) {
  put("ShoeV9_Coordinate", test::coordinate_pickle({{"/train/a_1_1", {1, 2, 0, 3, 4, 1}}, {"/test/b_1", {5, 6, 1}}, {"/train/a_1_2", {1, 2, 0, 9, 9, 1}}}));
  put("photo/a_1.png", png(10));
  put("photo/b.png", png(20));
  const auto set = open();
  ASSERT_TRUE(set.has_value()) << set.error().text();
  EXPECT_EQ(set->name, "ShoeV9");
  EXPECT_EQ(set->train, (std::vector<uint32_t>{0, 2}));
  EXPECT_EQ(set->test, (std::vector<uint32_t>{1}));
  EXPECT_EQ(set->photos[set->items[2].photo].id, "a_1");
  EXPECT_EQ(set->gallery(set->train), (std::vector<uint32_t>{set->items[0].photo}));
  EXPECT_TRUE(set->notes.empty());
  EXPECT_EQ(set->photos[set->items[1].photo].load()->pixels[0], 20);
  EXPECT_EQ(describe(*set), "ShoeV9: train 2 sketches of 1 photos, test 1 of 1\n");
}

TEST_F(Sets, BadDataIsNamedCountedAndSkipped) {
  put("photos/a.png", png(1));
  put("photos/b.jpg", "\xff\xd8\xff\xe0 cut");
  put("photos/lonely.png", png(2));
  put("sketches.ndjson", row("1", "a", "train") + row("1", "a", "train") + row("2", "a", "train", "[]") + row("3", "b", "train") + row("4", "../a", "test") + row("5", "gone", "test") + row("6", "a", "train"));
  const auto set = open();
  ASSERT_TRUE(set.has_value()) << set.error().text();
  EXPECT_EQ(set->items.size(), 2u);
  EXPECT_EQ(set->photos.size(), 1u);
  ASSERT_TRUE(note(*set, "duplicate id") && note(*set, "sketch without strokes") && note(*set, "missing photo") && note(*set, "unreadable image") && note(*set, "photo without sketches"));
  EXPECT_EQ(note(*set, "duplicate id")->examples, std::vector<std::string>{"1"});
  EXPECT_EQ(note(*set, "sketch without strokes")->examples, std::vector<std::string>{"2"});
  EXPECT_EQ(note(*set, "missing photo")->count, 2);
  EXPECT_EQ(note(*set, "missing photo")->examples[1], "gone of sketch 5");
  EXPECT_NE(note(*set, "unreadable image")->examples[0].find("b.jpg"), std::string::npos);
  EXPECT_NE(describe(*set).find("2 x missing photo: ../a of sketch 4; gone of sketch 5"), std::string::npos) << describe(*set);
  EXPECT_NE(error({.strict = true}), "");
  // Unchecked, the picture's own error comes when it is loaded.
  const auto unchecked = open({.check_photos = false});
  ASSERT_TRUE(unchecked.has_value());
  EXPECT_FALSE(unchecked->photos[1].load().has_value());
}

TEST_F(Sets, WhatCannotBeUsedIsRefused) {
  EXPECT_NE(error().find("no set of sketches and photos"), std::string::npos);
  EXPECT_NE(open_sketch_photos((dir / "none").string()).error().text().find("does not exist"), std::string::npos);
  put("sketches.ndjson", row("1", "a", "train"));
  EXPECT_NE(error().find("no folder 'photos'"), std::string::npos);
  put("photos/a.png", png(1));
  EXPECT_EQ(error(), "");
  put("sketches.ndjson", row("1", "a", "train") + row("2", "a", "test"));
  EXPECT_NE(error().find("photo 'a' has sketches in both splits"), std::string::npos);
  put("sketches.ndjson", row("1", "a", "validation"));
  EXPECT_NE(error().find("split 'validation'"), std::string::npos);
  put("sketches.ndjson", row("1", "b", "train"));
  EXPECT_NE(error().find("no sketch is left"), std::string::npos);
}

TEST_F(Sets, SketchyLayout) {
  const std::string svg = "<svg viewBox='0 0 640 480'><path d='M0 0L640 480'/></svg>";
  for (const std::string id : {"n1_1", "n1_2"}) put("photo/tx_000000000000/cat/" + id + ".png", png(1));
  put("sketch/tx_000000000000/cat/n1_1-1.png", png(1));
  EXPECT_NE(error().find("has 1 sketches as pictures, but none as strokes"), std::string::npos) << error();
  for (const std::string id : {"n1_1-1", "n1_1-2", "n1_2-1", "n1_2-2"}) put("sketches/cat/" + id + ".svg", svg);
  put("info/invalid-error.txt", "cat/n1_2-2\n");
  const auto set = open({.test_per_category = 1});
  ASSERT_TRUE(set.has_value()) << set.error().text();
  EXPECT_EQ(set->train.size(), 2u);
  EXPECT_EQ(set->test.size(), 1u);
  EXPECT_EQ(set->items[2].sketch.id, "n1_2-1");
  EXPECT_EQ(set->photos[0].category, "cat");
  EXPECT_EQ(set->items[0].sketch.strokes, (std::vector<Stroke>{{{0, 0}, {256, 256}}}));  // stretched like its photo
  ASSERT_TRUE(note(*set, "marked invalid"));
  put("info/testset.txt", "cat/n1_1.jpg\n");
  EXPECT_EQ(open()->test, (std::vector<uint32_t>{0, 1}));
}

TEST_F(Sets, WrittenSetsAreReadBack) {
  const auto made = procedural_sketch_photos({.seed = 3, .photos = 4, .sketches_per_photo = 2, .side = 32});
  ASSERT_TRUE(made.has_value());
  const std::string to = (dir / "out").string();
  ASSERT_TRUE(write_sketch_photos(*made, to).has_value());
  const auto set = open_sketch_photos(to);
  ASSERT_TRUE(set.has_value()) << set.error().text();
  EXPECT_EQ(set->checksum, made->checksum);
  EXPECT_EQ(set->test, made->test);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(set->photos[i].category, made->photos[i].category);
    EXPECT_EQ(set->photos[i].load()->pixels, made->photos[i].load()->pixels);
  }
  EXPECT_EQ(write_sketch_photos(*made, to).error().code, Code::usage);
}

TEST(ChairV2Set, SplitSizesBesideThePublishedOnes) {
  if (!kPictures) GTEST_SKIP() << "this build reads no pictures";
  const auto shared = test::shared_dir();
  if (!shared || !fs::exists(*shared + "/data/qmul-chairv2")) GTEST_SKIP() << "no QMUL-ChairV2: set HONE_SHARED";
  const auto set = open_sketch_photos(*shared + "/data/qmul-chairv2");
  ASSERT_TRUE(set.has_value()) << set.error().text();
  EXPECT_EQ(set->train.size(), 952u);
  EXPECT_EQ(set->test.size(), 323u);
  EXPECT_EQ(set->gallery(set->train).size(), 300u);
  EXPECT_EQ(set->gallery(set->test).size(), 100u);
  ASSERT_EQ(set->notes.size(), 1u) << describe(*set);
  EXPECT_EQ(set->notes[0].examples[0], "train 952 sketches of 300 photos, test 323 of 100; papers print 951 of 300 and 324 of 100");
}

TEST(Procedural, SameSeedSameSetAndMorePhotosLeaveTheFirst) {
  const ProceduralSketches options{.seed = 5, .photos = 20, .sketches_per_photo = 2, .side = 64};
  const auto a = procedural_sketch_photos(options), b = procedural_sketch_photos(options);
  ASSERT_TRUE(a.has_value());
  EXPECT_EQ(a->checksum, b->checksum);
  ProceduralSketches more = options;
  more.photos = 30;
  const auto c = procedural_sketch_photos(more);
  for (size_t i = 0; i < 40; ++i) EXPECT_EQ(c->items[i].sketch.strokes, a->items[i].sketch.strokes);
  for (size_t i = 0; i < 20; ++i) EXPECT_EQ(c->photos[i].load()->pixels, b->photos[i].load()->pixels);
  ProceduralSketches other = options;
  other.seed = 6;
  EXPECT_NE(procedural_sketch_photos(other)->checksum, a->checksum);
}

TEST(Procedural, EveryCategoryAtEveryAbstraction) {
  for (const double level : {0.0, 0.5, 1.0}) {
    const auto set = procedural_sketch_photos({.seed = 2, .photos = 300, .sketches_per_photo = 1, .abstraction_low = level, .abstraction_high = level, .side = 16});
    ASSERT_TRUE(set.has_value());
    for (const auto& item : set->items) {
      ASSERT_FALSE(item.sketch.strokes.empty()) << item.sketch.id;
      for (const Stroke& s : item.sketch.strokes)
        for (const Point& p : s) ASSERT_TRUE(p.x > 32.9 && p.x < 223.1 && p.y > 32.9 && p.y < 223.1) << item.sketch.id;
    }
  }
}

TEST(Procedural, AbstractionDropsPoints) {
  const auto points = [](double level) {
    const auto set = procedural_sketch_photos({.seed = 2, .photos = 100, .sketches_per_photo = 1, .abstraction_low = level, .abstraction_high = level});
    double n = 0;
    for (const auto& item : set->items) n += static_cast<double>(item.sketch.points());
    return n / 100;
  };
  const double careful = points(0), middle = points(0.5), hasty = points(1);
  EXPECT_GT(careful, 1.2 * middle);
  EXPECT_GT(middle, 1.2 * hasty);
  EXPECT_GT(hasty, 10);
}

TEST(Procedural, SplitSharesNoPhotoAndMatchesItsSize) {
  const auto set = procedural_sketch_photos({.photos = 40, .sketches_per_photo = 3, .test_share = 0.25});
  EXPECT_EQ(set->gallery(set->test).size(), 10u);
  EXPECT_EQ(set->test.size(), 30u);
  EXPECT_EQ(set->train.size(), 90u);
  for (const uint32_t i : set->gallery(set->test))
    for (const uint32_t j : set->gallery(set->train)) EXPECT_NE(i, j);
  EXPECT_NE(procedural_sketch_photos({.categories = {"sofa"}}).error().text().find("no category 'sofa'"), std::string::npos);
  EXPECT_FALSE(procedural_sketch_photos({.photos = 0}).has_value());
  EXPECT_EQ(procedural_sketch_photos({.photos = 3, .categories = {"fish"}})->photos[2].id, "fish-2");
}

TEST(ContactSheet, PhotosAndSketchesInTheirCells) {
  const auto set = procedural_sketch_photos({.photos = 3, .sketches_per_photo = 1, .side = 64});
  const auto sheet = contact_sheet(*set, {.rows = 2, .columns = 2, .sketches = 1, .side = 32});
  ASSERT_TRUE(sheet.has_value());
  EXPECT_EQ(sheet->width, 2 * (2 * 36 + 8) - 4);
  EXPECT_EQ(sheet->height, 2 * 36 + 4);
  const auto dark = [&](int left, int top) {
    int n = 0;
    for (int y = top; y < top + 32; ++y)
      for (int x = left; x < left + 32; ++x) n += sheet->pixels[3 * static_cast<size_t>(y * sheet->width + x)] < 250;
    return n;
  };
  EXPECT_GT(dark(4, 4), 900);                        // a photo fills its cell
  EXPECT_TRUE(dark(40, 4) > 20 && dark(40, 4) < 500);  // a sketch does not
  EXPECT_EQ(dark(84, 40), 0);                        // there is no fourth
}

}  // namespace
}  // namespace hone
