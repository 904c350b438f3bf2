#include "rewrite/skip.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "cost/profile.h"
#include "ir/infer.h"
#include "ir/op.h"

namespace hone {

namespace {

constexpr std::string_view kText = "cross_modal_text_layers", kImage = "cross_modal_image_layers", kRoberta = "text_transformer.encoder.layer";

bool inside(std::string_view path, std::string_view module) {
  return path.size() >= module.size() && path.substr(0, module.size()) == module && (path.size() == module.size() || path[module.size()] == '.');
}

// Facts about a graph that every candidate asks for.
struct Facts {
  const Graph& graph;
  std::vector<std::vector<NodeId>> readers;  // by value
  std::vector<bool> is_output;               // of the graph, by value
  std::vector<bool> dynamic;                 // made from an input's contents, by value

  explicit Facts(const Graph& g) : graph(g), readers(g.values.size()), is_output(g.values.size()), dynamic(g.values.size()) {
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
};

bool reads(const Node& node, ValueId v) { return std::find(node.inputs.begin(), node.inputs.end(), v) != node.inputs.end(); }

// The candidate that the nodes make up, if they are one. `context` allows further inputs from outside (the other stream of a
// cross-modal layer, masks).
std::optional<SkipCandidate> candidate(const Facts& facts, std::string module, std::vector<NodeId> nodes, bool context) {
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
  if (outputs.size() != 1 || inputs.empty() || (!context && inputs.size() != 1)) return std::nullopt;
  SkipCandidate c{.module = std::move(module), .output = outputs[0], .nodes = std::move(nodes)};
  for (ValueId v : inputs) {
    if (!(g.values[v].type == g.values[c.output].type)) continue;
    for (NodeId n : c.nodes)
      if (c.input == kNoValue && g.nodes[n].type == "Add" && reads(g.nodes[n], v)) c.input = v;
  }
  if (c.input == kNoValue) return std::nullopt;
  return c;
}

// Nodes under each module path, for every prefix of every path, in order of first appearance.
std::vector<std::pair<std::string, std::vector<NodeId>>> regions(const Graph& g) {
  std::vector<std::pair<std::string, std::vector<NodeId>>> out;
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
  int64_t skip_factor;  // bottleneck of the skip adapter over that of a parallel one
};

// The method's own numbering, where the network is one that it defines.
std::vector<Numbered> numbering(const Graph& g, std::string_view variant) {
  std::set<std::string, std::less<>> modules;
  for (const std::string& path : g.modules)
    for (size_t end = 0; end < path.size();) {
      end = std::min(path.find('.', end + 1), path.size());
      modules.insert(path.substr(0, end));
    }
  auto count = [&](const std::string& list) {
    int64_t n = 0;
    while (modules.count(fmt::format("{}.{}", list, n))) ++n;
    return n;
  };
  std::vector<Numbered> out;
  if (modules.count(fmt::format("{}.0", kText))) {
    for (const auto& [list, stream] : {std::pair{kText, 'l'}, {kImage, 'v'}})
      for (int64_t i = 0, n = count(std::string(list)); i < n; ++i) {
        const std::string m = fmt::format("{}.{}", list, i);
        out.push_back({m, {m + ".attention.output.adapter", m + ".crossattention.output.adapter", m + ".adapter"}, fmt::format("adapter_list_{}.{}.0", stream, i), 3});
      }
    if (variant == "global")
      for (int64_t i = 0, n = count(std::string(kRoberta)); i < n; ++i)
        out.push_back({fmt::format("{}.{}", kRoberta, i), {}, fmt::format("adapter_list_t.{}.0", i), 2});
    return out;
  }
  if (g.name.rfind("vilt/", 0) != 0) return out;
  for (const std::string prefix : {"", "vilt."})
    for (int64_t i = 0, n = count(prefix + "encoder.layer"); i < n; ++i) {
      const std::string m = fmt::format("{}encoder.layer.{}", prefix, i);
      out.push_back({m, {m + ".adapter0", m + ".adapter1"}, fmt::format("{}adapter_list.{}.0", prefix, i), 2});
    }
  return out;
}

}  // namespace

Result<std::vector<SkipCandidate>> skip_candidates(const Graph& graph, std::string_view variant) {
  if (!variant.empty() && variant != "fusion" && variant != "global")
    return fail(Code::usage, fmt::format("there is no variant called '{}'", variant), graph.name, "variants of METER: fusion, global");
  HONE_TRY_ASSIGN(const Profile costs, profile(graph));
  const Facts facts(graph);
  const auto all = regions(graph);
  std::vector<SkipCandidate> out;
  const std::vector<Numbered> numbers = numbering(graph, variant);
  for (const Numbered& n : numbers) {
    const auto it = std::find_if(all.begin(), all.end(), [&](const auto& r) { return r.first == n.module; });
    auto c = it == all.end() ? std::nullopt : candidate(facts, n.module, it->second, true);
    if (!c)
      return fail(Code::unsupported, "the module has not one output of its input's type; it runs more than once, or was rewritten", n.module,
                  "skip sets are applied to one pass, for example meter/base-384 or vilt/base");
    c->adapters = n.adapters;
    c->skip_adapter = n.skip_adapter;
    c->skip_width = graph.values[c->input].type.shape.back() / 8 * n.skip_factor;
    out.push_back(std::move(*c));
  }
  if (numbers.empty()) {
    for (const auto& [module, nodes] : all)
      if (auto c = candidate(facts, module, nodes, false)) out.push_back(std::move(*c));
    // Innermost: a module that holds another candidate is none itself.
    std::vector<SkipCandidate> inner;
    for (const SkipCandidate& c : out)
      if (std::none_of(out.begin(), out.end(), [&](const SkipCandidate& o) { return o.module != c.module && inside(o.module, c.module); })) inner.push_back(c);
    std::sort(inner.begin(), inner.end(), [](const SkipCandidate& a, const SkipCandidate& b) { return a.nodes[0] < b.nodes[0]; });
    out = std::move(inner);
  }
  if (out.empty()) return fail(Code::failed, "no module joins its output with its input by an addition, so none can be skipped", graph.name);
  for (SkipCandidate& c : out)
    for (NodeId n : c.nodes) {
      c.macs += costs.nodes[n].counts.macs().value();
      c.params += costs.nodes[n].params;
    }
  return out;
}

namespace {

class Rewriter {
 public:
  explicit Rewriter(const Graph& graph) : out_(graph) { out_.nodes.clear(); }

