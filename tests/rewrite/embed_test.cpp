#include "rewrite/embed.h"

#include <gtest/gtest.h>

#include "cost/profile.h"
#include "ir/verify.h"
#include "zoo/catalog.h"

namespace hone {
namespace {

Graph encoder(const std::string& net, Pool pool = Pool::max) {
  const auto network = open_network(net);
  EXPECT_TRUE(network) << net;
  auto graph = embedding_network(network->graph, pool);
  EXPECT_TRUE(graph) << net << ": " << graph.error().text();
  EXPECT_TRUE(verify(*graph)) << net;
  return *std::move(graph);
}

TEST(Embed, TrunksKeepTheirParameters) {
  // The figures that the paper prints for its teacher and student: the trunks, without an embedding layer.
  const Graph teacher = encoder("sketch/vgg16"), student = encoder("sketch/mobilenetv2");
  EXPECT_EQ(profile(teacher)->totals.params, 14714688);
  EXPECT_EQ(profile(student)->totals.params, 2223872);
  EXPECT_EQ(teacher.value(teacher.outputs[0]).type.shape, (Shape{1, 512}));
  EXPECT_EQ(student.value(student.outputs[0]).type.shape, (Shape{1, 1280}));
}

TEST(Embed, ClassifiersGo) {
  struct Row {
    const char* net;
    Shape shape;
  };
  for (const Row& r : {Row{"timm/resnet18", {1, 512}}, Row{"coral/mobilenetv2_100", {1, 1280}}, Row{"coral/mobilenetv1_025", {1, 256}}, Row{"timm/deit_tiny_patch16_224", {1, 192}},
                       Row{"timm/mobilenetv3_small_100", {1, 1024}}, Row{"torchvision/efficientnet_b0", {1, 1280}}, Row{"torchvision/vgg11", {1, 4096}}, Row{"elasticvit/S1", {1, 1984}}}) {
    const Graph g = encoder(r.net);
    EXPECT_EQ(g.value(g.outputs[0]).type.shape, r.shape) << r.net;
    EXPECT_EQ(g.find("classifier.weight"), kNoValue) << r.net;
    EXPECT_EQ(g.find("fc.weight"), kNoValue) << r.net;
    EXPECT_EQ(g.find("head.weight"), kNoValue) << r.net;
  }
  // The classifier's parameters leave with it, and nothing else does.
  const auto with = profile(open_network("timm/resnet18")->graph), without = profile(encoder("timm/resnet18"));
  EXPECT_EQ(with->totals.params - without->totals.params, 512 * 1000 + 1000);
}

TEST(Embed, TheAskedPoolReplacesTheNetworksOwn) {
  for (Pool pool : {Pool::max, Pool::average}) {
    const Graph g = encoder("timm/resnet18", pool);
    int pools = 0;
    for (const Node& n : g.nodes) {
      EXPECT_NE(n.type, pool == Pool::max ? "GlobalAveragePool" : "GlobalMaxPool");
      pools += n.type == (pool == Pool::max ? "GlobalMaxPool" : "GlobalAveragePool");
    }
    EXPECT_EQ(pools, 1);
  }
}

}  // namespace
}  // namespace hone
