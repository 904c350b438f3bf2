// From a run directory to ranked photos without torch: a run made here, with fresh weights and norms of their own for the small canvas.
#include "retrieval/query.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/rng.h"
#include "formats/safetensors.h"
#include "retrieval/indexing.h"
#include "retrieval/photo_encoder.h"
#include "retrieval/retrieve.h"
#include "retrieval/selector_session.h"
#include "rewrite/weights.h"
#include "support.h"

namespace hone {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSketch = R"(
task = "sketch"
[data]
path = "procedural"
procedural_photos = 12
procedural_sketches = 2
[network]
net = "coral/mobilenetv1_025"
pool = "average"
canvases = [32, 64]
canvas_norms = true
raster = "smooth"
line_width = 6.0
)";

Sketch zigzag(int points) {
  Sketch s{"z", "", {{}}, 256};
  Rng rng(static_cast<uint64_t>(points));
  for (int i = 0; i < points; ++i) {
    if (i > 0 && i % 9 == 0) s.strokes.emplace_back();
    s.strokes.back().push_back({256 * rng.uniform(), 256 * rng.uniform()});
  }
  return s;
}

struct Query : ::testing::Test {
  static std::string folder;
  Engine* engine = nullptr;

  static NamedTensors fresh(const Graph& graph, uint64_t seed) {
    NamedTensors out;
    const Graph filled = *with_fresh_weights(graph, seed);
    for (ValueId v : filled.state()) out.emplace_back(filled.value(v).name, *filled.value(v).data);
    return out;
  }
  static void write_run(const std::string& name, const std::string& recipe, NamedTensors tensors) {
    fs::create_directories(folder + name + "/checkpoints");
    std::ofstream(folder + name + "/recipe.toml") << recipe;
    SafeTensors file;
    file.tensors = std::move(tensors);
    ASSERT_TRUE(write_safetensors(file, folder + name + "/checkpoints/best.safetensors", true));
  }
  static void SetUpTestSuite() {
    folder = ::testing::TempDir() + "query_" + std::to_string(::getpid()) + "/";
    fs::create_directories(folder);
    Recipe recipe = *Recipe::parse(kSketch, "sketch");
    const Graph graph = *encoder_graph(read_encoder(recipe, "network"));
    for (const auto& [name, seed] : {std::pair{"a", 1}, std::pair{"b", 2}}) {
      NamedTensors tensors = fresh(graph, static_cast<uint64_t>(seed));
      const std::vector<std::string> norms = norm_parameters(graph);
      for (size_t i = 0, n = tensors.size(); i < n; ++i) {
        if (!std::binary_search(norms.begin(), norms.end(), tensors[i].first) || !tensors[i].first.ends_with("bias")) continue;
        // Other biases at the small canvas; without any, fresh norms would let nothing through.
        Rng rng(i);
        const auto biases = [&] {
          std::vector<float> values(tensors[i].second.bytes.size / 4);
          for (float& v : values) v = static_cast<float>(rng.uniform());
          Tensor t = tensors[i].second;
          t.bytes = Bytes::copy(values.data(), 4 * values.size());
          return t;
        };
        tensors[i].second = biases();
        Tensor own = biases();
        tensors.emplace_back(canvas_name(32, tensors[i].first), std::move(own));
      }
      write_run(name, kSketch, std::move(tensors));
    }
    write_run("selector", "task = \"canvas\"\n[encoder]\nrun = \"a\"\n[selector]\nhidden = 24\nmax_points = 150\nsimplify = 0.0\n", fresh(*selector_graph({24, 0, 150}, 2, 1), 5));
  }
  static void TearDownTestSuite() { fs::remove_all(folder); }
  void SetUp() override {
    auto opened = open_engine();
    if (!opened && opened.error().message.find("hone was built without it") != std::string::npos) GTEST_SKIP() << "built without OpenVINO";
    ASSERT_TRUE(opened) << opened.error().text();
    engine = *opened;
  }

