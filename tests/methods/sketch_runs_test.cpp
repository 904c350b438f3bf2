// The sketch method from recipe to retrieval, on generated data: what a user runs, small.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <torch/csrc/autograd/grad_mode.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>

#include "core/file.h"
#include "methods/canvas/task.h"
#include "methods/canvas/trained.h"
#include "methods/canvas/evaluate.h"
#include "methods/distil/task.h"
#include "methods/distil/trained.h"
#include "methods/tasks.h"
#include "retrieval/indexing.h"
#include "retrieval/query.h"

namespace hone::methods {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSketch = R"(
task = "sketch"
[data]
procedural_photos = 24
procedural_sketches = 2
validation = 0.25
[network]
net = "coral/mobilenetv1_025"
canvases = [32, 64]
[sample]
batch = 8
[train]
epochs = 2
threads = 1
)";

struct SketchRuns : ::testing::Test {
  static std::string folder;
  static void SetUpTestSuite() {
    folder = ::testing::TempDir() + "sketch_runs_" + std::to_string(::getpid()) + "/";
    fs::create_directories(folder);
    std::ofstream(folder + "sketch.toml") << kSketch;
    std::ofstream(folder + "canvas.toml") << "task = \"canvas\"\n[train]\nepochs = 3\n[sample]\nbatch = 4\n";
  }
  static void TearDownTestSuite() { fs::remove_all(folder); }
  static Result<train::Trained> run(const std::string& recipe, const std::string& name, std::vector<std::string> settings = {}) {
    return train::run_training(folder + recipe, folder + name, settings, tasks());
  }
  static std::string bytes(const std::string& file) { return *read_file(folder + file, size_t{1} << 28); }
};
std::string SketchRuns::folder;

TEST_F(SketchRuns, TeacherStudentSelectorAndRetrieval) {
  ASSERT_TRUE(run("sketch.toml", "teacher", {"network.canvases=[64]"}));
  const auto student = run("sketch.toml", "student", {"teacher.run=" + folder + "teacher", "network.canvas_norms=true"});
  ASSERT_TRUE(student) << student.error().text();
  EXPECT_TRUE(fs::exists(folder + "student/teacher.safetensors"));
  const auto selector = run("canvas.toml", "selector", {"encoder.run=" + folder + "student"});
  ASSERT_TRUE(selector) << selector.error().text();

  const Manifest made_of = *read_manifest(*RunDir::open(folder + "selector"));
  ASSERT_EQ(made_of.data.size(), 2u);  // the set, and the encoder that the ranks come from
  EXPECT_EQ(made_of.data[0].counts.at("test sketches"), 12);
  EXPECT_EQ(made_of.data[1].checksum, open_trained(folder + "student")->run.sha256);

  const auto e = evaluate(folder + "selector", "test");
  ASSERT_TRUE(e) << e.error().text();
  ASSERT_EQ(e->scores.size(), 6u);  // two canvases, random, mix, selector, oracle
  EXPECT_EQ(e->queries, 12);
  EXPECT_EQ(e->gallery, 6);
  const auto mean = [](const std::vector<double>& v) {
    double s = 0;
    for (double x : v) s += x;
    return s / static_cast<double>(v.size());
  };
  std::map<std::string, const Scores*> by_name;
  for (const Scores& s : e->scores) by_name[s.name] = &s;
  const Scores &oracle = *by_name.at("oracle"), &learned = *by_name.at("selector");
  for (size_t q = 0; q < 12; ++q)
    for (const char* canvas : {"canvas 32", "canvas 64"}) EXPECT_GE(oracle.reciprocal[q], by_name.at(canvas)->reciprocal[q]);
  EXPECT_NEAR(mean(by_name.at("random")->flops), (static_cast<double>(e->canvas_flops[0]) + static_cast<double>(e->canvas_flops[1])) / 2, 1);
  EXPECT_LE(mean(by_name.at("best fixed mix")->flops), std::max(mean(learned.flops), static_cast<double>(e->canvas_flops[0])) + 1);
  for (size_t q = 0; q < 12; ++q) EXPECT_GT(learned.flops[q], static_cast<double>(learned.canvas[q] == 32 ? e->canvas_flops[0] : e->canvas_flops[1]));  // its own cost is counted

  const auto report = evaluation_report({*e}, {});
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_NE(to_json(*report).find("\"best fixed mix\""), std::string::npos);
}

