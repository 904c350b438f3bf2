#include "measure/device_cut.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/sha256.h"
#include "cost/profile.h"
#include "ir/infer.h"

namespace hone {

namespace {

struct Cutter {
  const Graph& g;
  std::vector<bool> moving;     // made from an input, by value
  std::vector<NodeCost> costs;  // by node

  // Positions behind which one moving value is alone alive, with that value.
  std::vector<std::pair<size_t, ValueId>> cuts() const {
    std::vector<size_t> last(g.values.size(), 0);  // position behind the last reader
    for (size_t n = 0; n < g.nodes.size(); ++n)
      for (ValueId v : g.nodes[n].inputs)
        if (v != kNoValue) last[v] = n + 1;
    for (ValueId v : g.outputs) last[v] = g.nodes.size() + 1;
    std::vector<ValueId> alive;
    for (ValueId v : g.inputs)
      if (last[v] > 0) alive.push_back(v);
    std::vector<std::pair<size_t, ValueId>> out;
    for (size_t n = 0; n < g.nodes.size(); ++n) {
      for (ValueId v : g.nodes[n].outputs)
        if (v != kNoValue && moving[v] && last[v] > n + 1) alive.push_back(v);
      std::erase_if(alive, [&](ValueId v) { return last[v] <= n + 1; });
      if (alive.size() == 1) out.emplace_back(n + 1, alive[0]);
    }
    return out;
  }

  // Whether `next` still belongs to the block that could end at `v`: activations and pools do, what sums a map up for a
  // classifier does not.
  bool goes_on(ValueId v, ValueId next) const {
    const Shape &a = g.values[v].type.shape, &b = g.values[next].type.shape;
    return a == b || (b.size() == 4 && b[2] > 1 && b[3] > 1);
  }

  bool product(NodeId n) const { return moving_node(n) && costs[n].counts.macs().value() > 0; }
  bool moving_node(NodeId n) const { return std::any_of(g.nodes[n].outputs.begin(), g.nodes[n].outputs.end(), [&](ValueId v) { return v != kNoValue && moving[v]; }); }

  // The nodes that `out` needs behind the values that come in, by position.
  std::vector<NodeId> needed(const std::vector<ValueId>& out, const std::vector<ValueId>& in) const {
    std::vector<bool> take(g.nodes.size()), seen(g.values.size());
    for (ValueId v : in) seen[v] = true;
    std::vector<ValueId> todo = out;
    while (!todo.empty()) {
      const ValueId v = todo.back();
      todo.pop_back();
      if (v == kNoValue || seen[v]) continue;
      seen[v] = true;
      const NodeId n = g.values[v].producer;
      if (n == kNoNode || take[n]) continue;
      take[n] = true;
      for (ValueId u : g.nodes[n].inputs) todo.push_back(u);
    }
    std::vector<NodeId> nodes;
    for (NodeId n = 0; n < g.nodes.size(); ++n)
      if (take[n]) nodes.push_back(n);
    return nodes;
  }

  // Those nodes as a graph of their own, with everything that they read.
  Result<Graph> extract(const std::vector<NodeId>& nodes, const std::vector<ValueId>& in, const std::vector<ValueId>& out) const {
    Graph part;
    part.name = g.name;
    std::vector<ValueId> to(g.values.size(), kNoValue);
    auto value = [&](ValueId v) {
      if (v == kNoValue) return v;
      if (to[v] == kNoValue) {
        Value copy = g.values[v];
        copy.producer = kNoNode;
        if (std::find(in.begin(), in.end(), v) != in.end()) copy.kind = ValueKind::input;
        to[v] = part.add_value(std::move(copy));
      }
      return to[v];
    };
    for (ValueId v : in) part.inputs.push_back(value(v));
    for (NodeId n : nodes) {
      Node copy = g.nodes[n];
      copy.module = part.module_id(g.modules[copy.module]);
      for (ValueId& v : copy.inputs) v = value(v);
      for (ValueId& v : copy.outputs) v = value(v);
      part.add_node(std::move(copy));
    }
    for (ValueId v : out) part.outputs.push_back(value(v));
    HONE_TRY_ASSIGN(Inferred typed, infer(std::move(part)));
    return std::move(typed.graph);
  }

  // Everything about the nodes but sizes. Two blocks of one structure differ in their sizes alone.
  std::string structure(const std::vector<NodeId>& nodes, const std::vector<ValueId>& in) const {
    std::string s;
    std::vector<int64_t> place(g.values.size(), -1);
    for (size_t i = 0; i < in.size(); ++i) place[in[i]] = -2 - static_cast<int64_t>(i);
    for (size_t i = 0; i < nodes.size(); ++i) {
      const Node& n = g.nodes[nodes[i]];
      if (!moving_node(nodes[i])) continue;
      s += n.type;
      for (ValueId v : n.inputs) s += v == kNoValue || !moving[v] ? " ." : fmt::format(" {}", place[v] == -1 ? 0 : place[v]);
      for (const char* key : {"kernel_shape", "strides", "dilations"})
        for (int64_t k : n.attrs.integers(key)) s += fmt::format(" {}{}", key[0], k);
      if (n.type == "Conv") s += groups(n);
      for (ValueId v : n.outputs)
        if (v != kNoValue) place[v] = static_cast<int64_t>(i) + 1;
      s += '\n';
    }
    return s;
  }
  std::string groups(const Node& n) const {
    const int64_t k = n.attrs.integer("group", 1);
    const Shape& x = g.values[n.inputs[0]].type.shape;
    return k == 1 ? " dense" : x.size() > 1 && x[1] == k ? " depthwise" : " grouped";
  }

