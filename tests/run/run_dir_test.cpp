#include "run/run_dir.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "support.h"

namespace hone {
namespace {

namespace fs = std::filesystem;

struct Folder {
  std::string path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "hone-run-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
};

const std::string kRecipe = "seed = 1\n\n[optimiser]\nlr = 0.1  # rate\n";

RunDir writing(const std::string& path, const std::string& recipe = kRecipe) {
  auto run = RunDir::open_for_writing(path, recipe);
  EXPECT_TRUE(run) << run.error().text();
  return std::move(*run);
}
Error refused(const std::string& path, const std::string& recipe = kRecipe) {
  auto run = RunDir::open_for_writing(path, recipe);
  EXPECT_FALSE(run) << path;
  return run ? Error{} : run.error();
}
std::vector<int64_t> steps(const RunDir& run) {
  std::vector<int64_t> out;
  auto events = run.events();
  EXPECT_TRUE(events) << events.error().text();
  if (events)
    for (const Event& e : *events) out.push_back(e.step);
  return out;
}
std::string text_of(const std::string& path) { return test::read_file(path).value_or("(missing)"); }
void add(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::app | std::ios::binary) << text; }

TEST(RunDir, MadeThenResumed) {
  Folder folder;
  const std::string path = folder.path + "/deep/run";
  {
    RunDir run = writing(path + "/");
    EXPECT_FALSE(run.resumed());
    
    EXPECT_TRUE(fs::is_directory(run.file("checkpoints")));
    EXPECT_TRUE(run.write("result.json", "{}"));
    EXPECT_TRUE(run.append({1, "train", {}}));
  }
  RunDir run = writing(path);
  EXPECT_TRUE(run.resumed());
  EXPECT_EQ(run.recipe().value(), kRecipe);
  EXPECT_EQ(text_of(run.file("result.json")), "{}");
  EXPECT_EQ(steps(run), (std::vector<int64_t>{1}));
}

TEST(RunDir, AnotherRecipeIsRefusedWithItsFirstDifference) {
  Folder folder;
  const std::string path = folder.path + "/run";
  { writing(path); }
  const Error e = refused(path, "seed = 1\n[optimiser]\nlr = 0.2\nkind = \"sgd\"\n");
  EXPECT_EQ(e.code, Code::usage);
  EXPECT_EQ(e.message, "the run was made by another recipe: optimiser.kind is nothing in the run, \"sgd\" in the recipe, and 1 more differ");
  EXPECT_EQ(e.where, path);
  EXPECT_EQ(text_of(path + "/recipe.toml"), kRecipe);
  { EXPECT_TRUE(writing(path, "seed = 1\noptimiser.lr = 0.1 # other comment").resumed()); }
  EXPECT_TRUE(RunDir::open_for_writing(path, kRecipe)) << "a refusal leaves the lock free";
}

TEST(RunDir, FoldersThatAreNoRunsAreLeftAlone) {
  Folder folder;
  add(folder.path + "/notes.txt", "mine");
  EXPECT_NE(refused(folder.path).message.find("nothing is written"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder.path + "/lock"));
  EXPECT_NE(refused(folder.path + "/notes.txt").message.find("this is a file"), std::string::npos);
  EXPECT_EQ(refused(folder.path + "/notes.txt/run").code, Code::io) << "no folder can be made under a file";
  EXPECT_FALSE(RunDir::open(folder.path));
  EXPECT_FALSE(RunDir::open(folder.path + "/none"));
  EXPECT_FALSE(RunDir::open_for_writing("", kRecipe));
}

TEST(RunDir, AnInterruptedStartIsTakenUp) {
  Folder folder;
  const std::string path = folder.path + "/run";
  fs::create_directories(path + "/checkpoints");
  add(path + "/lock", "99 elsewhere\n");
  add(path + "/recipe.toml.part99", "seed");
  add(path + "/events.jsonl", "");
  add(path + "/checkpoints/last.safetensors.part99", "half");
  RunDir run = writing(path);
  EXPECT_FALSE(run.resumed());
  EXPECT_FALSE(fs::exists(path + "/recipe.toml.part99"));
  EXPECT_FALSE(fs::exists(path + "/checkpoints/last.safetensors.part99"));
}

TEST(RunDir, OneWriterAtATimeAndItIsNamed) {
  Folder folder;
  const std::string path = folder.path + "/run";
  int ready[2], done[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(done), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto run = RunDir::open_for_writing(path, kRecipe);
    char c = run ? 'y' : 'n';
    (void)!::write(ready[1], &c, 1);
    (void)!::read(done[0], &c, 1);  // until it is killed: the lock must go with the process
    ::_exit(0);
  }
  char c = 0;
  ASSERT_EQ(::read(ready[0], &c, 1), 1);
  ASSERT_EQ(c, 'y');
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  const std::string holder = "process " + std::to_string(child) + " on " + host;
  const Error e = refused(path);
  EXPECT_EQ(e.message, "another process is writing this run: " + holder);
  auto reader = RunDir::open(path);
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->writer(), holder);
  EXPECT_FALSE(reader->append({1, "train", {}}));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(reader->writer(), std::nullopt);
  EXPECT_TRUE(writing(path).resumed());
  for (int fd : {ready[0], ready[1], done[0], done[1]}) ::close(fd);
}

