#include "train/loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <thread>

#include "../support.h"
#include "toy_task.h"
#include "train/loop_options.h"
#include "train/run_files.h"

using namespace hone;
using namespace hone::train;
using hone::test::ToyTask;

namespace {

std::string fresh_folder(const std::string& name) {
  const std::string path = testing::TempDir() + "hone_loop_" + name + std::to_string(::getpid());
  std::filesystem::remove_all(path);
  return path;
}

const std::string kRecipe = R"(
[train]
epochs = 4
threads = 1
seed = 3
log_every = 2
device = "cpu"
[optimiser]
lr = 0.02
weight_decay = 0.01
[schedule]
warmup = 0.5
[average]
decay = 0.9
)";

struct Ran {
  Result<Finished> finished = Finished{};
  std::string path;
  std::string file(const std::string& name) const { return test::read_file(path + "/" + name).value_or(""); }
};

// A run in `path`; `change` may spoil the task.
Ran run_toy(const std::string& path, const std::vector<std::string>& settings = {}, const std::function<void(ToyTask&)>& change = {}, Ranks ranks = {}) {
  Ran ran;
  ran.path = path;
  auto recipe = Recipe::parse(kRecipe, "toy.toml", settings);
  EXPECT_TRUE(recipe);
  auto options = read_loop_options(*recipe);
  EXPECT_TRUE(options) << options.error().text();
  const Status finished = recipe->finish();
  EXPECT_TRUE(finished) << finished.error().text();
  auto dir = open_run(path, recipe->frozen(), ranks);
  if (!dir) {
    ran.finished = fail(dir.error());
    return ran;
  }
  auto task = ToyTask::make((*options)->compute);
  EXPECT_TRUE(task) << task.error().text();
  if (change) change(**task);
  ran.finished = train::train(**options, *dir, **task, ranks);
  return ran;
}

void expect_same_checkpoints(const Ran& a, const Ran& b) {
  for (const char* name : {"checkpoints/last.safetensors", "checkpoints/last.state", "checkpoints/best.safetensors", "result.json"}) {
    EXPECT_FALSE(a.file(name).empty()) << name;
    EXPECT_EQ(a.file(name), b.file(name)) << name;
  }
}

TEST(Loop, LearnsAndLeavesARun) {
  const Ran ran = run_toy(fresh_folder("learns"));
  ASSERT_TRUE(ran.finished) << ran.finished.error().text();
  EXPECT_EQ(ran.finished->steps, 32);
  ASSERT_EQ(ran.finished->last.size(), 2);
  EXPECT_GT(ran.finished->last[1].second, 0.7);  // accuracy; 0.25 by chance
  auto dir = RunDir::open(ran.path);
  ASSERT_TRUE(dir);
  const auto events = dir->events();
  ASSERT_TRUE(events);
  EXPECT_EQ(std::ranges::count_if(*events, [](const Event& e) { return e.kind == "train"; }), 16);
  EXPECT_EQ(std::ranges::count_if(*events, [](const Event& e) { return e.kind == "validate"; }), 4);
  EXPECT_NE(ran.file("manifest.json").find("\"seed\": 3"), std::string::npos);
  EXPECT_NE(ran.file("report.html").find("finished"), std::string::npos);
  EXPECT_NE(ran.file("result.json").find("\"watched\": \"-loss\""), std::string::npos);
}

