#include "run/run_dir.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace hone {
namespace {

namespace fs = std::filesystem;

struct RunDirTest : ::testing::Test {
  std::string folder = ::testing::TempDir() + "run_dir_" + std::to_string(::getpid());
  void SetUp() override { fs::remove_all(folder); }
  void TearDown() override { fs::remove_all(folder); }
};

constexpr const char* kRecipe = "task = \"x\"  # what\n\n[train]\nepochs = 3\n";

TEST_F(RunDirTest, EventsComeBackAndAreCutOnResume) {
  {
    auto run = RunDir::open_for_writing(folder, kRecipe);
    ASSERT_TRUE(run) << run.error().text();
    EXPECT_FALSE(run->resumed());
    for (int64_t s = 1; s <= 5; ++s) ASSERT_TRUE(run->append({s, "train", {{"loss", 1.0 / static_cast<double>(s)}, {"name", std::string("a \"b\"\n")}, {"n", int64_t{7}}}}));
    ASSERT_TRUE(run->append({6, "train", {{"loss", std::nan("")}}}));
  }
  std::ofstream(folder + "/events.jsonl", std::ios::app) << "{\"step\":7,\"kin";  // a writer that was killed
  auto run = RunDir::open_for_writing(folder, std::string("task = \"x\"\n[train]\nepochs = 3\n"));  // comments do not matter
  ASSERT_TRUE(run) << run.error().text();
  EXPECT_TRUE(run->resumed());
  ASSERT_TRUE(run->truncate_events(4));
  ASSERT_TRUE(run->append({5, "note", {}}));
  const auto events = run->events();
  ASSERT_TRUE(events) << events.error().text();
  ASSERT_EQ(events->size(), 5u);
  EXPECT_EQ((*events)[3].step, 4);
  EXPECT_EQ(std::get<double>((*events)[3].values[0].second), 0.25);
  EXPECT_EQ(std::get<std::string>((*events)[3].values[1].second), "a \"b\"\n");
  EXPECT_EQ(std::get<int64_t>((*events)[3].values[2].second), 7);
  EXPECT_EQ((*events)[4].kind, "note");
}

TEST_F(RunDirTest, AnotherRecipeIsRefused) {
  { ASSERT_TRUE(RunDir::open_for_writing(folder, kRecipe)); }
  const auto other = RunDir::open_for_writing(folder, "task = \"x\"\n[train]\nepochs = 4\n");
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().text().find("the run has [train] epochs = 3, the recipe [train] epochs = 4"), std::string::npos) << other.error().text();
}

TEST_F(RunDirTest, TwoProcessesDoNotWriteOneRun) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto run = RunDir::open_for_writing(folder, kRecipe);
    if (::write(ready[1], run ? "y" : "n", 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  char answer = 0;
  ASSERT_EQ(::read(ready[0], &answer, 1), 1);
  ASSERT_EQ(answer, 'y');
  const auto second = RunDir::open_for_writing(folder, kRecipe);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("process " + std::to_string(child)), std::string::npos) << second.error().text();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(RunDir::open_for_writing(folder, kRecipe));  // a dead process holds nothing
}

TEST_F(RunDirTest, FoldersThatAreNoRunsAreLeftAlone) {
  fs::create_directories(folder);
  std::ofstream(folder + "/thesis.tex") << "years of work";
  const auto run = RunDir::open_for_writing(folder, kRecipe);
  ASSERT_FALSE(run);
  EXPECT_NE(run.error().message.find("nothing is written"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder + "/lock"));
  EXPECT_FALSE(RunDir::open(folder));
  EXPECT_FALSE(RunDir::open(folder + "/none"));
  EXPECT_FALSE(RunDir::open_for_writing(folder + "/thesis.tex/run", kRecipe));
}

TEST_F(RunDirTest, AFullDiskLosesNothing) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto run = RunDir::open_for_writing(folder, kRecipe);
    if (!run || !run->append({1, "train", {{"loss", 0.5}}})) ::_exit(1);
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{64, 64};  // files of 64 bytes at most: the next event does not fit
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto full = run->append({2, "train", {{"text", std::string(100, 'x')}}});
    if (full || full.error().hint.find("free some space") == std::string::npos) ::_exit(2);
    if (run->write("result.json", std::string(200, 'y'))) ::_exit(3);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  const auto run = RunDir::open(folder);
  ASSERT_TRUE(run);
  ASSERT_EQ(run->events()->size(), 1u);
  EXPECT_FALSE(fs::exists(folder + "/result.json"));
}

}  // namespace
}  // namespace hone
