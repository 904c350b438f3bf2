#include "run/manifest.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace hone {
namespace {

namespace fs = std::filesystem;

struct ManifestTest : testing::Test {
  std::string folder;
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "hone-manifest-XXXXXX").string();
    folder = ::mkdtemp(name.data());
  }
  void TearDown() override { fs::remove_all(folder); }
  RunDir open() { return std::move(*RunDir::open_for_writing(folder + "/run", "seed = 1\n")); }
};

const std::vector<DataFacts> kData = {{"chairs", "/data/chairs", "ab12", {{"train photos", 300}, {"test sketches", 323}}}};

TEST_F(ManifestTest, EverySessionIsRecorded) {
  {
    RunDir run = open();
    EXPECT_EQ(read_manifest(run).error().code, Code::not_found);
    ASSERT_TRUE(begin_session(run, 7, 0, kData, {{"torch", "2.13.0"}}, "", {"hone", "train", "r.toml"}));
  }
  RunDir run = open();
  auto moved = kData;
  moved[0].path = "/elsewhere";
  ASSERT_TRUE(begin_session(run, 7, 40, moved, {}, "H100"));
  ASSERT_TRUE(end_session(run));
  const auto m = read_manifest(run);
  ASSERT_TRUE(m) << m.error().text();
  EXPECT_EQ(m->seed, 7);
  ASSERT_EQ(m->data.size(), 1u);
  EXPECT_EQ(m->data[0].counts.at("test sketches"), 323);
  ASSERT_EQ(m->sessions.size(), 2u);
  const Session &first = m->sessions[0], &second = m->sessions[1];
  EXPECT_EQ(first.ended, "") << "it died";
  EXPECT_EQ(first.command_line, (std::vector<std::string>{"hone", "train", "r.toml"}));
  EXPECT_EQ(first.versions.at("torch"), "2.13.0");
  EXPECT_EQ(first.versions.at("hone"), HONE_VERSION);
  EXPECT_EQ(second.from_step, 40);
  EXPECT_EQ(second.host.device, "H100");
  EXPECT_GE(second.ended, second.began);
  EXPECT_FALSE(second.command_line.empty());
  EXPECT_GE(second.host.cores, 1);
  EXPECT_GT(second.host.memory_bytes, int64_t{64} << 20);
  EXPECT_FALSE(second.host.name.empty());
}

TEST_F(ManifestTest, OtherDataIsNotTheSameRun) {
  RunDir run = open();
  ASSERT_TRUE(begin_session(run, 7, 0, kData));
  auto other = kData;
  other[0].counts["train photos"] = 299;
  const Status status = begin_session(run, 7, 10, other);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("'chairs'"), std::string::npos);
  EXPECT_FALSE(begin_session(run, 7, 10, {}));
  EXPECT_EQ(read_manifest(run)->sessions.size(), 1u);
}

TEST_F(ManifestTest, ADamagedFileIsNamed) {
  RunDir run = open();
  for (const char* text : {"", "[]", "{\"seed\":1}", "{\"seed\":\"x\",\"data\":[],\"sessions\":[]}", "{\"seed\":1,\"data\":[1],\"sessions\":[]}"}) {
    ASSERT_TRUE(run.write("manifest.json", text));
    const auto m = read_manifest(run);
    ASSERT_FALSE(m) << text;
    EXPECT_EQ(m.error().where, run.file("manifest.json"));
    EXPECT_FALSE(begin_session(run, 1, 0, {}));
  }
}

TEST_F(ManifestTest, ChecksumOfAFile) {
  std::ofstream(folder + "/abc") << "abc";
  EXPECT_EQ(file_checksum(folder + "/abc").value(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_FALSE(file_checksum(folder + "/none"));
}

}  // namespace
}  // namespace hone
