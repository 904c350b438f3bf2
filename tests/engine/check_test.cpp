// Tensors against tensors, and networks against networks in engines that answer what a test wants.
#include "engine/check.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "ir/builder.h"
#include "support.h"
#include "zoo/catalog.h"

namespace hone {
namespace {

Tensor floats(std::vector<float> values) { return Tensor::floats(std::move(values)); }

TEST(Compare, CountsWhatDiffers) {
  const Difference d = compare(floats({1, -2, 4}), floats({1, -2.5f, 4}), {0, 0.1});
  EXPECT_FALSE(d.ok);
  EXPECT_DOUBLE_EQ(d.max_abs, 0.5);
  EXPECT_DOUBLE_EQ(d.max_rel, 0.2);
  EXPECT_DOUBLE_EQ(d.relative, 0.125);
  EXPECT_NEAR(d.mean_abs, 0.5 / 3, 1e-12);
  EXPECT_NEAR(d.cosine, (1 + 5 + 16) / std::sqrt(21.0 * 23.25), 1e-12);
  EXPECT_TRUE(compare(floats({1, -2, 4}), floats({1, -2.5f, 4}), {0.2, 0}).ok);
  EXPECT_TRUE(compare(floats({1, -2, 4}), floats({1, -2.5f, 4}), {0, 0.5}).ok);
}

TEST(Compare, SmallOutputsAreNotEqualToWhateverIsSmall) {
  EXPECT_FALSE(compare(floats({1e-6f}), floats({2e-6f}), {1e-3, 1e-5}).ok);
  EXPECT_TRUE(compare(floats({0, 1}), floats({1e-6f, 1}), {1e-3, 1e-5}).ok);
}

TEST(Compare, ValuesThatAreNoNumbers) {
  const float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(compare(floats({nan, inf, 1}), floats({nan, inf, 1}), {}).ok);
  for (const auto& [a, b] : {std::pair{nan, 1.f}, {1.f, nan}, {inf, -inf}, {inf, 1.f}, {1.f, inf}}) {
    const Difference d = compare(floats({a, 3}), floats({b, 3}), {});
    EXPECT_FALSE(d.ok) << a << " " << b;
    EXPECT_TRUE(std::isinf(d.max_abs)) << a << " " << b;
  }
}

TEST(Compare, TypesShapesAndIntegers) {
  EXPECT_EQ(compare(floats({1}), Tensor::ints({1}), {}).why, "is f32[1], expected i64[1]");
  EXPECT_FALSE(compare(floats({1}), floats({1, 2}), {}).why.empty());
  EXPECT_FALSE(compare(Tensor::ints({100000}), Tensor::ints({100001}), {1, 1}).ok) << "integers must be the same";
  EXPECT_TRUE(compare(Tensor::ints({-7}), Tensor::ints({-7}), {0, 0}).ok);
  EXPECT_TRUE(compare(floats({}), floats({}), {0, 0}).ok);
}

TEST(EngineTolerance, GrowsWithTheRootOfTheDepth) {
  Builder b("chain");
  ValueId x = b.input("x", DType::f32, {1, 4});
  for (int i = 0; i < 9; ++i) x = b.linear(x, "layer" + std::to_string(i), 4);
  b.output(x);
  auto graph = b.finish();
  ASSERT_TRUE(graph);
  EXPECT_EQ(product_depth(*graph), 9);
  EXPECT_DOUBLE_EQ(engine_tolerance(*graph, "f32").abs, 3 * 32 * 0x1p-23);
  EXPECT_GT(engine_tolerance(*graph, "bf16").abs, 1000 * engine_tolerance(*graph, "f32").abs);
}

// Runs nothing: each output is a number made from its name, so that a test knows what departs.
class Oracle : public Engine {
 public:
  explicit Oracle(std::string wrong = "") : wrong_(std::move(wrong)) {}
  std::string name() const override { return "oracle"; }
  std::string version() const override { return "1"; }
  Result<std::unique_ptr<EngineSession>> load_file(const std::string&, const EngineOptions&) override { return fail(Code::unsupported, "no files"); }
  Result<std::unique_ptr<EngineSession>> load(const Graph& graph, const EngineOptions&) override {
    ++loads;
    most_outputs = std::max(most_outputs, graph.outputs.size());
    return std::make_unique<Session>(graph, wrong_);
  }
  int loads = 0;
  size_t most_outputs = 0;

