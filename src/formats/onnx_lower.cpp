#include "formats/onnx_lower.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "formats/onnx_lift.h"

namespace hone::onnx {

namespace {

const std::vector<Lower>& rules() {
  static const std::vector<Lower> all = [] {
    std::vector<Lower> r = form_rules();
    for (const Lower& l : compose_rules()) r.push_back(l);
    // Newest first, so that each rule finds the node in the form of its version.
    std::ranges::stable_sort(r, [](const Lower& a, const Lower& b) { return a.type != b.type ? a.type < b.type : a.version > b.version; });
    return r;
  }();
  return all;
}

// Whether an attribute says what its absence says. A list is neutral when all its elements are the one given.
bool is_neutral(const Attr& value, const Attr& neutral) {
  const auto* list = std::get_if<std::vector<int64_t>>(&value);
  const auto* same = std::get_if<std::vector<int64_t>>(&neutral);
  if (list && same) return std::ranges::all_of(*list, [&](int64_t v) { return !same->empty() && v == (*same)[0]; });
  return equal(value, neutral);
}

std::string describe(const Graph& graph, const Node& n) {
  if (!n.name.empty()) return fmt::format("{} '{}'", n.type, n.name);
  return n.outputs.empty() || n.outputs[0] == kNoValue ? n.type : fmt::format("{} '{}'", n.type, graph.values[n.outputs[0]].name);
}

// Up to opset 10 axes count from the front only.
void count_axes_from_front(Node& n, const Graph& graph) {
  const ValueId of = n.type == "Unsqueeze" ? n.outputs[0] : n.inputs.empty() ? kNoValue : n.inputs[0];
  if (of == kNoValue || !graph.values[of].type.ranked) return;
  const auto rank = static_cast<int64_t>(graph.values[of].type.shape.size());
  if (int64_t axis = n.attrs.integer("axis", 0); axis < 0) n.attrs.set("axis", axis + rank);
  if (std::vector<int64_t> axes = n.attrs.integers("axes"); std::ranges::any_of(axes, [](int64_t a) { return a < 0; })) {
    for (int64_t& a : axes) a += a < 0 ? rank : 0;
    n.attrs.set("axes", std::move(axes));
  }
}

}  // namespace

Lowering::Lowering(const Graph& graph, int64_t version) : opset(version), graph_(graph), readers_(readers(graph)) {
  source_ = std::move(graph_.nodes);
  graph_.nodes.clear();
  for (Value& v : graph_.values) v.producer = kNoNode;
}

const Tensor* Lowering::constant_input(size_t i) const {
  if (!has_input(i)) return nullptr;
  const Value& v = graph_.values[node.inputs[i]];
  return v.kind == ValueKind::constant && v.data && v.data->has_data() ? v.data.get() : nullptr;
}

void Lowering::set_input(size_t i, ValueId v) {
  if (node.inputs.size() <= i) node.inputs.resize(i + 1, kNoValue);
  node.inputs[i] = v;
}

std::string Lowering::new_name(std::string_view what) const {
  return graph_.unique_name(fmt::format("{}/{}", node.outputs[0] == kNoValue ? node.type : graph_.values[node.outputs[0]].name, what));
}

ValueId Lowering::constant(Tensor tensor, std::string_view what) {
  Value v;
  v.name = new_name(what);
  v.kind = ValueKind::constant;
  v.type = TensorType(tensor.dtype, tensor.shape);
  v.data = std::make_shared<const Tensor>(std::move(tensor));
  return graph_.add_value(std::move(v));
}

ValueId Lowering::scalar(float value, std::string_view what) { return constant(real_scalar(input_type(0).dtype, value), what); }

Result<ValueId> Lowering::emit(std::string_view type, std::vector<ValueId> inputs, Attrs attrs, std::string_view what, TensorType made) {
  Value v;
  v.name = new_name(what);
  v.type = std::move(made);
  const ValueId out = graph_.add_value(std::move(v));
  Node n;
  n.type = type;
  n.name = graph_.values[out].name;
  n.module = node.module;
  n.inputs = std::move(inputs);
  n.outputs = {out};
  n.attrs = std::move(attrs);
  HONE_TRY(add(std::move(n)));
  return out;
}

void Lowering::become(std::string_view type, std::vector<ValueId> inputs, Attrs attrs) {
  node.type = type;
  node.inputs = std::move(inputs);
  node.attrs = std::move(attrs);
  node.outputs.resize(1);
}

ValueId Lowering::transposed_parameter(ValueId v) {
  const Value& old = graph_.values[v];
  const bool stored = old.kind == ValueKind::parameter || old.kind == ValueKind::buffer || old.kind == ValueKind::constant;
  if (!stored || readers_[v] != 1 || !old.data || !old.data->has_data() || old.type.shape.size() != 2 || bits(old.type.dtype) < 8) return kNoValue;
  const auto rows = static_cast<size_t>(old.type.shape[0]), columns = static_cast<size_t>(old.type.shape[1]), width = static_cast<size_t>(bits(old.type.dtype)) / 8;
  auto bytes = std::make_shared<std::vector<std::byte>>(old.data->bytes.size);
  if (bytes->size() != rows * columns * width) return kNoValue;
  for (size_t r = 0; r < rows; ++r)
    for (size_t c = 0; c < columns; ++c) std::memcpy(bytes->data() + (c * rows + r) * width, old.data->bytes.data + (r * columns + c) * width, width);
  Tensor t;
  t.dtype = old.type.dtype;
  t.shape = {old.type.shape[1], old.type.shape[0]};
  t.bytes = {bytes, bytes->data(), bytes->size()};
  Value turned = old;
  turned.name = graph_.unique_name(old.name + ".transposed");
  turned.type.shape = t.shape;
  turned.data = std::make_shared<const Tensor>(std::move(t));
  return graph_.add_value(std::move(turned));
}

tl::unexpected<Error> Lowering::needs(int64_t version, std::string_view what) const {
  return fail(Code::unsupported, fmt::format("{} needs opset {}; {} was asked for", what, version, opset), describe(graph_, node), fmt::format("--opset {} or newer", version));
}

Status Lowering::check_attributes() const {
  for (const AttributeSince& a : attributes_since()) {
    const Attr* value = a.type == node.type && opset < a.version ? node.attrs.find(a.attribute) : nullptr;
    if (value && !is_neutral(*value, a.neutral)) return needs(a.version, fmt::format("its attribute '{}'", a.attribute));
  }
  return {};
}

// The first operand whose element type a row does not allow; kNoValue when all are.
ValueId Lowering::refused_operand(const OperandTypes& row) const {
  const auto refused = [&](const std::vector<ValueId>& operands, size_t from, size_t count) {
    for (size_t i = 0; i < operands.size() && count > 0; ++i) {
      if (operands[i] == kNoValue) continue;
      const uint32_t mask = row.masks[from + std::min(i, count - 1)];
      const DType type = graph_.values[operands[i]].type.dtype;
      if (type != DType::undefined && mask != 0 && !(mask >> static_cast<int>(type) & 1)) return operands[i];
    }
    return kNoValue;
  };
  const ValueId input = refused(node.inputs, 0, row.inputs);
  return input != kNoValue ? input : refused(node.outputs, row.inputs, row.outputs);
}

Status Lowering::check_types() const {
  ValueId operand = kNoValue;
  for (const OperandTypes& row : operand_types(node.type)) {
    const ValueId refused = refused_operand(row);
    if (row.version <= opset) operand = refused;
    else if (operand != kNoValue && refused == kNoValue) return needs(row.version, fmt::format("its operand of {}", name(graph_.values[operand].type.dtype)));
  }
  if (operand == kNoValue) return {};
  return fail(Code::unsupported, fmt::format("ONNX has no {} of {} in any opset that hone writes", node.type, name(graph_.values[operand].type.dtype)), describe(graph_, node));
}

// Lowers `added` and appends it, after the nodes that its rules emit.
Status Lowering::add(Node added) {
  if (depth_ > 8) return fail(Code::failed, "lowering does not end", added.type);
  std::swap(node, added);  // `added` keeps the caller's node until the end
  ++depth_;
  // A rule may turn the node into another operator, which then gets that operator's rules.
  for (bool again = true; again;) {
    again = false;
    const std::string type = node.type;
    for (const Lower& rule : rules()) {
      if (rule.type != type || opset >= rule.version) continue;
      HONE_TRY(rule.apply(*this));
      if (node.type != type) {
        again = true;
        break;
      }
    }
  }
  if (const int64_t since = operator_since(node.type); since > opset) return needs(since, "the operator");
  HONE_TRY(check_attributes());
  HONE_TRY(check_types());
  for (const AttributeSince& a : attributes_since())
    if (a.type == node.type && opset < a.version) node.attrs.erase(a.attribute);
  if (opset < 11) count_axes_from_front(node, graph_);
  while (!node.inputs.empty() && node.inputs.back() == kNoValue) node.inputs.pop_back();
  graph_.add_node(node);
  --depth_;
  std::swap(node, added);
  return {};
}

Result<Graph> Lowering::run() {
  for (Node& n : source_) {
    // Only recurrent layers need no first output: whoever wants the last state alone leaves it out.
    const bool optional = n.def && n.def->min_outputs == 0;
    if (n.outputs.empty() || (n.outputs[0] == kNoValue && !optional)) return fail(Code::invalid, "its first output is left out, which ONNX does not allow", describe(graph_, n));
    HONE_TRY(add(std::move(n)));
  }
  return std::move(graph_);
}

Result<Graph> lower(const Graph& graph, int64_t opset) { return Lowering(graph, opset).run(); }

}  // namespace hone::onnx
