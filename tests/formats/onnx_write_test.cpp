#include "formats/onnx_write.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "cost/profile.h"
#include "formats/onnx_read.h"
#include "ir/builder.h"
#include "ir/infer.h"
#include "ir/op.h"
#include "ir/text.h"
#include "rewrite/weights.h"
#include "zoo/catalog.h"

namespace hone {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kNewest = 28;

struct Folder {
  fs::path path = fs::temp_directory_path() / ("hone_onnx_" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  std::string operator/(const char* name) const { return (path / name).string(); }
  size_t files() const { return static_cast<size_t>(std::distance(fs::directory_iterator(path), fs::directory_iterator())); }
};

Result<Graph> read_text(const std::string& message) {
  const auto owned = std::make_shared<const std::string>(message);
  return read_onnx_bytes(*owned, owned, "net.onnx");
}

// State that no node reads is not written; what is left, under the same names.
Graph without_unused_state(const Graph& g) {
  std::vector<bool> used(g.values.size(), false);
  const auto mark = [&](const std::vector<ValueId>& ids) {
    for (ValueId v : ids)
      if (v != kNoValue) used[v] = true;
  };
  mark(g.inputs);
  mark(g.outputs);
  for (const Node& n : g.nodes) mark(n.inputs), mark(n.outputs);
  return selected(g, std::vector<bool>(g.nodes.size(), true), used);
}

std::optional<Tensor> tensor_of(const Known& k) {
  Tensor t;
  if (k.dtype == DType::i64) t = Tensor::ints(k.ints);
  else if (k.dtype == DType::f32) t = Tensor::floats(std::vector<float>(k.floats.begin(), k.floats.end()));
  else if (k.dtype == DType::boolean) {
    const std::vector<uint8_t> bytes(k.ints.begin(), k.ints.end());
    t.dtype = DType::boolean;
    t.bytes = Bytes::copy(bytes.data(), bytes.size());
  } else return std::nullopt;
  t.shape = k.shape;
  return t;
}

// One node as a graph: known contents as constants, parameters with contents of their own.
std::optional<Graph> graph_of(const OpDef& def, const Sample& s) {
  Graph g;
  g.name = "sample";
  Node node;
  node.def = &def;
  node.type = def.name;
  node.attrs = s.attrs;
  for (size_t i = 0; i < s.inputs.size(); ++i) {
    if (s.inputs[i].dtype == DType::undefined) {
      node.inputs.push_back(kNoValue);
      continue;
    }
    Value v;
    v.name = "in" + std::to_string(i);
    v.type = s.inputs[i];
    v.kind = i < s.parameter.size() && s.parameter[i] ? ValueKind::parameter : ValueKind::input;
    if (i < s.contents.size() && s.contents[i]) {
      auto t = tensor_of(*s.contents[i]);
      if (!t) return std::nullopt;
      v.kind = ValueKind::constant;
      v.data = std::make_shared<const Tensor>(std::move(*t));
    } else if (v.kind == ValueKind::parameter) {
      const auto n = element_count(v.type.shape);
      if (!n || v.type.dtype != DType::f32) return std::nullopt;
      Tensor t = Tensor::floats(std::vector<float>(static_cast<size_t>(*n), 0.25f));
      t.shape = v.type.shape;
      v.data = std::make_shared<const Tensor>(std::move(t));
    }
    const bool input = v.kind == ValueKind::input;
    const ValueId id = g.add_value(std::move(v));
    if (input) g.inputs.push_back(id);
    node.inputs.push_back(id);
  }
  while (!node.inputs.empty() && node.inputs.back() == kNoValue) node.inputs.pop_back();
  for (size_t i = 0; i < s.outputs.size(); ++i) {
    Value v;
    v.name = "out" + std::to_string(i);
    const ValueId id = g.add_value(std::move(v));
    node.outputs.push_back(id);
    g.outputs.push_back(id);
  }
  node.name = "node";
  node.module = g.module_id("some.module");
  g.add_node(std::move(node));
  auto typed = infer(std::move(g), {}, true);
  if (!typed) return std::nullopt;
  return std::move(typed->graph);
}

template <class F>
void for_each_sample(F f) {
  for (const OpDef& def : all_ops())
    for (const Sample& s : def.samples()) {
      if (def.name.starts_with("hone::")) continue;
      auto g = graph_of(def, s);
      if (!g || g->value(g->outputs[0]).type.dtype == DType::undefined) continue;
      SCOPED_TRACE(std::string(def.name) + ": " + s.label);
      f(def, *g);
    }
}

TEST(OnnxWrite, EveryOperatorComesBackEqualAtTheNewestOpset) {
  std::set<std::string_view> seen;
  for_each_sample([&](const OpDef& def, const Graph& g) {
    const auto message = onnx_message(g, kNewest);
    ASSERT_TRUE(message) << message.error().text();
    const auto back = read_text(*message);
    ASSERT_TRUE(back) << back.error().text();
    const bool renamed = def.name == "Scatter";  // withdrawn: it comes back as ScatterElements
    EXPECT_TRUE(renamed || equal(g, *back));
    seen.insert(def.name);
  });
  EXPECT_GT(seen.size(), all_ops().size() * 9 / 10) << "samples that cannot be written";
}

// What an older opset can say comes back with the same outputs; what it cannot is refused with the opset that can.
TEST(OnnxWrite, EveryOperatorIsLoweredOrRefusedAtEveryOpset) {
  size_t written = 0, refused = 0;
  for_each_sample([&](const OpDef&, const Graph& g) {
    for (int64_t opset = 7; opset < kNewest; ++opset) {
      const auto message = onnx_message(g, opset);
      if (!message) {
        EXPECT_EQ(message.error().code, Code::unsupported) << message.error().text();
        EXPECT_NE(message.error().message.find("needs opset"), std::string::npos) << message.error().text();
        ++refused;
        continue;
      }
      const auto back = read_text(*message);
      ASSERT_TRUE(back) << "opset " << opset << ": " << back.error().text();
      const auto typed = infer(*back, {}, true);
      ASSERT_TRUE(typed) << "opset " << opset << ": " << typed.error().text();
      for (size_t i = 0; i < g.outputs.size(); ++i)
        EXPECT_EQ(to_string(typed->graph.value(typed->graph.outputs[i]).type), to_string(g.value(g.outputs[i]).type)) << "opset " << opset << ", output " << i;
      ++written;
    }
  });
  EXPECT_GT(written, 10 * refused / 3);
}

// Element types came to operators one by one: what an opset does not have is refused, not written for others to stumble on.
TEST(OnnxWrite, ElementTypesAreThoseOfTheOpset) {
  const auto written = [](const std::string& op, DType type, int64_t opset) {
    const std::string t(name(type));
    auto g = parse_graph("hone graph 1\ninput x: " + t + "[2]\ninput z: " + t + "[2]\ny = " + op + "(x, z)\noutput y\n", "net.hone");
    EXPECT_TRUE(g) << g.error().text();
    auto typed = infer(std::move(*g));
    EXPECT_TRUE(typed) << typed.error().text();
    const auto message = onnx_message(typed->graph, opset);
    return message ? std::string() : message.error().text();
  };
  EXPECT_EQ(written("Add", DType::u8, 14), "");
  EXPECT_EQ(written("Add", DType::u8, 13), "Add 'y': its operand of u8 needs opset 14; 13 was asked for (--opset 14 or newer)");
  EXPECT_EQ(written("Add", DType::f32, 7), "");
  EXPECT_EQ(written("Add", DType::bf16, 12), "Add 'y': its operand of bf16 needs opset 13; 12 was asked for (--opset 13 or newer)");
  EXPECT_EQ(written("Equal", DType::f32, 11), "");  // a comparison's output is of another type than its inputs
  EXPECT_EQ(written("Equal", DType::string, 18), "Equal 'y': its operand of string needs opset 19; 18 was asked for (--opset 19 or newer)");
  EXPECT_EQ(written("Min", DType::i32, 8), "Min 'y': its operand of i32 needs opset 12; 8 was asked for (--opset 12 or newer)");
  EXPECT_EQ(written("Mul", DType::f8e4m3fn, 28), "Mul 'y': ONNX has no Mul of f8e4m3fn in any opset that hone writes");
}

// Reshape to a shape that is only known at run time: no rule can tell the rank, but the file does.
TEST(OnnxWrite, TheStatedRankOfAnOutputStays) {
  const auto g = parse_graph("hone graph 1\ninput x: f32[2,3]\ninput s: i64[?]\ny: f32[?,6] = Reshape(x, s)\noutput y\n", "net.hone");
  ASSERT_TRUE(g) << g.error().text();
  const auto typed = infer(*g, {}, true);
  ASSERT_TRUE(typed) << typed.error().text();
  const auto back = read_text(*onnx_message(typed->graph, 17));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(to_string(back->value(back->outputs[0]).type), "f32[?,?]");
}

Graph network(const std::string& name) {
  auto net = open_network(name);
  EXPECT_TRUE(net) << net.error().text();
  auto g = with_fresh_weights(std::move(net->graph), 7);
  EXPECT_TRUE(g) << g.error().text();
  return std::move(*g);
}

TEST(OnnxWrite, ConvolutionalNetworkComesBackEqual) {
  Builder b("cnn");
  ValueId x = b.input("x", DType::f32, {2, 3, 16, 16});
  x = b.silu(b.batch_norm(b.conv(x, "stem.conv", conv_spec(8, 3, 2)), "stem.bn"));
  x = b.hard_swish(b.group_norm(b.conv(x, "body.conv", conv_spec(8, 3, 1, 2, true)), "body.gn", 4));
  x = b.flatten(b.global_avg_pool(x));
  b.output(x);
  const auto built = b.finish();
  ASSERT_TRUE(built) << built.error().text();
  const auto g = with_fresh_weights(*built, 1);
  ASSERT_TRUE(g);
  const Graph expected = without_unused_state(*g);
  EXPECT_LT(expected.values.size(), g->values.size());  // num_batches_tracked stays out
  const auto back = read_text(*onnx_message(*g, kNewest));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_TRUE(equal(expected, *back));
}

TEST(OnnxWrite, CountsSurviveEveryOpset) {
  for (const char* name : {"timm/resnet18", "timm/mobilenetv3_small_100", "timm/deit_tiny_patch16_224", "timm/levit_128s"}) {
    const Graph g = network(name);
    const auto before = profile(g);
    ASSERT_TRUE(before);
    for (int64_t opset : {10, 13, 17, 28}) {
      SCOPED_TRACE(std::string(name) + " at opset " + std::to_string(opset));
      const auto message = onnx_message(g, opset);
      ASSERT_TRUE(message) << message.error().text();
      const auto back = read_text(*message);
      ASSERT_TRUE(back) << back.error().text();
      const auto typed = infer(*back);
      ASSERT_TRUE(typed) << typed.error().text();
      const auto after = profile(typed->graph);
      ASSERT_TRUE(after);
      EXPECT_EQ(after->totals.params, before->totals.params);
      EXPECT_EQ(after->totals.macs_conv, before->totals.macs_conv);
      EXPECT_EQ(after->totals.macs_linear, before->totals.macs_linear);
      EXPECT_EQ(after->totals.macs_matmul, before->totals.macs_matmul);
      EXPECT_EQ(after->totals.acts, before->totals.acts);
    }
  }
}

TEST(OnnxWrite, LinearIsGemmForMatricesAndMatMulAbove) {
  for (const Shape& shape : {Shape{2, 3}, Shape{2, 4, 3}}) {
    Builder b("linear");
    b.output(b.linear(b.input("x", DType::f32, shape), "fc", 5));
    Graph g = *with_fresh_weights(*b.finish(), 1);
    const auto back = read_text(*onnx_message(g, 17));
    ASSERT_TRUE(back) << back.error().text();
    const auto weight = to_doubles(*g.value(g.find("fc.weight")).data);
    if (shape.size() == 2) {
      ASSERT_EQ(back->nodes.size(), 1u);
      EXPECT_EQ(back->nodes[0].type, "Gemm");
      EXPECT_EQ(back->nodes[0].attrs.integer("transB", 0), 1);
      EXPECT_EQ(to_doubles(*back->value(back->find("fc.weight")).data), weight);
      continue;
    }
    ASSERT_EQ(back->nodes.size(), 2u);
    EXPECT_EQ(back->nodes[0].type, "MatMul");
    EXPECT_EQ(back->nodes[1].type, "Add");
    const Value& turned = back->value(back->nodes[0].inputs[1]);
    EXPECT_EQ(turned.kind, ValueKind::parameter);
    ASSERT_EQ(turned.type.shape, (Shape{3, 5}));
    const auto t = *to_doubles(*turned.data);
    for (size_t out = 0; out < 5; ++out)
      for (size_t in = 0; in < 3; ++in) EXPECT_EQ(t[in * 5 + out], (*weight)[out * 3 + in]);
  }
}

TEST(OnnxWrite, RefusalsNameOperatorNodeAndOpset) {
  Builder b("attention");
  const ValueId q = b.input("q", DType::f32, {1, 2, 4, 8});
  b.output(b.op("Attention", {q, q, q}, {{"softcap", 2.f}}, "blocks.0.attn"));
  const Graph g = *b.finish();
  const auto message = onnx_message(g, 17);
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().code, Code::unsupported);
  EXPECT_EQ(message.error().text(), "Attention 'blocks.0.attn/Attention': its 'softcap' needs opset 23; 17 was asked for (--opset 23 or newer)");
  EXPECT_EQ(onnx_message(g, 6).error().code, Code::usage);
  EXPECT_EQ(onnx_message(g, 29).error().code, Code::usage);
}

TEST(OnnxWrite, WeightsInAFileBesideTheModel) {
  const Folder folder;
  const Graph g = network("timm/resnet18");
  ASSERT_TRUE(write_onnx(g, folder / "net.onnx", {.opset = kNewest, .external_data = true}));
  EXPECT_LT(fs::file_size(folder / "net.onnx"), 200'000u);
  EXPECT_GT(fs::file_size(folder / "net.onnx.data"), 40'000'000u);
  const auto with = read_onnx(folder / "net.onnx");
  ASSERT_TRUE(with) << with.error().text();
  const auto inside = read_text(*onnx_message(g, kNewest));
  ASSERT_TRUE(inside);
  EXPECT_TRUE(equal(*with, *inside));
  fs::remove(folder / "net.onnx.data");
  const auto without = read_onnx(folder / "net.onnx");
  ASSERT_TRUE(without) << without.error().text();
  const auto typed = infer(*without);
  ASSERT_TRUE(typed);
  EXPECT_EQ(profile(typed->graph)->totals.params, 11'689'512);
  EXPECT_FALSE(without->value(without->find("fc.weight")).data->has_data());
}

TEST(OnnxWrite, FilesAreWrittenWholeOrNotAtAll) {
  const Folder folder;
  Builder b("relu");
  b.output(b.linear(b.input("x", DType::f32, {1, 2}), "fc", 2));
  const Graph empty = *b.finish();
  const Status no_weights = write_onnx(empty, folder / "net.onnx");
  ASSERT_FALSE(no_weights);
  EXPECT_EQ(no_weights.error().text(), "relu: the parameter 'fc.weight' has no contents (bind a checkpoint, or fill it with fresh weights)");
  EXPECT_EQ(folder.files(), 0u);
  const Graph g = *with_fresh_weights(empty, 1);
  ASSERT_TRUE(write_onnx(g, folder / "net.onnx"));
  const Status again = write_onnx(g, folder / "net.onnx");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::usage);
  EXPECT_TRUE(write_onnx(g, folder / "net.onnx", {.force = true}));
  EXPECT_EQ(folder.files(), 1u);
  EXPECT_FALSE(write_onnx(g, folder / "absent/net.onnx"));
}

}  // namespace
}  // namespace hone