 private:
  class Session : public EngineSession {
   public:
    // Everything behind the wrong value is wrong, too: a tensor of ones instead of zeros.
    Session(const Graph& graph, const std::string& wrong) {
      std::vector<bool> bad(graph.values.size());
      for (const Node& n : graph.nodes)
        for (const ValueId out : n.outputs) {
          bad[out] = graph.value(out).name == wrong;
          for (const ValueId in : n.inputs) bad[out] = bad[out] || (in != kNoValue && bad[in]);
        }
      for (const ValueId v : graph.outputs) {
        const std::vector<float> values(static_cast<size_t>(*element_count(graph.value(v).type.shape)), bad[v] ? 1.f : 0.f);
        made_.push_back({DType::f32, graph.value(v).type.shape, Bytes::copy(values.data(), values.size() * sizeof(float)), {}});
      }
    }
    const std::vector<EnginePort>& inputs() const override { return ports_; }
    const std::vector<EnginePort>& outputs() const override { return ports_; }
    Result<std::vector<Tensor>> run(std::span<const Tensor>) override { return made_; }
    Status again() override { return {}; }
    Result<void*> input_buffer(size_t) override { return nullptr; }
    Result<const void*> output_buffer(size_t) override { return nullptr; }
    Result<std::vector<NodeTime>> counters() override { return std::vector<NodeTime>(); }
    int64_t memory_bytes() const override { return 0; }

   private:
    std::vector<EnginePort> ports_;
    std::vector<Tensor> made_;
  };
  std::string wrong_;
};

Graph chain(int length) {
  Builder b("chain");
  ValueId x = b.input("x", DType::f32, {1, 3});
  for (int i = 0; i < length; ++i) x = b.op("Relu", {x}, {}, "step" + std::to_string(i));
  b.output(x);
  auto graph = b.finish();
  EXPECT_TRUE(graph);
  return *graph;
}

TEST(CheckPair, TheFirstDepartureIsFoundWhereverItIs) {
  const Graph graph = chain(200);
  for (const size_t at : {0, 1, 7, 8, 9, 24, 100, 191, 192, 198, 199}) {
    const std::string wrong = graph.value(graph.nodes[at].outputs[0]).name;
    Oracle right, broken(wrong);
    const auto check = check_pair({&graph, &broken, {}}, {&graph, &right, {}}, "", {});
    ASSERT_TRUE(check) << check.error().text();
    EXPECT_FALSE(check->ok());
    EXPECT_EQ(check->first_departure, graph.nodes[at].name.empty() ? "Relu '" + wrong + "'" : graph.nodes[at].name) << at;
    EXPECT_LE(broken.loads, 5) << "few probes at a time, few times";
    EXPECT_LE(broken.most_outputs, 24u);
  }
}

TEST(CheckPair, LayersAreAllCompared) {
  const Graph graph = chain(60);
  Oracle right, broken(graph.value(graph.nodes[50].outputs[0]).name);
  CheckOptions options;
  options.layers = true;
  const auto check = check_pair({&graph, &broken, {}}, {&graph, &right, {}}, "", options);
  ASSERT_TRUE(check);
  ASSERT_EQ(check->layers.size(), 60u);
  for (size_t i = 0; i < 60; ++i) EXPECT_EQ(check->layers[i].difference.ok, i < 50) << i;
  EXPECT_TRUE(check_pair({&graph, &right, {}}, {&graph, &right, {}}, "", options)->ok());
}

TEST(CheckPair, NetworksOfOtherInputsAreAUsageError) {
  Builder b("two");
  const ValueId x = b.input("x", DType::f32, {1, 3}), y = b.input("y", DType::f32, {1, 3});
  b.output(b.add(x, y));
  const Graph two = *b.finish(), one = chain(2);
  Oracle oracle;
  const auto check = check_pair({&one, &oracle, {}}, {&two, &oracle, {}}, "", {});
  ASSERT_FALSE(check);
  EXPECT_EQ(check.error().code, Code::usage);
}

TEST(RandomInputs, AreTheSameForTheSameTypes) {
  Builder b("inputs");
  const ValueId x = b.input("x", DType::f32, {2, 3}), ids = b.input("ids", DType::i64, {5}), h = b.input("h", DType::f16, {4});
  b.output(x), b.output(ids), b.output(h);
  const Graph graph = b.graph();
  const auto a = random_inputs(graph, 1), c = random_inputs(graph, 1), other = random_inputs(graph, 2);
  ASSERT_TRUE(a) << a.error().text();
  ASSERT_EQ(a->size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(same_contents((*a)[i], (*c)[i]));
  EXPECT_FALSE(same_contents((*a)[0], (*other)[0]));
  const auto floats = *to_doubles((*a)[0]), halves = *to_doubles((*a)[2]);
  const auto integers = *to_ints((*a)[1]);
  for (const double v : floats) EXPECT_LT(std::abs(v), 1);
  for (const int64_t v : integers) EXPECT_TRUE(v == 0 || v == 1) << v;
  double sum = 0;
  for (const double v : halves) {
    EXPECT_LT(std::abs(v), 1);
    sum += std::abs(v);
  }
  EXPECT_GT(sum, 0);
}

}  // namespace
}  // namespace hone
