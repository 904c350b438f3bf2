// parse(print(g)) equals g, for graphs with every kind of value, attribute and awkward name.
#include "ir/text.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <limits>

#include "ir/op.h"
#include "ir/verify.h"

namespace hone {
namespace {

rc::Gen<std::string> any_text() { return rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127)); }
rc::Gen<std::string> any_name() { return rc::gen::nonEmpty(any_text()); }
rc::Gen<float> any_float() {
  return rc::gen::oneOf(rc::gen::arbitrary<float>(), rc::gen::element(0.f, -0.f, 1e-45f, 3.4e38f, std::numeric_limits<float>::infinity(),
                                                                      -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()));
}

Tensor any_tensor() {
  const auto dtype = *rc::gen::element(DType::f32, DType::i64, DType::boolean, DType::u8, DType::i16, DType::f16, DType::i4, DType::string);
  const auto shape = *rc::gen::container<Shape>(*rc::gen::inRange(0, 3), rc::gen::inRange<Dim>(0, 5));
  const int64_t n = *element_count(shape);
  Tensor t;
  t.dtype = dtype;
  t.shape = shape;
  if (dtype == DType::string) {
    t.strings = *rc::gen::container<std::vector<std::string>>(static_cast<size_t>(n), any_text());
    return t;
  }
  const auto size = static_cast<size_t>(*byte_size(dtype, n));
  auto bytes = *rc::gen::container<std::vector<uint8_t>>(size, rc::gen::arbitrary<uint8_t>());
  if (dtype == DType::boolean)
    for (uint8_t& b : bytes) b &= 1;
  t.bytes = Bytes::copy(bytes.data(), bytes.size());
  return t;
}

Attr any_attr() {
  switch (*rc::gen::inRange(0, 7)) {
    case 0: return *rc::gen::arbitrary<int64_t>();
    case 1: return *any_float();
    case 2: return *any_text();
    case 3: return *rc::gen::arbitrary<std::vector<int64_t>>();
    case 4: return *rc::gen::container<std::vector<float>>(any_float());
    case 5: return *rc::gen::container<std::vector<std::string>>(any_text());
    default: return std::make_shared<const Tensor>(any_tensor());
  }
}

TensorType any_type() {
  const auto dtype = static_cast<DType>(*rc::gen::inRange(0, kDTypeCount));
  if (*rc::gen::arbitrary<bool>()) return TensorType(dtype);
  return {dtype, *rc::gen::container<Shape>(rc::gen::inRange<Dim>(-1, 1 << 20))};
}

// Operators without a definition: the text form must not depend on what hone knows.
Graph any_graph() {
  Graph g;
  g.name = *any_text();
  g.metadata[*any_text()] = *any_text();
  auto fresh = [&] { return g.unique_name(*any_name()); };
  const int declared = *rc::gen::inRange(1, 6);
  for (int i = 0; i < declared; ++i) {
    Value v;
    v.name = fresh();
    v.kind = static_cast<ValueKind>(*rc::gen::inRange(0, 4));
    v.type = any_type();
    if (v.kind == ValueKind::parameter || v.kind == ValueKind::buffer) v.init = {static_cast<Init::Kind>(*rc::gen::inRange(0, 9)), *rc::gen::inRange(-5, 5) / 4.f};
    if (v.kind == ValueKind::constant) {
      Tensor t = any_tensor();
      v.type = {t.dtype, t.shape};
      v.data = std::make_shared<const Tensor>(std::move(t));
    }
    if (v.kind == ValueKind::input && v.type.ranked && !v.type.shape.empty() && v.type.shape[0] == kUnknown) {
      v.dim_names.resize(v.type.shape.size());
      v.dim_names[0] = *any_name();
    }
    const bool is_input = v.kind == ValueKind::input;
    const ValueId id = g.add_value(std::move(v));
    if (is_input) g.inputs.push_back(id);
  }
  const int nodes = *rc::gen::inRange(0, 5);
  for (int i = 0; i < nodes; ++i) {
    Node node;
    node.type = *rc::gen::element<std::string>("Foo", "com.example::Bar", "Con:v", "two words", "_");
    node.name = *any_text();
    const std::string path = *any_text();
    if (!path.empty()) node.module = g.module_id(path);
    for (int k = *rc::gen::inRange(0, 4); k > 0; --k)
      node.inputs.push_back(*rc::gen::arbitrary<bool>() ? kNoValue : *rc::gen::inRange<ValueId>(0, static_cast<ValueId>(g.values.size())));
    for (int k = *rc::gen::inRange(0, 3); k > 0; --k) node.attrs.set(*any_name(), any_attr());
    for (int k = *rc::gen::inRange(1, 3); k > 0; --k) {
      Value v;
      v.name = fresh();
      v.type = any_type();
      node.outputs.push_back(g.add_value(std::move(v)));
    }
    if (*rc::gen::arbitrary<bool>()) node.outputs.push_back(kNoValue);
    g.outputs.push_back(node.outputs[0]);
    g.add_node(std::move(node));
  }
  return g;
}

