// ViLT against Hugging Face's, METER against its published layers, on the same weights: tests/data/outputs/make_vision_language.py
// tells how both sides make them, and wrote the file of outputs.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "hashed.h"
#include "ir/infer.h"
#include "train/program.h"
#include "zoo/catalog.h"

namespace hone::train {
namespace {

constexpr int64_t kPadded = 9;  // tokens at the end of the second text

at::Tensor input(const Value& v, bool meter) {
  Shape shape = v.type.shape;
  if (v.name.starts_with("pixel_values")) return hashed(v.name, shape, [](double u) { return 4 * u - 2; });
  at::Tensor padding = at::zeros(shape, at::kBool);
  padding[1].slice(0, shape[1] - kPadded).fill_(true);
  if (v.name == "attention_mask") return padding.logical_not().to(at::kLong);
  return hashed(v.name, shape, [](double u) { return 3 + std::floor(u * 1021); }).to(at::kLong).masked_fill(padding, meter ? 1 : 0);
}

TEST(VisionLanguage, GivesTheReferenceOutputs) {
  std::ifstream in(HONE_SOURCE_DIR "/tests/data/outputs/vision_language.json");
  const nlohmann::json rows = nlohmann::json::parse(in);
  ASSERT_EQ(rows.size(), 12u);
  for (const auto& row : rows) {
    const std::string name = row["network"];
    SCOPED_TRACE(name + row["options"].dump());
    Arch arch = *find_arch(name);
    for (const auto& [key, value] : row["options"].items())
      if (value.is_boolean()) arch.options[key] = value.get<bool>();
      else arch.options[key] = value.get<int64_t>();
    const auto graph = build(arch);
    ASSERT_TRUE(graph) << graph.error().text();
    const auto two = infer(*graph, {.inputs = {}, .batch = 2, .contents = {}});
    ASSERT_TRUE(two) << two.error().text();
    const auto program = Program::compile(two->graph);
    ASSERT_TRUE(program) << program.error().text();
    std::vector<at::Tensor> state, inputs;
    for (const Program::Slot& s : program->state()) state.push_back(s.dtype == at::kFloat ? contents(s.name, s.sizes, 3) : at::zeros(s.sizes, s.dtype));
    for (ValueId v : two->graph.inputs) inputs.push_back(input(two->graph.value(v), name.starts_with("meter/")));
    at::NoGradGuard quiet;
    const auto out = program->run(inputs, state, {});
    ASSERT_TRUE(out) << out.error().text();
    at::Tensor y = (*out)[0].to(at::kDouble).clone();
    if (y.dim() == 3) y[1].slice(0, y.size(1) - kPadded).zero_();  // words: at padding they mean nothing
    y = y.reshape({2, -1});
    ASSERT_EQ((*out)[0].sizes().vec(), row["shape"].get<std::vector<int64_t>>());
    for (int64_t n = 0; n < 2; ++n) {
      const auto i = static_cast<size_t>(n);
      const std::vector<double> first = row["first"][i];
      for (size_t k = 0; k < first.size(); ++k) EXPECT_NEAR(y[n][static_cast<int64_t>(k)].item<double>(), first[k], 1e-4) << "example " << n << ", output " << k;
      const auto size = static_cast<double>(y.size(1));
      EXPECT_NEAR(y[n].abs().sum().item<double>(), row["sum_abs"][i].get<double>(), 1e-5 * size + 1e-4) << "example " << n;
      EXPECT_NEAR(y[n].sum().item<double>(), row["sum"][i].get<double>(), 1e-5 * size + 1e-4) << "example " << n;
    }
  }
}

}  // namespace
}  // namespace hone::train
