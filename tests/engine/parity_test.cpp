// OpenVINO against published outputs and against libtorch. The families that take gigabytes are in bench/engine_parity.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "data/resize.h"
#include "engine/check.h"
#include "formats/checkpoint.h"
#include "parameter_name.h"
#include "rewrite/weights.h"
#include "support.h"
#include "zoo/catalog.h"

namespace hone {
namespace {

bool built_without(const Result<Engine*>& engine) { return !engine && engine.error().message.find("hone was built without it") != std::string::npos; }

#if HONE_IMAGE
Result<Tensor> picture(const std::string& path, int side) {
  const auto file = test::read_file(path);
  if (!file) return fail(Code::not_found, "is not there", path);
  HONE_TRY_ASSIGN(Image image, decode_image(std::as_bytes(std::span(*file)), path));
  if (image.width != side) image = resize(image, side, side);
  std::vector<float> values(static_cast<size_t>(3 * side * side));
  to_floats(image, {{0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}}, Layout::nchw, values.data());
  return Tensor{DType::f32, {1, 3, side, side}, Bytes::copy(values.data(), values.size() * sizeof(float)), {}};
}

// Published weights (data/pretrained, its README): first logits, first embedding values and its norm for six pictures, at
// 224 and at each network's own side.
TEST(Parity, GoldenRowsComeOut) {
  const auto engine = open_engine();
  if (built_without(engine)) GTEST_SKIP() << "built without OpenVINO";
  ASSERT_TRUE(engine) << engine.error().text();
  const auto shared = test::shared_dir();
  if (!shared || !std::filesystem::is_directory(*shared + "/data/pretrained")) GTEST_SKIP() << "no published weights: set HONE_SHARED";
  const std::string dir = *shared + "/data/pretrained/";
  std::ifstream in(dir + "golden.json");
  const nlohmann::json golden = nlohmann::json::parse(in);
  ASSERT_EQ(golden["rows"].size(), 48u);
  std::map<std::string, std::unique_ptr<EngineSession>> sessions;
  for (const auto& row : golden["rows"]) {
    const std::string model = row["model"], image = row["image"];
    const int side = row["size"];
    const std::string key = model + "@" + std::to_string(side);
    SCOPED_TRACE(key + " " + image);
    if (!sessions.contains(key)) {
      const bool trunk = model.ends_with("_trunk");
      auto net = open_network("coral/" + (trunk ? model.substr(0, model.size() - 6) : model) + "@" + std::to_string(side));
      ASSERT_TRUE(net) << net.error().text();
      auto tensors = read_checkpoint(dir + model + ".safetensors");
      ASSERT_TRUE(tensors) << tensors.error().text();
      auto bound = with_weights(std::move(net->graph), *tensors);
      ASSERT_TRUE(bound) << bound.error().text();
      // The embedding is the classifier's operand, or the output of a network without one.
      ValueId embedding = bound->graph.outputs[0];
      for (const Node& node : bound->graph.nodes)
        if (node.type == "hone::Linear") embedding = node.inputs[0];
      if (embedding != bound->graph.outputs[0]) bound->graph.outputs.push_back(embedding);
      auto session = (*engine)->load(bound->graph, {});
      ASSERT_TRUE(session) << session.error().text();
      sessions[key] = std::move(*session);
    }
    auto x = picture(dir + "images/" + image, side);
    ASSERT_TRUE(x) << x.error().text();
    const auto out = sessions[key]->run(std::vector<Tensor>{*x});
    ASSERT_TRUE(out) << out.error().text();
    const std::vector<double> logits = *to_doubles(out->front()), embedding = *to_doubles(out->back());
    constexpr double kTolerance = 1e-3;
    double norm = 0;
    for (const double v : embedding) norm += v * v;
    EXPECT_EQ(embedding.size(), row["embedding_dim"].get<size_t>());
    EXPECT_NEAR(std::sqrt(norm), row["embedding_norm"].get<double>(), kTolerance);
    for (size_t i = 0; i < 8; ++i) EXPECT_NEAR(embedding[i], row["embedding_first8"][i].get<double>(), kTolerance);
    if (!row.contains("logits_first8")) continue;
    for (size_t i = 0; i < 8; ++i) EXPECT_NEAR(logits[i], row["logits_first8"][i].get<double>(), kTolerance);
    EXPECT_EQ(std::max_element(logits.begin(), logits.end()) - logits.begin(), row["top5"][0][0].get<int64_t>());
  }
}
#endif

class Family : public testing::TestWithParam<const char*> {};

// Fresh weights, libtorch node by node as the reference: the largest difference by the largest output.
TEST_P(Family, AgreesWithLibtorch) {
  const auto openvino = open_engine("openvino"), torch = open_engine("torch");
  if (built_without(openvino) || built_without(torch)) GTEST_SKIP() << "needs both OpenVINO and libtorch";
  ASSERT_TRUE(openvino && torch) << (openvino ? torch : openvino).error().text();
  auto network = open_network(GetParam());
  ASSERT_TRUE(network) << network.error().text();
  EngineOptions plain;
  plain.as_is = true;
  const auto check = check_pair({&network->graph, *openvino, {}}, {&network->graph, *torch, plain}, "", {});
  ASSERT_TRUE(check) << check.error().text();
  ASSERT_FALSE(check->outputs.empty());
  for (const RunCheck::Output& out : check->outputs) {
    EXPECT_TRUE(out.difference.why.empty()) << out.difference.why;
    EXPECT_LE(out.difference.relative, 1e-4) << out.name << "; first departure: " << check->first_departure;
    EXPECT_GT(out.difference.cosine, 0.99999) << out.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Zoo, Family,
                         testing::Values("timm/efficientnet_lite0@64", "pycls/EfficientNet-B0@64", "elasticvit/min1", "torchvision/inception_v3@96", "timm/levit_128s", "timm/mnasnet_small@64",
                                         "coral/mobilenetv1_025@64", "timm/mobilenetv2_035@64", "timm/mobilenetv3_small_050@64", "timm/regnety_002@64", "timm/resnet18@64", "sketch/selector",
                                         "timm/deit_tiny_patch16_224", "pycls/ViT_C-1GF@64"),
                         test::parameter_name);

}  // namespace
}  // namespace hone
