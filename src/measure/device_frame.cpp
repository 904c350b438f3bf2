#include "measure/device_frame.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/builder.h"
#include "ir/infer.h"

namespace hone {

namespace {

constexpr int64_t kImage = 3;  // channels that the frame begins with

// Maps (1, C, side, side) and tokens (1, N, C) of floats can be framed; what has as few channels as an image is one.
std::optional<Block> frame_for(const TensorType& t) {
  if (t.dtype != DType::f32 || !t.ranked || t.shape.empty() || t.shape[0] != 1) return std::nullopt;
  const Shape& s = t.shape;
  if (s.size() == 4 && s[2] == s[3] && s[1] > kImage && s[2] > 1) return Block{std::string(kFrameKind), {4, s[1], s[2]}};
  if (s.size() == 3 && s[2] > kImage) return Block{std::string(kFrameKind), {3, s[2], s[1]}};
  return std::nullopt;
}

ValueId begin(Builder& b, const Block& frame) {
  const int64_t channels = frame.sizes[1], length = frame.sizes[2];
  if (frame.sizes[0] == 4) return b.conv(b.input("x", DType::f32, {1, kImage, length, length}), "frame", conv_spec(channels, 1));
  return b.linear(b.input("x", DType::f32, {1, length, kImage}), "frame", channels);
}

ValueId end(Builder& b, ValueId v) {
  const Shape s = b.shape(v);
  if (s.size() == 4 && s[2] > 1) return b.global_avg_pool(v);
  if (s.size() == 3) return b.mean(v, {1});
  return v;
}

// Appends `part` to the builder's graph; its names get `prefix`.
ValueId append(Builder& b, const Graph& part, ValueId x, const std::string& prefix) {
  std::vector<ValueId> to(part.values.size(), kNoValue);
  to[part.inputs[0]] = x;
  Builder::Scope scope(b, prefix);
  for (ValueId v = 0; v < part.values.size(); ++v) {
    const Value& value = part.values[v];
    if (to[v] != kNoValue) continue;
    if (value.kind == ValueKind::parameter) to[v] = b.parameter(value.name, value.type.shape, value.init, value.type.dtype);
    if (value.kind == ValueKind::buffer && !value.data) to[v] = b.buffer(value.name, value.type.shape, value.init, value.type.dtype);
    if ((value.kind == ValueKind::constant || value.kind == ValueKind::buffer) && value.data) to[v] = b.constant(*value.data, value.name);
  }
  for (const Node& node : part.nodes) {
    std::vector<ValueId> inputs;
    for (const ValueId v : node.inputs) {
      inputs.push_back(v == kNoValue ? kNoValue : to[v]);
      if (v != kNoValue && to[v] == kNoValue) {
        b.fail(fmt::format("value {} of the block is made by nothing", part.values[v].name));
        return 0;
      }
    }
    const auto outputs = b.op_n(node.type, std::move(inputs), node.outputs.size(), node.attrs);
    if (b.failed()) return 0;
    for (size_t i = 0; i < node.outputs.size(); ++i)
      if (node.outputs[i] != kNoValue) to[node.outputs[i]] = outputs[i];
  }
  return to[part.outputs[0]];
}

}  // namespace

Result<Framed> in_frame(const Graph& part) {
  const std::optional<Block> frame = part.inputs.size() == 1 && part.outputs.size() == 1 ? frame_for(part.value(part.inputs[0]).type) : std::nullopt;
  const bool image = part.inputs.size() == 1 && part.outputs.size() == 1 && part.value(part.inputs[0]).type.shape.size() == 4;
  if (!frame && !image) return Framed{part, 1, std::nullopt};
  Framed out;
  out.frame = frame;
  if (frame && part.value(part.inputs[0]).type == part.value(part.outputs[0]).type) out.repeats = kRepeats;
  Builder b(part.name);
  const TensorType& in = part.value(part.inputs[0]).type;
  ValueId v = frame ? begin(b, *frame) : b.input("x", in.dtype, in.shape);
  for (int64_t i = 0; i < out.repeats && !b.failed(); ++i) v = append(b, part, v, fmt::format("blocks.{}", i));
  if (!b.failed()) b.output(end(b, v));
  HONE_TRY_ASSIGN(out.graph, b.finish());
  return out;
}

Result<Graph> frame_graph(const Block& frame) {
  if (frame.kind != kFrameKind || frame.sizes.size() != 3) return fail(Code::failed, "is no frame", print(frame));
  Builder b(print(frame));
  b.output(end(b, begin(b, frame)));
  return b.finish();
}

}  // namespace hone
