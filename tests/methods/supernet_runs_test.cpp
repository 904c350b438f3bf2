// Supernet runs from recipe to checkpoint, on drawn patterns: what a user runs, small.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "core/file.h"
#include "methods/supernet/open.h"
#include "methods/tasks.h"

namespace hone::methods {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRecipe = R"(
task = "supernet"
[space]
name = "demo"
[data]
kind = "patterns"
classes = 4
train_size = 128
val_size = 64
side = 16
batch = 16
[levels]
mmacs = [0.3, 0.5, 0.8]
window = 0.1
[banks]
capacity = 6
score_images = 16
[batch_norm]
calibration = 2
[train]
epochs = 3
threads = 1
device = "cpu"
[optimiser]
lr = 0.002
[clip]
adaptive = 0.1
[average]
decay = 0.99
)";

struct SupernetRuns : ::testing::Test {
  static std::string folder;
  static void SetUpTestSuite() {
    folder = ::testing::TempDir() + "supernet_runs_" + std::to_string(::getpid()) + "/";
    fs::create_directories(folder);
    std::ofstream(folder + "supernet.toml") << kRecipe;
  }
  static void TearDownTestSuite() { fs::remove_all(folder); }
  static Result<train::Trained> run(const std::string& name, std::vector<std::string> settings = {}) {
    return train::run_training(folder + "supernet.toml", folder + name, settings, tasks());
  }
  static std::string bytes(const std::string& file) {
    const auto read = read_file(folder + file, size_t{1} << 28);
    return read ? *read : std::string();
  }
};
std::string SupernetRuns::folder;

double metric(const train::Metrics& metrics, const std::string& name) {
  for (const auto& [n, value] : metrics)
    if (n == name) return value;
  return NAN;
}

TEST_F(SupernetRuns, LearnsInEveryMember) {
  const auto trained = run("learns", {"train.epochs=25", "loss.mixup=0", "loss.cutmix=0"});
  ASSERT_TRUE(trained) << trained.error().text();
  EXPECT_GT(metric(trained->finished.best, "top1"), 0.6);   // chance is 0.25
  EXPECT_EQ(trained->finished.last.size(), 5u);              // mean accuracy and loss, and three members
}

// Killed as soon as it has a checkpoint, and run again until it ends.
TEST_F(SupernetRuns, AKilledRunEndsAsIfItHadNotBeen) {
  ASSERT_TRUE(run("whole"));
  int killed = 0;
  for (int attempt = 0; attempt < 8; ++attempt) {
    const auto before = fs::exists(folder + "cut/checkpoints/last.state") ? fs::last_write_time(folder + "cut/checkpoints/last.state") : fs::file_time_type::min();
    const pid_t child = ::fork();
    if (child == 0) {
      const std::string recipe = folder + "supernet.toml", to = folder + "cut";
      if (!std::freopen("/dev/null", "w", stderr) || !std::freopen("/dev/null", "w", stdout)) ::_exit(1);
      ::execl(HONE_BINARY, HONE_BINARY, "train", recipe.c_str(), to.c_str(), "--set", "checkpoint.every=3", nullptr);
      ::_exit(127);
    }
    int status = 0;
    bool ended = false;
    for (int i = 0; i < 20000 && !ended; ++i) {
      ended = ::waitpid(child, &status, WNOHANG) == child;
      std::error_code ec;
      if (!ended && fs::exists(folder + "cut/checkpoints/last.state") && fs::last_write_time(folder + "cut/checkpoints/last.state", ec) > before) break;
      ::usleep(1000);
    }
    if (!ended) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
    }
    killed += WIFSIGNALED(status);
  }
  EXPECT_GE(killed, 1);
  ASSERT_TRUE(run("cut", {"checkpoint.every=3"}));
  for (const char* file : {"checkpoints/last.safetensors", "checkpoints/last.state", "checkpoints/best.safetensors", "result.json"}) {
    EXPECT_FALSE(bytes(std::string("whole/") + file).empty()) << file;
    EXPECT_EQ(bytes(std::string("whole/") + file), bytes(std::string("cut/") + file)) << file;
  }
}

