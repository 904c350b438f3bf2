// Walks the operator table: every operator has samples, and each sample verifies, infers its outputs, counts what it
// says, and survives its text form.
#include <gtest/gtest.h>

#include <algorithm>

#include "ir/infer.h"
#include "ir/op.h"
#include "ir/sample_case.h"
#include "ir/text.h"
#include "ir/verify.h"

namespace hone {
namespace {

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

}  // namespace
}  // namespace hone