TEST(GraphText, RoundTripsAnyGraph) {
  EXPECT_TRUE(rc::check("parse(print(g)) == g", [] {
    const Graph g = any_graph();
    RC_ASSERT(verify(g).has_value());
    const std::string text = print(g);
    auto back = parse_graph(text, "g.hone");
    if (!back) RC_FAIL(back.error().text() + "\n" + text);
    RC_ASSERT(equal(g, *back));
    RC_ASSERT(print(*back) == text);
  }));
}

TEST(GraphText, SaysWhereItFails) {
  auto message = [](std::string body) {
    auto g = parse_graph("hone graph 1\n" + body, "net.hone");
    return g ? std::string("parsed") : g.error().text();
  };
  EXPECT_EQ(message("input x: f32[1,3]\ny = Foo(z)\n"), "net.hone:3:10: 'z' is not defined above");
  EXPECT_EQ(message("input x: f33[1,3]\n"), "net.hone:2:10: 'f33' is no element type (for example f32, i64, bool)");
  EXPECT_EQ(message("input x: f32[1,-3]\n"), "net.hone:2:18: a dimension cannot be negative");
  EXPECT_EQ(message("constant c: i64[3] = [1,2]\n"), "net.hone:2:27: 2 elements given, 3 expected by i64[3]");
  EXPECT_EQ(message("constant c: i8[1] = [300]\n"), "net.hone:2:25: 300 does not fit i8");
  EXPECT_EQ(message("input x: f32[1]\ninput x: f32[1]\n"), "net.hone:3:16: 'x' is defined twice");
  EXPECT_EQ(message("input x: f32[1]\ny = Foo(x) {a=[1,\"b\"]}\n"), "net.hone:3:22: a list holds one kind of value; write ints[], reals[] or texts[] when it is empty");
  EXPECT_EQ(message("name \"open\n"), "net.hone:2:6: the closing quote is missing");
  EXPECT_EQ(parse_graph("", "net.hone").error().text(), "net.hone: is empty; expected 'hone graph 1' on the first line");
  EXPECT_EQ(parse_graph("onnx", "net.hone").error().text(), "net.hone:1:1: not a graph text of version 1 (the first line is 'hone graph 1')");
}

TEST(GraphText, HugeContentsAreRefusedNotAllocated) {
  auto g = parse_graph("hone graph 1\nconstant c: f32[1000000000,1000000000] = hex \"00\"\n", "net.hone");
  ASSERT_FALSE(g.has_value());
  EXPECT_NE(g.error().message.find("expected 4000000000000000000 bytes"), std::string::npos) << g.error().text();
}

TEST(GraphText, ANodeMayGiveNothing) {
  const std::string text = "hone graph 1\nname \"g\"\ninput x: f32[2]\n() = vendor::Log(x)\noutput x\n";
  const auto graph = parse_graph(text, "g.hone");
  ASSERT_TRUE(graph) << graph.error().text();
  ASSERT_EQ(graph->nodes.size(), 1u);
  EXPECT_TRUE(graph->nodes[0].outputs.empty());
  const auto again = parse_graph(print(*graph), "g.hone");
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_TRUE(equal(*graph, *again));
}

}  // namespace
}  // namespace hone
