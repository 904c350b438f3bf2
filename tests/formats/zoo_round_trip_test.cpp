// Every network of the zoo of at most 30 million parameters, as ONNX and back: the costs are the same to the integer.
#include <gtest/gtest.h>

#include <cstdlib>

#include "cost/profile.h"
#include "formats/onnx_read.h"
#include "formats/onnx_write.h"
#include "ir/infer.h"
#include "ir/recognise.h"
#include "zoo/catalog.h"

namespace hone {
namespace {

constexpr int64_t kMostParameters = 30'000'000;

// Zeros that all tensors share: contents are of no consequence here, only their sizes.
Bytes zeros(size_t size) {
  static const auto* pool = static_cast<const std::byte*>(std::calloc(4 * kMostParameters, 1));
  return {nullptr, pool, size};
}

TEST(ZooRoundTrip, CostsSurviveOnnx) {
  int networks = 0;
  for (const Arch& arch : catalog()) {
    SCOPED_TRACE(arch.name);
    auto graph = build(arch);
    ASSERT_TRUE(graph) << graph.error().text();
    const auto before = profile(*graph);
    ASSERT_TRUE(before) << before.error().text();
    if (before->totals.params > kMostParameters) continue;
    int64_t unread = 0;  // an auxiliary head is in the state dict, but not in the file
    const std::vector<int> read = readers(*graph);
    for (ValueId id : graph->state()) {
      Value& value = graph->values[id];
      const auto elements = element_count(value.type.shape);
      value.data = std::make_shared<const Tensor>(Tensor{value.type.dtype, value.type.shape, zeros(static_cast<size_t>(*byte_size(value.type.dtype, *elements))), {}});
      if (read[id] == 0 && value.kind == ValueKind::parameter) unread += *elements;
    }
    const auto message = onnx_message(*graph, 17);
    ASSERT_TRUE(message) << message.error().text();
    auto back = read_onnx_bytes(*message, nullptr, "round trip");
    ASSERT_TRUE(back) << back.error().text();
    const auto typed = infer(std::move(*back));
    ASSERT_TRUE(typed) << typed.error().text();
    const auto after = profile(recognise(typed->graph));  // as hone profile reads files
    ASSERT_TRUE(after) << after.error().text();
    const Totals &a = before->totals, &b = after->totals;
    EXPECT_EQ(a.macs_conv, b.macs_conv);
    EXPECT_EQ(a.macs_linear, b.macs_linear);
    EXPECT_EQ(a.macs_matmul, b.macs_matmul);
    EXPECT_EQ(a.params - unread, b.params);
    EXPECT_EQ(a.acts, b.acts);
    EXPECT_EQ(a.conv_bias_adds, b.conv_bias_adds);
    EXPECT_EQ(a.linear_bias_adds, b.linear_bias_adds);
    EXPECT_EQ(a.bn_elements, b.bn_elements);
    EXPECT_EQ(a.ln_elements, b.ln_elements);
    EXPECT_EQ(a.softmax_elements, b.softmax_elements);
    EXPECT_EQ(a.maxpool_out, b.maxpool_out);
    EXPECT_EQ(a.activation_elements, b.activation_elements);
    EXPECT_EQ(after->unknown.size(), 0u);
    ++networks;
  }
  EXPECT_GE(networks, 150);
}

}  // namespace
}  // namespace hone