  std::vector<float> run(const Graph& graph, Shape shape, const std::vector<float>& values) const {
    const auto session = engine->load(graph, {});
    EXPECT_TRUE(session) << session.error().text();
    Tensor t;
    t.dtype = DType::f32;
    t.shape = std::move(shape);
    t.bytes = Bytes::copy(values.data(), 4 * values.size());
    const auto out = (*session)->run(std::vector<Tensor>{t});
    EXPECT_TRUE(out) << out.error().text();
    std::vector<float> result((*out)[0].bytes.size / 4);
    std::memcpy(result.data(), (*out)[0].bytes.data, 4 * result.size());
    return result;
  }
  Indexed index(const std::string& run, const std::string& photos, const std::string& store) const {
    const auto done = index_photos({folder + run, photos, folder + store});
    EXPECT_TRUE(done) << done.error().text();
    return done ? *done : Indexed{};
  }
};
std::string Query::folder;

// A recurrent network cut into parts gives what it gives in one.
TEST_F(Query, SelectorOfAnyLength) {
  const auto selector = open_selector_run(folder + "selector");
  ASSERT_TRUE(selector) << selector.error().text();
  EXPECT_EQ(selector->encoder, folder + "a");  // named from the folder above the run
  EXPECT_EQ(selector->canvases, (std::vector<int64_t>{32, 64}));
  auto session = SelectorSession::open(*selector, *engine, {});
  ASSERT_TRUE(session) << session.error().text();
  for (int points : {1, 2, 7, 40, 128, 150}) {
    const std::vector<float> rows = selector_rows(zigzag(points), 0, 150);
    const int64_t n = static_cast<int64_t>(rows.size()) / 5;
    ASSERT_EQ(n, points);
    const auto parts = session->logits(rows);
    ASSERT_TRUE(parts) << parts.error().text();
    const std::vector<float> whole = run(*selector->at(n), {1, n, 5}, rows);
    ASSERT_EQ(parts->size(), 2u);
    for (size_t c = 0; c < 2; ++c) EXPECT_NEAR((*parts)[c], whole[c], 1e-5) << points << " points";
  }
  EXPECT_FALSE(session->logits({}));
  // 3 gates x hidden x (5 + hidden) a point, and the linear layer once.
  EXPECT_EQ(session->macs(10), 10 * 3 * 24 * (5 + 24) + 24 * 2);
}

TEST_F(Query, AnswersAreTheNetworksAtEveryCanvas) {
  EXPECT_EQ(index("a", "data:all", "all").rows, 12);
  const auto store = SearchIndex::open(folder + "all");
  ASSERT_TRUE(store) << store.error().text();
  const auto path = QueryPath::open(folder + "selector", *store);
  ASSERT_TRUE(path) << path.error().text();
  ASSERT_TRUE((*path)->warm_up());
  const SketchRun a = *open_sketch_run(folder + "a");
  const Sketch sketch = zigzag(30);
  std::vector<std::vector<float>> vectors;
  for (int64_t canvas : {32, 64}) {
    const auto answer = (*path)->ask(sketch, {5, canvas});
    ASSERT_TRUE(answer) << answer.error().text();
    std::vector<float> picture(static_cast<size_t>(3 * canvas * canvas));
    draw(sketch, canvas, false, a.options.style, picture.data(), Layout::nchw);
    const std::vector<float> truth = run(*a.at(canvas), {1, 3, canvas, canvas}, picture);
    EXPECT_EQ(answer->vector, truth);
    double length = 0;
    for (float v : truth) length += v * v;
    EXPECT_NEAR(length, 1, 1e-4);
    vectors.push_back(truth);
    const auto expected = nearest(truth, (*store)->store().copy(), 5);
    ASSERT_EQ(answer->found.size(), 5u);
    for (size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(answer->found[i].item, expected[i].item);
      EXPECT_EQ(answer->found[i].distance, expected[i].distance);
      EXPECT_EQ(answer->found[i].id, (*store)->store().id(answer->found[i].item));
    }
    EXPECT_EQ(answer->steps.size(), 3u);  // nothing is spent on choosing a canvas that was given
  }
  // The small canvas has norms of its own: the photos' network on its picture says something else.
  std::vector<float> small(3 * 32 * 32);
  draw(sketch, 32, false, a.options.style, small.data(), Layout::nchw);
  NamedTensors shared;
  for (const auto& t : a.tensors)
    if (!t.first.starts_with("canvas.")) shared.push_back(t);
  const std::vector<float> without = run(with_weights(*at_canvas(a.options, a.graph, 32), shared)->graph, {1, 3, 32, 32}, small);
  EXPECT_GT(distance(vectors[0], without), 0.01);

  const auto chosen = (*path)->ask(sketch);
  ASSERT_TRUE(chosen) << chosen.error().text();
  EXPECT_EQ(chosen->points, 30);
  ASSERT_EQ(chosen->chances.size(), 2u);
  EXPECT_NEAR(chosen->chances[0] + chosen->chances[1], 1, 1e-9);
  EXPECT_EQ(chosen->canvas, chosen->chances[0] >= chosen->chances[1] ? 32 : 64);
  ASSERT_EQ(chosen->steps.size(), 4u);
  EXPECT_EQ(chosen->steps[2].macs, (*path)->macs(chosen->canvas));
  EXPECT_GT(chosen->milliseconds(), 0);

  EXPECT_NE((*path)->ask(sketch, {5, 48}).error().text().find("32, 64"), std::string::npos);
  EXPECT_NE((*path)->ask(Sketch{"e", "", {}, 256}).error().text().find("no points"), std::string::npos);
  EXPECT_FALSE((*path)->ask(sketch, {0, 32}));
  const auto other = QueryPath::open(folder + "b", *store);
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().text().find("another checkpoint"), std::string::npos);
}

