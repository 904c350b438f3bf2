#include "train/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "ir/graph.h"
#include "train/fuse.h"
#include "train/lower.h"

namespace hone::train {

namespace {

constexpr uint32_t kNone = 0;  // the slot that holds nothing
uint32_t slot(ValueId v) { return v == kNoValue ? kNone : v + 1; }

struct Instruction {
  NodeId node = kNoNode;          // for messages
  Frame::Binding binding;
  Step step;
  std::vector<uint32_t> release;  // slots that nobody reads afterwards
};

bool spatial(const at::Tensor& t) { return t.dim() == 4 && at::isFloatingType(t.scalar_type()); }

}  // namespace

struct Program::Impl {
  std::vector<Program::Slot> state;
  std::vector<std::string> inputs, outputs;
  std::vector<uint32_t> state_slots, input_slots, output_slots;
  std::vector<std::pair<uint32_t, at::Tensor>> constants;
  std::vector<Instruction> code;
  std::vector<std::string> node_names;                 // "Conv 'layer1.0.conv1'", by NodeId
  std::unordered_map<std::string, uint32_t> by_name;   // values that a run holds
  size_t slots = 1;
  bool channels_last = true;
};

namespace {

// Nodes as instructions in an order that respects data: a fused group stands where its last node stood.
Result<std::vector<Instruction>> instructions(const Graph& graph, const CompileOptions& options, const std::vector<at::Tensor>& constants) {
  std::vector<Fused> groups = options.fuse ? fuse(graph, options, constants) : std::vector<Fused>();
  std::vector<int> group_of(graph.nodes.size(), -1);
  for (size_t g = 0; g < groups.size(); ++g)
    for (const NodeId n : groups[g].nodes) {
      if (n >= graph.nodes.size() || group_of[n] >= 0) return fail(Code::failed, "fused groups overlap", graph.name);
      group_of[n] = static_cast<int>(g);
    }
  const auto bind = [](const std::vector<ValueId>& in, const std::vector<ValueId>& out) {
    Frame::Binding b;
    for (const ValueId v : in) b.inputs.push_back(slot(v));
    for (const ValueId v : out) b.outputs.push_back(slot(v));
    b.last.assign(in.size(), false);
    return b;
  };
  std::vector<Instruction> code;
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    if (const int g = group_of[n]; g >= 0) {
      Fused& group = groups[static_cast<size_t>(g)];
      if (n == *std::ranges::max_element(group.nodes)) code.push_back({n, bind(group.inputs, group.outputs), std::move(group.step), {}});
      continue;
    }
    const LoweringDef* def = find_lowering(node.type);
    if (!def || !def->lower) return fail(Code::unsupported, fmt::format("{}: {}", node.type, def ? def->why_not : "hone has no lowering for it"), node.name);
    const Lowering context(graph, n, options, constants);
    try {
      HONE_TRY_ASSIGN(Step step, def->lower(context));
      std::vector<ValueId> reads = node.inputs;
      reads.insert(reads.end(), context.extra().begin(), context.extra().end());
      code.push_back({n, bind(reads, node.outputs), std::move(step), {}});
    } catch (const c10::Error& e) {
      return fail(Code::invalid, fmt::format("{}: {}", node.type, e.what_without_backtrace()), node.name);
    }
  }
  return code;
}

// Marks the last reader of every value that a node made; values that are never read go at once.
void plan_releases(std::vector<Instruction>& code, const Graph& graph) {
  std::vector<bool> made(graph.values.size() + 1, false), seen(graph.values.size() + 1, false);
  for (ValueId v = 0; v < graph.values.size(); ++v) made[slot(v)] = graph.values[v].kind == ValueKind::node;
  for (const ValueId v : graph.outputs) seen[slot(v)] = true;
  for (auto i = code.rbegin(); i != code.rend(); ++i) {
    for (size_t k = 0; k < i->binding.inputs.size(); ++k) {
      const uint32_t s = i->binding.inputs[k];
      if (!made[s] || seen[s]) continue;
      seen[s] = true;
      i->release.push_back(s);
      i->binding.last[k] = std::ranges::count(i->binding.inputs, s) == 1;
    }
    for (const uint32_t s : i->binding.outputs)
      if (s != kNone && !seen[s]) {
        seen[s] = true;
        i->release.push_back(s);
      }
  }
}

}  // namespace