// Accumulation over micro-batches is the same step but for BatchNorm, which normalises by its micro-batch.
TEST_F(SupernetRuns, EveryKindOfStepTrains) {
  const std::vector<std::vector<std::string>> kinds = {
      {"step.kind=sandwich"},
      {"step.kind=sandwich", "step.project_from=1", "step.small_clip=1"},
      {"levels.walk=random", "banks.use=false"},
      {"levels.walk=cyclic", "banks.score=step", "loss.mixup=0.2"},
      {"levels.walk=adjacent", "banks.score=step", "loss.mixup=0", "loss.cutmix=0", "banks.draw=best"},
      {"train.accumulate=2"},
      {"banks.preference=none", "banks.q=2", "banks.draw=uniform"},
  };
  for (size_t i = 0; i < kinds.size(); ++i) {
    std::vector<std::string> settings = kinds[i];
    if (settings[0] == "step.kind=sandwich") {   // keys that such a step does not have
      std::string recipe = kRecipe;
      for (const char* key : {"[levels]\nmmacs = [0.3, 0.5, 0.8]\nwindow = 0.1\n", "[banks]\ncapacity = 6\nscore_images = 16\n"}) recipe.erase(recipe.find(key), std::string(key).size());
      std::ofstream(folder + "kind.toml") << recipe;
    } else {
      std::string recipe = kRecipe;
      if (settings.back() == "banks.use=false") recipe.erase(recipe.find("capacity"), std::string("capacity = 6\nscore_images = 16\n").size());
      if (std::find(settings.begin(), settings.end(), "banks.score=step") != settings.end()) recipe.erase(recipe.find("score_images"), std::string("score_images = 16\n").size());
      std::ofstream(folder + "kind.toml") << recipe;
    }
    const auto trained = train::run_training(folder + "kind.toml", folder + "kind" + std::to_string(i), settings, tasks());
    ASSERT_TRUE(trained) << settings[0] << ": " << trained.error().text();
    EXPECT_EQ(trained->finished.steps, 3 * (122 / 16)) << settings[0];
  }
}

SupernetRequest request(const std::string& run) { return {run, 1, -1, 0, {}}; }

// What search and export get is what the run itself measured.
TEST_F(SupernetRuns, OpenedItScoresAsItsRunDidAndGivesStandAloneNetworks) {
  const auto trained = run("opened", {"train.epochs=8", "loss.mixup=0", "loss.cutmix=0"});
  ASSERT_TRUE(trained) << trained.error().text();
  auto supernet = TrainedSupernet::open(request(folder + "opened"));
  ASSERT_TRUE(supernet) << supernet.error().text();
  const space::Space& s = (*supernet)->space();
  const space::Member smallest = space::smallest(s);
  const auto score = (*supernet)->score(smallest, "val");
  ASSERT_TRUE(score) << score.error().text();
  EXPECT_EQ(score->images, 64);
  EXPECT_DOUBLE_EQ(score->accuracy, trained->finished.best[2].second) << trained->finished.best[2].first;

  Rng rng(4);
  train::PictureOptions pictures;
  pictures.kind = "patterns";
  ASSERT_TRUE(train::set_side(pictures, 16));
  const train::LabelledSet set = train::drawn_patterns(4, 128, 64, 16);
  std::vector<int64_t> all(64);
  for (int64_t i = 0; i < 64; ++i) all[static_cast<size_t>(i)] = i;
  Transform evaluate = pictures.evaluate;
  evaluate.filter = Filter::bicubic;
  const auto batch = train::load_batch(set.val, all, evaluate, 0, 0, 0, 1);
  ASSERT_TRUE(batch);
  for (const space::Member& m : {smallest, space::sample(s, rng), space::largest(s)}) {
    const auto network = (*supernet)->network(m);
    ASSERT_TRUE(network) << network.error().text();
    EXPECT_EQ(network->graph.metadata.at("hone.space"), "demo");
    const auto program = train::Program::compile(network->graph);
    auto params = train::Params::of(network->graph, 5);
    ASSERT_TRUE(program && params);
    const auto out = program->run({batch->images}, *params->bind(*program), {});
    ASSERT_TRUE(out) << out.error().text();
    const double accuracy = (*out)[0].argmax(1).eq(batch->labels).to(at::kDouble).mean().item<double>();
    EXPECT_DOUBLE_EQ(accuracy, (*supernet)->score(m, "val")->accuracy);
  }
  EXPECT_EQ((*supernet)->score(smallest, "search")->images, 6);   // 5 % of 128

  space::Member foreign = smallest;
  foreign.stage[1].width = 12;
  const auto refused = (*supernet)->score(foreign, "val");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text().find("width 12"), std::string::npos) << refused.error().text();
  EXPECT_FALSE((*supernet)->score(smallest, "train"));
  const auto banks = (*supernet)->sampler();
  ASSERT_TRUE(banks) << banks.error().text();
  EXPECT_FALSE(banks->banks()[0].entries.empty());
}