  void copy(Node node) {
    for (ValueId& v : node.inputs)
      while (v != kNoValue && replaced_.count(v)) v = replaced_.at(v);
    out_.add_node(std::move(node));
  }
  void replace(ValueId old, ValueId by) { replaced_[old] = by; }
  ValueId current(ValueId v) const {
    for (auto it = replaced_.find(v); it != replaced_.end(); it = replaced_.find(v)) v = it->second;
    return v;
  }

  // result = base + A(source); `result` keeps its id, so its readers need not change.
  void add_adapter(ValueId base, ValueId source, ValueId result, const std::string& name, int64_t bottleneck) {
    base = current(base), source = current(source);
    const TensorType type = out_.values[source].type;
    const int64_t width = type.shape.back();
    ValueId y = layer("LayerNormalization", name + ".adapter_layer_norm_before", source, {width}, {Init::Kind::ones}, width,
                      {{"axis", int64_t{-1}}, {"epsilon", 1e-5f}});
    const Init normal{Init::Kind::normal, 0.02f};
    y = layer("hone::Linear", name + ".down_proj", y, {bottleneck, width}, normal, bottleneck, {});
    y = emit("Relu", {y}, new_value(name + "/Relu", y), name, {});
    y = layer("hone::Linear", name + ".up_proj", y, {width, bottleneck}, normal, width, {});
    emit("Add", {base, y}, result, name, {});
  }

  // A new value of the type of `like`.
  ValueId new_value(const std::string& name, ValueId like) {
    Value v;
    v.name = out_.unique_name(name);
    v.type = out_.values[like].type;
    return out_.add_value(std::move(v));
  }

  // Parameters that only removed nodes read go with them.
  Result<Graph> finish(const Graph& before) {
    for (ValueId& v : out_.outputs) v = current(v);
    std::vector<bool> was_read(before.values.size());
    for (const Node& n : before.nodes)
      for (ValueId v : n.inputs)
        if (v != kNoValue) was_read[v] = true;
    Graph pruned = prune(out_);  // also drops nodes in front of a skipped module that nobody needs any more
    std::set<std::string> kept;
    for (const Node& n : pruned.nodes)
      for (ValueId v : n.inputs)
        if (v != kNoValue) kept.insert(pruned.values[v].name);
    for (ValueId v = 0; v < before.values.size(); ++v) {
      const Value& value = before.values[v];
      const bool state = value.kind == ValueKind::parameter || value.kind == ValueKind::buffer;
      if (state && was_read[v] && !kept.count(value.name)) out_.values[v].kind = ValueKind::constant;
    }
    HONE_TRY_ASSIGN(Inferred typed, infer(prune(out_)));
    return std::move(typed.graph);
  }

 private:
  ValueId parameter(const std::string& name, Shape shape, Init init) {
    Value v;
    v.name = name;
    v.kind = ValueKind::parameter;
    v.type = TensorType(DType::f32, std::move(shape));
    v.init = init;
    return out_.add_value(std::move(v));
  }
  ValueId layer(const char* type, const std::string& name, ValueId x, Shape shape, Init weight, int64_t width, Attrs attrs) {
    const ValueId w = parameter(name + ".weight", std::move(shape), weight), b = parameter(name + ".bias", {width}, {Init::Kind::zeros});
    const ValueId y = new_value(name + "/" + type, x);
    out_.values[y].type.shape.back() = width;
    return emit(type, {x, w, b}, y, name, std::move(attrs));
  }
  ValueId emit(const char* type, std::vector<ValueId> inputs, ValueId output, const std::string& module, Attrs attrs) {
    Node n;
    n.type = type;
    n.def = find_op(type);
    n.name = out_.values[output].name;
    n.inputs = std::move(inputs);
    n.outputs = {output};
    n.attrs = std::move(attrs);
    n.module = out_.module_id(module);
    out_.add_node(std::move(n));
    return output;
  }

