// Graphs in the engine, against sums written out here.
#include "engine/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <thread>

#include "formats/onnx_write.h"
#include "ir/builder.h"
#include "rewrite/weights.h"
#include "support.h"
#include "zoo/catalog.h"

namespace hone {
namespace {

Tensor floats(Shape shape, const std::vector<float>& values) {
  Tensor t;
  t.dtype = DType::f32;
  t.shape = std::move(shape);
  t.bytes = Bytes::copy(values.data(), values.size() * sizeof(float));
  return t;
}

std::vector<float> values(const Tensor& t) {
  std::vector<float> out(t.bytes.size / sizeof(float));
  std::memcpy(out.data(), t.bytes.data, t.bytes.size);
  return out;
}

std::vector<float> ramp(size_t n, float scale) {
  std::vector<float> out(n);
  for (size_t i = 0; i < n; ++i) out[i] = scale * static_cast<float>(static_cast<int>((i * 7919) % 101) - 50);
  return out;
}

class EngineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = open_engine();
    if (!opened && opened.error().message.find("hone was built without it") != std::string::npos) GTEST_SKIP() << "built without OpenVINO";
    ASSERT_TRUE(opened) << opened.error().text();
    engine = *opened;
  }
  std::unique_ptr<EngineSession> load(const Graph& graph, const EngineOptions& options = {}) {
    auto session = engine->load(graph, options);
    EXPECT_TRUE(session) << session.error().text();
    return session ? std::move(*session) : nullptr;
  }
  Engine* engine = nullptr;
};

constexpr int64_t kIn = 3, kOut = 5, kSide = 6;

// A 3x3 convolution with padding 1 and a bias, then relu.
Graph conv_net() {
  Builder b("conv-net");
  const ValueId x = b.input("x", DType::f32, {1, kIn, kSide, kSide});
  b.output(b.relu(b.conv(x, "conv", conv_spec(kOut, 3, 1, 1, true))));
  auto graph = b.finish();
  EXPECT_TRUE(graph);
  auto filled = with_fresh_weights(std::move(*graph), 3);
  EXPECT_TRUE(filled);
  return *filled;
}

std::vector<float> conv_by_hand(const Graph& graph, const std::vector<float>& x) {
  const std::vector<float> w = values(*graph.value(graph.find("conv.weight")).data), bias = values(*graph.value(graph.find("conv.bias")).data);
  std::vector<float> y;
  for (int64_t o = 0; o < kOut; ++o)
    for (int64_t r = 0; r < kSide; ++r)
      for (int64_t c = 0; c < kSide; ++c) {
        double sum = bias[o];
        for (int64_t i = 0; i < kIn; ++i)
          for (int64_t u = 0; u < 3; ++u)
            for (int64_t v = 0; v < 3; ++v)
              if (const int64_t a = r + u - 1, d = c + v - 1; a >= 0 && a < kSide && d >= 0 && d < kSide)
                sum += double(x[(i * kSide + a) * kSide + d]) * w[((o * kIn + i) * 3 + u) * 3 + v];
        y.push_back(static_cast<float>(std::max(sum, 0.0)));
      }
  return y;
}

TEST_F(EngineTest, SaysWhatItIs) {
  EXPECT_EQ(engine->name(), "openvino");
  EXPECT_EQ(engine->version().substr(0, 2), "20") << engine->version();
  EXPECT_EQ(*open_engine("openvino"), engine);
}

TEST_F(EngineTest, AConvolutionEqualsItsSum) {
  const Graph graph = conv_net();
  const auto session = load(graph);
  ASSERT_TRUE(session);
  ASSERT_EQ(session->inputs().size(), 1u);
  EXPECT_EQ(session->inputs()[0].name, "x");
  EXPECT_EQ(session->inputs()[0].type, TensorType(DType::f32, {1, kIn, kSide, kSide}));
  EXPECT_EQ(session->outputs()[0].type, TensorType(DType::f32, {1, kOut, kSide, kSide}));
  const std::vector<float> x = ramp(kIn * kSide * kSide, 0.02f), y = conv_by_hand(graph, x);
  const std::vector<Tensor> in{floats({1, kIn, kSide, kSide}, x)};
  auto out = session->run(in);
  ASSERT_TRUE(out) << out.error().text();
  const std::vector<float> got = values((*out)[0]);
  ASSERT_EQ(got.size(), y.size());
  for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(got[i], y[i], 1e-5) << i;
}

