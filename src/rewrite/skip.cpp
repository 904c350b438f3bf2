#include "rewrite/skip.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "cost/profile.h"

namespace hone {

namespace {

constexpr std::string_view kText = "cross_modal_text_layers", kImage = "cross_modal_image_layers", kRoberta = "text_transformer.encoder.layer";

bool inside(std::string_view path, std::string_view module) {
  return path.size() >= module.size() && path.substr(0, module.size()) == module && (path.size() == module.size() || path[module.size()] == '.');
}

// Facts about a graph that every candidate asks for.
struct GraphFacts {
  const Graph& graph;
  std::vector<std::vector<NodeId>> readers;  // by value
  std::vector<bool> is_output;               // of the graph, by value
  std::vector<bool> dynamic;                 // made from an input's contents, by value

  explicit GraphFacts(const Graph& g) : graph(g), readers(g.values.size()), is_output(g.values.size()), dynamic(g.values.size()) {
    for (ValueId v : g.outputs) is_output[v] = true;
    for (ValueId v = 0; v < g.values.size(); ++v) dynamic[v] = g.values[v].kind == ValueKind::input;
    for (NodeId n = 0; n < g.nodes.size(); ++n) {
      bool any = false;
      for (ValueId v : g.nodes[n].inputs) {
        if (v == kNoValue) continue;
        readers[v].push_back(n);
        any = any || dynamic[v];
      }
      for (ValueId v : g.nodes[n].outputs)
        if (v != kNoValue) dynamic[v] = any && g.nodes[n].type != "Shape" && g.nodes[n].type != "Size";
    }
  }