// A task that dies at a step stands for a killed process: nothing of the loop runs after it. scripts/kill-resume kills real ones.
TEST(Loop, ResumedEqualsUninterrupted) {
  const Ran whole = run_toy(fresh_folder("whole"), {"checkpoint.every=5"});
  ASSERT_TRUE(whole.finished);
  const std::string path = fresh_folder("pieces");
  for (int64_t death : {0, 3, 7, 13, 13, 30}) {
    const Ran piece = run_toy(path, {"checkpoint.every=5"}, [&](ToyTask& t) { t.die_at = death; });
    ASSERT_FALSE(piece.finished);
    EXPECT_NE(piece.finished.error().message.find("died"), std::string::npos) << piece.finished.error().text();
  }
  const Ran last = run_toy(path, {"checkpoint.every=5"});
  ASSERT_TRUE(last.finished) << last.finished.error().text();
  expect_same_checkpoints(whole, last);
  const auto steps = [](const std::string& p) {
    std::vector<int64_t> out;
    const auto events = RunDir::open(p)->events();
    for (const Event& e : *events) out.push_back(e.step);
    return out;
  };
  EXPECT_EQ(steps(whole.path), steps(path));
  // A finished run is left as it is.
  const Ran again = run_toy(path, {"checkpoint.every=5"});
  ASSERT_TRUE(again.finished);
  EXPECT_EQ(again.finished->best_step, whole.finished->best_step);
  expect_same_checkpoints(whole, again);
}

// Every state in which a crash can leave the two files of a checkpoint.
TEST(Loop, CheckpointsSurviveACrashAtAnyMoment) {
  const Ran whole = run_toy(fresh_folder("crash_whole"));
  ASSERT_TRUE(whole.finished);
  const std::string path = fresh_folder("crash");
  ASSERT_FALSE(run_toy(path, {}, [](ToyTask& t) { t.die_at = 10; }).finished);  // last: step 8
  const std::string at = path + "/checkpoints/";
  namespace fs = std::filesystem;
  const auto later = [&](bool params, bool state) {  // the pair of step 16 as it is when the process dies in between
    const std::string other = fresh_folder("crash_later");
    fs::copy(path, other, fs::copy_options::recursive);
    EXPECT_FALSE(run_toy(other, {}, [](ToyTask& t) { t.die_at = 17; }).finished);
    if (params) fs::copy_file(other + "/checkpoints/last.safetensors", at + "next.safetensors");
    if (state) fs::copy_file(other + "/checkpoints/last.state", at + "next.state");
    return other;
  };
  const std::string kept = fresh_folder("crash_kept");
  fs::copy(path, kept, fs::copy_options::recursive);
  const auto expect_recovers = [&] {
    const Ran ran = run_toy(path);
    ASSERT_TRUE(ran.finished) << ran.finished.error().text();
    expect_same_checkpoints(whole, ran);
    EXPECT_FALSE(fs::exists(at + "next.safetensors"));
    fs::remove_all(path);
    fs::copy(kept, path, fs::copy_options::recursive);
  };
  later(true, false);  // died before the state was complete
  expect_recovers();
  later(true, true);   // died before the first rename
  expect_recovers();
  const std::string other = later(false, true);  // died between the renames
  fs::copy_file(other + "/checkpoints/last.safetensors", at + "last.safetensors", fs::copy_options::overwrite_existing);
  expect_recovers();
  std::ofstream(at + "next.state.part99999") << "half";
  expect_recovers();
}

TEST(Loop, AccumulationEqualsTheWholeBatch) {
  const auto plain = [](ToyTask& t) { t.batch_norm = false; };
  const Ran one = run_toy(fresh_folder("one"), {}, plain), four = run_toy(fresh_folder("four"), {"train.accumulate=4"}, plain);
  ASSERT_TRUE(one.finished && four.finished);
  EXPECT_NEAR(one.finished->last[0].second, four.finished->last[0].second, 1e-4);
  EXPECT_NE(one.file("checkpoints/last.safetensors"), four.file("checkpoints/last.safetensors"));
}

