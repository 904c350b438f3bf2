#include "formats/onnx_read.h"

#include <gtest/gtest.h>

#include "formats/onnx_bytes.h"
#include "ir/infer.h"
#include "ir/op.h"

namespace hone {
namespace {

using namespace test;

Result<Graph> read(const std::string& bytes) {
  const auto owned = std::make_shared<const std::string>(bytes);
  return read_onnx_bytes(*owned, owned, "net.onnx");
}
Result<Graph> read(const Model& m) { return read(m.bytes()); }

// conv (weight, bias) -> relu, as PyTorch's exporter names things.
Model conv_model() {
  Model m;
  m.inputs = {value_info("x", {1, 3, 8, 8})};
  m.outputs = {value_info("y", {1, 4, 6, 6})};
  m.initializers = {floats("layer1.0.conv1.weight", {4, 3, 3, 3}, std::vector<float>(108, 0.5f)), floats("layer1.0.conv1.bias", {4}, {1, 2, 3, 4})};
  m.nodes = {node("Conv", {"x", "layer1.0.conv1.weight", "layer1.0.conv1.bias"}, {"c"}, {attr("kernel_shape", std::vector<int64_t>{3, 3})}, "/layer1/layer1.0/conv1/Conv"),
             node("Relu", {"c"}, {"y"}, {}, "/layer1/layer1.0/act1/Relu")};
  return m;
}

TEST(OnnxRead, NodesValuesAndModules) {
  const auto g = read(conv_model());
  ASSERT_TRUE(g) << g.error().text();
  ASSERT_EQ(g->nodes.size(), 2u);
  EXPECT_EQ(g->name, "net");
  EXPECT_EQ(g->metadata.at("opset"), "17");
  EXPECT_EQ(g->metadata.at("producer"), "hand");
  EXPECT_EQ(g->nodes[0].type, "Conv");
  EXPECT_EQ(g->nodes[0].def, find_op("Conv"));
  EXPECT_EQ(g->modules[g->nodes[0].module], "layer1.0.conv1");
  EXPECT_EQ(g->modules[g->nodes[1].module], "layer1.0.act1");
  EXPECT_EQ(g->nodes[0].attrs.integers("kernel_shape"), (std::vector<int64_t>{3, 3}));
  const Value& weight = g->value(g->find("layer1.0.conv1.weight"));
  EXPECT_EQ(weight.kind, ValueKind::parameter);
  EXPECT_EQ(weight.type, TensorType(DType::f32, {4, 3, 3, 3}));
  EXPECT_EQ(to_doubles(*g->value(g->find("layer1.0.conv1.bias")).data), (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(g->value(g->inputs[0]).type, TensorType(DType::f32, {1, 3, 8, 8}));
  EXPECT_EQ(g->value(g->outputs[0]).name, "y");
  EXPECT_TRUE(infer(*g));
}

TEST(OnnxRead, WeightsAreViews) {
  const auto bytes = std::make_shared<const std::string>(conv_model().bytes());
  const auto g = read_onnx_bytes(*bytes, bytes, "net.onnx");
  ASSERT_TRUE(g);
  const auto* at = reinterpret_cast<const char*>(g->value(g->find("layer1.0.conv1.weight")).data->bytes.data);
  EXPECT_GE(at, bytes->data());
  EXPECT_LE(at + 432, bytes->data() + bytes->size());
}

TEST(OnnxRead, OpenDimensionsKeepTheirNames) {
  Model m = conv_model();
  m.inputs = {value_info("x", {-1, 3, 8, 8})};
  const auto g = read(m);
  ASSERT_TRUE(g);
  EXPECT_EQ(g->value(g->inputs[0]).type.shape, (Shape{kUnknown, 3, 8, 8}));
  EXPECT_EQ(g->value(g->inputs[0]).dim_names, (std::vector<std::string>{"N", "", "", ""}));
  const auto typed = infer(*g, {.batch = 5});
  ASSERT_TRUE(typed) << typed.error().text();
  EXPECT_EQ(typed->graph.value(typed->graph.outputs[0]).type.shape, (Shape{5, 4, 6, 6}));
}

TEST(OnnxRead, InitialisersThatAreListedAsInputsAreNoInputs) {
  Model m = conv_model();
  m.inputs.push_back(value_info("layer1.0.conv1.weight", {4, 3, 3, 3}));
  const auto g = read(m);
  ASSERT_TRUE(g);
  EXPECT_EQ(g->inputs.size(), 1u);
}

TEST(OnnxRead, ConstantsOfEveryForm) {
  Model m;
  m.opset = 13;
  m.inputs = {value_info("x", {2, 3})};
  m.outputs = {value_info("y", {2, 3})};
  m.nodes = {node("Constant", {}, {"a"}, {attr("value", ints("", {2}, {3, 2}))}), node("Constant", {}, {"b"}, {attr("value_int", int64_t{7})}),
             node("Constant", {}, {"c"}, {attr("value_ints", std::vector<int64_t>{2, 3})}), node("Constant", {}, {"d"}, {attr("value_float", 1.5f)}),
             node("Constant", {}, {"e"}, {attr("value_string", std::string("hi"))}),
             node("Reshape", {"x", "a"}, {"r"}), node("Reshape", {"r", "c"}, {"y"})};
  const auto g = read(m);
  ASSERT_TRUE(g) << g.error().text();
  const auto data = [&](const char* name) -> const Tensor& { return *g->value(g->find(name)).data; };
  for (const char* name : {"a", "b", "c", "d", "e"}) EXPECT_EQ(g->value(g->find(name)).kind, ValueKind::constant) << name;
  EXPECT_EQ(to_ints(data("a")), (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(to_ints(data("b")), (std::vector<int64_t>{7}));
  EXPECT_TRUE(data("b").shape.empty());
  EXPECT_EQ(to_doubles(data("d")), (std::vector<double>{1.5}));
  EXPECT_EQ(data("e").strings, (std::vector<std::string>{"hi"}));
  EXPECT_EQ(g->nodes.size(), 2u);
}

TEST(OnnxRead, TensorsOfEveryStorage) {
  // float_data packed, float_data one by one, int64_data, int32_data for a byte and for a 4-bit type.
  Model m;
  m.opset = 21;
  m.inputs = {value_info("x", {2})};
  m.outputs = {value_info("x", {2})};
  std::string packed;
  protozero::pbf_writer(packed).add_bytes(4, raw(std::vector<float>{1, 2}));
  const Message one = Message().put(1, int64_t{2}).put(2, int64_t{1}).put(8, std::string("packed"));
  m.graph_extra.put(5, one.bytes() + packed);
  m.initializers = {tensor("single", 1, {2}).put(4, 3.f).put(4, 4.f), tensor("long", 7, {2}).put(7, int64_t{-1}).put(7, int64_t{1} << 40),
                    tensor("byte", 3, {2}).put(5, int64_t{-5}).put(5, int64_t{6}), tensor("nibbles", 22, {3}).put(5, int64_t{0x21}).put(5, int64_t{0x0f}),
                    tensor("texts", 8, {2}).put(6, std::string("a")).put(6, std::string("b"))};
  const auto g = read(m);
  ASSERT_TRUE(g) << g.error().text();
  const auto data = [&](const char* name) -> const Tensor& { return *g->value(g->find(name)).data; };
  EXPECT_EQ(to_doubles(data("packed")), (std::vector<double>{1, 2}));
  EXPECT_EQ(to_doubles(data("single")), (std::vector<double>{3, 4}));
  EXPECT_EQ(to_ints(data("long")), (std::vector<int64_t>{-1, int64_t{1} << 40}));
  EXPECT_EQ(to_ints(data("byte")), (std::vector<int64_t>{-5, 6}));
  EXPECT_EQ(to_ints(data("nibbles")), (std::vector<int64_t>{1, 2, -1}));
  EXPECT_EQ(data("texts").strings, (std::vector<std::string>{"a", "b"}));
}

TEST(OnnxRead, UnknownOperatorsStay) {
  Model m = conv_model();
  m.nodes[1] = node("FancyRelu", {"c"}, {"y"}, {attr("alpha", 0.5f)}, "", "com.example");
  const auto g = read(m);
  ASSERT_TRUE(g) << g.error().text();
  EXPECT_EQ(g->nodes[1].type, "com.example::FancyRelu");
  EXPECT_EQ(g->nodes[1].def, nullptr);
  EXPECT_EQ(g->value(g->outputs[0]).type, TensorType(DType::f32, {1, 4, 6, 6}));  // as the file states
}

TEST(OnnxRead, FunctionsOfTheFileAreInlined) {
  Model m = conv_model();
  m.nodes[1] = node("Twice", {"c"}, {"y"}, {attr("slope", 0.5f)}, "act", "local");
  const Message slope = Message().put(1, std::string("alpha")).put(20, int64_t{1}).put(21, std::string("slope"));
  m.model_extra.put(8, Message().put(1, std::string("local")).put(2, int64_t{1}));
  m.model_extra.put(25, Message().put(1, std::string("Twice")).put(4, std::string("in")).put(5, std::string("out")).put(6, std::string("slope"))
                            .put(7, node("LeakyRelu", {"in"}, {"half"}, {slope})).put(7, node("Relu", {"half"}, {"out"}))
                            .put(9, Message().put(1, std::string()).put(2, int64_t{17})).put(10, std::string("local")));
  const auto g = read(m);
  ASSERT_TRUE(g) << g.error().text();
  ASSERT_EQ(g->nodes.size(), 3u);
  EXPECT_EQ(g->nodes[1].type, "LeakyRelu");
  EXPECT_EQ(g->nodes[1].attrs.real("alpha", 0), 0.5f);
  EXPECT_EQ(g->nodes[2].type, "Relu");
  EXPECT_EQ(g->nodes[2].inputs, g->nodes[1].outputs);
  EXPECT_EQ(g->outputs, g->nodes[2].outputs);
}

void expect_error(const Model& m, Code code, const std::string& part) {
  const auto g = read(m);
  ASSERT_FALSE(g) << part;
  EXPECT_EQ(g.error().code, code) << g.error().text();
  EXPECT_NE(g.error().text().find(part), std::string::npos) << g.error().text();
  EXPECT_NE(g.error().text().find("net.onnx"), std::string::npos) << g.error().text();
}

TEST(OnnxRead, RefusesByName) {
  Model m = conv_model();
  m.opset = 6;
  expect_error(m, Code::unsupported, "opset 6");
  m.opset = 29;
  expect_error(m, Code::unsupported, "hone reads 7 to 28");
  m = conv_model();
  m.nodes[1] = node("If", {"c"}, {"y"}, {Message().put(1, std::string("then_branch")).put(6, std::string()).put(20, int64_t{5})});
  expect_error(m, Code::unsupported, "holds a subgraph ('then_branch')");
  m = conv_model();
  m.nodes[1] = node("SequenceConstruct", {"c"}, {"y"});
  expect_error(m, Code::unsupported, "SequenceConstruct 'y' at byte 123: works on sequences");
  m = conv_model();
  m.inputs[0] = Message().put(1, std::string("x")).put(2, Message().put(4, std::string()));
  expect_error(m, Code::unsupported, "value 'x': is of type sequence");
  m = conv_model();
  m.graph_extra.put(15, std::string());
  expect_error(m, Code::unsupported, "sparse");
}

// Each function calls the next one twice: a kilobyte that would become 2^14 nodes, and an endless recursion.
TEST(OnnxRead, FunctionsDoNotGrowWithoutBound) {
  const auto calls = [](int levels, bool round) {
    Model m = conv_model();
    m.nodes[1] = node("F0", {"c"}, {"y"}, {}, "bomb", "local");
    m.model_extra.put(8, Message().put(1, std::string("local")).put(2, int64_t{1}));
    for (int i = 0; i < levels; ++i) {
      const std::string next = "F" + std::to_string(round ? (i + 1) % levels : i + 1);
      Message f;
      f.put(1, "F" + std::to_string(i)).put(4, std::string("a")).put(5, std::string("c")).put(10, std::string("local")).put(9, Message().put(2, int64_t{17}));
      if (round || i + 1 < levels) f.put(7, node(next, {"a"}, {"b"}, {}, "", "local")).put(7, node(next, {"b"}, {"c"}, {}, "", "local"));
      else f.put(7, node("Relu", {"a"}, {"c"}));
      m.model_extra.put(25, f);
    }
    return m;
  };
  EXPECT_TRUE(read(calls(5, false)));
  expect_error(calls(15, false), Code::unsupported, "far larger than the file");
  expect_error(calls(2, true), Code::unsupported, "functions call");
}

TEST(OnnxRead, BrokenGraphsAreErrors) {
  Model m = conv_model();
  m.nodes[1] = node("Relu", {"nowhere"}, {"y"}, {}, "act");
  expect_error(m, Code::invalid, "Relu 'act' at byte 123: reads 'nowhere'");
  m = conv_model();
  std::swap(m.nodes[0], m.nodes[1]);
  expect_error(m, Code::invalid, "reads 'c', which no input, initialiser or earlier node defines");
  m = conv_model();
  m.nodes[1] = node("Relu", {"c"}, {"c"});
  expect_error(m, Code::invalid, "value 'c': is defined twice");
  m = conv_model();
  m.outputs.push_back(value_info("z", {1}));
  expect_error(m, Code::invalid, "output 'z' is never produced");
  m = conv_model();
  m.nodes[0] = node("Conv", {"x", "layer1.0.conv1.weight"}, {"c"}, {attr("colour", int64_t{1})});
  expect_error(m, Code::invalid, "colour");
}

TEST(OnnxRead, SizesAreCheckedBeforeAnythingIsAllocated) {
  const auto with = [](Message t) {
    Model m = conv_model();
    m.initializers.push_back(std::move(t));
    return m;
  };
  expect_error(with(tensor("w", 1, {int64_t{1} << 40, int64_t{1} << 40}).put(9, std::string())), Code::invalid, "does not fit 64 bits");
  expect_error(with(tensor("w", 1, {int64_t{1} << 62}).put(9, std::string())), Code::invalid, "larger than any memory");
  expect_error(with(tensor("w", 1, {int64_t{1} << 50}).put(9, std::string())), Code::invalid, "holds 0 bytes");
  expect_error(with(tensor("w", 1, {-2}).put(9, std::string())), Code::invalid, "dimension of -2");
  expect_error(with(tensor("w", 1, {3}).put(9, std::string(8, 'x'))), Code::invalid, "holds 8 bytes, its shape needs 12");
  expect_error(with(tensor("w", 99, {3}).put(9, std::string(12, 'x'))), Code::unsupported, "element type 99");
}

TEST(OnnxRead, OtherFilesAreToldApart) {
  for (const std::string& bytes : {std::string(), std::string("hello, this is no network"), std::string("PK\x03\x04 and more"), std::string(64, '\xff'), std::string(64, '\0')}) {
    const auto g = read(bytes);
    ASSERT_FALSE(g);
    EXPECT_EQ(g.error().code, Code::invalid);
    EXPECT_NE(g.error().text().find("net.onnx"), std::string::npos);
  }
  EXPECT_NE(read(std::string("PK\x03\x04 and more")).error().hint.find("zip"), std::string::npos);
}

TEST(OnnxRead, EveryTruncationAndEveryFlippedByteEndsInAValueOrAnError) {
  const std::string whole = conv_model().bytes();
  for (size_t n = 0; n < whole.size(); ++n) {
    const auto g = read(whole.substr(0, n));
    if (!g) {
      EXPECT_FALSE(g.error().message.empty()) << n;
    }
  }
  for (size_t n = 0; n < whole.size(); ++n)
    for (int flip : {0x01, 0x07, 0x80, 0xff}) {
      std::string damaged = whole;
      damaged[n] = static_cast<char>(damaged[n] ^ flip);
      if (auto g = read(damaged)) (void)infer(*g, {}, true);
    }
  // The graph goes before the opset, so a file that is cut within the graph cannot be read.
  EXPECT_FALSE(read(whole.substr(0, whole.size() / 2)));
}

}  // namespace
}  // namespace hone
