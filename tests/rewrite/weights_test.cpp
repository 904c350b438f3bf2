#include "rewrite/weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "formats/checkpoint.h"
#include "zoo/catalog.h"

namespace hone {
namespace {

ValueId parameter(Graph& g, const std::string& name, Shape shape, Init init, DType dtype = DType::f32) {
  Value v;
  v.name = name;
  v.kind = ValueKind::parameter;
  v.type = TensorType(dtype, std::move(shape));
  v.init = init;
  return g.add_value(std::move(v));
}

std::vector<double> doubles(const Graph& g, const std::string& name) { return *to_doubles(*g.value(g.find(name)).data); }

struct Moments {
  double mean = 0, deviation = 0, largest = 0;
};
Moments moments(const std::vector<double>& x) {
  Moments m;
  for (double v : x) m.mean += v / static_cast<double>(x.size()), m.largest = std::max(m.largest, std::fabs(v));
  for (double v : x) m.deviation += (v - m.mean) * (v - m.mean) / static_cast<double>(x.size());
  m.deviation = std::sqrt(m.deviation);
  return m;
}

TEST(FreshWeights, HaveTheSpreadThatTheirInitSays) {
  using K = Init::Kind;
  Graph g;
  const Shape conv{64, 32, 3, 3};  // fan in 288, fan out 576
  parameter(g, "zeros", conv, {K::zeros});
  parameter(g, "ones", conv, {K::ones});
  parameter(g, "constant", conv, {K::constant, 0.25f});
  parameter(g, "normal", conv, {K::normal, 0.5f});
  parameter(g, "truncated", conv, {K::truncated_normal, 0.02f});
  parameter(g, "uniform", conv, {K::uniform, 0.5f});
  parameter(g, "kaiming_normal", conv, {K::kaiming_normal});
  parameter(g, "kaiming_uniform", conv, {K::kaiming_uniform, 1});
  parameter(g, "xavier", conv, {K::xavier_uniform});
  parameter(g, "counter", {}, {K::zeros}, DType::i64);
  const auto filled = with_fresh_weights(g, 1);
  ASSERT_TRUE(filled) << filled.error().text();
  const auto near = [&](const char* name, double deviation, double bound) {
    const Moments m = moments(doubles(*filled, name));
    EXPECT_NEAR(m.deviation, deviation, deviation * 0.03) << name;
    EXPECT_NEAR(m.mean, 0, deviation * 0.03) << name;
    EXPECT_LE(m.largest, bound) << name;
  };
  EXPECT_EQ(moments(doubles(*filled, "zeros")).largest, 0);
  EXPECT_EQ(doubles(*filled, "ones"), std::vector<double>(64 * 32 * 9, 1));
  EXPECT_EQ(doubles(*filled, "constant")[7], 0.25);
  near("normal", 0.5, 4);
  near("truncated", 0.02 * 0.8796, 0.04 + 1e-6);  // standard deviation of a normal cut at two of its own
  near("uniform", 0.5 / std::sqrt(3), 0.5);
  near("kaiming_normal", std::sqrt(2. / 576), 1);
  near("kaiming_uniform", std::sqrt(6. / (2 * 288)) / std::sqrt(3), std::sqrt(6. / 576) + 1e-6);
  near("xavier", std::sqrt(6. / (288 + 576)) / std::sqrt(3), std::sqrt(6. / 864) + 1e-6);
  EXPECT_EQ(to_ints(*filled->value(filled->find("counter")).data), std::vector<int64_t>{0});
}

TEST(FreshWeights, DependOnSeedAndNameOnly) {
  Graph a, b;
  parameter(a, "x", {8, 8}, {Init::Kind::normal, 1});
  parameter(b, "other", {3}, {Init::Kind::normal, 1});
  parameter(b, "x", {8, 8}, {Init::Kind::normal, 1});
  EXPECT_EQ(doubles(*with_fresh_weights(a, 7), "x"), doubles(*with_fresh_weights(b, 7), "x"));
  EXPECT_NE(doubles(*with_fresh_weights(a, 7), "x"), doubles(*with_fresh_weights(a, 8), "x"));
  Graph same = a;
  same.values[0].name = "y";
  same.reindex();
  EXPECT_NE(doubles(*with_fresh_weights(a, 7), "x"), doubles(*with_fresh_weights(same, 7), "y"));
}

TEST(FreshWeights, KeepContentsAndNameWhatTheyCannotFill) {
  Graph g;
  const ValueId x = parameter(g, "x", {2}, {Init::Kind::ones});
  g.values[x].data = std::make_shared<const Tensor>(Tensor::floats({3, 4}));
  EXPECT_EQ(doubles(*with_fresh_weights(g, 0), "x"), (std::vector<double>{3, 4}));
  parameter(g, "strange", {2}, {Init::Kind::ones}, DType::f16);
  const auto refused = with_fresh_weights(g, 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text(), "strange: hone cannot fill a tensor of f16");
}

TEST(Weights, AreBoundByNameAndChecked) {
  Graph g;
  const ValueId w = parameter(g, "w", {2, 2}, {});
  parameter(g, "unread.counter", {}, {}, DType::i64);
  Node node;
  node.type = "Identity";
  node.inputs = {w};
  g.add_node(node);
  Tensor four = Tensor::floats({1, 2, 3, 4});
  four.shape = {2, 2};
  const auto bound = with_weights(g, {{"w", four}, {"more", Tensor::scalar(1.0f)}});
  ASSERT_TRUE(bound) << bound.error().text();
  EXPECT_EQ(doubles(bound->graph, "w"), (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(bound->unused, std::vector<std::string>{"more"});

  const std::vector<double> wide_values = {1, 2, 3, 4};
  Tensor wide{DType::f64, {2, 2}, Bytes::copy(wide_values.data(), 32), {}};
  EXPECT_EQ(doubles(with_weights(g, {{"w", wide}})->graph, "w"), wide_values);
  EXPECT_EQ(with_weights(g, {{"w", wide}})->graph.value(w).data->dtype, DType::f32);

  EXPECT_EQ(with_weights(g, {}).error().message, "1 tensors of the network are not in the file: w");
  EXPECT_EQ(with_weights(g, {{"w", Tensor::floats({1, 2, 3, 4})}}).error().text(), "w: is 4 in the file, the network needs 2x2");
  EXPECT_EQ(with_weights(g, {{"w", Tensor::ints({1})}}).error().code, Code::invalid);
}

TEST(Weights, ReversedChannelsAreTheStemsOnly) {
  Graph g;
  Value image;
  image.name = "x";
  image.kind = ValueKind::input;
  image.type = TensorType(DType::f32, {1, 3, 4, 4});
  ValueId x = g.add_value(image);
  const auto convolution = [&](const std::string& name, Shape shape, ValueId of) {
    const ValueId w = parameter(g, name, std::move(shape), {Init::Kind::normal, 1});
    Value out;
    out.name = name + ".out";
    Node node;
    node.type = "Conv";
    node.inputs = {of, w};
    node.outputs = {g.add_value(out)};
    const ValueId y = node.outputs[0];
    g.add_node(std::move(node));
    return y;
  };
  convolution("second", {4, 3, 1, 1}, convolution("stem", {3, 3, 2, 2}, x));
  EXPECT_EQ(with_reversed_channels(g).error().text(), "stem: has no contents to reverse");
  const Graph before = *with_fresh_weights(g, 3), after = *with_reversed_channels(before);
  EXPECT_EQ(doubles(before, "second"), doubles(after, "second"));
  const auto rgb = doubles(before, "stem"), bgr = doubles(after, "stem");
  for (size_t filter = 0; filter < 3; ++filter)
    for (size_t c = 0; c < 3; ++c)
      for (size_t i = 0; i < 4; ++i) EXPECT_EQ(rgb[(filter * 3 + c) * 4 + i], bgr[(filter * 3 + 2 - c) * 4 + i]);
  EXPECT_EQ(doubles(*with_reversed_channels(after), "stem"), rgb);
  EXPECT_EQ(with_reversed_channels(Graph()).error().code, Code::unsupported);
}

// A pycls checkpoint in timm's network and back: the same tensors, each under a name of the same shape.
TEST(Weights, ThePublishedNetworksOfTwoLibrariesHoldEachOthersWeights) {
  for (const auto& [a, b] : {std::pair{"pycls/RegNetY-400MF", "timm/regnety_004"}, {"pycls/RegNetX-200MF", "torchvision/regnet_x_400mf"}, {"pycls/ResNet-50", "torchvision/resnet50"},
                             {"pycls/ViT-B-16", "timm/vit_base_patch16_224"}, {"torchvision/vit_b_16", "timm/vit_base_patch16_224"}, {"torchvision/regnet_y_400mf", "pycls/RegNetY-400MF"},
                             {"pycls/EfficientNet-B0", "timm/efficientnet_b0"}, {"torchvision/efficientnet_b0", "timm/efficientnet_b0"},
                             {"torchvision/mobilenet_v2", "timm/mobilenetv2_100"}, {"torchvision/vgg16", "timm/vgg16"}, {"torchvision/mobilenet_v3_large", "timm/mobilenetv3_large_100"}}) {
    SCOPED_TRACE(std::string(a) + " -> " + b);
    auto source = open_network(a), target = open_network(b);
    ASSERT_TRUE(source && target);
    NamedTensors given;
    float mark = 0;
    for (ValueId id : source->graph.state()) {
      const Value& v = source->graph.value(id);
      Tensor t{v.type.dtype, v.type.shape, {}, {}};
      const auto size = static_cast<size_t>(*byte_size(v.type.dtype, *element_count(v.type.shape)));
      auto bytes = std::make_shared<std::vector<std::byte>>(size);
      if (is_float(v.type.dtype)) std::memcpy(bytes->data(), &mark, 4), mark += 1;
      const std::byte* data = bytes->data();
      t.bytes = {std::move(bytes), data, size};
      given.emplace_back(v.name, std::move(t));
    }
    const Renamed there = to_names_of(target->graph, given);
    const auto bound = with_weights(target->graph, there.tensors);
    if (std::string(a) == "pycls/RegNetX-200MF") {
      EXPECT_FALSE(bound);  // another network
      continue;
    }
    ASSERT_TRUE(bound) << bound.error().text();
    NamedTensors all;
    for (ValueId id : bound->graph.state()) {
      const Value& v = bound->graph.value(id);
      if (v.data) all.emplace_back(v.name, *v.data);
    }
    const Renamed back = to_names_of(source->graph, all);
    const auto again = with_weights(source->graph, back.tensors);
    ASSERT_TRUE(again) << again.error().text();
    for (const auto& [name, t] : given)
      if (is_float(t.dtype)) {
        EXPECT_TRUE(same_contents(t, *again->graph.value(again->graph.find(name)).data)) << name;
      }
  }
}

}  // namespace
}  // namespace hone
