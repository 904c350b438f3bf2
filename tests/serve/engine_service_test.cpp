// The server over a real query path: tiny runs with fresh weights, the engine, the procedural set's photos.
#include "serve/engine_service.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "client.h"
#include "data/sketch_procedural.h"
#include "engine/engine.h"
#include "formats/safetensors.h"
#include "retrieval/indexing.h"
#include "rewrite/weights.h"
#include "run/recipe.h"
#include "run/run_dir.h"
#include "serve/api.h"
#include "serve/run_table.h"

namespace hone {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// A run directory as training leaves it, its network fresh from a seed.
void write_run(const std::string& path, const std::string& recipe, const Graph& graph, uint64_t seed) {
  ASSERT_TRUE(RunDir::open_for_writing(path, recipe));
  const auto fresh = with_fresh_weights(graph, seed);
  ASSERT_TRUE(fresh) << fresh.error().text();
  SafeTensors file;
  for (const ValueId v : fresh->state()) file.tensors.emplace_back(fresh->value(v).name, *fresh->value(v).data);
  fs::create_directories(path + "/checkpoints");
  const auto written = write_safetensors(file, path + "/checkpoints/best.safetensors", true);
  ASSERT_TRUE(written) << written.error().text();
}

struct EngineServiceTest : testing::Test {
  const std::string folder = (fs::temp_directory_path() / ("hone_engine_service_" + std::to_string(::getpid()))).string();

