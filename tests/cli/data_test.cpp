// hone data as other programs see it.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/run_hone.h"

namespace hone::test {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

TEST(Data, ShowsTheProceduralSet) {
  const Ran ran = hone("data show procedural --photos 20 --sketches 2 --seed 4 --json");
  ASSERT_EQ(ran.exit, 0) << ran.err;
  const Json j = Json::parse(ran.out);
  EXPECT_EQ(j["command"], "data show");
  EXPECT_EQ(j["splits"], (Json{{{"split", "train"}, {"sketches", 30}, {"photos", 15}}, {{"split", "test"}, {"sketches", 10}, {"photos", 5}}}));
  EXPECT_EQ(j["categories"].size(), 10u);
  EXPECT_EQ(j["notes"], Json::array());
  EXPECT_EQ(j["checksum"].get<std::string>().size(), 64u);
  EXPECT_EQ(hone("data show procedural --photos 0").exit, 2);
}

#ifdef HONE_IMAGE
TEST(Data, ConvertsAndShowsWhatItWrote) {
  const std::string dir = scratch_folder();
  const Ran made = hone("data convert procedural " + dir + "/set --photos 3 --sketches 1");
  ASSERT_EQ(made.exit, 0) << made.err;
  EXPECT_TRUE(fs::exists(dir + "/set/sketches.ndjson"));
  std::ofstream(dir + "/set/sketches.ndjson", std::ios::app) << "{\"id\":\"x\",\"photo\":\"none\",\"split\":\"test\",\"drawing\":[[[1],[2]]]}\n";
  const Ran shown = hone("data show " + dir + "/set --json");
  ASSERT_EQ(shown.exit, 0) << shown.err;
  EXPECT_EQ(Json::parse(shown.out)["notes"], (Json{{{"kind", "missing photo"}, {"count", 1}, {"examples", {"none of sketch x"}}}}));
  EXPECT_EQ(hone("data show " + dir + "/set --strict").exit, 1);
  EXPECT_EQ(hone("data convert procedural " + dir + "/set --photos 3").exit, 2) << "the folder is not empty";
  // Its strokes alone, by way of another file.
  ASSERT_EQ(hone("data convert " + dir + "/set/sketches.ndjson " + dir + "/strokes.ndjson").exit, 0);
  const Json lengths = Json::parse(hone("data show " + dir + "/strokes.ndjson --json").out);
  EXPECT_EQ(lengths["sketches"], 4);
}

TEST(Data, SheetIsAPicture) {
  const std::string dir = scratch_folder(), file = dir + "/s.png";
  ASSERT_EQ(hone("data sheet procedural --photos 4 --rows 2 --side 32 -o " + file).exit, 0);
  EXPECT_EQ(read_file(file).substr(0, 4), "\x89PNG");
  EXPECT_EQ(hone("data sheet procedural --photos 4 -o " + file).exit, 2) << "the file exists";
  std::ofstream(dir + "/a.svg") << "<svg viewBox='0 0 8 8'><path d='M1 1L7 7'/></svg>";
  EXPECT_EQ(hone("data sheet " + dir + "/a.svg --force -o " + file).exit, 0);
  const Ran bad = hone("data sheet " + dir + "/none -o " + file + " --force");
  EXPECT_EQ(bad.exit, 1);
  EXPECT_NE(bad.err.find("does not exist"), std::string::npos);
}

#endif

}  // namespace
}  // namespace hone::test
