#include "formats/checkpoint.h"

#include <gtest/gtest.h>

#include "ir/text.h"

namespace hone {
namespace {

Graph net() {
  return *parse_graph("hone graph 1\ninput x: f32[1,3]\nparameter fc.weight: f32[4,3]\nparameter fc.bias: f32[4]\nbuffer fc.num_batches_tracked: i64[]\ny = Foo(x, fc.weight, fc.bias)\noutput y\n", "net.hone");
}
Tensor f32(Shape s) {
  Tensor t;
  t.dtype = DType::f32;
  t.shape = std::move(s);
  return t;
}
Tensor counter() {
  return Tensor::scalar(int64_t{7});
}
std::string names(const Renamed& r) {
  std::string out;
  for (const auto& [name, t] : r.tensors) out += name + " ";
  return out;
}

TEST(Checkpoint, OwnNamesStay) {
  const Renamed r = to_names_of(net(), {{"fc.weight", f32({4, 3})}, {"fc.bias", f32({4})}});
  EXPECT_EQ(r.how, "");
  EXPECT_EQ(names(r), "fc.weight fc.bias ");
}

TEST(Checkpoint, ACommonPrefixGoes) {
  const Renamed r = to_names_of(net(), {{"module.fc.weight", f32({4, 3})}, {"module.fc.bias", f32({4})}});
  EXPECT_EQ(names(r), "fc.weight fc.bias ");
  EXPECT_EQ(r.how, "the prefix 'module.' of every tensor was dropped");
}

TEST(Checkpoint, AnotherLibrarysNamesByOrderAndShape) {
  const Renamed r = to_names_of(net(), {{"head.w", f32({4, 3})}, {"bn.num_batches_tracked", counter()}, {"head.b", f32({4})}});
  EXPECT_EQ(names(r), "fc.weight bn.num_batches_tracked fc.bias ");
  EXPECT_EQ(r.how, "the names are another library's: 2 tensors were matched by order and shape");
}

TEST(Checkpoint, AnotherOrderOrNumberIsLeftAlone) {
  EXPECT_EQ(names(to_names_of(net(), {{"b", f32({4})}, {"w", f32({4, 3})}})), "b w ");
  EXPECT_EQ(names(to_names_of(net(), {{"w", f32({4, 3})}})), "w ");
}

TEST(Checkpoint, AModulesOwnTensorMayStandElsewhere) {
  const Graph levit = *parse_graph("hone graph 1\ninput x: f32[1,3]\nparameter attn.qkv.linear.weight: f32[4,3]\nparameter attn.attention_biases: f32[4]\nparameter head.bias: f32[4]\ny = Foo(x, attn.qkv.linear.weight, attn.attention_biases, head.bias)\noutput y\n", "net.hone");
  EXPECT_EQ(names(to_names_of(levit, {{"m.attention_biases", f32({4})}, {"m.attention_bias_idxs", counter()}, {"m.qkv.c.weight", f32({4, 3})}, {"l.bias", f32({4})}})),
            "attn.attention_biases m.attention_bias_idxs attn.qkv.linear.weight head.bias ");
  EXPECT_EQ(names(to_names_of(levit, {{"m.attention_biases", f32({4})}, {"m.qkv.c.weight", f32({4, 3})}, {"l.beta", f32({4})}})), "m.attention_biases m.qkv.c.weight l.beta ");
}

TEST(Checkpoint, ReadsTorchFilesByTheirFirstBytes) {
  auto c = read_checkpoint(HONE_SOURCE_DIR "/tests/formats/data/module.pth");
  ASSERT_TRUE(c.has_value()) << c.error().text();
  EXPECT_EQ(c->size(), 2u);
  EXPECT_FALSE(read_checkpoint(HONE_SOURCE_DIR "/tests/formats/data/README.md").has_value());
}

}  // namespace
}  // namespace hone