// The engine's path against libtorch's: the same canvas for every sketch, the same vectors to rounding, and the same photos in
// the same order wherever the distances tell them apart.
TEST_F(SketchRuns, EngineAndTorchRankAlike) {
  auto opened = open_engine();
  if (!opened && opened.error().message.find("hone was built without it") != std::string::npos) GTEST_SKIP() << "built without OpenVINO";
  ASSERT_TRUE(opened) << opened.error().text();
  // Hardly trained, the small network of the other tests sees all photos alike; this one does not.
  ASSERT_TRUE(run("sketch.toml", "p", {"network.canvas_norms=true", "network.net=timm/resnet18", "train.epochs=1"}));
  ASSERT_TRUE(run("canvas.toml", "ps", {"encoder.run=" + folder + "p"}));
  const auto indexed = index_photos({folder + "ps", "data:all", folder + "p.index"});
  ASSERT_TRUE(indexed) << indexed.error().text();
  const auto index = SearchIndex::open(folder + "p.index");
  ASSERT_TRUE(index) << index.error().text();
  const auto path = QueryPath::open(folder + "ps", *index);
  ASSERT_TRUE(path) << path.error().text();

  const auto torch = open_trained(folder + "p");
  const auto selector = open_selector(folder + "ps");
  ASSERT_TRUE(torch && selector);
  const auto set = open_set(torch->run.data);
  ASSERT_TRUE(set);
  std::vector<uint32_t> photos(set->photos.size());
  for (uint32_t i = 0; i < photos.size(); ++i) photos[i] = i;
  const auto cache = PhotoCache::load(*set, photos, torch->encoder.side(), 1);
  ASSERT_TRUE(cache);
  const auto gallery = embed_photos(torch->encoder, torch->encoder.params(), *cache, photos);
  ASSERT_TRUE(gallery);
  ASSERT_EQ((*index)->store().count(), gallery->count);
  for (uint32_t i : photos) EXPECT_LT(distance(gallery->row(i), (*index)->store().row(i)), 1e-4) << i;

  int told_apart = 0;
  for (uint32_t item = 0; item < set->items.size(); item += 3) {
    const Sketch& sketch = set->items[item].sketch;
    const torch::autograd::AutoGradMode no_grad(false);
    const std::vector<at::Tensor> rows{selector->selector.rows(sketch)};
    const auto chosen = selector->run.canvases[static_cast<size_t>(selector->selector.logits(rows, selector->selector.params()).argmax(1).item<int64_t>())];
    const auto answer = (*path)->ask(sketch, {static_cast<int64_t>(photos.size())});
    ASSERT_TRUE(answer) << answer.error().text();
    EXPECT_EQ(answer->canvas, chosen);
    for (int64_t canvas : torch->encoder.options().canvases) {
      const auto engine = (*path)->ask(sketch, {static_cast<int64_t>(photos.size()), canvas});
      ASSERT_TRUE(engine) << engine.error().text();
      const auto query = embed_sketches(torch->encoder, torch->encoder.params(), *set, std::vector<uint32_t>{item}, canvas);
      ASSERT_TRUE(query);
      EXPECT_LT(distance(query->row(0), engine->vector), 1e-4);
      const std::vector<Neighbour> ranked = nearest(query->row(0), *gallery, photos.size());
      for (size_t k = 0; k < ranked.size(); ++k) {
        EXPECT_NEAR(engine->found[k].distance, ranked[k].distance, 2e-4);
        const bool apart = (k == 0 || ranked[k].distance - ranked[k - 1].distance > 4e-4) && (k + 1 == ranked.size() || ranked[k + 1].distance - ranked[k].distance > 4e-4);
        if (!apart) continue;
        ++told_apart;
        EXPECT_EQ(engine->found[k].item, ranked[k].item) << "sketch " << item << ", canvas " << canvas << ", place " << k;
      }
    }
  }
  EXPECT_GT(told_apart, 50);
}

