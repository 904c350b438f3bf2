// hone profile, diff and zoo as other programs see them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "cli/run_hone.h"

namespace hone::test {
namespace {

using Json = nlohmann::json;

Json json(const std::string& arguments, int exit = 0) {
  const Ran ran = hone(arguments + " --json");
  EXPECT_EQ(ran.exit, exit) << ran.err;
  return Json::parse(ran.out, nullptr, false);
}

TEST(Profile, JsonHasEveryFieldOfTheContract) {
  const Json j = json("profile timm/resnet50");
  ASSERT_TRUE(j.is_object());
  EXPECT_EQ(j["command"], "profile");
  EXPECT_EQ(j["network"], "timm/resnet50");
  ASSERT_EQ(j["inputs"].size(), 1u);
  EXPECT_EQ(j["inputs"][0]["shape"], (std::vector<int64_t>{1, 3, 224, 224}));
  EXPECT_EQ(j["inputs"][0]["dtype"], "f32");
  EXPECT_TRUE(j["inputs"][0]["name"].is_string());
  // Counted once by hand-written sums in the specification's tables; hone computes them.
  const std::vector<std::pair<const char*, int64_t>> expected = {
      {"macs", 4089184256}, {"flops", 8178368512}, {"params", 25557032}, {"buffers", 53173}, {"acts", 11114984},
      {"macs_conv", 4087136256}, {"macs_linear", 2048000}, {"macs_matmul", 0}, {"conv_bias_adds", 0}, {"linear_bias_adds", 1000},
      {"acts_conv", 11113984}, {"acts_linear", 1000}, {"acts_matmul", 0}, {"maxpool_out", 200704}, {"bn_elements", 11113984},
      {"ln_elements", 0}, {"softmax_elements", 0}, {"activation_elements", 9608704}};
  for (const auto& [key, value] : expected) EXPECT_EQ(j["totals"][key], value) << key;
  EXPECT_GT(j["totals"]["weight_bytes"].get<int64_t>(), 4 * 25557032);
  EXPECT_GT(j["totals"]["peak_activation_bytes"].get<int64_t>(), 4 * 802816);
  EXPECT_EQ(j["convention"]["name"], "pycls");
  for (const char* key : {"flops", "params", "acts"}) EXPECT_TRUE(j["convention"][key].is_number_integer()) << key;
  EXPECT_EQ(j["unknown"], Json::array());
  for (const Json& row : j["rows"])
    for (const char* key : {"name", "op", "nodes", "macs", "params", "acts"}) EXPECT_TRUE(row.contains(key)) << row;
}

TEST(Profile, EveryGroupingAddsUpToTheTotals) {
  for (const char* net : {"timm/resnet50", "pycls/RegNetY-400MF"})
    for (const char* by : {"op", "module", "stage", "node"}) {
      const Json j = json(std::string("profile ") + net + " --by " + by);
      for (const char* key : {"macs", "params", "acts"}) {
        int64_t sum = 0;
        for (const Json& row : j["rows"]) sum += row[key].get<int64_t>();
        EXPECT_EQ(sum, j["totals"][key].get<int64_t>()) << net << " by " << by << ": " << key;
      }
    }
}

TEST(Profile, SameNumbersInEveryForm) {
  const Json j = json("profile timm/resnet50 --by stage");
  const std::string folder = scratch_folder();
  const Ran csv = shell("hone profile timm/resnet50 --by stage --csv", folder), text = shell("hone profile timm/resnet50 --by stage", folder);
  ASSERT_EQ(shell("hone profile timm/resnet50 --by stage --html r.html", folder).exit, 0);
  const std::string html = read_file(folder + "/r.html");
  for (const Json& row : j["rows"]) {
    const std::string name = row["name"];
    EXPECT_NE(text.out.find("  " + name + " "), std::string::npos) << name;
    for (const char* key : {"macs", "params", "acts"}) {
      EXPECT_NE(csv.out.find("," + row[key].dump()), std::string::npos) << name;
      EXPECT_NE(html.find("data-value=\"" + row[key].dump() + "\""), std::string::npos) << name;
    }
  }
  for (const auto& [key, value] : j["totals"].items()) EXPECT_NE(html.find("data-value=\"" + value.dump() + "\""), std::string::npos) << key;
  EXPECT_NE(text.out.find("4,089,184,256"), std::string::npos) << text.out;
}

TEST(Profile, BatchAndInputScaleTheWorkNotTheParameters) {
  const Json one = json("profile timm/resnet18"), four = json("profile timm/resnet18 --batch 4"), wide = json("profile timm/resnet18 --input 1x3x448x448");
  EXPECT_EQ(four["totals"]["macs"], 4 * one["totals"]["macs"].get<int64_t>());
  EXPECT_EQ(four["inputs"][0]["shape"], (std::vector<int64_t>{4, 3, 224, 224}));
  EXPECT_EQ(wide["totals"]["macs_conv"], 4 * one["totals"]["macs_conv"].get<int64_t>());
  for (const Json* j : {&four, &wide}) EXPECT_EQ((*j)["totals"]["params"], one["totals"]["params"]);
}

TEST(Profile, ConventionsAreNamed) {
  EXPECT_EQ(json("profile pycls/RegNetY-400MF --convention pycls")["convention"]["flops"], 401849056);
  EXPECT_EQ(json("profile pycls/RegNetY-400MF --convention torchvision")["convention"]["name"], "torchvision");
  const Ran bad = hone("profile pycls/RegNetY-400MF --convention pycl");
  EXPECT_EQ(bad.exit, 2);
  EXPECT_NE(bad.err.find("ptflops-hooks"), std::string::npos) << bad.err;
}

// What exporters scatter is put together for people, and counts the same.
TEST(Profile, AnExportedFileSpeaksOfAttention) {
  const std::string file = HONE_SOURCE_DIR "/tests/data/exports/timm-deit_tiny_patch16_224-224-unfused-op13.onnx";
  const Json joined = json("profile " + file), raw = json("profile --raw " + file);
  for (const char* key : {"macs", "params", "acts"}) EXPECT_EQ(joined["totals"][key], raw["totals"][key]) << key;
  const auto nodes = [](const Json& j, const char* op) {
    for (const Json& row : j["rows"])
      if (row["op"] == op) return row["nodes"].get<int>();
    return 0;
  };
  EXPECT_EQ(nodes(joined, "Attention"), 12);
  EXPECT_EQ(nodes(joined, "LayerNormalization"), 25);
  EXPECT_EQ(nodes(raw, "Attention"), 0);
  EXPECT_EQ(nodes(raw, "Softmax"), 12);
}

TEST(Profile, AMissingShapeIsAskedForByName) {
  const std::string folder = scratch_folder();
  const Ran ran = shell("cat >open.hone <<'E'\nhone graph 1\nname \"open\"\ninput image: f32[?,3,?,?]\ny = Relu(image)\noutput y\nE\nhone profile open.hone", folder);
  EXPECT_EQ(ran.exit, 2) << ran.err;
  EXPECT_NE(ran.err.find("the shape of input 'image' is not known"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("--input image=1x3x224x224"), std::string::npos) << ran.err;
  EXPECT_EQ(shell("hone profile open.hone --input image=1x3x32x32", folder).exit, 0);
  EXPECT_EQ(shell("hone profile open.hone --input 1x3x32x32", folder).exit, 0);
}

TEST(Profile, ExplainsTheProducts) {
  const Json j = json("profile timm/resnet18 --explain");
  int64_t sum = 0;
  for (const Json& row : j["explain"]) sum += row["macs"].get<int64_t>();
  EXPECT_EQ(sum, j["totals"]["macs"].get<int64_t>());
  EXPECT_EQ(j["explain"][0]["formula"], "1x64x56x56 outputs x 64x3x3");
  EXPECT_FALSE(json("profile timm/resnet18").contains("explain"));
}

TEST(Profile, ElasticvitCountsMembersByTheirEncoding) {
  // The authors publish 218 MFLOPs for S1.
  EXPECT_EQ(json("profile elasticvit/S1 --convention elasticvit")["convention"]["flops"], 217641922);
  const Ran ran = hone("profile timm/resnet50 --convention elasticvit");
  EXPECT_EQ(ran.exit, 2);
  EXPECT_NE(ran.err.find("counts members of a search space only"), std::string::npos) << ran.err;
}

TEST(Profile, HtmlIsNotOverwrittenUnlessTold) {
  const std::string folder = scratch_folder();
  EXPECT_EQ(shell("hone profile timm/resnet18 --html r.html", folder).exit, 0);
  const Ran again = shell("hone profile timm/resnet18 --html r.html", folder);
  EXPECT_EQ(again.exit, 2);
  EXPECT_EQ(again.err, "hone: r.html: exists already\n  --force overwrites it\n");
  EXPECT_EQ(shell("hone profile timm/resnet18 --html r.html --force", folder).exit, 0);
}

TEST(Diff, AddsUp) {
  const Json j = json("diff timm/resnet50 timm/resnet101");
  EXPECT_EQ(j["command"], "diff");
  EXPECT_EQ(j["a"]["network"], "timm/resnet50");
  EXPECT_EQ(j["b"]["network"], "timm/resnet101");
  for (const char* key : {"macs", "params", "acts"}) {
    const int64_t a = j["a"]["totals"][key], b = j["b"]["totals"][key];
    EXPECT_EQ(j["difference"][key]["absolute"], b - a);
    EXPECT_NEAR(j["difference"][key]["percent"].get<double>(), 100. * static_cast<double>(b - a) / static_cast<double>(a), 1e-9);
    int64_t sum = 0;
    for (const Json& row : j["modules"]) sum += row[key].get<int64_t>();
    EXPECT_EQ(sum, b - a) << key;
  }
  const Json same = json("diff timm/resnet50 timm/resnet50");
  EXPECT_EQ(same["modules"], Json::array());
  EXPECT_EQ(same["difference"]["macs"]["absolute"], 0);
}

TEST(Zoo, ListsEveryNetworkOnce) {
  const Json j = json("zoo");
  std::set<std::string> names;
  for (const Json& n : j["networks"]) {
    for (const char* key : {"name", "family", "resolution", "params", "macs"}) EXPECT_TRUE(n.contains(key)) << n;
    EXPECT_TRUE(names.insert(n["name"]).second) << n;
  }
  EXPECT_TRUE(names.count("timm/resnet50"));
  const std::string lines = hone("zoo --names").out;
  EXPECT_EQ(static_cast<size_t>(std::count(lines.begin(), lines.end(), '\n')), names.size());
}

TEST(Zoo, TensorsAreTheStateDict) {
  const Ran ran = shell("hone zoo timm/resnet50 --tensors | sha256sum");
  EXPECT_EQ(ran.out.substr(0, 64), "17a36ad278c924c8f6e01b9a70418b1dbbe7cb20dc9a76ccfd9ddf2dc5e90bf1");
  const Json j = json("zoo timm/resnet50 --tensors");
  EXPECT_EQ(j["tensors"].size(), 320u);
}

TEST(Zoo, AnArchIsANetwork) {
  const std::string folder = scratch_folder();
  ASSERT_EQ(shell("hone zoo pycls/RegNetY-400MF --arch > a.toml", folder).exit, 0);
  const Ran a = shell("hone profile a.toml --json", folder), b = shell("hone profile pycls/RegNetY-400MF --json", folder);
  EXPECT_EQ(Json::parse(a.out)["totals"], Json::parse(b.out)["totals"]);
}

TEST(Diff, APageShowsBothNetworks) {
  const std::string folder = scratch_folder();
  ASSERT_EQ(shell("hone diff timm/resnet18 timm/resnet34 --html d.html", folder).exit, 0);
  const std::string page = shell("cat d.html", folder).out;
  for (const char* words : {"Cost by stage", "A: timm/resnet18", "B: timm/resnet34", "<svg", "layer3"}) EXPECT_NE(page.find(words), std::string::npos) << words;
}

// skip apply writes what the ending says: ONNX with weights, or graph text.
TEST(Skip, WritesOnnxOrText) {
  const std::string folder = scratch_folder();
  const Json applied = Json::parse(shell("hone skip apply timm/resnet18 --set 0 --adapters identity -o s.onnx --json", folder).out);
  ASSERT_EQ(shell("hone skip apply timm/resnet18 --set 0 --adapters identity -o s.hone", folder).exit, 0);
  for (const char* file : {"s.onnx", "s.hone"}) {
    const Json back = Json::parse(shell(std::string("hone profile --json ") + file, folder).out);
    EXPECT_EQ(back["totals"]["macs"], applied["after"]["macs"]) << file;
    EXPECT_EQ(back["totals"]["params"], applied["after"]["params"]) << file;
  }
  EXPECT_EQ(shell("hone skip apply timm/resnet18 --set 0 --adapters identity -o s.onnx", folder).exit, 2);  // it exists
  const Ran ending = shell("hone skip apply timm/resnet18 --set 0 --adapters identity -o s.txt", folder);
  EXPECT_EQ(ending.exit, 2);
  EXPECT_EQ(ending.err, "hone: s.txt: no kind of network file has this ending\n  endings: .onnx .hone\n");
}

}  // namespace
}  // namespace hone::test
