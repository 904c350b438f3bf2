#include "formats/onnx_parameters.h"

#include <algorithm>
#include <string_view>

#include "ir/op.h"

namespace hone::onnx {

namespace {

enum class Use : uint8_t { none, buffer, parameter };  // the strongest use of a value wins

// Operands that are weights wherever they come from: bit i for input i.
struct Weights {
  std::string_view type;
  uint32_t parameters;
  uint32_t buffers = 0;
};
constexpr uint32_t kAll = ~0u;

constexpr Weights kWeights[] = {
    {"Conv", 0b110},
    {"ConvTranspose", 0b110},
    {"DeformConv", 0b1010},
    {"Gemm", 0b111},
    {"MatMul", 0b11},
    {"Einsum", kAll},
    {"hone::Linear", 0b110},
    {"GRU", 0b1110},
    {"LSTM", 0b1110},
    {"RNN", 0b1110},
    {"BatchNormalization", 0b00110, 0b11000},
    {"LayerNormalization", 0b110},
    {"GroupNormalization", 0b110},
    {"InstanceNormalization", 0b110},
    {"RMSNormalization", 0b10},
    {"PRelu", 0b10},
    {"Gather", 0b1},
};

// Operands that are parameters when they have more than one element.
constexpr std::string_view kOperands[] = {"Add", "Mul", "Concat"};

// Operators that pass their first input on in another layout, type or size.
constexpr std::string_view kLayout[] = {"Transpose", "Reshape", "Expand", "Unsqueeze", "Squeeze", "Flatten", "Cast", "CastLike", "Identity", "DequantizeLinear", "Slice", "Split"};

const Weights* find_weights(std::string_view type) {
  const auto* row = std::ranges::find(kWeights, type, &Weights::type);
  return row == std::end(kWeights) ? nullptr : row;
}

template <size_t N>
bool contains(const std::string_view (&list)[N], std::string_view type) {
  return std::ranges::find(list, type) != std::end(list);
}

bool many_elements(const TensorType& t) {
  const auto n = element_count(t.shape);
  return n && *n > 1;
}

// How each value is used, by going from the last node to the first.
std::vector<Use> uses(const Graph& graph) {
  std::vector<Use> use(graph.values.size(), Use::none);
  const auto mark = [&](ValueId v, Use u) {
    if (v != kNoValue) use[v] = std::max(use[v], u);
  };
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    if (const Weights* w = find_weights(node.type)) {
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        const bool in_mask = i < 32;
        if (w->parameters == kAll || (in_mask && (w->parameters >> i & 1))) mark(node.inputs[i], Use::parameter);
        else if (in_mask && (w->buffers >> i & 1)) mark(node.inputs[i], Use::buffer);
      }
    } else if (contains(kOperands, node.type)) {
      for (ValueId v : node.inputs) mark(v, Use::parameter);
    } else if (contains(kLayout, node.type) && !node.inputs.empty()) {
      for (ValueId v : node.outputs)
        if (v != kNoValue) mark(node.inputs[0], use[v]);
    }
  }
  return use;
}

// Whether some use other than Add, Mul and Concat makes a value of one element a weight: those say nothing of scalars.
std::vector<bool> weight_operands(const Graph& graph) {
  std::vector<bool> out(graph.values.size(), false);
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    if (const Weights* w = find_weights(node.type)) {
      for (size_t i = 0; i < node.inputs.size(); ++i)
        if (node.inputs[i] != kNoValue && (w->parameters == kAll || (i < 32 && (w->parameters >> i & 1)))) out[node.inputs[i]] = true;
    } else if (contains(kLayout, node.type) && !node.inputs.empty() && node.inputs[0] != kNoValue) {
      for (ValueId v : node.outputs)
        if (v != kNoValue && out[v]) out[node.inputs[0]] = true;
    }
  }
  return out;
}

ValueKind kind_of(const Value& v, Use use, bool weight_operand) {
  if (use == Use::buffer) return ValueKind::buffer;
  if (use == Use::parameter && is_float(v.type.dtype) && (weight_operand || many_elements(v.type))) return ValueKind::parameter;
  return ValueKind::constant;
}

// Some published files hold no weights but ConstantOfShape nodes in their place (onnx's "light" networks).
void described_weights(Graph& graph, const std::vector<Use>& use, const std::vector<bool>& operand) {
  std::vector<Node> kept;
  bool any = false;
  for (const Node& node : graph.nodes) {
    const ValueId out = node.outputs.size() == 1 ? node.outputs[0] : kNoValue;
    const ValueId in = node.inputs.size() == 1 ? node.inputs[0] : kNoValue;
    if (node.type == "ConstantOfShape" && out != kNoValue && in != kNoValue && use[out] != Use::none && graph.values[in].kind == ValueKind::constant && graph.values[in].data &&
        std::ranges::find(graph.outputs, out) == graph.outputs.end()) {
      const Attr* a = node.attrs.find("value");
      const TensorPtr* value = a ? std::get_if<TensorPtr>(a) : nullptr;
      const auto shape = to_ints(*graph.values[in].data);
      const auto fill = value && *value ? to_doubles(**value) : std::vector<double>{0.};
      const DType dtype = value && *value ? (*value)->dtype : DType::f32;
      if (shape && fill && fill->size() == 1 && is_float(dtype) && std::ranges::all_of(*shape, [](int64_t d) { return d >= 0; }) && element_count(*shape)) {
        Value v = graph.values[out];
        v.type = TensorType(dtype, *shape);
        v.kind = kind_of(v, use[out], operand[out]);
        if (v.kind != ValueKind::constant) {
          v.producer = kNoNode;
          v.init = {Init::Kind::constant, static_cast<float>((*fill)[0])};
          graph.values[out] = std::move(v);
          any = true;
          continue;
        }
      }
    }
    kept.push_back(node);
  }
  if (!any) return;
  graph.nodes.clear();
  for (Node& node : kept) graph.add_node(std::move(node));
}

}  // namespace

void classify_initializers(Graph& graph, const std::vector<ValueId>& initializers) {
  const std::vector<Use> use = uses(graph);
  const std::vector<bool> operand = weight_operands(graph);
  for (ValueId id : initializers) {
    Value& v = graph.values[id];
    v.kind = kind_of(v, use[id], operand[id]);
    if (v.kind == ValueKind::constant && !v.data) v.kind = ValueKind::buffer;
  }
  described_weights(graph, use, operand);
}

}  // namespace hone::onnx
