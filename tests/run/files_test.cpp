#include "run/files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace hone {
namespace {

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(WriteFile, IsWholeAndAsksBeforeOverwriting) {
  const std::string folder = testing::TempDir() + "/hone_write_file";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directory(folder);
  const std::string path = folder + "/a.txt";
  ASSERT_TRUE(write_file(path, "one", false));
  const auto refused = write_file(path, "two", false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text(), path + ": exists already (--force overwrites it)");
  EXPECT_EQ(read(path), "one");
  ASSERT_TRUE(write_file(path, "two", true));
  EXPECT_EQ(read(path), "two");
  EXPECT_EQ(write_file(folder, "x", true).error().code, Code::usage);
  EXPECT_EQ(write_file(folder + "/none/a.txt", "x", false).error().code, Code::io);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);  // no left-overs
}

}  // namespace
}  // namespace hone