TEST(Events, ComeBackAsWritten) {
  Folder folder;
  RunDir run = writing(folder.path + "/run");
  const double inf = std::numeric_limits<double>::infinity();
  ASSERT_TRUE(run.append({3, "train", {{"loss", 1.0}, {"n", int64_t{-9007199254740993}}, {"lr", 1e-300}, {"gap", inf}, {"low", -inf}, {"bad", std::nan("")}}}));
  ASSERT_TRUE(run.append({4, "note", {{"text", "line\nbreak \"q\" \xC3\xA9 \xFF"}}}));
  EXPECT_EQ(text_of(run.file("events.jsonl")).substr(0, 47), "{\"step\":3,\"kind\":\"train\",\"loss\":1.0,\"n\":-900719");
  const auto events = run.events();
  ASSERT_TRUE(events);
  ASSERT_EQ(events->size(), 2u);
  const auto& v = (*events)[0].values;
  EXPECT_EQ((*events)[0].kind, "train");
  EXPECT_EQ(std::get<double>(v[0].second), 1.0);
  EXPECT_EQ(std::get<int64_t>(v[1].second), -9007199254740993);
  EXPECT_EQ(std::get<double>(v[2].second), 1e-300);
  EXPECT_EQ(std::get<double>(v[3].second), inf);
  EXPECT_EQ(std::get<double>(v[4].second), -inf);
  EXPECT_TRUE(std::isnan(std::get<double>(v[5].second)));
  EXPECT_EQ(std::get<std::string>((*events)[1].values[0].second), "line\nbreak \"q\" \xC3\xA9 \xEF\xBF\xBD");
}

TEST(Events, OfALaterStepAreCutOffOnResume) {
  Folder folder;
  const std::string path = folder.path + "/run";
  {
    RunDir run = writing(path);
    for (int64_t s : {1, 2, 2, 3, 4}) ASSERT_TRUE(run.append({s, "train", {{"loss", 0.5}}}));
  }
  RunDir run = writing(path);
  ASSERT_TRUE(run.truncate_events(2));
  EXPECT_EQ(steps(run), (std::vector<int64_t>{1, 2, 2}));
  ASSERT_TRUE(run.append({3, "train", {}}));
  EXPECT_EQ(steps(run), (std::vector<int64_t>{1, 2, 2, 3}));
  ASSERT_TRUE(run.truncate_events(-1));
  EXPECT_EQ(text_of(run.file("events.jsonl")), "");
}

// Whatever byte the writer died at, the next one finds whole lines.
TEST(Events, AreWholeLinesAfterADeathAtAnyByte) {
  Folder folder;
  const std::string path = folder.path + "/run";
  std::string all;
  {
    RunDir run = writing(path);
    for (int64_t s : {1, 2, 3}) ASSERT_TRUE(run.append({s, "train", {{"loss", 0.25}, {"text", "{\"step\":9}"}}}));
    all = text_of(run.file("events.jsonl"));
  }
  for (size_t cut = 0; cut <= all.size(); ++cut) {
    std::ofstream(path + "/events.jsonl", std::ios::binary | std::ios::trunc) << all.substr(0, cut);
    const int64_t whole = std::count(all.begin(), all.begin() + static_cast<ptrdiff_t>(cut), '\n');
    auto reader = RunDir::open(path);
    ASSERT_TRUE(reader);
    ASSERT_EQ(steps(*reader).size(), static_cast<size_t>(whole));
    RunDir run = writing(path);
    ASSERT_TRUE(run.append({whole + 1, "train", {}}));
    ASSERT_EQ(steps(run).size(), static_cast<size_t>(whole) + 1) << "cut at byte " << cut;
  }
}

