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

// What reads a value, by going from the last node to the first.
struct Uses {
  std::vector<Use> use;
  // Some use other than Add, Mul and Concat, which make a value of one element no parameter: they say nothing of scalars.
  std::vector<bool> operand;
};

// Marks values that depend on no input of the graph.
std::vector<bool> fixed_values(const Graph& graph) {
  std::vector<bool> fixed(graph.values.size());
  for (ValueId v = 0; v < graph.values.size(); ++v) fixed[v] = graph.values[v].kind != ValueKind::input && graph.values[v].kind != ValueKind::node;
  for (const Node& node : graph.nodes) {
    const bool all = std::ranges::all_of(node.inputs, [&](ValueId v) { return v == kNoValue || fixed[v]; });
    for (ValueId v : node.outputs)
      if (v != kNoValue) fixed[v] = all;
  }
  return fixed;
}

Uses uses(const Graph& graph) {
  const std::vector<bool> fixed = fixed_values(graph);
  Uses u{std::vector<Use>(graph.values.size(), Use::none), std::vector<bool>(graph.values.size(), false)};
  const auto mark = [&](ValueId v, Use use, bool operand) {
    if (v == kNoValue) return;
    u.use[v] = std::max(u.use[v], use);
    if (operand) u.operand[v] = true;
  };
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    // A small network that runs on a stored table (Swin v2's position bias): the table is its data, not its weight.
    const bool on_table = node.type == "MatMul" && std::ranges::all_of(node.inputs, [&](ValueId v) { return v != kNoValue && fixed[v]; });
    if (const Weights* w = find_weights(node.type)) {
      for (size_t i = on_table ? 1 : 0; i < node.inputs.size(); ++i) {
        const bool in_mask = i < 32;
        if (w->parameters == kAll || (in_mask && (w->parameters >> i & 1))) mark(node.inputs[i], Use::parameter, true);
        else if (in_mask && (w->buffers >> i & 1)) mark(node.inputs[i], Use::buffer, false);
      }
    } else if (contains(kOperands, node.type)) {
      for (ValueId v : node.inputs) mark(v, Use::parameter, false);
    }
    for (ValueId v : node.outputs) {
      if (v == kNoValue || node.inputs.empty()) continue;
      if (contains(kLayout, node.type)) mark(node.inputs[0], u.use[v], u.operand[v]);
      // Weights computed from weights (standardised ones, the exponential of a scale) make their sources parameters.
      else if (fixed[v] && u.use[v] == Use::parameter && node.type != "Shape" && node.type != "Size")
        for (size_t i = on_table ? 1 : 0; i < node.inputs.size(); ++i) mark(node.inputs[i], Use::parameter, false);
    }
  }
  return u;
}

ValueKind kind_of(const Value& v, Use use, bool weight_operand) {
  if (use == Use::buffer) return ValueKind::buffer;
  if (use == Use::parameter && is_float(v.type.dtype) && (weight_operand || many_elements(v.type))) return ValueKind::parameter;
  return ValueKind::constant;
}

// Some published files hold no weights but ConstantOfShape nodes in their place (onnx's "light" networks).
void described_weights(Graph& graph, const Uses& uses) {
  const auto& [use, operand] = uses;
  std::vector<Node> kept;
  std::vector<bool> is_output(graph.values.size(), false);
  for (ValueId v : graph.outputs) is_output[v] = true;
  bool any = false;
  for (const Node& node : graph.nodes) {
    const ValueId out = node.outputs.size() == 1 ? node.outputs[0] : kNoValue;
    const ValueId in = node.inputs.size() == 1 ? node.inputs[0] : kNoValue;
    if (node.type == "ConstantOfShape" && out != kNoValue && in != kNoValue && use[out] != Use::none && graph.values[in].kind == ValueKind::constant && graph.values[in].data && !is_output[out]) {
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
  const Uses u = uses(graph);
  for (ValueId id : initializers) graph.values[id].kind = kind_of(graph.values[id], u.use[id], u.operand[id]);
  described_weights(graph, u);
}

}  // namespace hone::onnx