TEST_F(SketchRuns, EveryKindOfKnowledgeAndNegativeTrains) {
  ASSERT_TRUE(run("sketch.toml", "t", {"network.canvases=[64]"}));
  for (const char* negatives : {"random", "batch-random", "batch-hard", "batch-all"})
    for (const char* knowledge : {"none", "relations", "vectors", "rkd", "similarities"}) {
      const std::string name = std::string("k_") + negatives + knowledge;
      const char* views = std::string(knowledge) == "vectors" || std::string(negatives) == "batch-random" ? "same" : "cached";
      const auto r = run("sketch.toml", name, {"teacher.run=" + folder + "t", std::string("distil.knowledge=") + knowledge, std::string("distil.views=") + views, std::string("sample.negatives=") + negatives, "train.steps=2", "train.epochs=1",
                                               "augment.photo_crop=0.8", "augment.sketch_rotate=5", "augment.stroke_drop=0.1"});
      ASSERT_TRUE(r) << name << ": " << r.error().text();
      EXPECT_TRUE(open_trained(folder + name));
    }
}

// Pictures that are not varied are the ones that were remembered, whichever way the teacher meets them, and drawn in its own style.
TEST_F(SketchRuns, ATeacherThatWatchesSaysWhatItRemembers) {
  ASSERT_TRUE(run("sketch.toml", "wt", {"network.canvases=[64]", "train.steps=2", "network.line_width=5", "network.raster=smooth"}));
  std::vector<double> knowledge[2];
  for (int same = 0; same < 2; ++same)
    for (const char* negatives : {"random", "batch-all"}) {
      const std::string name = std::string("w_") + negatives + (same ? "same" : "cached");
      const auto r = run("sketch.toml", name, {"teacher.run=" + folder + "wt", std::string("distil.views=") + (same ? "same" : "cached"), std::string("sample.negatives=") + negatives, "train.steps=3", "train.log_every=1"});
      ASSERT_TRUE(r) << name << ": " << r.error().text();
      EXPECT_EQ(fs::exists(folder + name + "/teacher.safetensors"), !same);
      std::ifstream events(folder + name + "/events.jsonl");
      for (std::string line; std::getline(events, line);)
        if (const size_t at = line.find("\"knowledge\":"); at != std::string::npos) knowledge[same].push_back(std::stod(line.substr(at + 12)));
    }
  ASSERT_EQ(knowledge[0].size(), 6u);
  ASSERT_EQ(knowledge[1].size(), 6u);
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(knowledge[1][i], knowledge[0][i], 1e-4 * knowledge[0][i]) << i;
}

// Student with a teacher, because its run keeps most: killed as soon as it has a checkpoint, and run again until it ends.
TEST_F(SketchRuns, AKilledRunEndsAsIfItHadNotBeen) {
  ASSERT_TRUE(run("sketch.toml", "kt", {"network.canvases=[64]", "train.steps=2"}));
  const std::vector<std::string> settings = {"teacher.run=" + folder + "kt", "train.steps=12", "checkpoint.every=1", "train.validate_every=1"};
  ASSERT_TRUE(run("sketch.toml", "whole", settings));
  int killed = 0;
  for (int64_t attempt = 0; attempt < 3; ++attempt) {
    const pid_t child = ::fork();
    if (child == 0) {
      std::vector<std::string> words = {HONE_BINARY, "train", folder + "sketch.toml", folder + "parts"};
      for (const std::string& s : settings) words.insert(words.end(), {"--set", s});
      std::vector<char*> argv;
      for (std::string& w : words) argv.push_back(w.data());
      argv.push_back(nullptr);
      if (!std::freopen("/dev/null", "w", stderr) || !std::freopen("/dev/null", "w", stdout)) ::_exit(1);
      ::execv(HONE_BINARY, argv.data());
      ::_exit(127);
    }
    // Waits for a checkpoint newer than the last attempt's, then kills at once.
    const auto stamp = [&] {
      std::error_code ec;
      const auto time = fs::last_write_time(folder + "parts/checkpoints/last.state", ec);
      return ec ? fs::file_time_type::min() : time;
    };
    const auto before = stamp();
    int status = 0;
    while (stamp() == before && ::waitpid(child, &status, WNOHANG) == 0) ::usleep(2000);
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    killed += WIFSIGNALED(status);
  }
  EXPECT_GE(killed, 1);
  ASSERT_TRUE(run("sketch.toml", "parts", settings));
  for (const char* file : {"last.safetensors", "best.safetensors", "last.state"})
    EXPECT_TRUE(bytes(std::string("whole/checkpoints/") + file) == bytes(std::string("parts/checkpoints/") + file)) << file;
}