  std::string label(const std::vector<NodeId>& nodes) const {
    std::string out;
    for (NodeId id : nodes) {
      if (!product(id)) continue;
      const Node& n = g.nodes[id];
      if (!out.empty()) out += ' ';
      if (n.type != "Conv") {
        out += n.type;
        continue;
      }
      const auto k = n.attrs.integers("kernel_shape"), stride = n.attrs.integers("strides");
      const std::string how = groups(n);
      out += how == " dense" ? "Conv" : how == " depthwise" ? "DwConv" : "GConv";
      if (k.size() == 2) out += fmt::format("{}x{}", k[0], k[1]);
      if (!stride.empty() && stride[0] > 1) out += fmt::format("/{}", stride[0]);
    }
    return out;
  }

  Result<CutBlock> block(const std::vector<NodeId>& nodes, const std::vector<ValueId>& in, const std::vector<ValueId>& out) const {
    Int macs = 0, acts = 0, weights = 0, elements = 0;
    for (NodeId n : nodes) {
      macs += costs[n].counts.macs();
      acts += costs[n].counts.acts();
    }
    for (ValueId v : in) elements += element_count(g.values[v].type.shape).value_or(0);
    CutBlock c;
    HONE_TRY_ASSIGN(c.graph, extract(nodes, in, out));
    for (ValueId v : c.graph.state())
      if (c.graph.value(v).kind == ValueKind::parameter) weights += element_count(c.graph.value(v).type.shape).value_or(0);
    elements += acts;
    if (!macs.ok() || !weights.ok() || !elements.ok()) return fail(Code::invalid, "a count does not fit 64 bits", g.name);
    c.label = label(nodes);
    auto dim = [&](ValueId v, size_t i) { const Shape& s = g.values[v].type.shape; return i < s.size() ? std::max<int64_t>(0, s[i]) : 0; };
    const ValueId first = in.empty() ? out[0] : in[0];
    c.block.kind = std::string(kCutKind) + sha256_hex(structure(nodes, in)).substr(0, 12);
    c.block.sizes = {dim(first, 1), dim(first, 2), dim(out[0], 1), macs.value(), elements.value(), weights.value()};
    return c;
  }
};

}  // namespace

Result<std::vector<CutBlock>> cut_blocks(const Graph& graph) {
  HONE_TRY_ASSIGN(Profile p, profile(graph));
  Cutter cutter{graph, std::vector<bool>(graph.values.size()), std::move(p.nodes)};
  for (ValueId v : graph.inputs) cutter.moving[v] = true;
  for (const Node& n : graph.nodes) {
    const bool any = n.type != "Shape" && std::any_of(n.inputs.begin(), n.inputs.end(), [&](ValueId v) { return v != kNoValue && cutter.moving[v]; });
    for (ValueId v : n.outputs)
      if (v != kNoValue) cutter.moving[v] = any;
  }
  // Ends of blocks: a cut between a product and the next one.
  std::vector<std::pair<size_t, ValueId>> ends;
  {
    const auto cuts = cutter.cuts();
    size_t products = 0, at = 0;
    std::optional<std::pair<size_t, ValueId>> last;  // cut behind the products so far
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      for (; at < cuts.size() && cuts[at].first <= n; ++at)
        if (products > 0 && (!last || cutter.goes_on(last->second, cuts[at].second))) last = cuts[at];
      if (!cutter.product(static_cast<NodeId>(n))) continue;
      if (last) {
        ends.push_back(*last);
        last.reset();
        products = 0;
      }
      ++products;
    }
  }
  std::vector<CutBlock> out;
  std::vector<ValueId> in = graph.inputs;
  for (size_t i = 0; i <= ends.size(); ++i) {
    const std::vector<ValueId> to = i < ends.size() ? std::vector<ValueId>{ends[i].second} : graph.outputs;
    const std::vector<NodeId> nodes = cutter.needed(to, in);
    HONE_TRY_ASSIGN(CutBlock c, cutter.block(nodes, in, to));
    const auto same = std::find_if(out.begin(), out.end(), [&](const CutBlock& o) { return o.block == c.block; });
    if (same == out.end())
      out.push_back(std::move(c));
    else
      ++same->count;
    if (i < ends.size()) in = {ends[i].second};
  }
  return out;
}

namespace {

Result<std::vector<BlockCount>> cut(const Graph& graph) {
  HONE_TRY_ASSIGN(const std::vector<CutBlock> cuts, cut_blocks(graph));
  std::vector<BlockCount> out;
  for (const CutBlock& c : cuts) out.push_back({c.block, c.count});
  return out;
}

}  // namespace

Result<std::vector<BlockCount>> blocks_of(const Network& network) {
  return network.arch && has_blocks(*network.arch) ? blocks_of(*network.arch) : cut(network.graph);
}

Result<std::vector<BlockCount>> parts_of(const Arch& arch) {
  if (has_blocks(arch)) return blocks_of(arch);
  HONE_TRY_ASSIGN(const Graph graph, build(arch));
  return cut(graph);
}

}  // namespace hone
