#include "cost/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "cost/memory.h"
#include "ir/infer.h"

namespace hone {

namespace {

bool all_static(const Graph& graph, const std::vector<ValueId>& ids) {
  for (ValueId v : ids) {
    if (v == kNoValue) continue;
    const TensorType& t = graph.values[v].type;
    if (!t.ranked || !is_static(t.shape)) return false;
  }
  return true;
}

Result<int64_t> elements_of(const Value& value) {
  if (value.type.ranked)
    if (auto n = element_count(value.type.shape)) return *n;
  return fail(Code::invalid, fmt::format("the {} has no usable shape: {}", name(value.kind), to_string(value.type)), value.name);
}

// Gives each parameter to the node that uses it first. A node that only prepares parameters (a transposed weight)
// passes them on to the node that uses its result, so that the weight is listed where it works.
class ParameterOwners {
 public:
  ParameterOwners(const Graph& graph, const std::vector<bool>& from_parameters)
      : graph_(graph), from_(from_parameters), claimed_(graph.values.size(), false) {}

  // Parameters behind value v that nobody has claimed yet.
  Int claim(ValueId v) {
    Int sum = 0;
    pending_.assign(1, v);
    while (!pending_.empty()) {
      v = pending_.back();
      pending_.pop_back();
      if (v == kNoValue || !from_[v] || claimed_[v]) continue;
      claimed_[v] = true;
      const Value& value = graph_.values[v];
      if (value.kind == ValueKind::parameter)
        sum += element_count(value.type.shape).value_or(0);
      else
        for (ValueId input : graph_.nodes[value.producer].inputs) pending_.push_back(input);
    }
    return sum;
  }

 private:
  const Graph& graph_;
  const std::vector<bool>& from_;
  std::vector<bool> claimed_;
  std::vector<ValueId> pending_;
};

Result<Totals> plain(const Counts& c, const std::string& network) {
  if (!c.ok() || !(c.macs() * 2).ok() || !c.acts().ok())
    return fail(Code::failed, "the cost does not fit 64-bit integers", network, "check the input shape and the batch");
  Totals t;
  t.macs = c.macs().value();
  t.flops = (c.macs() * 2).value();
  t.acts = c.acts().value();
  t.macs_conv = c.macs_conv.value();
  t.macs_linear = c.macs_linear.value();
  t.macs_matmul = c.macs_matmul.value();
  t.conv_bias_adds = c.conv_bias_adds.value();
  t.linear_bias_adds = c.linear_bias_adds.value();
  t.acts_conv = c.acts_conv.value();
  t.acts_linear = c.acts_linear.value();
  t.acts_matmul = c.acts_matmul.value();
  t.maxpool_out = c.maxpool_out.value();
  t.bn_elements = c.bn_elements.value();
  t.ln_elements = c.ln_elements.value();
  t.gn_elements = c.gn_elements.value();
  t.softmax_elements = c.softmax_elements.value();
  t.activation_elements = c.activation_elements.value();
  t.pool_inputs = c.pool_inputs.value();
  t.adaptive_pool_inputs = c.adaptive_pool_inputs.value();
  return t;
}

// Adds what the state dict holds: parameters and buffers, read by a node or not.
Status add_state(const Graph& graph, Totals& totals) {
  Int params = 0, buffers = 0, bytes = 0;
  for (const Value& value : graph.values) {
    if (value.kind != ValueKind::parameter && value.kind != ValueKind::buffer) continue;
    HONE_TRY_ASSIGN(const int64_t n, elements_of(value));
    (value.kind == ValueKind::parameter ? params : buffers) += n;
    const auto size = byte_size(value.type.dtype, n);
    if (!size) return fail(Code::invalid, fmt::format("{} has no size in bytes", to_string(value.type)), value.name);
    bytes += *size;
  }
  if (!params.ok() || !buffers.ok() || !bytes.ok())
    return fail(Code::failed, "the parameters do not fit 64-bit integers", graph.name);
  totals.params = params.value();
  totals.buffers = buffers.value();
  totals.weight_bytes = bytes.value();
  return {};
}

void add_unknown(std::vector<UnknownOp>& unknown, const std::string& op) {
  auto it = std::find_if(unknown.begin(), unknown.end(), [&](const UnknownOp& u) { return u.op == op; });
  if (it == unknown.end())
    unknown.push_back({op, 1});
  else
    ++it->nodes;
}

}  // namespace

Result<Profile> profile(const Graph& graph) {
  Profile out;
  out.network = graph.name;
  for (ValueId v : graph.inputs) out.inputs.emplace_back(graph.values[v].name, graph.values[v].type);

  const std::vector<bool> from = from_parameters(graph);
  ParameterOwners owners(graph, from);
  Counts sum;
  out.nodes.resize(graph.nodes.size());
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    NodeCost& cost = out.nodes[n];
    // A count from a shape that is not known would be a guess, so such a node is listed like an unknown operator.
    cost.known = node.def && (!node.def->cost || (all_static(graph, node.inputs) && all_static(graph, node.outputs)));
    if (cost.known) {
      cost.counts = count_node(graph, n, from);
      sum += cost.counts;
    } else {
      add_unknown(out.unknown, node.type);
    }
    const bool prepares = !node.outputs.empty() && node.outputs[0] != kNoValue && from[node.outputs[0]];
    if (prepares) continue;
    Int params = 0;
    for (ValueId v : node.inputs) params += owners.claim(v);
    if (!params.ok()) return fail(Code::failed, "the parameters do not fit 64-bit integers", node.name);
    cost.params = params.value();
  }
  // What only leads to a graph output or to nothing stays with the node that read it.
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    Int params = out.nodes[n].params;
    for (ValueId v : graph.nodes[n].inputs) params += owners.claim(v);
    out.nodes[n].params = params.ok() ? params.value() : 0;
  }

  HONE_TRY_ASSIGN(out.totals, plain(sum, graph.name));
  HONE_TRY(add_state(graph, out.totals));
  HONE_TRY_ASSIGN(const MemoryPlan plan, plan_memory(graph));
  out.totals.peak_activation_bytes = plan.peak_bytes;
  std::stable_sort(out.unknown.begin(), out.unknown.end(), [](const UnknownOp& a, const UnknownOp& b) { return a.nodes > b.nodes; });
  return out;
}