TEST_F(EngineTest, BuffersAreReadAndFilledInPlace) {
  const Graph graph = conv_net();
  const auto session = load(graph);
  ASSERT_TRUE(session);
  EXPECT_FALSE(session->again()) << "nothing to repeat yet";
  const std::vector<float> x = ramp(kIn * kSide * kSide, -0.03f), y = conv_by_hand(graph, x);
  auto in = session->input_buffer(0);
  ASSERT_TRUE(in);
  std::memcpy(*in, x.data(), x.size() * sizeof(float));
  ASSERT_TRUE(session->again());
  auto out = session->output_buffer(0);
  ASSERT_TRUE(out);
  for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(static_cast<const float*>(*out)[i], y[i], 1e-5) << i;
  EXPECT_FALSE(session->input_buffer(1));
  EXPECT_FALSE(session->output_buffer(1));
}

TEST_F(EngineTest, SeveralInputsAndOutputsOfSeveralTypes) {
  Builder b("mixed");
  const ValueId p = b.input("p", DType::f32, {2, 3, 4}), q = b.input("q", DType::f32, {2, 4, 5}), ids = b.input("ids", DType::i64, {3});
  b.output(b.matmul(p, q));
  b.output(b.op("Add", {ids, ids}));
  auto graph = b.finish();
  ASSERT_TRUE(graph) << graph.error().text();
  const auto session = load(*graph);
  ASSERT_TRUE(session);
  ASSERT_EQ(session->inputs().size(), 3u);
  const std::vector<float> x = ramp(24, 0.1f), w = ramp(40, 0.2f);
  const std::vector<Tensor> in{floats({2, 3, 4}, x), floats({2, 4, 5}, w), Tensor::ints({1, -5, int64_t{1} << 20})};
  auto out = session->run(in);
  ASSERT_TRUE(out) << out.error().text();
  ASSERT_EQ(out->size(), 2u);
  const std::vector<float> got = values((*out)[0]);
  EXPECT_EQ((*out)[0].shape, (Shape{2, 3, 5}));
  for (int n = 0; n < 2; ++n)
    for (int r = 0; r < 3; ++r)
      for (int c = 0; c < 5; ++c) {
        float sum = 0;
        for (int k = 0; k < 4; ++k) sum += x[(n * 3 + r) * 4 + k] * w[(n * 4 + k) * 5 + c];
        EXPECT_NEAR(got[(n * 3 + r) * 5 + c], sum, 1e-4);
      }
  EXPECT_EQ((*out)[1].dtype, DType::i64);
  EXPECT_EQ(*to_ints((*out)[1]), (std::vector<int64_t>{2, -10, int64_t{1} << 21}));
}

TEST_F(EngineTest, CountersNameTheNodesTheyStandFor) {
  auto network = open_network("timm/resnet18@64");
  ASSERT_TRUE(network);
  auto graph = with_fresh_weights(std::move(network->graph), 0);
  ASSERT_TRUE(graph);
  const auto session = load(*graph, {.counters = true});
  ASSERT_TRUE(session);
  EXPECT_FALSE(session->counters()) << "nothing has run";
  const std::vector<Tensor> in{floats({1, 3, 64, 64}, ramp(3 * 64 * 64, 0.02f))};
  ASSERT_TRUE(session->run(in));
  auto times = session->counters();
  ASSERT_TRUE(times);
  double total = 0;
  size_t convolutions = 0;
  std::vector<std::string> named;
  for (const NodeTime& t : *times) {
    total += t.milliseconds;
    convolutions += t.kind == "Convolution";
    named.insert(named.end(), t.from.begin(), t.from.end());
  }
  EXPECT_GT(total, 0);
  EXPECT_EQ(convolutions, 20u);
  for (const Node& node : graph->nodes)
    if (node.type == "Conv") {
      EXPECT_NE(std::ranges::find(named, node.name), named.end()) << node.name;
    }
  EXPECT_GT(session->memory_bytes(), 0);
  // The first run is cold; those that follow are counted by themselves.
  EXPECT_FALSE(session->counters()) << "nothing has run since";
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(session->again());
  double warm = 0;
  const std::vector<NodeTime> warm_times = session->counters().value();
  for (const NodeTime& t : warm_times) warm += t.milliseconds;
  EXPECT_GT(warm, 0);
  EXPECT_LT(warm, total);

  const auto silent = load(*graph);
  ASSERT_TRUE(silent && silent->run(in));
  EXPECT_TRUE(silent->counters()->empty()) << "not asked for";
}