TEST(Loop, RollsBackFromDivergence) {
  for (double poison : {static_cast<double>(NAN), 1e6}) {
    const Ran ran = run_toy(fresh_folder("diverges"), {"guard.window=5"}, [&](ToyTask& t) {
      t.poison_step = 19;
      t.poison = poison;
      t.poison_times = 2;
    });
    ASSERT_TRUE(ran.finished) << ran.finished.error().text();
    EXPECT_EQ(ran.finished->steps, 32);
    const std::string events = ran.file("events.jsonl");
    EXPECT_NE(events.find("rolled back to step 16"), std::string::npos) << events;
    EXPECT_NE(events.find("0.25"), std::string::npos);
    EXPECT_TRUE(std::isfinite(ran.finished->last[0].second));
  }
  const Ran lost = run_toy(fresh_folder("lost"), {}, [&](ToyTask& t) {
    t.poison_step = 19;
    t.poison_times = 99;
  });
  ASSERT_FALSE(lost.finished);
  EXPECT_NE(lost.finished.error().message.find("diverged"), std::string::npos);
  EXPECT_EQ(lost.finished.error().where, "step 19");
}

TEST(Loop, StopsEarly) {
  const Ran ran = run_toy(fresh_folder("early"), {"train.patience=2", "optimiser.lr=0", "average.decay=0"}, [](ToyTask& t) { t.batch_norm = false; });
  ASSERT_TRUE(ran.finished);
  EXPECT_TRUE(ran.finished->stopped_early);
  EXPECT_EQ(ran.finished->steps, 24);
  EXPECT_EQ(ran.finished->best_step, 8);
  const Ran again = run_toy(ran.path, {"train.patience=2", "optimiser.lr=0", "average.decay=0"}, [](ToyTask& t) { t.batch_norm = false; });
  ASSERT_TRUE(again.finished);
  EXPECT_EQ(again.finished->steps, 24);
}

TEST(Loop, OtherDataAreRefusedOnResume) {
  const std::string path = fresh_folder("facts");
  ASSERT_FALSE(run_toy(path, {}, [](ToyTask& t) { t.die_at = 10; t.checksum = "a"; }).finished);
  const Ran ran = run_toy(path, {}, [](ToyTask& t) { t.checksum = "b"; });
  ASSERT_FALSE(ran.finished);
  EXPECT_NE(ran.finished.error().message.find("data set 'toy'"), std::string::npos);
}

int free_port() {
  const int s = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t n = sizeof a;
  ::bind(s, reinterpret_cast<sockaddr*>(&a), sizeof a);
  ::getsockname(s, reinterpret_cast<sockaddr*>(&a), &n);
  ::close(s);
  return ntohs(a.sin_port);
}

// Ranks as threads of one process: the collectives are the same, and a test stays one process.
std::vector<Ran> run_ranks(const std::string& path, int world, const std::vector<std::string>& settings, const std::function<void(ToyTask&, int)>& change = {}) {
  std::vector<Ran> ran(static_cast<size_t>(world));
  const int port = free_port();
  std::vector<std::thread> threads;
  for (int rank = 0; rank < world; ++rank)
    threads.emplace_back([&, rank] {
      auto ranks = Ranks::join({rank, rank, world, world, "127.0.0.1", port}, 30);
      Ran& mine = ran[static_cast<size_t>(rank)];
      if (ranks) mine = run_toy(path, settings, [&](ToyTask& t) { if (change) change(t, rank); }, std::move(*ranks));
      else mine.finished = fail(ranks.error());
    });
  for (std::thread& t : threads) t.join();
  return ran;
}

// Two ranks do what one rank does that accumulates two micro-batches; without BatchNorm, what it does with the whole batch.
TEST(Distributed, TwoRanksEqualOneOnTheJoinedBatch) {
  const auto plain = [](ToyTask& t, int = 0) { t.batch_norm = false; };
  const Ran one = run_toy(fresh_folder("joined"), {}, [&](ToyTask& t) { plain(t); });
  ASSERT_TRUE(one.finished);
  const auto two = run_ranks(fresh_folder("ranks"), 2, {}, plain);
  for (const Ran& ran : two) ASSERT_TRUE(ran.finished) << ran.finished.error().text();
  EXPECT_NEAR(two[0].finished->last[0].second, one.finished->last[0].second, 1e-4);
  const auto tensors = [](const Ran& ran) { return read_checkpoint(*RunDir::open(ran.path))->value().params; };
  const NamedTensors a = tensors(one), b = tensors(two[0]);
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(to_torch(a[i].second)->allclose(*to_torch(b[i].second), 1e-3, 1e-4)) << a[i].first;

  const Ran accumulated = run_toy(fresh_folder("accumulated"), {"train.accumulate=2"});
  const auto normed = run_ranks(fresh_folder("normed"), 2, {});
  ASSERT_TRUE(accumulated.finished && normed[0].finished);
  EXPECT_NEAR(normed[0].finished->last[0].second, accumulated.finished->last[0].second, 0.05);  // running statistics: the mean over ranks
}

