// Supernet training on several ranks, as processes of hone launch: the work of one, and exact resume with memory banks.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "core/file.h"
#include "formats/checkpoint.h"
#include "methods/supernet/open.h"
#include "methods/tasks.h"
#include "supernet_recipe.h"

namespace hone::methods {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOwn = R"(
[banks]
capacity = 4
score_images = 16
q = 0.5
[train]
epochs = 2
threads = 1
device = "cpu"
)";
std::string whole_recipe() { return std::string(test::kSupernetRecipe) + kOwn; }

struct SupernetRanks : ::testing::Test {
  static std::string folder;
  static void SetUpTestSuite() {
    folder = ::testing::TempDir() + "supernet_ranks_" + std::to_string(::getpid()) + "/";
    fs::create_directories(folder);
    std::ofstream(folder + "supernet.toml") << whole_recipe();
  }
  static void TearDownTestSuite() { fs::remove_all(folder); }

  // hone launch -n 2 -- train, in a process group of its own.
  static pid_t launch(const std::string& name, const std::vector<std::string>& settings) {
    std::vector<std::string> words = {HONE_BINARY, "launch", "-n", "2", "--", "train", folder + "supernet.toml", folder + name};
    for (const std::string& s : settings) words.insert(words.end(), {"--set", s});
    std::vector<char*> arguments;
    for (std::string& w : words) arguments.push_back(w.data());
    arguments.push_back(nullptr);
    const std::string log = folder + name + ".log";
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::setpgid(0, 0);
    if (!std::freopen(log.c_str(), "a", stderr) || !std::freopen("/dev/null", "w", stdout)) ::_exit(1);
    ::execv(HONE_BINARY, arguments.data());
    ::_exit(127);
  }
  static bool two(const std::string& name, const std::vector<std::string>& settings) {
    int status = 0;
    ::waitpid(launch(name, settings), &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  static std::string bytes(const std::string& file) {
    const auto read = read_file(folder + file, size_t{1} << 28);
    return read ? *read : std::string();
  }
  static Result<std::unique_ptr<TrainedSupernet>> opened(const std::string& name) { return TrainedSupernet::open({folder + name, 1, -1, 0, {}}); }
};
std::string SupernetRanks::folder;

// Two ranks are two micro-batches; one rank that accumulates two does the same sums. Running statistics differ (means over ranks
// instead of one after the other), which no member is evaluated with; so does the order of some sums.
TEST_F(SupernetRanks, TwoRanksDoTheWorkOfOne) {
  for (const std::string score : {"fixed", "relative"}) {
    std::string recipe = whole_recipe();
    if (score != "fixed") recipe.erase(recipe.find("score_images"), std::string("score_images = 16\n").size());
    std::ofstream(folder + "supernet.toml") << recipe;
    const std::vector<std::string> settings = {"banks.score=" + score};
    std::vector<std::string> one = settings;
    one.push_back("train.accumulate=2");
    ASSERT_TRUE(two("two-" + score, settings)) << bytes("two-" + score + ".log");
    const auto trained = train::run_training(folder + "supernet.toml", folder + "one-" + score, one, tasks());
    ASSERT_TRUE(trained) << trained.error().text();
    const auto a = opened("one-" + score), b = opened("two-" + score);
    ASSERT_TRUE(a && b);
    double worst = 0, largest = 0;
    for (const train::Params::Entry& entry : (*a)->store().params().entries()) {
      if (entry.buffer) continue;
      const at::Tensor other = (*b)->store().params().find(entry.name)->tensor;
      worst = std::max(worst, (entry.tensor - other).abs().max().item<double>());
      largest = std::max(largest, entry.tensor.abs().max().item<double>());
    }
    EXPECT_LT(worst, 1e-3 * largest) << score;   // Adam makes a whole step of a sum that rounds to another sign near nought
    const auto x = (*a)->sampler(), y = (*b)->sampler();
    ASSERT_TRUE(x && y);
    size_t entries = 0;
    for (size_t level = 0; level < x->banks().size(); ++level) {
      const auto &p = x->banks()[level].entries, &q = y->banks()[level].entries;
      ASSERT_EQ(p.size(), q.size()) << score << " level " << level;
      for (size_t i = 0; i < p.size(); ++i) {
        EXPECT_EQ(p[i].member, q[i].member) << score << " level " << level;
        EXPECT_NEAR(p[i].quality, q[i].quality, 1e-3) << score << " level " << level;
      }
      entries += p.size();
    }
    EXPECT_GE(entries, 6u);
  }
  std::ofstream(folder + "supernet.toml") << whole_recipe();
}

// Both ranks and their launcher are killed at once, again and again.
TEST_F(SupernetRanks, KilledRanksGoOnBitForBitWithTheirBanks) {
  ASSERT_TRUE(two("whole", {"checkpoint.every=3"})) << bytes("whole.log");
  int killed = 0;
  for (int attempt = 0; attempt < 3; ++attempt) {
    const std::string state = folder + "cut/checkpoints/last.state";
    const auto before = fs::exists(state) ? fs::last_write_time(state) : fs::file_time_type::min();
    const pid_t group = launch("cut", {"checkpoint.every=3"});
    int status = 0;
    bool ended = false;
    for (int i = 0; i < 60000 && !ended; ++i) {
      ended = ::waitpid(group, &status, WNOHANG) == group;
      std::error_code ec;
      if (!ended && fs::exists(state, ec) && fs::last_write_time(state, ec) > before) break;
      ::usleep(1000);
    }
    if (ended) break;
    ::kill(-group, SIGKILL);
    ::waitpid(group, &status, 0);
    ++killed;
  }
  EXPECT_GE(killed, 1);
  ASSERT_TRUE(two("cut", {"checkpoint.every=3"})) << bytes("cut.log");
  for (const char* file : {"checkpoints/last.safetensors", "checkpoints/last.state", "checkpoints/best.safetensors", "result.json"}) {
    EXPECT_FALSE(bytes(std::string("whole/") + file).empty()) << file;
    EXPECT_EQ(bytes(std::string("whole/") + file), bytes(std::string("cut/") + file)) << file;
  }
  const auto run = opened("cut");
  ASSERT_TRUE(run);
  ASSERT_TRUE((*run)->bank());
  EXPECT_FALSE((*run)->bank()->empty());
}

}  // namespace
}  // namespace hone::methods