TEST_F(EngineTest, SessionsRunSideBySide) {
  const Graph graph = conv_net();
  const std::vector<float> x = ramp(kIn * kSide * kSide, 0.02f), y = conv_by_hand(graph, x);
  std::vector<std::thread> threads;
  std::vector<double> worst(3, -1);
  for (size_t n = 0; n < worst.size(); ++n)
    threads.emplace_back([&, n] {
      auto session = engine->load(graph, {});
      if (!session) return;
      const std::vector<Tensor> in{floats({1, kIn, kSide, kSide}, x)};
      for (int round = 0; round < 20; ++round) {
        auto out = (*session)->run(in);
        if (!out) return;
        const std::vector<float> got = values((*out)[0]);
        for (size_t i = 0; i < y.size(); ++i) worst[n] = std::max<double>(worst[n], std::abs(got[i] - y[i]));
      }
    });
  for (std::thread& t : threads) t.join();
  for (double w : worst) EXPECT_TRUE(w >= 0 && w < 1e-5) << w;
}

TEST_F(EngineTest, RefusesWhatDoesNotFit) {
  const Graph graph = conv_net();
  const auto session = load(graph);
  ASSERT_TRUE(session);
  const std::vector<float> x = ramp(kIn * kSide * kSide, 0.02f);
  const auto refuses = [&](const std::vector<Tensor>& in, const std::string& word) {
    const auto out = session->run(in);
    ASSERT_FALSE(out);
    EXPECT_NE(out.error().text().find(word), std::string::npos) << out.error().text();
  };
  refuses({}, "1 inputs");
  refuses({floats({1, kIn, kSide * kSide}, x)}, "expected f32[1,3,6,6]");
  refuses({Tensor::ints(std::vector<int64_t>(kIn * kSide * kSide))}, "i64[108]");
  Tensor hollow = floats({1, kIn, kSide, kSide}, x);
  hollow.bytes.data = nullptr;
  refuses({hollow}, "without contents");
  Tensor brief = floats({1, kIn, kSide, kSide}, x);
  brief.bytes.size -= 4;
  refuses({brief}, "bytes");

  const auto rejects = [&](const EngineOptions& options, const std::string& word) {
    const auto made = engine->load(graph, options);
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().text().find(word), std::string::npos) << made.error().text();
  };
  rejects({.device = "TOASTER"}, "TOASTER");
  rejects({.threads = -1}, "threads");
  rejects({.precision = "f8"}, "precision");

  Graph open = graph;
  open.values[open.inputs[0]].type.shape[0] = kUnknown;
  EXPECT_FALSE(engine->load(open, {}));
  Graph empty = graph;
  empty.values[empty.find("conv.weight")].data = nullptr;
  EXPECT_FALSE(engine->load(empty, {}));
}

TEST_F(EngineTest, AnOperatorItLacksIsNamed) {
  Builder b("odd");
  const ValueId x = b.input("x", DType::f32, {1, 2, 5, 5});
  b.output(b.op("Det", {x}, {}, "area"));
  auto graph = b.finish();
  ASSERT_TRUE(graph) << graph.error().text();
  const auto session = engine->load(*graph, {});
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, Code::unsupported);
  EXPECT_NE(session.error().text().find("Det 'area"), std::string::npos) << session.error().text();
}

TEST_F(EngineTest, FilesLoadAndBrokenOnesDoNot) {
  const std::string path = ::testing::TempDir() + "/engine_conv.onnx", broken = ::testing::TempDir() + "/engine_broken.onnx";
  const Graph graph = conv_net();
  ASSERT_TRUE(write_onnx(graph, path, {.force = true}));
  auto session = engine->load_file(path, {});
  ASSERT_TRUE(session) << session.error().text();
  const std::vector<float> x = ramp(kIn * kSide * kSide, 0.02f), y = conv_by_hand(graph, x);
  const std::vector<Tensor> in{floats({1, kIn, kSide, kSide}, x)};
  auto out = (*session)->run(in);
  ASSERT_TRUE(out);
  EXPECT_NEAR(values((*out)[0])[7], y[7], 1e-5);
  EXPECT_EQ(engine->load_file(path + ".none", {}).error().code, Code::not_found);
  std::ofstream(broken) << test::read_file(path)->substr(0, 200);
  EXPECT_FALSE(engine->load_file(broken, {}));
}

TEST(OpenEngine, AnUnknownOneIsAUsageError) {
  const auto engine = open_engine("abacus");
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, Code::usage);
  EXPECT_NE(engine.error().text().find("openvino"), std::string::npos);
}

}  // namespace
}  // namespace hone