Result<Program> Program::compile(const Graph& graph, const CompileOptions& options) {
  auto impl = std::make_shared<Impl>();
  impl->slots = graph.values.size() + 1;
  impl->channels_last = options.channels_last;
  std::vector<at::Tensor> constants(graph.values.size());
  for (ValueId v = 0; v < graph.values.size(); ++v) {
    const Value& value = graph.values[v];
    if (value.kind == ValueKind::constant) {
      if (!value.data) return fail(Code::invalid, "a constant has no contents", value.name);
      auto tensor = to_torch(*value.data);
      if (!tensor) return fail(tensor.error().code, tensor.error().message, value.name);
      constants[v] = *tensor;
      impl->constants.emplace_back(slot(v), std::move(*tensor));
    }
    if (value.kind != ValueKind::node) impl->by_name.emplace(value.name, slot(v));
  }
  for (const ValueId v : graph.state()) {
    const Value& value = graph.value(v);
    const auto type = scalar_type(value.type.dtype);
    if (!type) return fail(Code::unsupported, fmt::format("libtorch has no element type {}", hone::name(value.type.dtype)), value.name);
    if (!value.type.ranked || !is_static(value.type.shape)) return fail(Code::invalid, "a parameter's shape is not known", value.name);
    impl->state.push_back({value.name, value.type.shape, *type, value.kind == ValueKind::buffer});
    impl->state_slots.push_back(slot(v));
  }
  for (const ValueId v : graph.inputs) {
    impl->inputs.push_back(graph.value(v).name);
    impl->input_slots.push_back(slot(v));
  }
  for (const ValueId v : graph.outputs) {
    impl->outputs.push_back(graph.value(v).name);
    impl->output_slots.push_back(slot(v));
  }
  HONE_TRY_ASSIGN(impl->code, instructions(graph, options, constants));
  std::vector<bool> ready(impl->slots, false);
  for (ValueId v = 0; v < graph.values.size(); ++v) ready[slot(v)] = graph.values[v].kind != ValueKind::node;
  ready[kNone] = true;
  for (const Instruction& i : impl->code) {
    for (const uint32_t s : i.binding.inputs)
      if (!ready[s]) return fail(Code::failed, fmt::format("'{}' is read before it is made", graph.value(s - 1).name), graph.nodes[i.node].name);
    for (const uint32_t s : i.binding.outputs) {
      ready[s] = true;
      if (s != kNone) impl->by_name.emplace(graph.value(s - 1).name, s);
    }
  }
  plan_releases(impl->code, graph);
  for (const Node& node : graph.nodes) impl->node_names.push_back(fmt::format("{} '{}'", node.type, node.name));
  Program out;
  out.impl_ = std::move(impl);
  return out;
}

const std::vector<Program::Slot>& Program::state() const { return impl_->state; }
const std::vector<std::string>& Program::inputs() const { return impl_->inputs; }
const std::vector<std::string>& Program::outputs() const { return impl_->outputs; }
bool Program::holds(const std::string& value) const { return impl_->by_name.contains(value); }

Result<std::vector<at::Tensor>> Program::run(const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& state, const RunOptions& options) const {
  return execute(impl_->output_slots, false, inputs, state, options);
}

Result<std::vector<at::Tensor>> Program::run_to(const std::vector<std::string>& values, const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& state,
                                                const RunOptions& options) const {
  std::vector<uint32_t> wanted;
  for (const std::string& v : values) {
    const auto it = impl_->by_name.find(v);
    if (it == impl_->by_name.end()) return fail(Code::not_found, fmt::format("no value '{}' in the program", v), {}, "values inside fused groups exist only with CompileOptions::fuse off");
    wanted.push_back(it->second);
  }
  return execute(wanted, true, inputs, state, options);
}

// `keep`: `wanted` holds values that the release plan does not know of.
Result<std::vector<at::Tensor>> Program::execute(const std::vector<uint32_t>& wanted, bool keep, const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& state,
                                                 const RunOptions& options) const {
  const Impl& p = *impl_;
  if (inputs.size() != p.input_slots.size()) return fail(Code::invalid, fmt::format("{} inputs given, the network has {}", inputs.size(), p.input_slots.size()));
  if (state.size() != p.state.size()) return fail(Code::invalid, fmt::format("{} state tensors given, the network has {}", state.size(), p.state.size()));
  NodeId node = kNoNode;
  try {
    Frame frame(std::vector<at::Tensor>(p.slots), options);
    for (size_t i = 0; i < inputs.size(); ++i)
      frame.slots_[p.input_slots[i]] = p.channels_last && inputs[i].defined() && spatial(inputs[i]) ? inputs[i].contiguous(at::MemoryFormat::ChannelsLast) : inputs[i];
    for (size_t i = 0; i < state.size(); ++i) frame.slots_[p.state_slots[i]] = state[i];
    const at::Device device = !state.empty() ? state[0].device() : !inputs.empty() && inputs[0].defined() ? inputs[0].device() : at::Device(at::kCPU);
    for (const auto& [s, t] : p.constants) frame.slots_[s] = device.is_cpu() || t.dim() == 0 || !at::isFloatingType(t.scalar_type()) ? t : t.to(device);
    std::vector<at::Tensor> out(wanted.size());
    // Values asked for by name are copied out as they appear, so that nothing can change them afterwards.
    const auto collect = [&](uint32_t s) {
      for (size_t i = 0; i < wanted.size(); ++i)
        if (wanted[i] == s) out[i] = frame.slots_[s].defined() ? frame.slots_[s].clone() : at::Tensor();
    };
    for (const Instruction& i : p.code) {
      node = i.node;
      frame.at_ = &i.binding;
      i.step(frame);
      if (keep)
        for (const uint32_t s : i.binding.outputs) collect(s);
      for (const uint32_t s : i.release) frame.slots_[s].reset();
    }
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (!out[i].defined()) out[i] = frame.slots_[wanted[i]];
      if (options.compute != at::kFloat && out[i].defined() && out[i].scalar_type() == options.compute) out[i] = out[i].to(at::kFloat);
    }
    return out;
  } catch (const c10::Error& e) {
    return fail(Code::failed, e.what_without_backtrace(), node == kNoNode ? "" : p.node_names[node]);
  } catch (const std::exception& e) {
    return fail(Code::failed, e.what(), node == kNoNode ? "" : p.node_names[node]);
  }
}

}  // namespace hone::train