std::string stage_of(std::string_view path) {
  // The stage is the shortest prefix that ends in a numbered component ("layer1", "blocks.3", "encoder.layers.0");
  // a path without a number belongs to its first component ("head.fc" -> "head").
  size_t begin = 0;
  while (begin < path.size()) {
    const size_t end = std::min(path.find('.', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.find_first_of("0123456789") != std::string_view::npos) return std::string(path.substr(0, end));
    begin = end + 1;
  }
  return std::string(path.substr(0, path.find('.')));
}

std::vector<Row> roll_up(const Graph& graph, const Profile& profile, GroupBy by) {
  std::vector<Row> rows;
  std::unordered_map<std::string, size_t> index;
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    const NodeCost& cost = profile.nodes[n];
    std::string key;
    switch (by) {
      case GroupBy::op: key = node.type; break;
      case GroupBy::module: key = graph.modules[node.module]; break;
      case GroupBy::stage: key = stage_of(graph.modules[node.module]); break;
      case GroupBy::node: key = node.name; break;
    }
    size_t at = rows.size();
    // Each node is a row of its own, also where names are missing or repeat.
    if (by != GroupBy::node) at = index.emplace(key, rows.size()).first->second;
    if (at == rows.size()) {
      rows.emplace_back();
      rows.back().name = key;
      rows.back().op = node.type;
    }
    Row& row = rows[at];
    if (row.op != node.type) row.op.clear();
    ++row.nodes;
    // profile() has checked the sum over all nodes, and no count is negative, so no partial sum can overflow.
    row.macs += cost.counts.macs().value();
    row.acts += cost.counts.acts().value();
    row.params += cost.params;
    row.counts += cost.counts;
  }
  if (by == GroupBy::op)
    std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.macs > b.macs; });
  return rows;
}

}  // namespace hone