  void SetUp() override {
    if (const auto engine = open_engine(); !engine) GTEST_SKIP() << engine.error().text();
    const std::string data = "[data]\npath = \"procedural\"\nprocedural_photos = 24\nprocedural_sketches = 2\n";
    for (const auto& [name, net] : {std::pair{"student", "coral/mobilenetv1_025"}, std::pair{"teacher", "coral/mobilenetv1_050"}}) {
      const std::string text = "task = \"sketch\"\n" + data + "[network]\nnet = \"" + net + "\"\ncanvases = [32, 64]\n";
      auto recipe = Recipe::parse(text, name);
      ASSERT_TRUE(recipe);
      const auto graph = encoder_graph(read_encoder(*recipe, "network"));
      ASSERT_TRUE(graph) << graph.error().text();
      write_run(folder + "/" + name, text, *graph, 1);
    }
    const std::string text = "task = \"canvas\"\n[encoder]\nrun = \"" + folder + "/student\"\n[selector]\nhidden = 8\n";
    auto recipe = Recipe::parse(text, "selector");
    ASSERT_TRUE(recipe);
    const auto graph = selector_graph(read_selector(*recipe, "selector"), 2, 20);
    ASSERT_TRUE(graph) << graph.error().text();
    write_run(folder + "/selector", text, *graph, 2);
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  EngineServiceOptions options() const {
    EngineServiceOptions o;
    o.run = folder + "/selector";
    return o;
  }
};

TEST_F(EngineServiceTest, SearchesTheTestPhotosOfTheRun) {
  auto o = options();
  o.workers = 2;
  auto services = open_engine_services(o);
  ASSERT_TRUE(services) << services.error().text();
  ASSERT_EQ(services->size(), 2u);
  QueryService& s = *(*services)[0];
  EXPECT_EQ(s.facts().canvases, (std::vector<int64_t>{32, 64}));
  EXPECT_TRUE(s.facts().selector);
  EXPECT_EQ(s.facts().photos, 6);  // a quarter of 24
  EXPECT_GT(s.facts().macs[1], 3 * s.facts().macs[0]);
  const auto examples = s.examples();
  ASSERT_FALSE(examples.empty());

  const auto answer = s.ask(examples[0], {3, 0, SearchMode::best});
  ASSERT_TRUE(answer) << answer.error().text();
  ASSERT_EQ(answer->found.size(), 3u);
  EXPECT_LE(answer->found[0].distance, answer->found[1].distance);
  EXPECT_EQ(answer->chances.size(), 2u);
  const auto full = s.ask_full(examples[0], 3);
  ASSERT_TRUE(full);
  EXPECT_EQ(full->canvas, 64);
  // The second worker has the same networks and index.
  const auto other = (*services)[1]->ask(examples[0], {3, 0, SearchMode::best});
  ASSERT_TRUE(other);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(other->found[i].item, answer->found[i].item);
  // Its number leads to the photo that its id names.
  const auto image = s.photo(answer->found[0].item);
  ASSERT_TRUE(image) << image.error().text();
  EXPECT_EQ(s.photo_facts(answer->found[0].item).id, answer->found[0].id);
  EXPECT_FALSE(s.photo_facts(answer->found[0].item).category.empty());
}

// Through a socket: what a program gets.
TEST_F(EngineServiceTest, AnswersOverHttp) {
#ifdef HONE_HTTP
  auto services = open_engine_services(options());
  ASSERT_TRUE(services) << services.error().text();
  const std::string example = sketch_json((*services)[0]->examples()[0]);
  Api api(std::move(*services), {folder});
  test::RunningServer server([&](const HttpRequest& r) { return api.handle(r); });
  auto body = Json::parse(example);
  body["compare"] = "full", body["top"] = 4;
  const auto r = test::ask(server.port(), test::post("/api/v1/query", body.dump()));
  ASSERT_EQ(r.status, 200) << r.body;
  const Json json = Json::parse(r.body);
  ASSERT_EQ(json["answer"]["photos"].size(), 4u);
  std::vector<std::string> steps;
  int64_t macs = 0;
  for (const Json& s : json["answer"]["steps"]) {
    steps.push_back(s["name"]);
    macs += s["macs"].get<int64_t>();
    EXPECT_GE(s["ms"].get<double>(), 0);
  }
  EXPECT_EQ(steps, (std::vector<std::string>{"selector", "picture", "network", "search"}));
  EXPECT_EQ(json["answer"]["macs"], macs);
  EXPECT_EQ(json["full"]["canvas"], 64);
  const auto photo = test::ask(server.port(), test::get("/api/v1/photos/" + json["answer"]["photos"][0]["photo"].dump()));
  EXPECT_EQ(photo.status, 200);
  EXPECT_EQ(photo.body.compare(0, 2, "\xff\xd8"), 0) << "a JPEG";
  EXPECT_EQ(test::ask(server.port(), test::post("/api/v1/query", R"({"drawing":[[[1],[2]]],"canvas":48})")).status, 422);
  // One point, a picture of it and no more, is a sketch too.
  EXPECT_EQ(test::ask(server.port(), test::post("/api/v1/query", R"({"drawing":[[[1],[2]]]})")).status, 200);
  EXPECT_EQ(test::ask(server.port(), test::post("/api/v1/query", R"({"drawing":[[[-200,400],[-200,400]]]})")).status, 200);
#endif
}

// Another run as the full-size network, over an index of its own: its answers are numbers of the first gallery.
TEST_F(EngineServiceTest, ComparesWithAnotherRun) {
  auto o = options();
  IndexRequest request;
  request.run = folder + "/selector", request.photos = "data:all", request.store = o.index = folder + "/all.index";
  const auto indexed = index_photos(request);
  ASSERT_TRUE(indexed) << indexed.error().text();
  o.full_run = folder + "/teacher";
  auto services = open_engine_services(o);
  ASSERT_TRUE(services) << services.error().text();
  QueryService& s = *(*services)[0];
  EXPECT_EQ(s.facts().photos, 24);
  const auto full = s.ask_full(s.examples()[0], 6);
  ASSERT_TRUE(full) << full.error().text();
  ASSERT_EQ(full->found.size(), 6u);  // of the teacher's six test photos
  for (const Found& f : full->found) EXPECT_EQ(s.photo_facts(f.item).id, f.id);
}

// Accuracy at each canvas against the work there, from the run's own network.
TEST_F(EngineServiceTest, RunsOfSeveralCanvasesHaveAWorkChart) {
  std::ofstream(folder + "/student/events.jsonl", std::ios::app) << "{\"step\":5,\"kind\":\"validate\",\"acc1@32\":0.25,\"acc1\":0.5}\n";
  const auto report = charts_report(folder + "/student");
  ASSERT_TRUE(report) << report.error().text();
  const Table* table = report->table("work");
  ASSERT_TRUE(table);
  ASSERT_EQ(table->rows.size(), 2u);
  EXPECT_EQ(std::get<double>(table->rows[0][1]), 0.25);
  EXPECT_EQ(std::get<double>(table->rows[1][1]), 0.5);
  const double ratio = std::get<double>(table->rows[1][0]) / std::get<double>(table->rows[0][0]);
  EXPECT_GT(ratio, 3.5);
  EXPECT_LT(ratio, 4.1) << "four times the pixels";
  EXPECT_FALSE(charts_report(folder + "/selector")->table("work"));
}

TEST_F(EngineServiceTest, SaysWhatIsWrong) {
  auto o = options();
  o.index = folder + "/none.index";
  EXPECT_FALSE(open_engine_services(o));
  // An index of another network.
  IndexRequest request;
  request.run = folder + "/teacher", request.photos = "data:test", request.store = o.index = folder + "/teacher.index";
  ASSERT_TRUE(index_photos(request));
  const auto services = open_engine_services(o);
  ASSERT_FALSE(services);
  EXPECT_NE(services.error().text().find("hone index"), std::string::npos) << services.error().text();
}

}  // namespace
}  // namespace hone
