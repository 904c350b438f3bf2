// Walks the operator table: every operator has samples, and each sample verifies, infers its outputs, counts what it
// says, and survives its text form.
#include <gtest/gtest.h>

#include <algorithm>

#include "ir/infer.h"
#include "ir/op.h"
#include "ir/text.h"
#include "ir/verify.h"

namespace hone {
namespace {

struct Case {
  Graph graph;
  Bindings bindings;
};

Case build(const OpDef& def, const Sample& s) {
  Case c;
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
    if (i < s.contents.size() && s.contents[i]) c.bindings.contents[v.name] = *s.contents[i];
    const bool input = v.kind == ValueKind::input;
    const ValueId id = c.graph.add_value(std::move(v));
    if (input) c.graph.inputs.push_back(id);
    node.inputs.push_back(id);
  }
  for (size_t i = 0; i < s.outputs.size(); ++i) {
    Value v;
    v.name = "out" + std::to_string(i);
    const ValueId id = c.graph.add_value(std::move(v));
    node.outputs.push_back(id);
    c.graph.outputs.push_back(id);
  }
  c.graph.add_node(std::move(node));
  return c;
}

std::string text(const Counts& n) {
  std::string out;
  for (auto [name, sum] : std::initializer_list<std::pair<const char*, Int>>{
           {"macs_conv", n.macs_conv}, {"macs_linear", n.macs_linear}, {"macs_matmul", n.macs_matmul}, {"conv_bias", n.conv_bias_adds}, {"linear_bias", n.linear_bias_adds},
           {"acts_conv", n.acts_conv}, {"acts_linear", n.acts_linear}, {"acts_matmul", n.acts_matmul}, {"maxpool", n.maxpool_out}, {"bn", n.bn_elements}, {"ln", n.ln_elements}, {"gn", n.gn_elements},
           {"softmax", n.softmax_elements}, {"act", n.activation_elements}, {"pool", n.pool_inputs}, {"adaptive", n.adaptive_pool_inputs}})
    if (!(sum == Int(0))) out += std::string(name) + "=" + (sum.ok() ? std::to_string(sum.value()) : "overflow") + " ";
  return out;
}

TEST(Operators, AreSortedAndUnique) {
  for (size_t i = 1; i < all_ops().size(); ++i) EXPECT_LT(all_ops()[i - 1].name, all_ops()[i].name);
  EXPECT_EQ(find_op("Conv")->name, "Conv");
  EXPECT_EQ(find_op("Convolution"), nullptr);
}

TEST(Operators, EverySampleHolds) {
  for (const OpDef& def : all_ops()) {
    ASSERT_TRUE(def.infer) << def.name;
    ASSERT_TRUE(def.samples) << def.name << " has no samples";
    bool counted = false;
    for (const Sample& s : def.samples()) {
      SCOPED_TRACE(std::string(def.name) + ": " + s.label);
      Case c = build(def, s);
      const Status ok = verify(c.graph);
      ASSERT_TRUE(ok.has_value()) << ok.error().text();
      auto inferred = infer(c.graph, c.bindings, true);
      ASSERT_TRUE(inferred.has_value()) << inferred.error().text();
      const Graph& g = inferred->graph;
      for (size_t i = 0; i < s.outputs.size(); ++i) EXPECT_EQ(to_string(g.values[g.outputs[i]].type), to_string(s.outputs[i])) << "output " << i;
      auto back = parse_graph(print(g), "sample.hone");
      ASSERT_TRUE(back.has_value()) << back.error().text();
      EXPECT_TRUE(equal(g, *back));
      if (!s.counts) continue;
      counted = true;
      EXPECT_EQ(text(count_node(g, 0, from_parameters(g))), text(*s.counts));
    }
    EXPECT_TRUE(!def.cost || counted) << def.name << " counts something, but no sample says what";
  }
}

// Shape rules index their inputs: no rank, no attribute value and no contents may make them read past an end.
TEST(Operators, SurviveHostileRanksAndAttributes) {
  const std::vector<Shape> shapes{{}, {0}, {1}, {3}, {INT64_MAX}, {2, 0}, {2, 3}, {1, 2, 3}, {kUnknown, 2}, {1, 3, 5, 5}, {1, INT64_MAX, INT64_MAX, 4}, {1, 2, 3, 4, 5}};
  const std::vector<int64_t> values{0, -1, 1, 2, 7, INT64_MIN + 1, INT64_MAX};
  size_t runs = 0;
  for (const OpDef& def : all_ops())
    for (const Sample& base : def.samples())
      for (const Shape& shape : shapes)
        for (size_t which = 0; which <= base.inputs.size(); ++which) {
          Sample s = base;
          if (which < s.inputs.size()) {
            if (s.inputs[which].dtype == DType::undefined) continue;
            s.inputs[which].shape = shape;
          }
          for (const int64_t v : values) {
            for (const AttrSpec& a : def.attrs) {
              if (a.kind == AttrKind::integer && a.name != "to") s.attrs.set(std::string(a.name), v);
              if (a.kind == AttrKind::integers) s.attrs.set(std::string(a.name), std::vector<int64_t>(static_cast<size_t>(runs % 5), v));
            }
            for (auto& k : s.contents)
              if (k && !k->is_float()) std::ranges::fill(k->ints, v);
            Case c = build(def, s);
            auto inferred = infer(std::move(c.graph), c.bindings, true);
            if (inferred && is_static(s.inputs.empty() ? Shape{} : s.inputs[0].shape)) {
              bool counted = true;
              for (const Value& value : inferred->graph.values) counted = counted && value.type.ranked && is_static(value.type.shape);
              if (counted) count_node(inferred->graph, 0, from_parameters(inferred->graph));
            }
            ++runs;
          }
        }
  EXPECT_GT(runs, 10000u);
}

}  // namespace
}  // namespace hone