TEST(Distributed, WhoIsMissingIsNamed) {
  std::vector<std::string> said;
  const auto alone = Ranks::join({0, 0, 3, 3, "127.0.0.1", free_port()}, 0.5, [&](const std::string& line) { said.push_back(line); }, 0.1);
  ASSERT_FALSE(alone);
  EXPECT_NE(alone.error().message.find("for ranks 1, 2 of 3"), std::string::npos) << alone.error().text();
  EXPECT_NE(alone.error().hint.find("train.timeout"), std::string::npos);
  ASSERT_FALSE(said.empty());
  EXPECT_EQ(said[0].find("rank 0 of 3 waits at 127.0.0.1:"), 0u) << said[0];
  EXPECT_NE(said[0].find("for ranks 1, 2 of 3"), std::string::npos) << said[0];
}

TEST(Distributed, ALostRankEndsTheOthersAndAnotherNumberGoesOn) {
  const std::string path = fresh_folder("lost_rank");
  const auto ran = run_ranks(path, 2, {}, [](ToyTask& t, int rank) { t.die_at = rank == 1 ? 12 : -1; });
  ASSERT_FALSE(ran[0].finished);
  EXPECT_NE(ran[0].finished.error().message.find("rank 0 of 2 lost contact"), std::string::npos) << ran[0].finished.error().text();
  EXPECT_NE(ran[0].finished.error().hint.find("last checkpoint"), std::string::npos);
  const Ran alone = run_toy(path);
  ASSERT_TRUE(alone.finished) << alone.finished.error().text();
  EXPECT_EQ(alone.finished->steps, 32);
  const auto three = run_ranks(path, 3, {});
  EXPECT_TRUE(three[2].finished);  // nothing left to do, for all of them
}

TEST(Distributed, PlaceFromTheEnvironment) {
  const auto with = [](const std::map<std::string, std::string>& variables) {
    for (const char* name : {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"}) ::unsetenv(name);
    for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
    auto place = place_from_environment();
    for (const auto& [name, value] : variables) ::unsetenv(name.c_str());
    return place;
  };
  EXPECT_EQ(with({})->world, 1);
  const auto torchrun = with({{"RANK", "3"}, {"WORLD_SIZE", "8"}, {"LOCAL_RANK", "1"}, {"MASTER_ADDR", "node"}, {"MASTER_PORT", "1234"}});
  ASSERT_TRUE(torchrun);
  EXPECT_EQ(torchrun->rank, 3);
  EXPECT_EQ(torchrun->world, 8);
  EXPECT_EQ(torchrun->local_rank, 1);
  EXPECT_EQ(torchrun->address, "node");
  EXPECT_EQ(torchrun->port, 1234);
  EXPECT_EQ(with({{"SLURM_PROCID", "1"}, {"SLURM_NTASKS", "4"}, {"MASTER_ADDR", "node"}})->world, 4);
  EXPECT_EQ(with({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}})->world, 1);  // a shell in an allocation
  EXPECT_FALSE(with({{"RANK", "8"}, {"WORLD_SIZE", "8"}}));
  EXPECT_FALSE(with({{"RANK", "x"}, {"WORLD_SIZE", "8"}}));
}

}  // namespace
