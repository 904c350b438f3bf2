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

TEST_F(Check, RunningNeedsAnEngine) {
  const Ran ran = hone("check timm/resnet18");
  EXPECT_EQ(ran.exit, 1);
  EXPECT_EQ(ran.err,
            "hone: running a network needs an engine plug-in, and this build has none\n"
            "  hone check NET --data DIR --shapes compares types and shapes without one\n");
  EXPECT_EQ(hone("check timm/resnet18 --shapes").exit, 2);
}

}  // namespace
}  // namespace hone::test
