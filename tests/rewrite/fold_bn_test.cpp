// Folding is checked against the definition of the layers, written out here for one output position.
#include "rewrite/fold_bn.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ir/verify.h"

namespace hone {
namespace {

double noise(int i) { return std::sin(12.9898 * (i + 1)) * 0.7; }

struct Case {
  std::string type;
  Attrs attrs;
  Shape weight;
  int64_t in, out;
  bool bias;
};

ValueId add(Graph& g, const std::string& name, ValueKind kind, Shape shape, int seed = -1, bool positive = false) {
  Value v;
  v.name = name;
  v.kind = kind;
  v.type = TensorType(DType::f32, shape);
  if (seed >= 0) {
    std::vector<float> data(static_cast<size_t>(*element_count(shape)));
    for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<float>(noise(seed + static_cast<int>(i)));
    if (positive)
      for (float& f : data) f = std::fabs(f) + 0.3f;
    Tensor t = Tensor::floats(data);
    t.shape = shape;
    v.data = std::make_shared<const Tensor>(std::move(t));
  }
  return g.add_value(std::move(v));
}

Graph layer_and_norm(const Case& c) {
  Graph g;
  const ValueId x = add(g, "x", ValueKind::input, {1, c.in});
  const ValueId w = add(g, "conv.weight", ValueKind::parameter, c.weight, 1);
  Node layer;
  layer.type = c.type;
  layer.attrs = c.attrs;
  layer.inputs = {x, w};
  if (c.bias) layer.inputs.push_back(add(g, "conv.bias", ValueKind::parameter, {c.out}, 100));
  const ValueId y = add(g, "y", ValueKind::node, {1, c.out});
  layer.outputs = {y};
  g.add_node(layer);
  Node norm;
  norm.type = "BatchNormalization";
  norm.attrs.set("epsilon", 1e-3f);
  norm.inputs = {y, add(g, "bn.weight", ValueKind::parameter, {c.out}, 200), add(g, "bn.bias", ValueKind::parameter, {c.out}, 300),
                 add(g, "bn.running_mean", ValueKind::buffer, {c.out}, 400), add(g, "bn.running_var", ValueKind::buffer, {c.out}, 500, true)};
  add(g, "bn.num_batches_tracked", ValueKind::buffer, {});
  const ValueId z = add(g, "z", ValueKind::node, {1, c.out});
  norm.outputs = {z};
  g.add_node(norm);
  g.inputs = {x};
  g.outputs = {z};
  return g;
}

std::vector<double> get(const Graph& g, const std::string& name) { return *to_doubles(*g.value(g.find(name)).data); }

// Every product of the layer: (output channel, input index, kernel position) -> weight element. The layer's result at
// one position is the sum over inputs; ConvTranspose is read at each kernel position from a 1x1 input.
std::vector<double> apply(const Case& c, const std::vector<double>& w, const std::vector<double>& bias) {
  int64_t field = 1;
  for (size_t i = 2; i < c.weight.size(); ++i) field *= c.weight[i];
  const int64_t groups = c.attrs.integer("group", 1);
  std::vector<double> out;
  for (int64_t o = 0; o < c.out; ++o) {
    if (c.type == "ConvTranspose") {
      const int64_t out_per = c.out / groups, in_per = c.in / groups, g = o / out_per;
      for (int64_t k = 0; k < field; ++k) {
        double sum = bias[static_cast<size_t>(o)];
        for (int64_t i = g * in_per; i < (g + 1) * in_per; ++i) sum += w[static_cast<size_t>((i * out_per + o % out_per) * field + k)] * noise(static_cast<int>(900 + i));
        out.push_back(sum);
      }
      continue;
    }
    double sum = bias[static_cast<size_t>(o)];
    if (c.type == "Gemm") {
      for (int64_t i = 0; i < c.in; ++i) sum += w[static_cast<size_t>(c.attrs.integer("transB", 0) ? o * c.in + i : i * c.out + o)] * noise(static_cast<int>(900 + i));
    } else {
      const int64_t in_per = c.in / groups, g = o / (c.out / groups);
      for (int64_t i = 0; i < in_per; ++i)
        for (int64_t k = 0; k < field; ++k) sum += w[static_cast<size_t>((o * in_per + i) * field + k)] * noise(static_cast<int>(900 + (g * in_per + i) * field + k));
    }
    out.push_back(sum);
  }
  return out;
}

TEST(FoldBatchNorm, ComputesWhatLayerAndNormComputed) {
  const std::vector<Case> cases = {
      {"Conv", {}, {4, 3, 3, 3}, 3, 4, false},
      {"Conv", {}, {4, 3, 1, 1}, 3, 4, true},
      {"Conv", {{"group", int64_t{2}}}, {4, 3, 3, 3}, 6, 4, false},
      {"Conv", {{"group", int64_t{4}}}, {4, 1, 5}, 4, 4, true},
      {"ConvTranspose", {}, {3, 4, 2, 2}, 3, 4, false},
      {"ConvTranspose", {{"group", int64_t{2}}}, {6, 2, 2, 2}, 6, 4, true},
      {"Gemm", {{"transB", int64_t{1}}}, {4, 5}, 5, 4, true},
      {"Gemm", {}, {5, 4}, 5, 4, false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.type + " " + to_string(c.weight));
    const Graph before = layer_and_norm(c);
    const auto folded = fold_batch_norm(before);
    ASSERT_TRUE(folded) << folded.error().text();
    EXPECT_EQ(folded->folded, 1);
    EXPECT_EQ(folded->kept, 0);
    const Graph& g = folded->graph;
    ASSERT_EQ(g.nodes.size(), 1u);
    EXPECT_EQ(g.value(g.outputs[0]).name, "z");
    EXPECT_EQ(g.value(g.outputs[0]).producer, 0u);
    for (const char* gone : {"bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "bn.num_batches_tracked", "y"}) EXPECT_EQ(g.find(gone), kNoValue) << gone;

    const auto gamma = get(before, "bn.weight"), beta = get(before, "bn.bias"), mean = get(before, "bn.running_mean"), variance = get(before, "bn.running_var");
    std::vector<double> expected = apply(c, get(before, "conv.weight"), c.bias ? get(before, "conv.bias") : std::vector<double>(static_cast<size_t>(c.out)));
    const size_t per_channel = expected.size() / static_cast<size_t>(c.out);
    for (size_t i = 0; i < expected.size(); ++i) {
      const size_t o = i / per_channel;
      expected[i] = (expected[i] - mean[o]) / std::sqrt(variance[o] + 1e-3) * gamma[o] + beta[o];
    }
    const std::vector<double> actual = apply(c, get(g, "conv.weight"), get(g, "conv.bias"));
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-5);
  }
}

TEST(FoldBatchNorm, KeepsNormsThatItMustNotTouch) {
  const Case c{"Conv", {}, {4, 3, 1, 1}, 3, 4, false};
  Graph shared = layer_and_norm(c);  // the convolution's own output is read elsewhere
  shared.outputs.push_back(shared.find("y"));
  Graph training = layer_and_norm(c);
  training.nodes[1].attrs.set("training_mode", int64_t{1});
  Graph first = layer_and_norm(c);  // the norm reads the input
  first.nodes[1].inputs[0] = first.find("x");
  Graph tied = layer_and_norm(c);  // a second reader of the weight
  tied.outputs.push_back(tied.find("conv.weight"));
  Graph scaled = layer_and_norm({"Gemm", {{"alpha", 0.5f}}, {3, 4}, 3, 4, false});
  for (const Graph* g : {&shared, &training, &first, &tied, &scaled}) {
    const auto folded = fold_batch_norm(*g);
    ASSERT_TRUE(folded) << folded.error().text();
    EXPECT_EQ(folded->folded, 0);
    EXPECT_EQ(folded->kept, 1);
    EXPECT_TRUE(equal(folded->graph, *g));
  }
}

TEST(FoldBatchNorm, SaysWhatIsMissing) {
  Graph g = layer_and_norm({"Conv", {}, {4, 3, 1, 1}, 3, 4, false});
  g.values[g.find("bn.weight")].data = nullptr;
  EXPECT_EQ(fold_batch_norm(g).error().text(), "bn.weight: has no contents, so its batch norm cannot be folded (bind weights first)");
  g = layer_and_norm({"Conv", {}, {4, 3, 1, 1}, 3, 4, false});
  g.values[g.find("bn.bias")].data = std::make_shared<const Tensor>(Tensor::floats({1, 2}));
  EXPECT_EQ(fold_batch_norm(g).error().message, "the norm has 2 channels, the layer before it 4");
}

}  // namespace
}  // namespace hone
