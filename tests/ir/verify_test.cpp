#include "ir/verify.h"

#include <gtest/gtest.h>

#include "ir/text.h"

namespace hone {
namespace {

Graph chain() {
  return *parse_graph("hone graph 1\nname \"chain\"\ninput x: f32[1]\na = Foo(x)\nb = Foo(a)\noutput b\n", "chain.hone");
}

TEST(Verify, AcceptsATopologicalOrder) { EXPECT_TRUE(verify(chain()).has_value()); }

TEST(Verify, NamesTheNodeThatReadsTooEarly) {
  Graph g = chain();
  std::swap(g.nodes[0].inputs, g.nodes[1].inputs);
  const Status s = verify(g);
  ASSERT_FALSE(s.has_value());
  EXPECT_EQ(s.error().text(), "Foo (node 0): reads 'a' before it is produced");
}

TEST(Verify, RefusesTwoProducers) {
  Graph g = chain();
  g.nodes[1].outputs = g.nodes[0].outputs;
  EXPECT_EQ(verify(g).error().text(), "Foo (node 1): writes 'a', which has its contents already");
}

TEST(Verify, RefusesDanglingIds) {
  Graph g = chain();
  g.nodes[1].inputs[0] = 77;
  EXPECT_EQ(verify(g).error().text(), "Foo (node 1): reads a value that does not exist");
  g = chain();
  g.outputs.push_back(77);
  EXPECT_FALSE(verify(g).has_value());
}

TEST(Prune, DropsWhatNobodyReads) {
  Graph g = *parse_graph("hone graph 1\ninput x: f32[1]\nparameter w: f32[2]\nconstant c: i64[1] = [1]\na = Foo(x)\ndead = Foo(a, c)\noutput a\n", "g.hone");
  const Graph small = prune(g);
  EXPECT_EQ(small.nodes.size(), 1u);
  EXPECT_EQ(small.find("c"), kNoValue);
  EXPECT_NE(small.find("w"), kNoValue) << "the state dict stays";
  EXPECT_TRUE(verify(small).has_value());
}

}  // namespace
}  // namespace hone