// A policy learns from what other encoders held back, and its checkpoint is chosen by what its own encoder held back.
TEST_F(SketchRuns, FoldsGiveAPolicyMoreToLearnFrom) {
  for (int seed = 0; seed < 3; ++seed)
    ASSERT_TRUE(run("sketch.toml", "fold" + std::to_string(seed), {"train.steps=1", "data.split_seed=" + std::to_string(seed)}));
  CanvasOptions o;
  o.encoder = folder + "fold0";
  train::Compute compute;
  const auto own = CanvasTask::make(o, compute);
  ASSERT_TRUE(own) << own.error().text();
  o.batch = 1;
  o.folds = {folder + "fold1", folder + "fold2"};
  const auto folds = CanvasTask::make(o, compute);
  ASSERT_TRUE(folds) << folds.error().text();
  // What a fold held back less the photos that the encoder itself held back.
  const auto trained = open_trained(folder + "fold0");
  ASSERT_TRUE(trained);
  const auto set = open_set(trained->run.data);
  ASSERT_TRUE(set);
  std::set<uint32_t> kept;
  for (uint32_t i : split(*set, 0.25, 0).validation) kept.insert(set->items[i].photo);
  int64_t expected = 0;
  for (uint64_t seed : {1, 2})
    for (uint32_t i : split(*set, 0.25, seed).validation) expected += !kept.count(set->items[i].photo);
  EXPECT_GT(expected, 0);
  EXPECT_EQ((*folds)->steps_per_epoch(), expected);  // batches of one sketch
  EXPECT_TRUE((*folds)->forward(0, 0, 1));
  const auto same = run("canvas.toml", "x6", {"encoder.run=" + folder + "fold0", "encoder.folds=[\"" + folder + "fold0\"]"});
  ASSERT_FALSE(same);
  EXPECT_NE(same.error().text().find("split_seed"), std::string::npos);
  const auto other = run("canvas.toml", "x7", {"encoder.run=" + folder + "fold0", "encoder.folds=[\"" + folder + "nothing\"]"});
  EXPECT_FALSE(other);
}

TEST_F(SketchRuns, MistakesAreNamed) {
  const auto no_teacher = run("sketch.toml", "x1", {"distil.knowledge=relations"});
  ASSERT_FALSE(no_teacher);
  EXPECT_NE(no_teacher.error().text().find("teacher.run"), std::string::npos);
  const auto missing = run("sketch.toml", "x2", {"data.path=/nonexistent"});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().text().find("/nonexistent"), std::string::npos);
  const auto large = run("sketch.toml", "x3", {"sample.batch=512"});
  ASSERT_FALSE(large);
  EXPECT_NE(large.error().text().find("batch"), std::string::npos);
  EXPECT_FALSE(evaluate(folder + "nothing", "test"));
  EXPECT_FALSE(run("canvas.toml", "x4"));
  ASSERT_TRUE(run("sketch.toml", "one", {"network.canvases=[64]", "train.steps=1"}));
  const auto single = run("canvas.toml", "x5", {"encoder.run=" + folder + "one"});
  ASSERT_FALSE(single);
  EXPECT_NE(single.error().text().find("single canvas"), std::string::npos);
}

TEST(Splits, HeldOutPhotosAreTheSameForEveryRunAndInNoOther) {
  SketchData o;
  o.path = "procedural";
  o.procedural_photos = 20;
  o.procedural_sketches = 2;
  const auto set = open_set(o);
  ASSERT_TRUE(set);
  const Splits a = split(*set, 0.25, 3), b = split(*set, 0.25, 3);
  EXPECT_EQ(a.validation, b.validation);
  EXPECT_FALSE(a.validation.empty());
  for (uint32_t v : a.validation)
    for (uint32_t t : a.train) EXPECT_NE(set->items[v].photo, set->items[t].photo);
  EXPECT_EQ(a.train.size() + a.validation.size(), set->train.size());
}

}  // namespace
}  // namespace hone::methods