  bool depends(ValueId v, ValueId on) const {
    std::vector<ValueId> todo{v};
    std::set<ValueId> seen;
    while (!todo.empty()) {
      v = todo.back();
      todo.pop_back();
      if (v == on) return true;
      if (v == kNoValue || !seen.insert(v).second || graph.values[v].producer == kNoNode) continue;
      const auto& from = graph.nodes[graph.values[v].producer].inputs;
      todo.insert(todo.end(), from.begin(), from.end());
    }
    return false;
  }
};

bool reads(const Node& node, ValueId v) { return std::find(node.inputs.begin(), node.inputs.end(), v) != node.inputs.end(); }
bool is_norm(const Node& node) { return node.type == "LayerNormalization" || node.type == "RMSNormalization" || node.type == "SimplifiedLayerNormalization"; }
bool is_attention(const Node& node) { return node.type == "Attention" || node.type == "Softmax"; }

// The residual sums of a pass: each reads the stream, and a norm that alone reads a sum (BERT) moves the stream behind it.
std::vector<ResidualSum> residual_sums(const GraphFacts& facts, const SkipPass& pass) {
  const Graph& g = facts.graph;
  const std::set<NodeId> own(pass.nodes.begin(), pass.nodes.end());
  std::vector<ResidualSum> out;
  ValueId stream = pass.input;
  for (NodeId n : pass.nodes) {
    const Node& sum = g.nodes[n];
    if (sum.type != "Add" || !reads(sum, stream) || sum.inputs[0] == sum.inputs[1]) continue;
    if (!(g.value(sum.outputs[0]).type == g.value(stream).type)) continue;
    ResidualSum r{.sum = n, .stream = stream, .branch = sum.inputs[0] == stream ? sum.inputs[1] : sum.inputs[0]};
    const std::vector<NodeId> branch = nodes_between(g, stream, r.branch, pass.nodes);
    if (std::ranges::none_of(branch, [&](NodeId b) { return reads(g.nodes[b], stream); })) continue;  // a bias, a table, what a shortcut made of another value
    const auto& readers = facts.readers[sum.outputs[0]];
    if (readers.size() == 1 && own.count(readers[0]) && is_norm(g.nodes[readers[0]]) && !facts.is_output[sum.outputs[0]]) r.norm = readers[0];
    for (NodeId b : branch)
      if (is_attention(g.nodes[b])) r.attention = b;
    out.push_back(r);
    stream = r.out(g);
  }
  return out;
}

// The run of a module that all of the nodes make up, if they are one. `context` allows further inputs from outside (the other stream
// of a cross-modal layer, masks).
std::optional<SkipPass> whole_pass(const GraphFacts& facts, std::vector<NodeId> nodes, bool context) {
  const Graph& g = facts.graph;
  const std::set<NodeId> own(nodes.begin(), nodes.end());
  std::vector<ValueId> inputs, outputs;
  for (NodeId n : nodes) {
    for (ValueId v : g.nodes[n].inputs) {
      if (v == kNoValue || !facts.dynamic[v] || (g.values[v].kind == ValueKind::node && own.count(g.values[v].producer))) continue;
      if (std::find(inputs.begin(), inputs.end(), v) == inputs.end()) inputs.push_back(v);
    }
    for (ValueId v : g.nodes[n].outputs) {
      if (v == kNoValue) continue;
      bool leaves = facts.is_output[v];
      for (NodeId r : facts.readers[v]) leaves = leaves || !own.count(r);
      if (leaves) outputs.push_back(v);
    }
  }
  if (outputs.size() != 1 || inputs.empty()) return std::nullopt;
  SkipPass pass{.output = outputs[0], .nodes = std::move(nodes)};
  const TensorType& type = g.value(pass.output).type;
  for (ValueId v : inputs) {
    if (!(g.values[v].type == type)) continue;
    for (NodeId n : pass.nodes)
      if (pass.input == kNoValue && g.nodes[n].type == "Add" && reads(g.nodes[n], v)) pass.input = v;
  }
  if (pass.input == kNoValue) return std::nullopt;
  // Masks and rotary tables may come from outside; what was made of the stream may not: then this is half a module.
  for (ValueId v : inputs)
    if (v != pass.input && !context && (g.values[v].type == type || facts.depends(v, pass.input))) return std::nullopt;
  pass.sums = residual_sums(facts, pass);
  if (pass.sums.empty()) return std::nullopt;
  return pass;
}

// The same, where need be without nodes that do not depend on the stream and that others read too: exporters put what several
// modules share (rotary tables, masks) into the first that needs it.
std::optional<SkipPass> pass_of(const GraphFacts& facts, const std::vector<NodeId>& nodes, bool context) {
  if (auto pass = whole_pass(facts, nodes, context)) return pass;
  const Graph& g = facts.graph;
  const std::set<NodeId> own(nodes.begin(), nodes.end());
  std::set<ValueId> streams;
  for (NodeId n : nodes)
    if (g.nodes[n].type == "Add")
      for (ValueId v : g.nodes[n].inputs)
        if (v != kNoValue && facts.dynamic[v] && !own.count(g.values[v].producer)) streams.insert(v);
  for (ValueId stream : streams) {
    std::set<NodeId> moved, shared;  // depend on the stream; do not, and are read outside
    for (NodeId n : nodes) {
      const auto& in = g.nodes[n].inputs;
      if (std::any_of(in.begin(), in.end(), [&](ValueId v) { return v == stream || (v != kNoValue && moved.count(g.values[v].producer)); })) moved.insert(n);
    }
    std::vector<NodeId> todo;
    for (NodeId n : nodes)
      for (ValueId v : g.nodes[n].outputs)
        if (v != kNoValue && !moved.count(n) && std::any_of(facts.readers[v].begin(), facts.readers[v].end(), [&](NodeId r) { return !own.count(r); })) todo.push_back(n);
    while (!todo.empty()) {
      const NodeId n = todo.back();
      todo.pop_back();
      if (!shared.insert(n).second) continue;
      for (ValueId v : g.nodes[n].inputs)
        if (v != kNoValue && own.count(g.values[v].producer)) todo.push_back(g.values[v].producer);
    }
    if (shared.empty()) continue;
    std::vector<NodeId> rest;
    std::copy_if(nodes.begin(), nodes.end(), std::back_inserter(rest), [&](NodeId n) { return !shared.count(n); });
    if (auto pass = whole_pass(facts, std::move(rest), context)) return pass;
  }
  return std::nullopt;
}

// Weakly connected parts of a region, in order of first node.
std::vector<std::vector<NodeId>> parts(const GraphFacts& facts, const std::vector<NodeId>& nodes) {
  std::map<NodeId, NodeId> parent;
  for (NodeId n : nodes) parent[n] = n;
  const auto root = [&](NodeId n) {
    while (parent.at(n) != n) n = parent[n] = parent.at(parent.at(n));
    return n;
  };
  for (NodeId n : nodes)
    for (ValueId v : facts.graph.nodes[n].inputs) {
      if (v == kNoValue) continue;
      const NodeId made = facts.graph.values[v].producer;
      if (made == kNoNode || !parent.count(made)) continue;
      const NodeId a = root(made), b = root(n);
      parent[std::max(a, b)] = std::min(a, b);
    }
  std::map<NodeId, std::vector<NodeId>> by_root;
  for (NodeId n : nodes) by_root[root(n)].push_back(n);
  std::vector<std::vector<NodeId>> out;
  for (auto& [first, part] : by_root) out.push_back(std::move(part));
  return out;
}

std::set<ValueId> parameters_of(const Graph& g, const std::vector<NodeId>& nodes) {
  std::set<ValueId> out;
  for (NodeId n : nodes)
    for (ValueId v : g.nodes[n].inputs)
      if (v != kNoValue && g.values[v].kind == ValueKind::parameter) out.insert(v);
  return out;
}

// A module's nodes with those between and right behind them that name no module: some exporters, and tools that simplify what they
// wrote, name layers with parameters alone. Behind them only the addition that joins the module's own input.
std::vector<NodeId> with_unnamed(const GraphFacts& facts, const std::vector<NodeId>& nodes) {
  const Graph& g = facts.graph;
  std::vector<bool> own(g.nodes.size()), from(g.nodes.size()), to(g.nodes.size());
  for (NodeId n : nodes) own[n] = from[n] = to[n] = true;
  const auto unnamed = [&](NodeId n) { return g.modules[g.nodes[n].module].empty(); };
  const auto made_by = [&](const std::vector<bool>& set, ValueId v) { return v != kNoValue && g.values[v].producer != kNoNode && set[g.values[v].producer]; };
  for (NodeId n = nodes.front(); n <= nodes.back(); ++n)
    if (unnamed(n)) from[n] = std::ranges::any_of(g.nodes[n].inputs, [&](ValueId v) { return made_by(from, v); });
  for (NodeId n = nodes.back(); n-- > nodes.front();)
    if (unnamed(n))
      for (ValueId v : g.nodes[n].outputs)
        if (v != kNoValue && std::ranges::any_of(facts.readers[v], [&](NodeId r) { return to[r]; })) to[n] = true;
  std::vector<NodeId> out;
  std::set<ValueId> read;
  for (NodeId n = nodes.front(); n < g.nodes.size(); ++n) {
    const Node& node = g.nodes[n];
    const bool joins = n > nodes.front() && unnamed(n) && node.type == "Add" && std::ranges::any_of(node.inputs, [&](ValueId v) { return made_by(own, v); }) &&
                       std::ranges::all_of(node.inputs, [&](ValueId v) { return made_by(own, v) || read.count(v); });
    own[n] = own[n] || (from[n] && to[n]) || joins;
    if (!own[n]) continue;
    out.push_back(n);
    read.insert(node.inputs.begin(), node.inputs.end());
  }
  return out;
}

// The module as a candidate: one run of it, or several of the same parameters.
std::optional<SkipCandidate> candidate(const GraphFacts& facts, std::string module, const std::vector<NodeId>& nodes, bool context) {
  SkipCandidate c{.module = std::move(module)};
  if (auto whole = whole_pass(facts, nodes, context)) {
    c.passes.push_back(std::move(*whole));
    return c;
  }
  // Several runs come before a run without what others read: to one run the nodes of another look like that.
  const auto pieces = parts(facts, nodes);
  for (const auto& piece : pieces) {
    auto pass = pieces.size() < 2 ? std::nullopt : pass_of(facts, piece, context);
    if (!pass || parameters_of(facts.graph, piece) != parameters_of(facts.graph, pieces[0])) {
      c.passes.clear();
      break;
    }
    c.passes.push_back(std::move(*pass));
  }
  if (!c.passes.empty()) return c;
  auto rest = pass_of(facts, nodes, context);
  if (!rest) rest = pass_of(facts, with_unnamed(facts, nodes), context);
  if (!rest) return std::nullopt;
  c.passes.push_back(std::move(*rest));
  return c;
}

using Region = std::pair<std::string, std::vector<NodeId>>;

// Nodes under each module path, for every prefix of every path, in order of first appearance.
std::vector<Region> regions(const Graph& g) {
  std::vector<Region> out;
  std::map<std::string, size_t, std::less<>> index;
  for (NodeId n = 0; n < g.nodes.size(); ++n) {
    const std::string& path = g.modules[g.nodes[n].module];
    for (size_t end = 0; end < path.size();) {
      end = std::min(path.find('.', end + 1), path.size());
      std::string prefix = path.substr(0, end);
      const auto [it, added] = index.emplace(prefix, out.size());
      if (added) out.emplace_back(std::move(prefix), std::vector<NodeId>{});
      out[it->second].second.push_back(n);
    }
  }
  return out;
}

struct Numbered {
  std::string module;
  std::vector<std::string> adapters;
  std::string skip_adapter;
};

// The method's own numbering, where the network is one that it defines. Layers that were taken out leave no hole in it.
std::vector<Numbered> numbering(const std::string& network, const std::vector<Region>& modules, std::string_view variant) {
  std::map<std::string, std::set<int64_t>, std::less<>> lists;  // "encoder.layer" -> 0, 1, ...
  for (const auto& [path, nodes] : modules) {
    const size_t dot = path.rfind('.');
    int64_t i = 0;
    if (dot == std::string::npos) continue;
    if (const auto [end, error] = std::from_chars(path.data() + dot + 1, path.data() + path.size(), i); error == std::errc() && end == path.data() + path.size()) lists[path.substr(0, dot)].insert(i);
  }
  const auto layers = [&](std::string_view list) {
    const auto found = lists.find(list);
    return found == lists.end() ? std::set<int64_t>{} : found->second;
  };
  std::vector<Numbered> out;
  for (const auto& [list, stream] : {std::pair{kText, 'l'}, {kImage, 'v'}})
    for (int64_t i : layers(list)) {
      const std::string m = fmt::format("{}.{}", list, i);
      out.push_back({m, {m + ".attention.output.adapter", m + ".crossattention.output.adapter", m + ".adapter"}, fmt::format("adapter_list_{}.{}.0", stream, i)});
    }
  if (!out.empty()) {
    if (variant == "global")
      for (int64_t i : layers(kRoberta)) out.push_back({fmt::format("{}.{}", kRoberta, i), {}, fmt::format("adapter_list_t.{}.0", i)});
    return out;
  }
  if (!network.starts_with("vilt/")) return out;
  for (const std::string prefix : {"", "vilt."})
    for (int64_t i : layers(prefix + "encoder.layer")) {
      const std::string m = fmt::format("{}encoder.layer.{}", prefix, i);
      out.push_back({m, {m + ".adapter0", m + ".adapter1"}, fmt::format("{}adapter_list.{}.0", prefix, i)});
    }
  return out;
}

// Maps have their channels in dimension 1: their module holds a convolution that reads values of their rank.
bool is_map(const Graph& g, const SkipPass& pass) {
  if (g.value(pass.input).type.shape.size() != 4) return false;
  return std::any_of(pass.nodes.begin(), pass.nodes.end(), [&](NodeId n) { return g.nodes[n].type == "Conv"; });
}

// Each residual sum around an attention as a candidate of its own: its branch and the sum go, the norm behind it stays.
std::vector<SkipCandidate> attentions(const GraphFacts& facts, const std::vector<SkipCandidate>& modules) {
  const Graph& g = facts.graph;
  std::vector<std::pair<std::string, SkipCandidate>> found;  // with what groups them: METER's streams and kinds
  for (const SkipCandidate& m : modules)
    for (size_t s = 0; s < m.passes[0].sums.size(); ++s) {
      if (m.passes[0].sums[s].attention == kNoNode) continue;
      std::string path = g.modules[g.nodes[m.passes[0].sums[s].attention].module];
      const std::string list = m.module.substr(0, m.module.rfind('.'));
      if (!inside(path, m.module) || path == m.module) path = fmt::format("{}.attention{}", m.module, s);
      SkipCandidate c{.module = path, .adapters = {path + ".adapter"}, .skip_adapter = path + ".skip_adapter"};
      for (const SkipPass& pass : m.passes) {
        ResidualSum sum = pass.sums[s];
        SkipPass p{.input = sum.stream, .output = g.nodes[sum.sum].outputs[0], .nodes = nodes_between(g, sum.stream, g.nodes[sum.sum].outputs[0], pass.nodes)};
        sum.norm = kNoNode;
        p.sums = {sum};
        c.passes.push_back(std::move(p));
      }
      found.emplace_back(inside(m.module, kText) || inside(m.module, kImage) ? fmt::format("{}.{}", list, s) : "", std::move(c));
    }
  std::vector<std::string> groups;
  for (const auto& [group, c] : found)
    if (std::find(groups.begin(), groups.end(), group) == groups.end()) groups.push_back(group);
  std::vector<SkipCandidate> out;
  for (const std::string& group : groups)
    for (auto& [of, c] : found)
      if (of == group) out.push_back(std::move(c));
  return out;
}

}  // namespace

std::vector<NodeId> nodes_between(const Graph& graph, ValueId from, ValueId to, const std::vector<NodeId>& inside) {
  std::set<NodeId> own(inside.begin(), inside.end()), found;
  std::vector<ValueId> todo{to};
  while (!todo.empty()) {
    const ValueId v = todo.back();
    todo.pop_back();
    if (v == from || v == kNoValue) continue;
    const NodeId n = graph.values[v].producer;
    if (n == kNoNode || !own.count(n) || !found.insert(n).second) continue;
    todo.insert(todo.end(), graph.nodes[n].inputs.begin(), graph.nodes[n].inputs.end());
  }
  return {found.begin(), found.end()};
}

Result<std::vector<SkipCandidate>> skip_candidates(const Graph& graph, std::string_view variant) {
  if (!variant.empty() && variant != "fusion" && variant != "global" && variant != "attention")
    return fail(Code::usage, fmt::format("there is no variant called '{}'", variant), graph.name, "variants: fusion and global of METER, attention of any network");
  HONE_TRY_ASSIGN(const Profile costs, profile(graph));
  const GraphFacts facts(graph);
  const auto all = regions(graph);
  std::vector<SkipCandidate> out;
  const std::vector<Numbered> numbers = numbering(graph.name, all, variant);
  if (variant == "global" && std::ranges::none_of(numbers, [](const Numbered& n) { return inside(n.module, kRoberta); }))
    return fail(Code::usage, "has no RoBERTa layers, which variant global adds to METER's fusion layers", graph.name, "leave the variant out, or take attention");
  for (const Numbered& n : numbers) {
    const auto it = std::find_if(all.begin(), all.end(), [&](const auto& r) { return r.first == n.module; });
    auto c = it == all.end() ? std::nullopt : candidate(facts, n.module, it->second, true);
    if (!c || (!n.adapters.empty() && c->passes[0].sums.size() != n.adapters.size()))
      return fail(Code::unsupported, "is not the layer that has this name in ViLT and METER: it holds adapters already, or was rewritten otherwise", n.module, "take the network as it was before");
    c->adapters = n.adapters;
    c->skip_adapter = n.skip_adapter;
    out.push_back(std::move(*c));
  }
  if (numbers.empty()) {
    for (const auto& [module, nodes] : all) {
      if (parameters_of(graph, nodes).empty()) continue;  // an activation that is written out may add its operand, too
      if (auto c = candidate(facts, module, nodes, false)) out.push_back(std::move(*c));
    }
    // Innermost: a module that holds another candidate is none itself.
    std::vector<SkipCandidate> inner;
    for (const SkipCandidate& c : out)
      if (std::none_of(out.begin(), out.end(), [&](const SkipCandidate& o) { return o.module != c.module && inside(o.module, c.module); })) inner.push_back(c);
    std::sort(inner.begin(), inner.end(), [](const SkipCandidate& a, const SkipCandidate& b) { return a.passes[0].nodes[0] < b.passes[0].nodes[0]; });
    out = std::move(inner);
    for (SkipCandidate& c : out) {
      for (size_t s = 0; s < c.passes[0].sums.size(); ++s) c.adapters.push_back(fmt::format("{}.adapter{}", c.module, s));
      c.skip_adapter = c.module + ".skip_adapter";
    }
  }
  if (variant == "attention") out = attentions(facts, out);
  if (out.empty() && all.empty()) return fail(Code::failed, "no node says which module it belongs to, so no module can be skipped", graph.name, "export with PyTorch's exporters, which write module names, and simplify nothing afterwards");
  if (out.empty())
    return fail(Code::failed, variant == "attention" ? "no residual sum has an attention in its branch" : "no module joins its output with its input by an addition, so none can be skipped", graph.name);
  for (SkipCandidate& c : out) {
    const Shape& shape = graph.value(c.passes[0].input).type.shape;
    c.map = is_map(graph, c.passes[0]);
    c.width = shape.empty() ? 0 : c.map ? shape[1] : shape.back();
    if (c.width < 1) return fail(Code::unsupported, fmt::format("the number of channels of {} is not known", to_string(shape)), c.module, "bind the inputs: --input NAME=SHAPE");
    for (const SkipPass& pass : c.passes)
      for (NodeId n : pass.nodes) {
        c.macs += costs.nodes[n].counts.macs().value();
        c.params += costs.nodes[n].params;
      }
  }
  return out;
}

Result<std::vector<int64_t>> parse_skip_set(std::string_view text) {
  std::vector<int64_t> out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    int64_t n = 0;
    const auto [stop, error] = std::from_chars(text.data() + at, text.data() + end, n);
    if (error != std::errc() || stop != text.data() + end || end + 1 == text.size())
      return fail(Code::usage, fmt::format("skip set '{}', column {}: a number was expected", text, at + 1), {}, "numbers of candidates, for example 2,4,8,9; or a search's run directory, or a skip-set file (.json)");
    out.push_back(n);
    at = end + 1;
  }
  return out;
}

}  // namespace hone