  Graph out_;
  std::map<ValueId, ValueId> replaced_;
};

struct Insertion {
  std::string name;
  ValueId source;
};

// Where the parallel adapters of a kept module go: after which node, fed by which value. Each residual sum reads the stream;
// a LayerNorm right behind the sum (BERT) moves the stream behind it. The last adapter of a cross-modal layer is added
// behind that norm, the others to the sum.
Status place_adapters(const Graph& g, const SkipCandidate& c, std::map<NodeId, Insertion>& at) {
  const bool cross_modal = c.adapters.size() == 3;
  ValueId stream = c.input;
  size_t step = 0;
  for (size_t i = 0; i < c.nodes.size() && step < c.adapters.size(); ++i) {
    const Node& sum = g.nodes[c.nodes[i]];
    if (sum.type != "Add" || !reads(sum, stream)) continue;
    NodeId norm = kNoNode;
    for (size_t j = i + 1; j < c.nodes.size() && cross_modal && norm == kNoNode; ++j)
      if (g.nodes[c.nodes[j]].type == "LayerNormalization" && g.nodes[c.nodes[j]].inputs[0] == sum.outputs[0]) norm = c.nodes[j];
    const bool behind_norm = cross_modal && step + 1 == c.adapters.size();
    if (cross_modal && norm == kNoNode) break;
    at[behind_norm ? norm : c.nodes[i]] = {c.adapters[step++], stream};
    stream = cross_modal ? g.nodes[norm].outputs[0] : sum.outputs[0];
  }
  if (step < c.adapters.size())
    return fail(Code::unsupported, fmt::format("{} residual sums were found, {} were expected", step, c.adapters.size()), c.module);
  return {};
}

}  // namespace

Result<Graph> apply_skips(const Graph& graph, const std::vector<SkipCandidate>& candidates, const std::vector<int64_t>& set, Adapters adapters) {
  std::vector<bool> skipped(candidates.size(), false);
  for (int64_t i : set) {
    if (i < 0 || static_cast<size_t>(i) >= candidates.size())
      return fail(Code::usage, fmt::format("{} is no candidate", i), graph.name, fmt::format("candidates are 0 to {}; `hone skip list` shows them", candidates.size() - 1));
    if (skipped[static_cast<size_t>(i)]) return fail(Code::usage, fmt::format("candidate {} is given twice", i), graph.name);
    skipped[static_cast<size_t>(i)] = true;
  }
  std::map<NodeId, Insertion> insertions;
  std::map<NodeId, const SkipCandidate*> ends;  // last node of a skipped module
  std::vector<bool> removed(graph.nodes.size(), false);
  for (size_t i = 0; i < candidates.size(); ++i) {
    const SkipCandidate& c = candidates[i];
    if (adapters == Adapters::das && c.skip_adapter.empty())
      return fail(Code::usage, "the adapters of DAS are defined for ViLT and METER", graph.name, "use --adapters identity");
    if (!skipped[i]) {
      if (adapters == Adapters::das) HONE_TRY(place_adapters(graph, c, insertions));
      continue;
    }
    ends[c.nodes.back()] = &c;
    for (NodeId n : c.nodes) removed[n] = true;
  }

  Rewriter out(graph);
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    if (auto end = ends.find(n); end != ends.end()) {
      const SkipCandidate& c = *end->second;
      if (adapters == Adapters::das)
        out.add_adapter(c.input, c.input, c.output, c.skip_adapter, c.skip_width);
      else
        out.replace(c.output, out.current(c.input));
    }
    if (removed[n]) continue;
    const auto insertion = insertions.find(n);
    if (insertion == insertions.end()) {
      out.copy(graph.nodes[n]);
      continue;
    }
    Node node = graph.nodes[n];
    const ValueId result = node.outputs[0], sum = out.new_value(graph.values[result].name + "/kept", result);
    node.outputs[0] = sum;
    out.copy(std::move(node));
    const int64_t width = graph.values[insertion->second.source].type.shape.back();
    out.add_adapter(sum, insertion->second.source, result, insertion->second.name, width / 8);
  }
  return out.finish(graph);
}

Result<std::vector<int64_t>> parse_skip_set(std::string_view text) {
  std::vector<int64_t> out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    int64_t n = 0;
    const auto [stop, error] = std::from_chars(text.data() + at, text.data() + end, n);
    if (error != std::errc() || stop != text.data() + end || end + 1 == text.size())
      return fail(Code::usage, fmt::format("skip set '{}', column {}: a number was expected", text, at + 1), {}, "numbers of candidates, for example 2,4,8,9");
    out.push_back(n);
    at = end + 1;
  }
  return out;
}

}  // namespace hone
