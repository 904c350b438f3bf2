#include "zoo/catalog.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "cost/profile.h"
#include "ir/text.h"

namespace hone {
namespace {

std::string found(const std::string& name) {
  auto a = find_arch(name);
  return a ? a->name : a.error().text();
}
std::string temp_file(const std::string& name, const std::string& text) {
  const std::string path = (std::filesystem::temp_directory_path() / ("hone_catalog_test_" + name)).string();
  std::ofstream(path) << text;
  return path;
}

TEST(Catalog, NamesAreUniqueAndAliasesLead) {
  std::set<std::string> names;
  for (const Arch& a : catalog()) EXPECT_TRUE(names.insert(a.name).second) << a.name;
  for (const auto& [alias, target] : aliases()) {
    EXPECT_TRUE(names.insert(alias).second) << alias << " is taken";
    EXPECT_EQ(found(alias), target);
  }
}

TEST(Catalog, BareNamesAreTimmFirst) {
  EXPECT_EQ(found("timm/resnet50"), "timm/resnet50");
  EXPECT_EQ(found("resnet50"), "timm/resnet50");
  EXPECT_EQ(found("mobilenet_v2"), "torchvision/mobilenet_v2");
  EXPECT_EQ(found("RegNetX-200MF"), "pycls/RegNetX-200MF");
  EXPECT_EQ(found("ResNeXt-50"), "pycls/ResNeXt-50-32x4d");
  EXPECT_EQ(found("archive/cifar/anynet/V-56_nds_1gpu"), "pycls/V-56");
}

TEST(Catalog, TimmTagsNameWeights) {
  EXPECT_EQ(found("timm/resnet50.a1_in1k"), "timm/resnet50");
  EXPECT_EQ(found("resnet50.a1_in1k@288"), "timm/resnet50@288");
  EXPECT_EQ(found("pycls/RegNetX-3.2GF"), "pycls/RegNetX-3.2GF");
  EXPECT_EQ(find_arch("torchvision/resnet50.x").has_value(), false);
}

TEST(Catalog, Resolutions) {
  auto a = find_arch("timm/resnet50@288");
  ASSERT_TRUE(a);
  EXPECT_EQ(a->resolution, 288);
  EXPECT_EQ(a->name, "timm/resnet50@288");
  EXPECT_EQ(find_arch("pycls/ResNet-50@448")->test_resolution, 512);
  EXPECT_EQ(found("timm/resnet50@224"), "timm/resnet50");
  EXPECT_EQ(found("timm/resnet50@0"), "timm/resnet50@0: '@0' is no resolution (write a size in pixels, as in timm/resnet50@288)");
  EXPECT_EQ(found("timm/resnet50@"), "timm/resnet50@: '@' is no resolution (write a size in pixels, as in timm/resnet50@288)");
  EXPECT_EQ(found("timm/resnet50@2x"), "timm/resnet50@2x: '@2x' is no resolution (write a size in pixels, as in timm/resnet50@288)");
  EXPECT_EQ(found("timm/resnet50@99999"), "timm/resnet50@99999: resolution is 99999, expected 1 to 16384");
}

TEST(Catalog, UnknownNamesGetTheNearest) {
  auto a = find_arch("timm/resnet5O");
  ASSERT_FALSE(a);
  EXPECT_EQ(a.error().code, Code::usage);
  EXPECT_EQ(a.error().text().substr(0, 64), "unknown network 'timm/resnet5O' (nearest: timm/resnet50, timm/re");
  EXPECT_NE(find_arch("mobilenet2").error().hint.find("mobilenet_v2"), std::string::npos);
}

TEST(OpenNetwork, ReadsAnArch) {
  const std::string path = temp_file("a.toml", print_arch(*find_arch("pycls/R-56")));
  auto net = open_network(path);
  ASSERT_TRUE(net) << net.error().text();
  ASSERT_TRUE(net->arch);
  EXPECT_EQ(net->arch->name, "pycls/R-56");
  EXPECT_EQ(tensor_manifest(net->graph), tensor_manifest(open_network("pycls/R-56")->graph));
}

// Recipes write the size behind whatever they name.
TEST(OpenNetwork, BuildsAnArchAtAnotherSize) {
  const std::string path = temp_file("sized.toml", print_arch(find_arch("timm/resnet18").value()));
  const auto net = open_network(path + "@64");
  ASSERT_TRUE(net) << net.error().text();
  EXPECT_EQ(net->graph.value(net->graph.inputs[0]).type.shape, (Shape{1, 3, 64, 64}));
  EXPECT_EQ(profile(net->graph).value().totals.macs, profile(open_network("timm/resnet18@64")->graph).value().totals.macs);
  EXPECT_EQ(open_network(path + "@wide").error().code, Code::usage);
  EXPECT_NE(open_network("missing.toml@64").error().text().find("unknown network 'missing.toml'"), std::string::npos);
}

TEST(OpenNetwork, ReadsAGraph) {
  const Graph graph = open_network("pycls/R-56")->graph;
  auto net = open_network(temp_file("a.hone", print(graph)));
  ASSERT_TRUE(net) << net.error().text();
  EXPECT_FALSE(net->arch);
  EXPECT_TRUE(equal(net->graph, graph));
}

TEST(OpenNetwork, SaysWhatIsWrong) {
  EXPECT_EQ(open_network("missing.toml").error().text(), "missing.toml: no such file");
  EXPECT_EQ(open_network("nonet").error().code, Code::usage);
  const std::string path = temp_file("b.txt", "");
  EXPECT_EQ(open_network(path).error().text(), path + ": no kind of network file has this ending (endings: .onnx .toml .hone .json)");
  const std::string broken = temp_file("d.onnx", "not protobuf");
  auto onnx = open_network(broken);
  ASSERT_FALSE(onnx);
  EXPECT_NE(onnx.error().text().find(broken), std::string::npos) << onnx.error().text();
  const std::string bad = temp_file("c.toml", "nmae = 1\n");
  EXPECT_EQ(open_network(bad).error().where, bad + ":1:8");
}

}  // namespace
}  // namespace hone