// Photos of a folder: with odd names, one of them no picture, in batches that do not come out even.
TEST_F(Query, FoldersAreIndexedOnceAndGoneOnWith) {
  const std::string photos = folder + "photos/";
  fs::create_directories(photos + "sub folder");
  const auto add = [&](const std::string& name, uint8_t shade) {
    Image image{20 + shade % 7, 24, {}};
    for (int i = 0; i < image.width * image.height; ++i) image.pixels.insert(image.pixels.end(), {static_cast<uint8_t>(i * 7), shade, static_cast<uint8_t>(i)});
    std::ofstream(photos + name, std::ios::binary) << *encode_png(image);
  };
  for (int i = 0; i < 18; ++i) add(i % 2 ? "sub folder/größe \"" + std::to_string(i) + "\".png" : std::to_string(i) + ".PNG", static_cast<uint8_t>(i * 13));
  std::ofstream(photos + "broken.jpg") << "no picture";
  std::ofstream(photos + "notes.txt") << "nothing to see";
  const Indexed first = index("a", photos, "f");
  EXPECT_EQ(first.photos, 19);
  EXPECT_EQ(first.added, 18);
  ASSERT_EQ(first.notes.size(), 1u);
  EXPECT_NE(first.notes[0].examples[0].find("broken.jpg"), std::string::npos);
  const auto whole = EmbeddingStore::open(folder + "f");
  ASSERT_TRUE(whole) << whole.error().text();
  EXPECT_GE((*whole)->find("sub folder/größe \"7\".png"), 0);

  // Every row is the photo's own, whatever stood beside it in its batch.
  const SketchRun a = *open_sketch_run(folder + "a");
  const auto gallery = open_gallery(photos, a.data);
  ASSERT_TRUE(gallery) << gallery.error().text();
  const auto alone = PhotoEncoder::open(a, *engine, 1, 1);
  ASSERT_TRUE(alone) << alone.error().text();
  for (const Photo& p : *gallery) {
    const auto image = p.load();
    if (!image) continue;
    const auto row = (*alone)->embed(std::span(&*image, 1));
    ASSERT_TRUE(row) << row.error().text();
    EXPECT_LT(distance(*row, (*whole)->row((*whole)->find(p.id))), 1e-4) << p.id;
  }

  add("more.png", 99);
  const Indexed second = index("a", photos, "f");
  EXPECT_EQ(second.added, 1);
  EXPECT_EQ(second.kept, 18);
  EXPECT_NE(index_photos({folder + "b", photos, folder + "f"}).error().text().find("another checkpoint"), std::string::npos);

  const std::string bytes = *test::read_file(folder + "f");
  std::ofstream(folder + "f", std::ios::binary) << bytes.substr(0, bytes.size() - 100);
  EXPECT_FALSE(index_photos({folder + "a", photos, folder + "f"}));
  ASSERT_TRUE(repair_store(folder + "f"));
  EXPECT_EQ(index("a", photos, "f").rows, 19);
  EXPECT_FALSE(index_photos({folder + "a", folder + "nothing", folder + "g"}));
  EXPECT_FALSE(index_photos({folder + "a", "data:tset", folder + "g"}));
  IndexRequest over{folder + "a", photos, photos + "notes.txt"};
  over.again = true;
  EXPECT_FALSE(index_photos(over));  // what is no store is not replaced
  EXPECT_TRUE(fs::exists(photos + "notes.txt"));
}

