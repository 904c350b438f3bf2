#include "cost/memory.h"

#include <algorithm>

#include "core/checked.h"
#include "ir/op.h"

namespace hone {

namespace {

constexpr uint32_t kNone = UINT32_MAX;
constexpr NodeId kEnd = kNoNode - 1;  // last use of what must survive the last node

struct Block {
  ValueId first = kNoValue;
  int64_t bytes = 0;
  NodeId born = 0, last_use = 0;
  uint32_t next_due = kNone;
  bool writable = true;
};

bool is_view(const Node& node) {
  static constexpr std::string_view kViews[] = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"};
  return std::find(std::begin(kViews), std::end(kViews), node.type) != std::end(kViews);
}

// True for values that no input's contents reach: weights, constants, and shape arithmetic.
std::vector<bool> independent_of_data(const Graph& graph) {
  std::vector<bool> fixed(graph.values.size(), false);
  for (ValueId v = 0; v < graph.values.size(); ++v) {
    const ValueKind kind = graph.values[v].kind;
    fixed[v] = kind == ValueKind::parameter || kind == ValueKind::buffer || kind == ValueKind::constant;
  }
  for (const Node& node : graph.nodes) {
    bool all = node.type == "Shape" || node.type == "Size";
    if (!all) {
      all = true;
      for (ValueId v : node.inputs) all = all && (v == kNoValue || fixed[v]);
    }
    for (ValueId v : node.outputs)
      if (v != kNoValue) fixed[v] = all;
  }
  return fixed;
}

class Planner {
 public:
  explicit Planner(const Graph& graph) : graph_(graph), fixed_(independent_of_data(graph)), view_(graph.values.size()), block_(graph.values.size(), kNone), due_(graph.nodes.size(), kNone) {
    find_views();
    find_last_uses();
  }

  Result<MemoryPlan> run() {
    for (ValueId v : graph_.inputs) {
      allocate(v, 0);
      if (block_[v] != kNone) blocks_[block_[v]].writable = false;
    }
    plan_.peak_bytes = now_.ok() ? now_.value() : 0;
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      for (size_t i = 0; i < node.outputs.size(); ++i) {
        if (node.outputs[i] == kNoValue) continue;
        if (i == 0 && reuse_input(node, n)) continue;
        allocate(node.outputs[i], n);
      }
      if (!now_.ok()) return fail(Code::failed, "the activation memory does not fit 64-bit integers", graph_.name);
      if (now_.value() > plan_.peak_bytes || plan_.peak_node == kNoNode) {
        plan_.peak_bytes = now_.value();
        plan_.peak_node = n;
      }
      free_after(n);
    }
    if (!now_.ok()) return fail(Code::failed, "the activation memory does not fit 64-bit integers", graph_.name);
    list_live();
    return std::move(plan_);
  }

 private:
  // A view belongs to the value whose memory it shows; view_[v] is the root of v's class, v itself without views.
  void find_views() {
    for (ValueId v = 0; v < view_.size(); ++v) view_[v] = v;
    for (const Node& node : graph_.nodes)
      if (is_view(node) && !node.inputs.empty() && !node.outputs.empty() && node.inputs[0] != kNoValue && node.outputs[0] != kNoValue)
        view_[node.outputs[0]] = view_[node.inputs[0]];
  }

  void find_last_uses() {
    last_.resize(graph_.values.size(), 0);
    auto use = [&](ValueId v, NodeId at) {
      if (v != kNoValue) last_[view_[v]] = std::max(last_[view_[v]], at);
    };
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) {
      for (ValueId v : graph_.nodes[n].outputs) use(v, n);
      for (ValueId v : graph_.nodes[n].inputs) use(v, n);
    }
    for (ValueId v : graph_.outputs) use(v, kEnd);
  }

  // Nothing when the size depends on data or the elements have no fixed size (strings).
  std::optional<Int> bytes_of(ValueId v) {
    const TensorType& t = graph_.values[v].type;
    if (!t.ranked || !is_static(t.shape) || bits(t.dtype) == 0) return std::nullopt;
    const auto n = element_count(t.shape);
    const auto bytes = n ? byte_size(t.dtype, *n) : std::nullopt;
    return bytes ? Int(*bytes) : Int(INT64_MAX) + 1;
  }

  void allocate(ValueId v, NodeId at) {
    const ValueId root = view_[v];
    if (fixed_[v] || block_[root] != kNone) return;  // a view finds the memory of its root there
    Block b;
    b.first = v;
    b.born = at;
    b.last_use = last_[root];
    const auto bytes = bytes_of(v);
    if (!bytes) ++plan_.unsized;
    now_ += bytes.value_or(0);
    b.bytes = bytes.value_or(0).value();
    block_[root] = static_cast<uint32_t>(blocks_.size());
    blocks_.push_back(b);
    free_later(block_[root]);
  }

  bool reuse_input(const Node& node, NodeId n) {
    if (!node.def || !node.def->in_place || node.inputs.empty() || node.inputs[0] == kNoValue) return false;
    const ValueId in = node.inputs[0], out = node.outputs[0];
    const uint32_t b = block_[view_[in]];
    if (b == kNone || fixed_[out] || view_[out] != out || !blocks_[b].writable || blocks_[b].last_use != n) return false;
    if (bytes_of(out) != Int(blocks_[b].bytes)) return false;
    block_[out] = b;
    blocks_[b].last_use = last_[out];  // free_after(n) moves it on to that node
    return true;
  }

  void free_later(uint32_t b) {
    const NodeId at = blocks_[b].last_use;
    if (at >= due_.size()) return;  // an output of the graph
    blocks_[b].next_due = due_[at];
    due_[at] = b;
  }

  void free_after(NodeId n) {
    for (uint32_t b = due_[n], next; b != kNone; b = next) {
      next = blocks_[b].next_due;
      if (blocks_[b].last_use > n)
        free_later(b);
      else
        now_ = now_ - blocks_[b].bytes;
    }
  }

  void list_live() {
    for (const Block& b : blocks_)
      if (b.bytes > 0 && (plan_.peak_node == kNoNode || (b.born <= plan_.peak_node && plan_.peak_node <= b.last_use)))
        plan_.live.push_back({b.first, b.bytes});
    std::stable_sort(plan_.live.begin(), plan_.live.end(), [](const LiveTensor& a, const LiveTensor& b) { return a.bytes > b.bytes; });
  }

  const Graph& graph_;
  const std::vector<bool> fixed_;
  std::vector<ValueId> view_;
  std::vector<uint32_t> block_;  // by root of view class
  std::vector<NodeId> last_;     // by root of view class
  std::vector<Block> blocks_;
  std::vector<uint32_t> due_;    // by node: first of the blocks that die after it, chained by next_due
  Int now_ = 0;
  MemoryPlan plan_;
};

}  // namespace

Result<MemoryPlan> plan_memory(const Graph& graph) { return Planner(graph).run(); }

}  // namespace hone
