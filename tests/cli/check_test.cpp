// hone check --shapes on cases of libonnx-testdata.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/run_hone.h"

namespace hone::test {
namespace {

using Json = nlohmann::json;
const std::string kCases = "/usr/share/libonnx-testdata/data/node/";

Ran check(const std::string& name, const std::string& data) {
  return hone("check " + kCases + name + "/model.onnx --data " + kCases + data + "/test_data_set_0 --shapes --json");
}

class Check : public testing::Test {
  void SetUp() override {
    if (!std::filesystem::exists(kCases)) GTEST_SKIP() << "libonnx-testdata is not installed";
  }
};

TEST_F(Check, InferredShapesEqualTheRecordedOnes) {
  for (const char* name : {"test_basic_conv_with_padding", "test_reshape_reordered_all_dims", "test_split_equal_parts_2d", "test_layer_normalization_default_axis", "test_nonzero_example"}) {
    const Ran ran = check(name, name);
    ASSERT_EQ(ran.exit, 0) << name << "\n" << ran.out << ran.err;
    const Json j = Json::parse(ran.out);
    EXPECT_EQ(j["command"], "check");
    EXPECT_EQ(j["ok"], true);
    EXPECT_TRUE(j["first_departure"].is_null());
    for (const Json& out : j["outputs"])
      for (const char* key : {"name", "shape", "max_abs", "max_rel", "mean_abs", "cosine"}) EXPECT_TRUE(out.contains(key)) << out;
  }
}

TEST_F(Check, OtherShapesAreNoticed) {
  const Ran ran = check("test_basic_conv_with_padding", "test_basic_conv_without_padding");
  EXPECT_EQ(ran.exit, 1);
  const Json j = Json::parse(ran.out);
  EXPECT_EQ(j["ok"], false);
  EXPECT_EQ(j["first_departure"], "y");
  EXPECT_EQ(j["outputs"][0]["shape"], (std::vector<int64_t>{1, 1, 5, 5}));
  EXPECT_EQ(j["outputs"][0]["recorded_shape"], (std::vector<int64_t>{1, 1, 3, 3}));
}

TEST_F(Check, WhatHoneDoesNotHaveIsNamed) {
  for (const auto& [name, words] : {std::pair{"test_if", "If: 'res' at byte 22 holds a subgraph"}, {"test_sequence_insert_at_back", "Type: 'sequence' is of type sequence, not tensor"}, {"test_strnormalizer_nostopwords_nochangecase", "StringNormalizer: hone has no rule"},
                                    {"test_adam", "ai.onnx.preview.training::Adam: hone has no rule for it"}}) {
    const Ran ran = check(name, name);
    EXPECT_EQ(ran.exit, 1) << name;
    const Json j = Json::parse(ran.out, nullptr, false);
    ASSERT_TRUE(j.is_object()) << ran.out << ran.err;
    EXPECT_EQ(j["ok"], false);
    EXPECT_EQ(j["unsupported"][0].get<std::string>().find(words), 0u) << j;
  }
}

// Running needs libhone_train.so: builds without libtorch say so.
bool has_engine() { return std::filesystem::exists(std::filesystem::path(HONE_BINARY).parent_path() / "libhone_train.so"); }

TEST(CheckRun, RecordedOutputs) {
  if (!std::filesystem::exists(kCases)) GTEST_SKIP() << "libonnx-testdata is not installed";
  if (!has_engine()) GTEST_SKIP() << "built without libtorch";
  const auto run = [](const std::string& name, const std::string& data, const std::string& more) {
    return hone("check " + kCases + name + "/model.onnx --data " + kCases + data + "/test_data_set_0 --json " + more);
  };
  const Ran same = run("test_basic_conv_with_padding", "test_basic_conv_with_padding", "");
  ASSERT_EQ(same.exit, 0) << same.out << same.err;
  Json j = Json::parse(same.out);
  EXPECT_EQ(j["ok"], true);
  EXPECT_TRUE(j["first_departure"].is_null());
  EXPECT_LT(j["outputs"][0]["max_abs"].get<double>(), 1e-3);
  EXPECT_NEAR(j["outputs"][0]["cosine"].get<double>(), 1, 1e-6);
  // Softmax along another axis: the same type, other numbers.
  const Ran other = run("test_softmax_axis_0", "test_softmax_axis_1", "");
  EXPECT_EQ(other.exit, 1);
  j = Json::parse(other.out);
  EXPECT_EQ(j["ok"], false);
  EXPECT_EQ(j["first_departure"], "y");
  EXPECT_EQ(run("test_softmax_axis_0", "test_softmax_axis_1", "--tolerance 0,2").exit, 0);
  EXPECT_EQ(run("test_softmax_axis_0", "test_softmax_axis_1", "--tolerance much").exit, 2);
}

TEST(CheckRun, NetworksAgreeWithThemselves) {
  if (!has_engine()) {
    const Ran ran = hone("check timm/resnet10t@64");
    EXPECT_EQ(ran.exit, 1);
    EXPECT_NE(ran.err.find("libhone_train.so"), std::string::npos) << ran.err;
    GTEST_SKIP() << "built without libtorch";
  }
  const Ran alone = hone("check timm/mobilenetv3_small_050@64 --json");
  EXPECT_EQ(alone.exit, 0) << alone.out << alone.err;
  EXPECT_EQ(hone("check timm/mobilenetv3_small_050@64 timm/mobilenetv3_small_050@64").exit, 0);
  const Ran differ = hone("check timm/resnet18@64 torchvision/resnet34@64 --json");
  EXPECT_EQ(differ.exit, 1) << differ.out << differ.err;
  EXPECT_FALSE(Json::parse(differ.out)["first_departure"].get<std::string>().empty());
}

bool has_openvino() { return std::filesystem::exists(std::filesystem::path(HONE_BINARY).parent_path() / "libhone_engine_openvino.so"); }

TEST(CheckEngine, BadUseIsRefused) {
  for (const char* line : {"--with abacus", "--with openvino --with openvino --with openvino", "--layers", "--precision bf16", "--with openvino --precision f8", "--with openvino --tolerance much", "--shapes --data . --with openvino"})
    EXPECT_EQ(hone(std::string("check timm/resnet18@64 ") + line).exit, 2) << line;
}

TEST(CheckEngine, OpenVinoRunsWithoutLibtorch) {
  if (!has_openvino()) {
    const Ran ran = hone("check timm/resnet18@64 --with openvino");
    EXPECT_EQ(ran.exit, 1);
    EXPECT_NE(ran.err.find("libhone_engine_openvino.so"), std::string::npos) << ran.err;
    GTEST_SKIP() << "built without OpenVINO";
  }
  const Ran alone = hone("check timm/mobilenetv3_small_050@64 --with openvino --layers --json");
  ASSERT_EQ(alone.exit, 0) << alone.out << alone.err;
  Json j = Json::parse(alone.out);
  EXPECT_EQ(j["ok"], true);
  EXPECT_TRUE(j["first_departure"].is_null());
  EXPECT_GT(j["layers"].size(), 50u);
  EXPECT_FALSE(j["worst_layer"].get<std::string>().empty());
  for (const char* key : {"name", "shape", "max_abs", "max_rel", "mean_abs", "cosine", "relative"}) EXPECT_TRUE(j["outputs"][0].contains(key)) << key;

  // Another last layer: everything before it agrees.
  const Ran differ = hone("check timm/resnet18@64 torchvision/resnet34@64 --with openvino --json");
  EXPECT_EQ(differ.exit, 1) << differ.out << differ.err;
  j = Json::parse(differ.out);
  EXPECT_EQ(j["ok"], false);
  EXPECT_FALSE(j["first_departure"].get<std::string>().empty());
  EXPECT_EQ(hone("check timm/mobilenetv3_small_050@64 --with openvino --precision bf16 --tolerance 0,1e-6").exit, 1) << "bf16 is seen";
}

TEST(CheckEngine, RecordedOutputsInOpenVino) {
  if (!std::filesystem::exists(kCases) || !has_openvino()) GTEST_SKIP() << "libonnx-testdata is not installed, or built without OpenVINO";
  const auto run = [](const std::string& name, const std::string& data) { return hone("check " + kCases + name + "/model.onnx --data " + kCases + data + "/test_data_set_0 --json --with openvino"); };
  EXPECT_EQ(run("test_basic_conv_with_padding", "test_basic_conv_with_padding").exit, 0);
  const Ran other = run("test_softmax_axis_0", "test_softmax_axis_1");
  EXPECT_EQ(other.exit, 1);
  EXPECT_EQ(Json::parse(other.out)["first_departure"], "Softmax 'y'");
  const Ran lacks = run("test_det_2d", "test_det_2d");
  EXPECT_EQ(lacks.exit, 1);
  EXPECT_NE(Json::parse(lacks.out)["unsupported"][0].get<std::string>().find("Det"), std::string::npos) << lacks.out;
}

}  // namespace
}  // namespace hone::test