TEST_F(Query, RetrieveRanksTestSketches) {
  index("a", "data:all", "r");
  RetrieveRequest r;
  r.run = folder + "selector";
  r.limit = 3;
  r.top = 4;
  for (const char* store : {"", "r"}) {
    r.index = *store ? folder + store : "";
    const auto report = retrieve(r);
    ASSERT_TRUE(report) << report.error().text();
    const Table* table = report->table("sketches");
    ASSERT_TRUE(table);
    ASSERT_EQ(table->rows.size(), 3u);
    for (const auto& row : table->rows) EXPECT_TRUE(std::holds_alternative<int64_t>(row.back()));  // its photo is in the gallery
    const std::string json = to_json(*report);
    for (const char* key : {"\"selector_ms\"", "\"network_ms\"", "\"search_ms\"", "\"acc1\""}) EXPECT_NE(json.find(key), std::string::npos) << key;
  }
  // A gallery without the photos that the sketches show: named and counted, and no rank is made up.
  index("a", "data:train", "train");
  r.index = folder + "train";
  const auto lacking = retrieve(r);
  ASSERT_TRUE(lacking) << lacking.error().text();
  for (const auto& row : lacking->table("sketches")->rows) EXPECT_TRUE(std::holds_alternative<std::monostate>(row.back()));
  ASSERT_EQ(lacking->table("notes")->rows.size(), 1u);
  EXPECT_EQ(std::get<int64_t>(lacking->table("notes")->rows[0][1]), 3);
  EXPECT_NE(to_text(*lacking).find("3 x sketch whose photo the gallery lacks"), std::string::npos);
  EXPECT_EQ(to_json(*lacking).find("\"acc1\""), std::string::npos);
  ASSERT_TRUE(StoreWriter::open(folder + "none", facts_of(*open_sketch_run(folder + "a"), "")));
  r.index = folder + "none";
  r.gallery = "data:test";
  EXPECT_NE(retrieve(r).error().text().find("empty"), std::string::npos);
}

TEST_F(Query, RunsAreNetworks) {
  for (int64_t canvas : {0, 32}) {
    const auto net = open_net(folder + "a", canvas);
    ASSERT_TRUE(net) << net.error().text();
    EXPECT_EQ(net->graph.value(net->graph.inputs[0]).type.shape, (Shape{1, 3, canvas ? canvas : 64, canvas ? canvas : 64}));
    EXPECT_EQ(net->graph.metadata.at("hone.checkpoint.sha256").size(), 64u);
    for (ValueId v : net->graph.state()) EXPECT_TRUE(net->graph.value(v).data) << net->graph.value(v).name;
  }
  EXPECT_TRUE(open_net(folder + "selector"));
  EXPECT_NE(open_net(folder + "a", 48).error().text().find("no canvas of 48"), std::string::npos);
  EXPECT_FALSE(open_net(folder + "selector", 32));
  EXPECT_FALSE(open_net(folder));
  EXPECT_FALSE(open_net("timm/resnet18", 32));

  // A classifier's run: how many classes it has is read off its checkpoint.
  Network base = *open_network("coral/mobilenetv1_025");
  base.arch->head.classes = 7;
  write_run("classes", "task = \"classify\"\n[network]\nname = \"coral/mobilenetv1_025\"\nresolution = 96\n", fresh(*build(*base.arch), 3));
  const auto net = open_net(folder + "classes");
  ASSERT_TRUE(net) << net.error().text();
  EXPECT_EQ(net->graph.value(net->graph.outputs[0]).type.shape, (Shape{1, 7}));
  EXPECT_EQ(net->graph.value(net->graph.inputs[0]).type.shape, (Shape{1, 3, 96, 96}));
  write_run("later", kSketch, {});
  EXPECT_FALSE(open_net(folder + "later"));
}

}  // namespace
}  // namespace hone
