// hone data show on class folders: text, JSON, bad pictures, and what is none.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/run_hone.h"
#include "formats/image.h"

namespace hone::test {
namespace {

#if HONE_IMAGE
void write(const std::string& path, const std::string& contents) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << contents;
}

TEST(DataImages, ShowsClassesSplitsAndWhatIsWrong) {
  const std::string folder = scratch_folder();
  const std::string picture = *encode_png(Image{5, 4, std::vector<uint8_t>(60, 7)});
  write(folder + "/set/train/cat/1.png", picture);
  write(folder + "/set/train/dog/1.png", picture);
  write(folder + "/set/test/cat/1.png", picture);
  write(folder + "/set/train/dog/cut.png", picture.substr(0, 40));
  const Ran text = shell("hone data show set", folder);
  EXPECT_EQ(text.exit, 0) << text.err;
  EXPECT_NE(text.out.find("4 pictures in 2 classes"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("1 x unreadable image: train/dog/cut.png"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("1 x class without pictures in split: test/dog"), std::string::npos) << text.out;
  const Ran json = shell("hone data show set --json", folder);
  EXPECT_NE(json.out.find(R"({"split":"train","pictures":3})"), std::string::npos) << json.out;
  EXPECT_NE(json.out.find(R"({"class":"dog","train":2,"test":0})"), std::string::npos) << json.out;
  EXPECT_NE(json.out.find(R"({"of":"width","least":5,"median":5,"most":5})"), std::string::npos) << json.out;
  const Ran listed = shell("hone data show set --no-decode", folder);
  EXPECT_EQ(listed.out.find("unreadable"), std::string::npos) << listed.out;
}

TEST(DataImages, AFolderWithoutPicturesSaysWhatIsExpected) {
  const std::string folder = scratch_folder();
  write(folder + "/set/readme.md", "nothing");
  const Ran ran = shell("hone data show set", folder);
  EXPECT_EQ(ran.exit, 1);
  EXPECT_NE(ran.err.find("expected CLASS/x.jpg"), std::string::npos) << ran.err;
  EXPECT_EQ(shell("hone data show nowhere", folder).exit, 1);
}
#endif

}  // namespace
}  // namespace hone::test
