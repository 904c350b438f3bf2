// Archives and class folders, whole and damaged.
#include "data/image_folder.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "data/pack.h"
#include "support.h"

namespace hone {
namespace {

std::string text(const Bytes& b) { return {reinterpret_cast<const char*>(b.data), b.size}; }

// Every file of an archive, by name.
test::Files contents(const Archive& archive) {
  test::Files out;
  for (size_t i = 0; i < archive.files().size(); ++i) {
    const auto bytes = archive.read(i);
    EXPECT_TRUE(bytes) << bytes.error().text();
    out.emplace_back(archive.files()[i].name, bytes ? text(*bytes) : "");
  }
  return out;
}

const test::Files kFiles = {{"a/one.txt", "first"}, {"a/two.txt", std::string(3000, 'x')}, {"b.bin", ""}};

TEST(Archive, FolderAndTarShowTheSame) {
  const test::Scratch folder;
  for (const auto& [name, data] : kFiles) folder.write("root/" + name, data);
  std::filesystem::create_directory_symlink(folder.path() + "/root", folder.path() + "/root/a/loop");
  const auto directory = Archive::open(folder.path() + "/root");
  ASSERT_TRUE(directory) << directory.error().text();
  EXPECT_EQ(contents(**directory), kFiles);
  const auto tar = Archive::open(folder.write("x.tar", test::tar({kFiles[2], {"./a/two.txt", kFiles[1].second}, kFiles[0]})));
  ASSERT_TRUE(tar) << tar.error().text();
  EXPECT_EQ(contents(**tar), kFiles);
}

TEST(Archive, TarLongNamesAndUnsafeNames) {
  const test::Scratch folder;
  const std::string name = std::string(120, 'n') + "/x.txt";
  const std::string pax = "21 path=from/pax.txt\n";
  const auto tar = Archive::open(folder.write("x.tar", test::tar_member("pax", pax, 'x') + test::tar_member("short", "P", '0') + test::tar({{name, "L"}, {"../up", "no"}, {"/etc/x", "no"}, {"same", "1"}, {"same", "2"}})));
  ASSERT_TRUE(tar) << tar.error().text();
  EXPECT_EQ(contents(**tar), (test::Files{{"from/pax.txt", "P"}, {name, "L"}, {"same", "1"}}));
  ASSERT_EQ((*tar)->notes().size(), 2u);
  EXPECT_EQ((*tar)->notes()[0].kind, "unsafe name");
  EXPECT_EQ((*tar)->notes()[0].count, 2);
  EXPECT_EQ((*tar)->notes()[1].kind, "duplicate name");
}

TEST(Archive, DamagedTarsAreErrors) {
  const test::Scratch folder;
  const std::string whole = test::tar(kFiles);
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    std::string data = whole;
    for (int i = 0; i < 1 + round % 3; ++i) data[random() % data.size()] ^= char(1u << (random() % 8));
    if (round % 3 == 0) data.resize(random() % data.size());
    const auto tar = Archive::open(folder.write("x.tar", data));
    for (size_t i = 0; tar && i < (*tar)->files().size(); ++i) EXPECT_TRUE((*tar)->read(i).has_value());
  }
  EXPECT_FALSE(Archive::open(folder.write("x.tar", whole.substr(0, 700))));
  std::string huge = test::tar_member("x", "abc", '0');
  EXPECT_FALSE(Archive::open(folder.write("x.tar", huge.substr(0, 512))));
}

TEST(Archive, OtherThingsAreNamed) {
  const test::Scratch folder;
  EXPECT_EQ(Archive::open(folder.path() + "/none").error().code, Code::not_found);
  EXPECT_NE(Archive::open(folder.write("x.tgz", "\x1f\x8b....")).error().hint.find("gunzip"), std::string::npos);
  EXPECT_EQ(Archive::open(folder.write("x", "text")).error().code, Code::unsupported);
}

#if HONE_IMAGE

std::string png(int side, uint8_t value) { return *encode_png(Image{side, side, std::vector<uint8_t>(size_t(3 * side * side), value)}); }

test::Files two_splits() {
  return {{"set/train/cat/1.png", png(2, 10)}, {"set/train/cat/2.png", png(2, 11)}, {"set/train/dog/1.png", png(3, 20)},
          {"set/test/cat/9.png", png(2, 12)},  {"set/test/dog/deep/8.png", png(3, 21)}, {"set/train/cat/.DS_Store", "x"}};
}

TEST(Archive, ZipStoredAndDeflated) {
  const test::Scratch folder;
  for (const bool deflate : {false, true}) {
    const auto zip = Archive::open(folder.write("x.zip", test::zip({kFiles[1], kFiles[0], kFiles[2], {"a/", ""}}, deflate)));
    ASSERT_TRUE(zip) << zip.error().text();
    EXPECT_EQ(contents(**zip), kFiles);
  }
}

TEST(Archive, DamagedZipsAreErrors) {
  const test::Scratch folder;
  int unreadable = 0;
  std::mt19937 random(6);
  for (const bool deflate : {false, true}) {
    const std::string whole = test::zip(kFiles, deflate);
    for (int round = 0; round < 200; ++round) {
      std::string data = whole;
      for (int i = 0; i < 1 + round % 3; ++i) data[random() % data.size()] ^= char(1u << (random() % 8));
      if (round % 4 == 0) data.resize(random() % data.size());
      const auto zip = Archive::open(folder.write("x.zip", data));
      if (!zip) continue;
      for (size_t i = 0; i < (*zip)->files().size(); ++i) unreadable += !(*zip)->read(i);
    }
  }
  EXPECT_GT(unreadable, 20);
  // A changed byte of contents is found by its checksum.
  std::string data = test::zip(kFiles);
  data[data.find("first")] = 'F';
  const auto zip = Archive::open(folder.write("x.zip", data));
  ASSERT_TRUE(zip);
  EXPECT_NE((*zip)->read(0).error().message.find("checksum"), std::string::npos);
}

TEST(ImageFolder, TheSameFromFolderZipAndTar) {
  const test::Scratch folder;
  for (const auto& [name, data] : two_splits()) folder.write("dir/" + name, data);
  std::string checksum;
  for (const std::string& path : {folder.path() + "/dir", folder.write("x.zip", test::zip(two_splits(), true)), folder.write("x.tar", test::tar(two_splits()))}) {
    const auto set = open_image_folder(path);
    ASSERT_TRUE(set) << set.error().text();
    EXPECT_EQ(set->classes, (std::vector<std::string>{"cat", "dog"}));
    ASSERT_EQ(set->splits.size(), 2u);
    EXPECT_EQ(set->splits[0].name, "train");
    ASSERT_EQ(set->splits[0].items.size(), 3u);
    ASSERT_EQ(set->split("test")->items.size(), 2u);
    EXPECT_EQ(set->split("val"), nullptr);
    EXPECT_TRUE(set->notes.empty());
    Image image;
    ASSERT_TRUE(set->load(set->splits[0].items[2], {}, image));
    EXPECT_EQ(set->splits[0].items[2].label, 1u);
    EXPECT_EQ(image.width, 3);
    EXPECT_EQ(image.pixels[0], 20);
    EXPECT_EQ(set->checksum, checksum.empty() ? set->checksum : checksum);
    checksum = set->checksum;
  }
}

TEST(ImageFolder, WithoutSplitsClassesAreTheFirstFolders) {
  const test::Scratch folder;
  const auto set = open_image_folder(folder.write("x.tar", test::tar({{"b/1.png", "p"}, {"a/2.JPG", "p"}, {"a/3.jpeg", "p"}})));
  ASSERT_TRUE(set) << set.error().text();
  EXPECT_EQ(set->splits[0].name, "all");
  EXPECT_EQ(set->classes, (std::vector<std::string>{"a", "b"}));
  // One class alone is still a class.
  const auto one = open_image_folder(folder.write("y.tar", test::tar({{"only/1.png", "p"}, {"only/2.png", "p"}})));
  ASSERT_TRUE(one);
  EXPECT_EQ(one->classes, std::vector<std::string>{"only"});
}

TEST(ImageFolder, BadDataIsNamedAndCounted) {
  const test::Scratch folder;
  test::Files files = two_splits();
  files.emplace_back("set/train/cat/cut.png", png(20, 3).substr(0, 50));
  files.emplace_back("set/train/cat/empty.png", "");
  files.emplace_back("set/train/fox/notes.txt", "hello");
  files.emplace_back("set/train/loose.png", png(2, 1));
  files.emplace_back("set/other/cat/1.png", png(2, 1));
  files.emplace_back("set/train/cow/1.png", png(2, 1));
  files.emplace_back("set/train/cow/1.png", png(2, 2));
  const auto set = open_image_folder(folder.write("x.zip", test::zip(files)));
  ASSERT_TRUE(set) << set.error().text();
  std::map<std::string, int64_t> counts;
  for (const DataNote& n : set->notes) counts[n.kind] = n.count;
  EXPECT_EQ(counts, (std::map<std::string, int64_t>{{"duplicate name", 1}, {"not a picture", 1}, {"empty file", 1}, {"picture outside a class folder", 2}, {"class without pictures in split", 1}}));
  const auto [unreadable, sizes] = check_pictures(*set, 2);
  EXPECT_EQ(sizes.size(), 6u);
  ASSERT_EQ(unreadable.size(), 1u);
  EXPECT_EQ(unreadable[0].count, 1);
  EXPECT_NE(unreadable[0].examples[0].find("cut.png"), std::string::npos);
  EXPECT_FALSE(open_image_folder(folder.write("none.zip", test::zip({{"x.png", png(2, 1)}}))));
}

TEST(ImageFolder, RealZipOfPictures) {
  const auto shared = test::shared_dir();
  if (!shared || !std::filesystem::exists(*shared + "/data/cifar10.zip")) GTEST_SKIP() << "no data/cifar10.zip: set HONE_SHARED";
  const auto set = open_image_folder(*shared + "/data/cifar10.zip");
  ASSERT_TRUE(set) << set.error().text();
  EXPECT_EQ(set->classes.size(), 10u);
  EXPECT_EQ(set->split("train")->items.size(), 50000u);
  EXPECT_EQ(set->split("test")->items.size(), 10000u);
  EXPECT_TRUE(set->notes.empty());
  // Two threads at once see what one sees.
  const auto sum = [&](size_t from, size_t to) {
    Image image;
    uint64_t total = 0;
    for (size_t i = from; i < to; ++i) {
      EXPECT_TRUE(set->load(set->splits[1].items[i], {}, image));
      EXPECT_EQ(image.width, 32);
      for (uint8_t v : image.pixels) total += v;
    }
    return total;
  };
  uint64_t one = 0, two = 0;
  std::thread a([&] { one = sum(0, 1000); }), b([&] { two = sum(1000, 2000); });
  a.join();
  b.join();
  EXPECT_EQ(one + two, sum(0, 2000));
}

#endif

}  // namespace
}  // namespace hone
