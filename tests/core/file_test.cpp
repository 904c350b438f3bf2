#include "core/file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace hone {
namespace {

namespace fs = std::filesystem;

struct Files : testing::Test {
  std::string folder = testing::TempDir() + "/hone_files_" + std::to_string(::getpid());
  void SetUp() override {
    fs::remove_all(folder);
    fs::create_directories(folder + "/model/sub");
    std::ofstream(folder + "/outside") << "secret";
    std::ofstream(folder + "/model/inside") << "weights";
    std::ofstream(folder + "/model/sub/deep") << "more";
  }
  void TearDown() override { fs::remove_all(folder); }
  std::string read(const std::string& path) const {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string refused(const std::string& relative) const {
    auto file = MappedFile::open_beneath(folder + "/model", relative);
    return file ? "opened" : file.error().message;
  }
};

TEST_F(Files, WriteIsWholeAndAsksBeforeOverwriting) {
  const std::string path = folder + "/sole/a.txt";
  fs::create_directory(folder + "/sole");
  ASSERT_TRUE(write_file(path, "one", false));
  const auto refused = write_file(path, "two", false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text(), path + ": exists already (--force overwrites it)");
  EXPECT_EQ(read(path), "one");
  ASSERT_TRUE(write_file(path, "two", true));
  EXPECT_EQ(read(path), "two");
  EXPECT_EQ(write_file(folder, "x", true).error().code, Code::usage);
  EXPECT_EQ(write_file(folder + "/none/a.txt", "x", false).error().code, Code::io);
  { auto dropped = AtomicFile::create(path, true); ASSERT_TRUE(dropped); ASSERT_TRUE(dropped->write("three")); }
  EXPECT_EQ(read(path), "two");  // not committed
  EXPECT_EQ(std::distance(fs::directory_iterator(folder + "/sole"), {}), 1);  // no left-overs
}

TEST_F(Files, FullDiskIsSaid) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  const auto status = write_file("/dev/full", std::string(100000, 'x'), true);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::io);
  EXPECT_NE(status.error().hint.find("disk is full"), std::string::npos);
}

TEST_F(Files, MapAndRead) {
  auto file = MappedFile::open(folder + "/outside");
  ASSERT_TRUE(file);
  EXPECT_EQ((*file)->text(), "secret");
  std::ofstream(folder + "/empty").flush();
  ASSERT_TRUE(MappedFile::open(folder + "/empty"));
  EXPECT_TRUE((*MappedFile::open(folder + "/empty"))->bytes().empty());
  EXPECT_EQ(MappedFile::open(folder + "/none").error().code, Code::not_found);
  EXPECT_EQ(MappedFile::open(folder).error().message, "is a folder; a file was expected");
  EXPECT_EQ(read_file(folder + "/outside").value(), "secret");
  EXPECT_EQ(read_file(folder + "/outside", 3).error().code, Code::invalid);
  EXPECT_EQ(read_file(folder).error().message, "is a folder; a file was expected");
}

TEST_F(Files, BeneathAFolderOnly) {
  EXPECT_EQ((*MappedFile::open_beneath(folder + "/model", "inside"))->text(), "weights");
  EXPECT_EQ((*MappedFile::open_beneath(folder + "/model", "./sub//deep"))->text(), "more");
  EXPECT_EQ(MappedFile::open_beneath(folder + "/model", "none").error().code, Code::not_found);
  EXPECT_EQ(refused("../outside"), "the path of an external file leads out of the folder");
  EXPECT_EQ(refused("sub/../../outside"), "the path of an external file leads out of the folder");
  EXPECT_EQ(refused("sub\\..\\..\\outside"), "the path of an external file leads out of the folder");
  EXPECT_EQ(refused(folder + "/outside"), "the path of an external file is absolute");
  EXPECT_EQ(refused("C:\\outside"), "the path of an external file is absolute");
  EXPECT_EQ(refused(""), "the name of an external file is empty");
  EXPECT_EQ(refused(std::string("in\0side", 7)), "the name of an external file holds a zero byte");
  EXPECT_EQ(refused("sub"), "is a folder; a file was expected");
  fs::create_symlink(folder + "/outside", folder + "/model/link");
  EXPECT_EQ(refused("link"), "is a symbolic link, which a model may not point at");
  fs::create_directory_symlink(folder, folder + "/model/up");
  EXPECT_EQ(refused("up/outside"), "is a symbolic link, which a model may not point at");
  fs::create_hard_link(folder + "/outside", folder + "/model/hard");
  EXPECT_EQ(refused("hard"), "has more than one name (a hard link), which a model may not point at");
}

}  // namespace
}  // namespace hone
