// Supernet runs from recipe to checkpoint, on drawn patterns: what a user runs, small.
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "core/file.h"
#include "core/plugin.h"
#include "formats/checkpoint.h"
#include "methods/distil/trained.h"
#include "methods/supernet/analyse.h"
#include "methods/supernet/open.h"
#include "methods/tasks.h"
#include "retrieval/trained.h"
#include "supernet_recipe.h"

namespace hone::methods {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOwn = R"(
[banks]
capacity = 6
score_images = 16
[train]
epochs = 3
threads = 1
device = "cpu"
[average]
decay = 0.99
)";
std::string whole_recipe() { return std::string(test::kSupernetRecipe) + kOwn; }

struct SupernetRuns : ::testing::Test {
  static std::string folder;
  static void SetUpTestSuite() {
    folder = ::testing::TempDir() + "supernet_runs_" + std::to_string(::getpid()) + "/";
    fs::create_directories(folder);
    std::ofstream(folder + "supernet.toml") << whole_recipe();
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
      std::string recipe = whole_recipe();
      for (const char* key : {"[levels]\nmmacs = [0.3, 0.5, 0.8]\nwindow = 0.1\n", "[banks]\ncapacity = 6\nscore_images = 16\n"}) recipe.erase(recipe.find(key), std::string(key).size());
      std::ofstream(folder + "kind.toml") << recipe;
    } else {
      std::string recipe = whole_recipe();
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

// RUN:ARCH in other recipes: the run starts with the member as the supernet has it, and holds all that it needs.
TEST_F(SupernetRuns, AMemberStartsAClassifier) {
  ASSERT_TRUE(run("start", {"train.epochs=8", "loss.mixup=0", "loss.cutmix=0"}));
  auto supernet = TrainedSupernet::open(request(folder + "start"));
  ASSERT_TRUE(supernet) << supernet.error().text();
  const space::Space& s = (*supernet)->space();
  Rng rng(3);
  const space::Member member = space::sample(s, rng);
  std::ofstream(folder + "member.json") << space::print_member(s, member);
  const std::string name = folder + "start:" + folder + "member.json";
  // A learning rate of nought: the checkpoint is the start itself.
  std::ofstream(folder + "classify.toml") << "task = \"classify\"\n[data]\nkind = \"patterns\"\nclasses = 4\ntrain_size = 32\nval_size = 64\nside = 16\nbatch = 16\n[batch_norm]\nfreeze = true\n"
                                             "[train]\nepochs = 1\nthreads = 1\ndevice = \"cpu\"\n[optimiser]\nlr = 0\n";
  const auto alone = train::run_training(folder + "classify.toml", folder + "alone", {"network.name=" + name}, tasks());
  ASSERT_TRUE(alone) << alone.error().text();
  EXPECT_NEAR(metric(alone->finished.best, "top1"), (*supernet)->score(member, "val")->accuracy, 1e-9);
  for (const char* file : {"alone/network.toml", "alone/network.safetensors"}) EXPECT_TRUE(fs::exists(folder + file)) << file;
  // Without the supernet the run is still a network, and goes on.
  fs::rename(folder + "start", folder + "gone");
  const auto network = open_net(folder + "alone");
  ASSERT_TRUE(network) << network.error().text();
  EXPECT_EQ(network->graph.metadata.at("hone.network"), name);
  const auto again = train::run_training(folder + "classify.toml", folder + "alone", {"network.name=" + name}, tasks());
  EXPECT_TRUE(again) << again.error().text();
  // Other classes: a classifier of its own, the rest as it was.
  fs::rename(folder + "gone", folder + "start");
  const auto three = train::run_training(folder + "classify.toml", folder + "three", {"network.name=" + name, "data.classes=3"}, tasks());
  ASSERT_TRUE(three) << three.error().text();
  const auto nowhere = train::run_training(folder + "classify.toml", folder + "nowhere", {"network.name=" + folder + "start:" + folder + "no.json"}, tasks());
  ASSERT_FALSE(nowhere);
  EXPECT_NE(nowhere.error().text().find("no.json"), std::string::npos) << nowhere.error().text();
}

// The sketch method's student at several canvases, the largest beyond the member's own resolution; its selector; and a teacher's net.
TEST_F(SupernetRuns, AMemberStartsASketchEncoder) {
  ASSERT_TRUE(run("trunk", {"space.name=cifar-vit", "levels.mmacs=[1, 2]", "levels.window=1", "train.steps=2", "data.side=32", "data.classes=4"}));
  auto supernet = TrainedSupernet::open(request(folder + "trunk"));
  ASSERT_TRUE(supernet) << supernet.error().text();
  const space::Space& s = (*supernet)->space();
  space::Member member = space::smallest(s);
  member.resolution = 24;
  std::ofstream(folder + "trunk.json") << space::print_member(s, member);
  const std::string name = folder + "trunk:" + folder + "trunk.json";
  std::ofstream(folder + "sketch.toml") << "task = \"sketch\"\n[data]\nprocedural_photos = 16\nprocedural_sketches = 2\nvalidation = 0.25\n[network]\ncanvases = [16, 32]\n[sample]\nbatch = 8\n[train]\nepochs = 1\nthreads = 1\n";
  const auto student = train::run_training(folder + "sketch.toml", folder + "student", {"network.net=" + name, "network.canvas_norms=true"}, tasks());
  ASSERT_TRUE(student) << student.error().text();

  // It began with the member's slices: convolutions as the member has them, position tables as large as canvas 32 asks.
  const auto start = read_checkpoint(folder + "student/network.safetensors");
  ASSERT_TRUE(start);
  const auto whole = (*supernet)->network(member);
  ASSERT_TRUE(whole) << whole.error().text();
  int64_t same = 0, tables = 0;
  for (const auto& [tensor, value] : *start)
    for (const ValueId v : whole->graph.state())
      if (whole->graph.value(v).name == tensor) {
        if (tensor.ends_with("relative_position_bias")) {
          tables += value.shape.back() > whole->graph.value(v).data->shape.back();
        } else {
          EXPECT_TRUE(same_contents(value, *whole->graph.value(v).data)) << tensor;
          ++same;
        }
      }
  EXPECT_GT(same, 40);
  EXPECT_EQ(tables, 1);   // 4x4 instead of 3x3 in T1; 2x2 both in T2

  fs::rename(folder + "trunk", folder + "away");
  for (const int64_t canvas : {16, 32}) {
    const auto network = open_net(folder + "student", canvas);
    ASSERT_TRUE(network) << network.error().text();
    const Graph& g = network->graph;
    EXPECT_EQ(g.value(g.inputs[0]).type.shape, (Shape{1, 3, canvas, canvas}));
    EXPECT_EQ(g.metadata.at("hone.network"), name);
    // What the engine gets computes what training did.
    const auto trained = open_trained(folder + "student");
    ASSERT_TRUE(trained) << trained.error().text();
    const at::Tensor picture = at::rand({1, 3, canvas, canvas}, at::make_generator<at::CPUGeneratorImpl>(7));
    const auto vector = trained->encoder.embed(picture, canvas, trained->encoder.params(), {});
    const auto program = train::Program::compile(g);
    auto params = train::Params::of(g, 0);
    ASSERT_TRUE(vector && program && params);
    const auto out = program->run({picture}, *params->bind(*program), {});
    ASSERT_TRUE(out) << out.error().text();
    EXPECT_TRUE(at::allclose((*out)[0], *vector, 1e-5, 1e-6)) << canvas;
  }
  std::ofstream(folder + "canvas.toml") << "task = \"canvas\"\n[train]\nepochs = 1\nthreads = 1\n[sample]\nbatch = 4\n";
  const auto selector = train::run_training(folder + "canvas.toml", folder + "selector", {"encoder.run=" + folder + "student"}, tasks());
  EXPECT_TRUE(selector) << selector.error().text();
  fs::rename(folder + "away", folder + "trunk");
  const auto large = train::run_training(folder + "sketch.toml", folder + "large", {"network.net=" + name, "network.canvases=[64]"}, tasks());
  ASSERT_FALSE(large);
  EXPECT_NE(large.error().text().find("largest resolution is 32"), std::string::npos) << large.error().text();
}

// What the command line makes of RUN:ARCH.
TEST_F(SupernetRuns, CommandsTakeMembers) {
  ASSERT_TRUE(run("commands"));
  const space::Space s = *space::open_space("demo");
  Rng rng(11);
  const std::string member = folder + "commands.json", net = folder + "commands", named = net + ":" + member, onnx = folder + "commands.onnx";
  std::ofstream(member) << space::print_member(s, space::sample(s, rng));
  const auto hone = [&](const std::string& arguments) { return std::system((HONE_BINARY " " + arguments + " >" + folder + "out.txt 2>&1").c_str()); };
  EXPECT_EQ(hone("export " + named + " --fold-bn -o " + onnx), 0) << bytes("out.txt");
  EXPECT_EQ(hone("check " + net + " --arch " + member + " " + onnx), 0) << bytes("out.txt");
  EXPECT_EQ(hone("check " + named + " " + onnx), 0) << bytes("out.txt");
  EXPECT_EQ(hone("check " + named), 0) << bytes("out.txt");
  // Sliced, calibrated and folded, in the engine as in the supernet: the largest, the smallest, and members between.
  for (int i = 0; i < 8; ++i) {
    const std::string other = folder + "one.json", out = folder + "one.onnx";
    std::ofstream(other) << space::print_member(s, i == 0 ? space::largest(s) : i == 1 ? space::smallest(s) : space::sample(s, rng));
    EXPECT_EQ(hone("export " + net + ":" + other + " --fold-bn --force -o " + out), 0) << bytes("out.txt");
    EXPECT_EQ(hone("check " + net + ":" + other + " " + out + " --tolerance 1e-4,1e-4"), 0) << bytes("one.json") << bytes("out.txt");
  }
  EXPECT_NE(hone("check " + named + " --arch " + member), 0);
  EXPECT_NE(bytes("out.txt").find("NET names one too"), std::string::npos) << bytes("out.txt");
  EXPECT_NE(hone("check timm/resnet18 --arch " + member), 0);
  EXPECT_EQ(hone("profile " + named + " --json"), 0) << bytes("out.txt");
  EXPECT_EQ(hone("scale " + named + " --strategy dWr --factor 2 -o " + folder + "scaled.toml"), 0) << bytes("out.txt");
  const auto small = open_network(folder + "scaled.toml");
  ASSERT_TRUE(small) << small.error().text();
  EXPECT_EQ(small->arch->family, "elasticvit");
  EXPECT_EQ(hone("supernet eval " + net + " --arch " + member + " --json"), 0) << bytes("out.txt");
  EXPECT_NE(bytes("out.txt").find("\"top1\""), std::string::npos) << bytes("out.txt");
  EXPECT_EQ(hone("supernet report " + net + " --html " + folder + "report.html"), 0) << bytes("out.txt");
  EXPECT_NE(bytes("report.html").find("Quality of the memory banks"), std::string::npos);
  // Another member's file is told apart.
  std::ofstream(folder + "other.json") << space::print_member(s, space::largest(s));
  EXPECT_NE(hone("check " + net + " --arch " + folder + "other.json " + onnx), 0);
}

// A run made from a space file needs it no more: it may have changed since.
TEST_F(SupernetRuns, ASpaceFileIsKept) {
  const std::string own = folder + "own.toml";
  fs::copy_file(HONE_SOURCE_DIR "/spaces/demo.toml", own);
  ASSERT_TRUE(run("kept", {"space.name=" + own, "train.steps=2"}));
  std::ofstream(own) << "name = \"another\"\n";
  const auto opened = TrainedSupernet::open(request(folder + "kept"));
  ASSERT_TRUE(opened) << opened.error().text();
  EXPECT_EQ((*opened)->space().stages, space::open_space("demo")->stages);
  // A folder that is called as a preset is none.
  ASSERT_TRUE(run("preset", {"train.steps=2"}));
  fs::create_directories(folder + "demo");
  EXPECT_TRUE(TrainedSupernet::open(request(folder + "preset")));
}

// Searches of the command line go through the plug-in's border: banks and the weights' name must come out of it.
TEST_F(SupernetRuns, ThePluginForwardsBankAndWeights) {
  ASSERT_TRUE(run("bordered"));
  const auto inside = TrainedSupernet::open(request(folder + "bordered"));
  ASSERT_TRUE(inside) << inside.error().text();
  const auto symbol = plugin_symbol("hone_train", "hone_supernet_open");
  ASSERT_TRUE(symbol) << symbol.error().text();
  Result<std::unique_ptr<Supernet>> opened = fail(Code::failed, "not opened");
  reinterpret_cast<SupernetOpen*>(*symbol)(request(folder + "bordered"), opened);
  ASSERT_TRUE(opened) << opened.error().text();
  ASSERT_TRUE((*opened)->bank() && (*inside)->bank());
  EXPECT_FALSE((*opened)->bank()->empty());
  EXPECT_EQ(*(*opened)->bank(), *(*inside)->bank());
  EXPECT_FALSE((*opened)->weights().empty());
  EXPECT_EQ((*opened)->weights(), (*inside)->weights());
  EXPECT_EQ((*opened)->space(), (*inside)->space());
}

TEST_F(SupernetRuns, ForeignAndCorruptCheckpointsAreNamed) {
  ASSERT_TRUE(run("broken"));
  const auto says = [&](const char* what) {
    const auto opened = TrainedSupernet::open(request(folder + "broken"));
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().text().find(what), std::string::npos) << opened.error().text();
  };
  // A bank that cannot be read is no empty bank: a search would begin elsewhere without a word.
  const auto bank_says = [&]() -> Result<std::vector<space::Member>> { return (*TrainedSupernet::open(request(folder + "broken")))->bank(); };
  ASSERT_TRUE(bank_says());
  EXPECT_FALSE(bank_says()->empty());
  const std::string state = folder + "broken/checkpoints/last.state", whole = bytes("broken/checkpoints/last.state");
  std::ofstream(state, std::ios::binary) << whole.substr(0, whole.size() / 2);
  ASSERT_FALSE(bank_says());
  EXPECT_NE(bank_says().error().text().find("last.state"), std::string::npos) << bank_says().error().text();
  std::ofstream(state, std::ios::binary) << whole;
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

// A space of a user's own: blocks of MobileNetV2, each with its own genes, no complexity levels.
constexpr const char* kMobileSpace = R"(
name = "mine"
resolutions = [12, 16]
classes = 4
sharing = "block"
widths_may_fall = true
activation = "relu6"
[stem]
stride = 1
[[stages]]
name = "first"
block = "mobile"
stride = 1
shortcut = "same"
depths = [1]
widths = [8, 16]
expands = [1]
kernels = [3]
[[stages]]
name = "second"
block = "mobile"
stride = 2
shortcut = "same"
depths = [1, 2]
widths = [8, 16]
expands = [3, 6]
kernels = [3, 5]
[head]
kind = "mobile"
width = 0
)";

TEST_F(SupernetRuns, ASpaceWithoutLevels) {
  std::ofstream(folder + "mine.toml") << kMobileSpace;
  std::string recipe = whole_recipe();
  for (const char* key : {"[levels]\nmmacs = [0.3, 0.5, 0.8]\nwindow = 0.1\n", "[banks]\ncapacity = 6\nscore_images = 16\n"}) recipe.erase(recipe.find(key), std::string(key).size());
  std::ofstream(folder + "mine-recipe.toml") << recipe;
  ASSERT_TRUE(train::run_training(folder + "mine-recipe.toml", folder + "mine", {"space.name=" + folder + "mine.toml", "step.kind=sandwich"}, tasks()));
  SupernetEvalRequest eval;
  eval.runs = {folder + "mine"};
  eval.members = 2;
  const auto accuracy = supernet_accuracy(eval);
  ASSERT_TRUE(accuracy) << accuracy.error().text();
  EXPECT_EQ(accuracy->table("groups")->rows.size(), 2u);   // the smallest and the largest
  EXPECT_TRUE(accuracy->table("by_run")->rows.empty());    // a mean over no levels is no 0 %
  EXPECT_EQ(to_text(*accuracy).find("By run"), std::string::npos);
  SupernetConflictRequest conflict;
  conflict.runs = eval.runs;
  conflict.members = 2;
  conflict.batches = 1;
  const auto none = supernet_conflict(conflict);
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().hint.find("levels.mmacs"), std::string::npos) << none.error().text();
  conflict.settings = {"levels.mmacs=[0.2, 0.4]", "levels.window=0.1"};   // what the hint says
  const auto cosines = supernet_conflict(conflict);
  ASSERT_TRUE(cosines) << cosines.error().text();
  EXPECT_EQ(cosines->table("levels")->rows.size(), 1u);    // drawn members; there are no banks
  EXPECT_EQ(cosines->table("pairs")->rows.size(), 6u);
  // Runs of other spaces do not compare, which is said before anything is scored: this split does not exist.
  ASSERT_TRUE(run("demo-run", {"train.steps=1"}));
  eval.runs.push_back(folder + "demo-run");
  eval.split = "nowhere";
  const auto apart = supernet_accuracy(eval);
  ASSERT_FALSE(apart);
  EXPECT_NE(apart.error().text().find("another space"), std::string::npos) << apart.error().text();
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