TEST(Events, ADamagedLineIsNamed) {
  Folder folder;
  const std::string path = folder.path + "/run";
  { ASSERT_TRUE(writing(path).append({1, "train", {}})); }
  add(path + "/events.jsonl", "garbage\n");
  EXPECT_NE(refused(path).where.find(path + "/events.jsonl"), std::string::npos);
  EXPECT_EQ(RunDir::open(path)->events().error().where, path + "/events.jsonl:2");
}

// A limit on file sizes stands for the full disk: the same short write, then the same failing one.
TEST(RunDir, AFullDiskIsAnErrorThatLosesNothing) {
  Folder folder;
  const std::string path = folder.path + "/run";
  { ASSERT_TRUE(writing(path).write("result.json", "old")); }
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    int failed = 0;
    const auto expect = [&](bool ok, int n) { failed = failed == 0 && !ok ? n : failed; };
    {
      auto run = RunDir::open_for_writing(path, kRecipe);
      expect(run.has_value(), 1);
      for (int64_t s = 1; s <= 3; ++s) expect(run->append({s, "train", {{"loss", 0.5}}}).has_value(), 2);
      struct stat now {};
      ::stat(run->file("events.jsonl").c_str(), &now);
      const rlimit limit{static_cast<rlim_t>(now.st_size) + 10, RLIM_INFINITY};
      expect(::setrlimit(RLIMIT_FSIZE, &limit) == 0, 3);
      const Status full = run->append({4, "train", {{"loss", 0.5}}});
      expect(!full && full.error().code == Code::io && full.error().hint.find("free some space") != std::string::npos, 4);
      const Status written = run->write("result.json", std::string(100000, 'x'));
      expect(!written && written.error().code == Code::io, 5);
      struct stat after {};
      ::stat(run->file("events.jsonl").c_str(), &after);
      expect(after.st_size == now.st_size, 6);
    }
    auto elsewhere = RunDir::open_for_writing(path + "2", kRecipe + "long = \"" + std::string(1000, 'x') + "\"\n");
    expect(!elsewhere && elsewhere.error().code == Code::io, 7);
    ::_exit(failed);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(text_of(path + "/result.json"), "old");
  RunDir run = writing(path);  // space again: it goes on
  EXPECT_EQ(steps(run), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_TRUE(run.append({4, "train", {}}));
  for (const auto& entry : fs::directory_iterator(path)) EXPECT_EQ(entry.path().string().find(".part"), std::string::npos) << entry.path();
  EXPECT_FALSE(writing(path + "2", kRecipe).resumed()) << "a start that failed can be repeated";
}

TEST(RunDir, AReadOnlyFolderIsAnErrorThatLosesNothing) {
  Folder folder;
  const std::string path = folder.path + "/run";
  { ASSERT_TRUE(writing(path).append({1, "train", {}})); }
  ::chmod(path.c_str(), 0555);
  ::chmod((path + "/lock").c_str(), 0444);
  if (::access(path.c_str(), W_OK) == 0) {
    // This user may write anywhere: a child without those rights does it.
    if (::geteuid() != 0) GTEST_SKIP() << "folders cannot be made read-only here";
    ::chmod(folder.path.c_str(), 0755);
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(9);
      auto run = RunDir::open_for_writing(path, kRecipe);
      const bool named = !run && run.error().code == Code::io && run.error().hint.find("may write") != std::string::npos;
      auto under = RunDir::open_for_writing(path + "/sub", kRecipe);
      auto reader = RunDir::open(path);
      ::_exit(!named ? 1 : under || under.error().code != Code::io ? 2 : !reader || reader->events()->size() != 1 ? 3 : 0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WEXITSTATUS(status) == 9) GTEST_SKIP() << "cannot give up root here";
    EXPECT_EQ(WEXITSTATUS(status), 0);
  } else {
    const Error e = refused(path);
    EXPECT_EQ(e.code, Code::io);
    EXPECT_NE(e.hint.find("may write"), std::string::npos);
    EXPECT_EQ(steps(*RunDir::open(path)), (std::vector<int64_t>{1}));
  }
  ::chmod(path.c_str(), 0755);
}

}  // namespace
}  // namespace hone
