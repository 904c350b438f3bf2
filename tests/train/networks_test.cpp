// Whole networks against reference outputs: instances of the zoo's families with weights that both sides make from a hash
// (tests/data/outputs/make.py tells how and wrote the file), and the published rows of real weights.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "formats/checkpoint.h"
#include "formats/image.h"
#include "hashed.h"
#include "rewrite/weights.h"
#include "support.h"
#include "train/program.h"
#include "zoo/catalog.h"

namespace hone::train {
namespace {

struct Row {
  std::string network;
  double gain;
  std::vector<std::vector<double>> first;
  std::vector<double> sum, sum_abs;
  double largest;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> all = [] {
    std::vector<Row> out;
    std::ifstream in(HONE_SOURCE_DIR "/tests/data/outputs/networks.json");
    const nlohmann::json file = nlohmann::json::parse(in);
    for (const auto& r : file) out.push_back({r["network"], r["gain"], r["first"], r["sum"], r["sum_abs"], r["largest"]});
    return out;
  }();
  return all;
}

class Networks : public testing::TestWithParam<size_t> {};

TEST_P(Networks, GiveTheReferenceOutputs) {
  const Row& row = rows()[GetParam()];
  auto net = open_network(row.network);
  ASSERT_TRUE(net) << net.error().text();
  auto program = Program::compile(net->graph);
  ASSERT_TRUE(program) << program.error().text();
  std::vector<at::Tensor> state;
  for (const Program::Slot& s : program->state()) {
    if (s.dtype == at::kFloat) {
      state.push_back(contents(s.name, s.sizes, row.gain));
      continue;
    }
    const Value& v = net->graph.value(net->graph.find(s.name));
    state.push_back(v.data ? *to_torch(*v.data) : at::zeros(s.sizes, s.dtype));
  }
  const Shape& shape = net->graph.value(net->graph.inputs[0]).type.shape;
  const at::Tensor x = hashed("input", {2, shape[1], shape[2], shape[3]}, [](double u) { return 4 * u - 2; });
  at::NoGradGuard quiet;
  auto out = program->run({x}, state, {});
  ASSERT_TRUE(out) << out.error().text();
  const at::Tensor y = (*out)[0].to(at::kDouble);
  ASSERT_EQ(y.size(0), 2);
  const double tolerance = 1e-4 * row.largest;
  for (int64_t n = 0; n < 2; ++n) {
    const at::Tensor one = y.select(0, n).reshape({-1});
    const auto i = static_cast<size_t>(n);
    for (size_t k = 0; k < row.first[i].size(); ++k) EXPECT_NEAR(one[static_cast<int64_t>(k)].item<double>(), row.first[i][k], tolerance) << "image " << n << ", output " << k;
    EXPECT_NEAR(one.abs().sum().item<double>(), row.sum_abs[i], 1e-4 * row.sum_abs[i]) << "image " << n;
    EXPECT_NEAR(one.sum().item<double>(), row.sum[i], 1e-4 * row.sum_abs[i]) << "image " << n;
  }
}

INSTANTIATE_TEST_SUITE_P(Zoo, Networks, testing::Range<size_t>(0, rows().size()), [](const auto& info) {
  std::string name = rows()[info.param].network;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
});

// Published weights (data/pretrained, its README): first logits, first embedding values and its norm for six pictures, at
// 224 and at each network's own side.
// Bilinear reduction along columns (step 3) or rows with 22-bit weights, as Pillow's Image.resize does; `lines` of `in`
// pixels, neighbours `step` bytes apart.
std::vector<uint8_t> reduced(const std::vector<uint8_t>& from, int64_t in, int64_t out, bool columns, int64_t other) {
  std::vector<uint8_t> to(static_cast<size_t>(out * other * 3));
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  for (int64_t o = 0; o < out; ++o) {
    const double centre = (static_cast<double>(o) + 0.5) * scale;
    const auto first = std::max<int64_t>(0, static_cast<int64_t>(centre - scale + 0.5)), last = std::min(in, static_cast<int64_t>(centre + scale + 0.5));
    std::vector<double> weight;
    double sum = 0;
    for (int64_t i = first; i < last; ++i) sum += weight.emplace_back(std::max(0.0, 1 - std::fabs((static_cast<double>(i) - centre + 0.5) / scale)));
    for (int64_t line = 0; line < other; ++line)
      for (int64_t channel = 0; channel < 3; ++channel) {
        const auto at_ = [&](int64_t position, int64_t size) { return static_cast<size_t>((columns ? line * size + position : position * other + line) * 3 + channel); };
        int64_t value = 1 << 21;
        for (int64_t i = first; i < last; ++i) value += from[at_(i, in)] * static_cast<int64_t>(weight[static_cast<size_t>(i - first)] / sum * (1 << 22) + 0.5);
        to[at_(o, out)] = static_cast<uint8_t>(std::clamp<int64_t>(value >> 22, 0, 255));
      }
  }
  return to;
}

at::Tensor picture(const std::string& path, int64_t side) {
  const auto file = test::read_file(path);
  if (!file) return {};
  auto image = decode_image(std::as_bytes(std::span(*file)), path);
  if (!image) return {};
  std::vector<uint8_t> pixels = std::move(image->pixels);
  if (side != image->width) pixels = reduced(reduced(pixels, image->width, side, true, image->height), image->height, side, false, side);
  return at::from_blob(pixels.data(), {1, side, side, 3}, at::kByte).permute({0, 3, 1, 2}).to(at::kFloat) / 127.5 - 1;
}

TEST(Pretrained, GoldenRowsComeOut) {
  const auto shared = test::shared_dir();
  if (!shared || !std::filesystem::is_directory(*shared + "/data/pretrained")) GTEST_SKIP() << "no published weights: set HONE_SHARED";
  const std::string dir = *shared + "/data/pretrained/";
  std::ifstream in(dir + "golden.json");
  const nlohmann::json golden = nlohmann::json::parse(in);
  ASSERT_EQ(golden["rows"].size(), 48u);
  struct Loaded {
    Program program;
    std::vector<at::Tensor> state;
    std::string embedding;
  };
  std::map<std::string, Loaded> networks;
  at::NoGradGuard quiet;
  for (const auto& row : golden["rows"]) {
    const std::string model = row["model"], image = row["image"];
    const int64_t side = row["size"];
    SCOPED_TRACE(fmt::format("{} {} at {}", model, image, side));
    const std::string key = fmt::format("{}@{}", model, side);
    if (!networks.contains(key)) {
      const bool trunk = model.ends_with("_trunk");
      auto net = open_network(fmt::format("coral/{}@{}", trunk ? model.substr(0, model.size() - 6) : model, side));
      ASSERT_TRUE(net) << net.error().text();
      auto tensors = read_checkpoint(dir + model + ".safetensors");
      ASSERT_TRUE(tensors) << tensors.error().text();
      auto bound = with_weights(net->graph, *tensors);
      ASSERT_TRUE(bound) << bound.error().text();
      EXPECT_TRUE(bound->unused.empty());
      auto program = Program::compile(bound->graph, {.fuse = false});
      ASSERT_TRUE(program) << program.error().text();
      std::vector<at::Tensor> state;
      for (const Program::Slot& s : program->state()) state.push_back(*to_torch(*bound->graph.value(bound->graph.find(s.name)).data));
      // The embedding is the classifier's operand, or the output of a network without one.
      std::string embedding = bound->graph.value(bound->graph.outputs[0]).name;
      for (const Node& node : bound->graph.nodes)
        if (node.type == "hone::Linear") embedding = bound->graph.value(node.inputs[0]).name;
      networks.emplace(key, Loaded{std::move(*program), std::move(state), std::move(embedding)});
    }
    const Loaded& net = networks.at(key);
    const at::Tensor x = picture(dir + "images/" + image, side);
    ASSERT_TRUE(x.defined());
    auto out = net.program.run_to({net.program.outputs()[0], net.embedding}, {x}, net.state, {});
    ASSERT_TRUE(out) << out.error().text();
    const at::Tensor logits = (*out)[0].reshape({-1}), embedding = (*out)[1].reshape({-1});
    constexpr double tolerance = 1e-3;
    EXPECT_EQ(embedding.numel(), row["embedding_dim"].get<int64_t>());
    EXPECT_NEAR(embedding.norm().item<double>(), row["embedding_norm"].get<double>(), tolerance);
    for (int64_t i = 0; i < 8; ++i) EXPECT_NEAR(embedding[i].item<double>(), row["embedding_first8"][static_cast<size_t>(i)].get<double>(), tolerance);
    if (!row.contains("logits_first8")) continue;
    for (int64_t i = 0; i < 8; ++i) EXPECT_NEAR(logits[i].item<double>(), row["logits_first8"][static_cast<size_t>(i)].get<double>(), tolerance);
    EXPECT_EQ(logits.argmax().item<int64_t>(), row["top5"][0][0].get<int64_t>());
    EXPECT_NEAR(at::softmax(logits, 0).max().item<double>(), row["top5"][0][2].get<double>(), tolerance);
  }
}

}  // namespace
}  // namespace hone::train