// Statistics belong to a member: evaluating some changes nothing for others, nor for the weights.
TEST_F(SupernetRuns, CalibrationTouchesNothing) {
  ASSERT_TRUE(run("calibrated"));
  auto first = TrainedSupernet::open(request(folder + "calibrated")), second = TrainedSupernet::open(request(folder + "calibrated"));
  ASSERT_TRUE(first && second);
  const space::Member a = space::smallest((*first)->space()), b = space::largest((*first)->space());
  const NamedTensors before = (*first)->store().params().save();
  ASSERT_TRUE((*first)->score(a, "val"));
  EXPECT_EQ((*first)->score(b, "val")->loss, (*second)->score(b, "val")->loss);
  const NamedTensors after = (*first)->store().params().save();
  for (size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(at::equal(*train::to_torch(before[i].second), *train::to_torch(after[i].second))) << before[i].first;
}

TEST_F(SupernetRuns, ForeignAndCorruptCheckpointsAreNamed) {
  ASSERT_TRUE(run("broken"));
  const auto says = [&](const char* what) {
    const auto opened = TrainedSupernet::open(request(folder + "broken"));
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().text().find(what), std::string::npos) << opened.error().text();
  };
  const std::string best = folder + "broken/checkpoints/best.safetensors", good = bytes("broken/checkpoints/best.safetensors");
  std::ofstream(best, std::ios::binary) << good.substr(0, good.size() / 2);
  says("best.safetensors");
  fs::remove(best);
  fs::remove(folder + "broken/checkpoints/last.safetensors");
  says("no checkpoint");
  ASSERT_TRUE(run("other", {"space.name=cifar-vit", "levels.mmacs=[2, 3, 4]", "levels.window=1", "train.steps=1", "data.side=32", "data.classes=4"}));
  fs::copy_file(folder + "other/checkpoints/last.safetensors", best);
  says("another space");
}

TEST_F(SupernetRuns, MistakesAreNamed) {
  const auto says = [&](const char* what, std::vector<std::string> settings) {
    const auto trained = run("mistake", settings);
    ASSERT_FALSE(trained) << what;
    EXPECT_NE(trained.error().text().find(what), std::string::npos) << trained.error().text();
    EXPECT_FALSE(fs::exists(folder + "mistake"));
  };
  says("no-such-space", {"space.name=no-such-space"});
  says("not ascending", {"levels.mmacs=[0.5, 0.3]"});
  space::Space flat = *space::open_space("cifar-vit");
  flat.levels = {};
  std::ofstream(folder + "flat.toml") << space::print_space(flat);
  says("complexity levels", {"space.name=" + folder + "flat.toml", "data.side=32", "levels.mmacs=[]", "levels.window=0"});
  says("less than one batch", {"data.batch=4096"});
  says("banks.refresh", {"banks.refresh=[1.5]"});
  says("the data have 4 classes", {"teacher.networks=[\"timm/resnet18\"]"});
}

}  // namespace
}  // namespace hone::methods
