// hone bench and hone profile --measure: what they report, and what they refuse. Nothing here depends on how fast the
// machine is.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/run_hone.h"

namespace hone::test {
namespace {

using Json = nlohmann::json;

bool has_engine() {
  static const bool found = hone("bench sketch/selector --rounds 1 --json").err.find("libhone_engine_openvino") == std::string::npos;
  return found;
}
#define NEEDS_ENGINE() \
  if (!has_engine()) GTEST_SKIP() << "this build has no engine plug-in"

TEST(Bench, RefusesWhatCannotBe) {
  for (const auto& [arguments, said] : std::vector<std::pair<std::string, std::string>>{
           {"", "NET"},
           {"timm/resnet18 --threads 0", "--threads"},
           {"timm/resnet18 --rounds 0", "--rounds"},
           {"timm/resnet18 --seconds -1", "--seconds"},
           {"timm/resnet18 --seed -1", "--seed"},
           {"timm/resnet18 --precision f8", "--precision"},
           {"timm/resnet18 --engine abacus", "--engine"},
           {"timm/resnet18 --batch 0", "--batch"}}) {
    const Ran r = hone("bench " + arguments);
    EXPECT_EQ(r.exit, 2) << arguments << r.err;
    EXPECT_NE(r.err.find(said), std::string::npos) << arguments << ": " << r.err;
    EXPECT_EQ(r.out, "") << arguments;
  }
}

TEST(Bench, UnknownNetworksAndBrokenFilesAreNamed) {
  NEEDS_ENGINE();
  const Ran unknown = hone("bench timm/resnet51");
  EXPECT_EQ(unknown.exit, 2);
  EXPECT_NE(unknown.err.find("timm/resnet50"), std::string::npos) << unknown.err;
  const std::string folder = scratch_folder();
  const Ran broken = shell("echo nothing > broken.onnx && hone bench broken.onnx", folder);
  EXPECT_EQ(broken.exit, 1);
  EXPECT_NE(broken.err.find("broken.onnx"), std::string::npos) << broken.err;
}

TEST(Bench, TimesNetworksSideBySide) {
  NEEDS_ENGINE();
  const std::string folder = scratch_folder();
  const Ran r = shell("hone export timm/mobilenetv2_050@64 -o m.onnx >/dev/null && hone bench timm/mobilenetv2_050@64 timm/resnet18@64 m.onnx --rounds 8 --json", folder);
  ASSERT_EQ(r.exit, 0) << r.err;
  const Json j = Json::parse(r.out);
  EXPECT_EQ(j["command"], "bench");
  EXPECT_EQ(j["batch"], 1);
  ASSERT_EQ(j["rows"].size(), 3u);
  for (const Json& row : j["rows"]) {
    EXPECT_GT(row["median"].get<double>(), 0);
    EXPECT_LE(row["low"].get<double>(), row["median"].get<double>());
    EXPECT_GE(row["high"].get<double>(), row["median"].get<double>());
    EXPECT_GE(row["p95"].get<double>(), row["fastest"].get<double>());
    EXPECT_EQ(row["rounds"], 8);
    EXPECT_GT(row["macs"].get<int64_t>(), 0);
  }
  EXPECT_TRUE(j["rows"][0]["ratio"].is_null());
  EXPECT_GT(j["rows"][1]["ratio"].get<double>(), 0);
  EXPECT_EQ(j["rows"][2]["macs"], j["rows"][0]["macs"]);
  EXPECT_GT(j["machine"]["processors"].size(), 0u);
  EXPECT_EQ(j["machine"]["engine"], "openvino");
  for (const char* key : {"cpu", "threads", "precision", "priority", "mhz_before", "others", "load_before"}) EXPECT_TRUE(j["machine"].contains(key)) << key;
}

TEST(ProfileMeasure, TimesStandBesideCountsAndAddUp) {
  NEEDS_ENGINE();
  const std::string folder = scratch_folder();
  for (const char* by : {"op", "module", "stage", "node"}) {
    const Ran r = shell(std::string("hone profile timm/mobilenetv2_050@64 --measure --rounds 8 --json --by ") + by + (by == std::string("stage") ? " --html p.html" : ""), folder);
    ASSERT_EQ(r.exit, 0) << r.err;
    const Json j = Json::parse(r.out);
    const double whole = j["measured"]["ms"].get<double>();
    EXPECT_GT(whole, 0);
    double ms = 0, share = 0;
    int64_t macs = 0;
    for (const Json& row : j["rows"]) {
      share += row["time_share"].get<double>();
      if (!row["ms"].is_null()) ms += row["ms"].get<double>();
      macs += row["macs"].get<int64_t>();
    }
    EXPECT_NEAR(ms, whole, 1e-6 * whole) << by;
    EXPECT_NEAR(share, 1, 1e-6) << by;
    EXPECT_EQ(macs, j["totals"]["macs"].get<int64_t>()) << by;
    macs = 0;
    for (const Json& node : j["engine_nodes"]) macs += node["macs"].get<int64_t>();
    EXPECT_EQ(macs, j["totals"]["macs"].get<int64_t>()) << "every product is claimed by a node of the engine";
    EXPECT_GT(j["measured"]["peak_gflop_per_second"].get<double>(), j["measured"]["gflop_per_second"].get<double>());
  }
  const std::string page = read_file(folder + "/p.html");
  EXPECT_NE(page.find("Roofline"), std::string::npos);
  EXPECT_NE(page.find("class=\"thin\""), std::string::npos) << "the roofs";
}

TEST(BenchScaling, RefusesWhatCannotBe) {
  for (const auto& [arguments, said] : std::vector<std::pair<std::string, std::string>>{
           {"", "NET"}, {"pycls/EfficientNet-B0 --factor 0", "--factor"}, {"pycls/EfficientNet-B0 --strategy x", "strategy"}, {"pycls/EfficientNet-B0 --against timm/resnet50", "family"}}) {
    const Ran r = hone("bench scaling " + arguments);
    EXPECT_EQ(r.exit, 2) << arguments << r.err;
    EXPECT_NE(r.err.find(said), std::string::npos) << arguments << ": " << r.err;
  }
}

TEST(BenchScaling, PointsCorrelationsAndPairs) {
  NEEDS_ENGINE();
  const std::string folder = scratch_folder();
  const Ran r = shell("hone bench scaling pycls/EfficientNet-B0@64 --strategy w --strategy r --factor 2 --rounds 6 --html s.html --json", folder);
  ASSERT_EQ(r.exit, 0) << r.err;
  const Json j = Json::parse(r.out);
  EXPECT_EQ(j["command"], "bench scaling");
  ASSERT_EQ(j["points"].size(), 3u);
  EXPECT_EQ(j["points"][0]["strategy"], "itself");
  for (const Json& p : j["points"]) EXPECT_GT(p["ms"].get<double>(), 0);
  EXPECT_EQ(j["points"][2]["params"], j["points"][0]["params"]) << "resolution adds no parameters";
  ASSERT_EQ(j["correlations"].size(), 1u);
  EXPECT_EQ(j["correlations"][0]["networks"], 3);
  EXPECT_LE(std::abs(j["correlations"][0]["pearson_acts"].get<double>()), 1);
  ASSERT_EQ(j["pairs"].size(), 1u);
  EXPECT_NEAR(j["pairs"][0]["macs_ratio"].get<double>(), 1, 0.1);
  const std::string page = read_file(folder + "/s.html");
  for (const char* title : {"Time over MACs", "Time over parameters", "Time over activations"}) EXPECT_NE(page.find(title), std::string::npos) << title;
}

TEST(Bench, BatchesAndPages) {
  NEEDS_ENGINE();
  const std::string folder = scratch_folder();
  const Ran r = shell("hone bench timm/mobilenetv2_050@64 --batch 4 --rounds 6 --html b.html --json", folder);
  ASSERT_EQ(r.exit, 0) << r.err;
  const Json j = Json::parse(r.out);
  EXPECT_EQ(j["batch"], 4);
  const Json& row = j["rows"][0];
  EXPECT_NEAR(row["images_per_second"].get<double>(), 4000 / row["median"].get<double>(), 1e-6);
  const std::string page = read_file(folder + "/b.html");
  EXPECT_NE(page.find("class=\"whisker\""), std::string::npos);
  EXPECT_EQ(page.find("<script"), std::string::npos);
}

}  // namespace
}  // namespace hone::test
