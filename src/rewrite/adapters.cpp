#include "rewrite/adapters.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "rewrite/adapter_nodes.h"
#include "rewrite/editor.h"

namespace hone {

namespace {

constexpr std::pair<Keep, std::string_view> kKeeps[] = {{Keep::none, "none"}, {Keep::das, "das"}, {Keep::houlsby, "houlsby"}, {Keep::scaled, "scaled"},
                                                        {Keep::lora, "lora"}, {Keep::linear, "linear"}, {Keep::before, "before"}, {Keep::prompt, "prompt"}, {Keep::deep_prompt, "deep-prompt"}};
constexpr std::pair<Replace, std::string_view> kReplaces[] = {{Replace::identity, "identity"}, {Replace::adapter, "adapter"}, {Replace::propagate, "propagate"}};

// Where a network has no place for an adapter.
tl::unexpected<Error> no_place(const SkipCandidate& c, Keep keep, std::string_view why) {
  return fail(Code::usage, fmt::format("{} adapters have no place here: {}", name(keep), why), c.module, "--adapters das works on every network with residual modules");
}

AdapterShape shape_of(const SkipCandidate& c, const Adapters& a, int64_t bottleneck, double scale = 1) {
  return {c.width, bottleneck, c.map, scale, a.zero_up, a.xavier, a.relu, a.groups, a.dropout};
}
int64_t kept_bottleneck(const SkipCandidate& c, const Adapters& a) { return a.hidden > 0 ? a.hidden : std::max<int64_t>(1, c.width / a.reduction); }
// Whether attentions alone get adapters: where they are asked for and a module has one.
bool only_attentions(const SkipPass& pass, bool asked) {
  return asked && std::any_of(pass.sums.begin(), pass.sums.end(), [](const ResidualSum& s) { return s.attention != kNoNode; });
}
int64_t skip_bottleneck(const SkipCandidate& c, const Adapters& a) {  // as wide as what it displaces
  if (a.replace_hidden > 0) return a.replace_hidden;
  const auto& sums = c.passes[0].sums;
  const bool only = only_attentions(c.passes[0], a.attention_only);
  return kept_bottleneck(c, a) * std::count_if(sums.begin(), sums.end(), [&](const ResidualSum& s) { return !only || s.attention != kNoNode; });
}

// The norm that alone stands in front of a branch (pre-norm), or none.
NodeId norm_of(const Graph& g, const SkipPass& pass, const ResidualSum& s) {
  for (NodeId n : nodes_between(g, s.stream, s.branch, pass.nodes))
    if (g.nodes[n].inputs[0] == s.stream && (g.nodes[n].type == "LayerNormalization" || g.nodes[n].type == "RMSNormalization")) return n;
  return kNoNode;
}

Status check(const SkipCandidate& c, const Adapters& a) {
  const bool kept = a.keep == Keep::das || a.keep == Keep::houlsby || a.keep == Keep::scaled || a.keep == Keep::linear || a.keep == Keep::before;
  for (const auto& [used, bottleneck] : {std::pair{kept, kept_bottleneck(c, a)}, {a.replace == Replace::adapter, skip_bottleneck(c, a)}})
    if (used && (bottleneck % a.groups || c.width < a.groups)) return fail(Code::usage, fmt::format("an adapter's bottleneck of {} and {} channels are not {} groups", bottleneck, c.width, a.groups), c.module);
  return {};
}

// The dense layers of a branch that no other one stands in front of, where they read what was made of the stream, and the one
// value that they read: the stream, or what a norm gave. kNoValue: there are none, or they read several.
struct FirstDense {
  ValueId source = kNoValue;
  std::vector<NodeId> layers;
};
FirstDense first_dense(const Graph& g, const SkipPass& pass, const ResidualSum& s) {
  FirstDense out;
  std::set<ValueId> of_stream{s.stream}, behind_dense;
  for (NodeId n : nodes_between(g, s.stream, s.branch, pass.nodes)) {
    const Node& node = g.nodes[n];
    const auto reads = [&](const std::set<ValueId>& values) { return std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId v) { return values.count(v) > 0; }); };
    const bool dense = node.type == "hone::Linear", behind = reads(behind_dense), ours = reads(of_stream);
    if (dense && !behind && of_stream.count(node.inputs[0])) {
      if (!out.layers.empty() && out.source != node.inputs[0]) return {};
      out.source = node.inputs[0];
      out.layers.push_back(n);
    }
    if (ours) of_stream.insert(node.outputs.begin(), node.outputs.end());
    if (dense || behind) behind_dense.insert(node.outputs.begin(), node.outputs.end());
  }
  return out;
}

// What happens around a node of the old graph.
struct Edits {
  std::vector<std::function<void(Editor&, Node&)>> before;           // may emit nodes and change what the node reads
  std::function<ValueId(Editor&, const Node&, ValueId)> after;       // from the node's output to what readers get, through `emit into`
};

class Plan {
 public:
  Plan(const Graph& g, const Adapters& a) : g_(g), a_(a) {}

  Status keep(const SkipCandidate& c) {
    if (c.adapters.empty() && (a_.keep == Keep::das || a_.keep == Keep::houlsby || a_.keep == Keep::scaled)) return {};
    for (const SkipPass& pass : c.passes) switch (a_.keep) {
        case Keep::none:
        case Keep::prompt: break;
        case Keep::das: beside(c, pass, false); break;
        case Keep::scaled: beside(c, pass, true); break;
        case Keep::houlsby: behind_branches(c, pass); break;
        case Keep::lora: HONE_TRY(low_rank(c, pass)); break;
        case Keep::linear:
        case Keep::before: HONE_TRY(before_dense(c, pass)); break;
        case Keep::deep_prompt: HONE_TRY(among_keys(c, pass)); break;
      }
    return {};
  }

  const Edits* at(NodeId n) const {
    const auto it = edits_.find(n);
    return it == edits_.end() ? nullptr : &it->second;
  }

 private:
  AdapterShape shape(const SkipCandidate& c, double scale = 1) const { return shape_of(c, a_, kept_bottleneck(c, a_), scale); }

  // The node's result becomes result + s A(source).
  void add_behind(NodeId node, ValueId source, std::string name, AdapterShape s) {
    edits_[node].after = [source, name = std::move(name), s](Editor& e, const Node& n, ValueId kept) { return parallel_adapter(e, kept, source, name, s, n.outputs[0]); };
  }

  void beside(const SkipCandidate& c, const SkipPass& pass, bool attention_only) {
    const bool only = only_attentions(pass, attention_only || a_.attention_only);
    for (size_t i = 0; i < pass.sums.size() && i < c.adapters.size(); ++i) {
      const ResidualSum& s = pass.sums[i];
      if (only && s.attention == kNoNode) continue;
      const bool behind_norm = s.norm != kNoNode && (attention_only || i + 1 == pass.sums.size());
      const ValueId source = attention_only ? branch_input(pass, s) : s.stream;
      add_behind(behind_norm ? s.norm : s.sum, source, c.adapters[i], shape(c, attention_only ? 4 : 1));
    }
  }

  // What a branch reads: the stream, or the norm that alone stands in front of it (pre-norm).
  ValueId branch_input(const SkipPass& pass, const ResidualSum& s) const {
    const NodeId norm = norm_of(g_, pass, s);
    return norm == kNoNode ? s.stream : g_.nodes[norm].outputs[0];
  }

  void behind_branches(const SkipCandidate& c, const SkipPass& pass) {
    const bool only = only_attentions(pass, a_.attention_only);
    for (size_t i = 0; i < pass.sums.size(); ++i) {
      if (only && pass.sums[i].attention == kNoNode) continue;
      const ValueId branch = pass.sums[i].branch;
      edits_[pass.sums[i].sum].before.push_back([branch, name = c.adapters[std::min(i, c.adapters.size() - 1)], s = shape(c)](Editor& e, Node& sum) {
        const ValueId adapted = houlsby_adapter(e, branch, name, s);
        std::replace(sum.inputs.begin(), sum.inputs.end(), branch, adapted);
      });
    }
  }

  // The one dense layer that gives a query, key or value: nearest behind `v` through whatever moves and turns it.
  Result<NodeId> dense_of(const SkipCandidate& c, const SkipPass& pass, ValueId v) const {
    std::set<NodeId> own(pass.nodes.begin(), pass.nodes.end()), found, seen;
    std::vector<ValueId> todo{v};
    while (!todo.empty()) {
      const ValueId at = todo.back();
      todo.pop_back();
      const NodeId n = at == kNoValue ? kNoNode : g_.values[at].producer;
      if (n == kNoNode || !own.count(n) || !seen.insert(n).second) continue;
      if (g_.nodes[n].type == "hone::Linear") found.insert(n);
      else todo.insert(todo.end(), g_.nodes[n].inputs.begin(), g_.nodes[n].inputs.end());
    }
    if (found.size() != 1) return no_place(c, a_.keep, "not one dense layer makes the queries, keys or values");
    return *found.begin();
  }

  struct Heads {
    NodeId attention, q, k, v;  // dense layers
  };
  Result<std::vector<Heads>> attentions(const SkipCandidate& c, const SkipPass& pass) const {
    std::vector<Heads> out;
    for (const ResidualSum& s : pass.sums) {
      if (s.attention == kNoNode) continue;
      const Node& n = g_.nodes[s.attention];
      if (n.type != "Attention") return no_place(c, a_.keep, "the attention is not one node");
      HONE_TRY_ASSIGN(const NodeId q, dense_of(c, pass, n.inputs[0]));
      HONE_TRY_ASSIGN(const NodeId k, dense_of(c, pass, n.inputs[1]));
      HONE_TRY_ASSIGN(const NodeId v, dense_of(c, pass, n.inputs[2]));
      out.push_back({s.attention, q, k, v});
    }
    if (out.empty()) return no_place(c, a_.keep, "it has no attention");
    return out;
  }

  // The name of a dense layer: its weight's, without the ending.
  std::string dense_name(NodeId dense) const {
    ValueId w = g_.nodes[dense].inputs[1];
    if (g_.values[w].producer != kNoNode) w = g_.nodes[g_.values[w].producer].inputs[0];  // transposed
    std::string name = g_.values[w].name;
    if (name.ends_with(".weight")) name.resize(name.size() - 7);
    return name;
  }

  Status low_rank(const SkipCandidate& c, const SkipPass& pass) {
    HONE_TRY_ASSIGN(const auto heads, attentions(c, pass));
    for (const Heads& h : heads) {
      const std::string name = dense_name(h.q);
      const int64_t out = g_.value(g_.nodes[h.q].outputs[0]).type.shape.back();
      if (h.q != h.v) {
        edits_[h.q].after = lora_after({{name + ".lora", 0, out, 0, a_.rank, a_.dropout}});
        edits_[h.v].after = lora_after({{dense_name(h.v) + ".lora", 0, g_.value(g_.nodes[h.v].outputs[0]).type.shape.back(), 0, a_.rank, a_.dropout}});
        continue;
      }
      if (h.q != h.k || out % 3) return no_place(c, a_.keep, "queries and values share a dense layer that is not three equal parts");
      edits_[h.q].after = lora_after({{name + ".lora_q", 0, out / 3, out / 3 * 2, a_.rank, a_.dropout}, {name + ".lora_v", out / 3 * 2, out / 3, 0, a_.rank, a_.dropout}});
    }
    return {};
  }
  static std::function<ValueId(Editor&, const Node&, ValueId)> lora_after(std::vector<LowRank> branches) {
    return [branches = std::move(branches)](Editor& e, const Node& n, ValueId kept) {
      for (size_t i = 0; i < branches.size(); ++i) kept = low_rank_branch(e, kept, n.inputs[0], branches[i], i + 1 == branches.size() ? n.outputs[0] : kNoValue);
      return kept;
    };
  }

  Status before_dense(const SkipCandidate& c, const SkipPass& pass) {
    const bool only = only_attentions(pass, a_.attention_only);
    for (size_t i = 0; i < pass.sums.size(); ++i) {
      const ResidualSum& s = pass.sums[i];
      if (only && s.attention == kNoNode) continue;
      const FirstDense first = first_dense(g_, pass, s);
      if (first.source == kNoValue || g_.value(first.source).type.shape.back() != c.width) return no_place(c, a_.keep, "its branch does not begin with dense layers that read one value as wide as the stream");
      const ValueId source = first.source;
      std::string name = i < c.adapters.size() ? c.adapters[i] : fmt::format("{}.adapter{}", c.module, i);
      const auto made = std::make_shared<ValueId>(kNoValue);
      AdapterShape own = shape(c);
      if (a_.keep == Keep::linear) own.relu = false, own.zero_up = true;
      for (NodeId n : first.layers)
        edits_[n].before.push_back([made, source, name, own](Editor& e, Node& dense) {
          if (*made == kNoValue) *made = bottleneck_adapter(e, source, name, own);
          dense.inputs[0] = *made;
        });
    }
    return {};
  }

  Status among_keys(const SkipCandidate& c, const SkipPass& pass) {
    HONE_TRY_ASSIGN(const auto heads, attentions(c, pass));
    const Heads h = heads.back();
    const ValueId source = g_.nodes[h.k].inputs[0];
    if (g_.nodes[h.v].inputs[0] != source) return no_place(c, a_.keep, "keys and values are not made from the same tokens");
    const int64_t width = g_.value(source).type.shape.back(), tokens = g_.value(source).type.shape[1];
    const auto longer = [made = std::make_shared<ValueId>(kNoValue), source, name = c.module + ".prompt", n = a_.prompts, width](Editor& e, Node& dense) {
      if (*made == kNoValue) *made = append_prompt(e, source, name, n, width);
      dense.inputs[0] = *made;
    };
    edits_[h.k].before.push_back(longer);
    if (h.v != h.k) edits_[h.v].before.push_back(longer);
    const bool packed = h.q == h.k;
    edits_[h.attention].before.push_back([packed, tokens, n = a_.prompts](Editor& e, Node& attention) {
      if (packed) attention.inputs[0] = take_first(e, attention.inputs[0], 2, tokens, attention.name);
      if (attention.inputs.size() > 3 && attention.inputs[3] != kNoValue) attention.inputs[3] = open_mask(e, attention.inputs[3], n, attention.name);
    });
    return {};
  }

  const Graph& g_;
  const Adapters& a_;
  std::map<NodeId, Edits> edits_;
};

// Streams: runs of candidates that hand their output on. Prompts come in at the start of each and leave at its end.
struct Streams {
  std::map<ValueId, std::string> starts;  // value that the first candidate reads -> name of its prompt
  std::set<ValueId> ends;
  std::set<NodeId> nodes;                 // of all candidates
  std::map<ValueId, int64_t> tokens;      // of starts and ends
};

Result<Streams> streams(const Graph& g, const std::vector<SkipCandidate>& candidates) {
  Streams out;
  std::set<ValueId> outputs, inputs;
  for (const SkipCandidate& c : candidates)
    for (const SkipPass& p : c.passes) {
      if (c.map || g.value(p.input).type.shape.size() != 3) return no_place(c, Keep::prompt, "prompts are tokens, this is a map");
      outputs.insert(p.output);
      inputs.insert(p.input);
      out.nodes.insert(p.nodes.begin(), p.nodes.end());
    }
  for (const SkipCandidate& c : candidates)
    for (const SkipPass& p : c.passes) {
      const int64_t tokens = g.value(p.input).type.shape[1];
      if (!outputs.count(p.input)) {
        out.starts.emplace(p.input, "prompt." + c.module.substr(0, c.module.rfind('.')));
        out.tokens[p.input] = tokens;
      }
      if (!inputs.count(p.output)) {
        out.ends.insert(p.output);
        out.tokens[p.output] = tokens;
      }
    }
  return out;
}

}  // namespace

std::string_view name(Keep k) {
  for (const auto& [keep, text] : kKeeps)
    if (keep == k) return text;
  return "";
}
std::string_view name(Replace r) {
  for (const auto& [replace, text] : kReplaces)
    if (replace == r) return text;
  return "";
}
std::optional<Keep> parse_keep(std::string_view text) {
  for (const auto& [keep, name] : kKeeps)
    if (name == text) return keep;
  return std::nullopt;
}
std::optional<Replace> parse_replace(std::string_view text) {
  for (const auto& [replace, name] : kReplaces)
    if (name == text) return replace;
  return std::nullopt;
}

bool is_adapter(std::string_view parameter) {
  return parameter.find("adapter") != std::string_view::npos || parameter.find(".lora") != std::string_view::npos || parameter.starts_with("prompt.") || parameter.ends_with(".prompt");
}

Result<Graph> apply_skips(const Graph& graph, const std::vector<SkipCandidate>& candidates, const std::vector<int64_t>& set, const Adapters& adapters) {
  if (adapters.reduction < 1 || adapters.rank < 1 || adapters.prompts < 1 || adapters.rank > 1 << 16 || adapters.prompts > 1 << 16)
    return fail(Code::usage, "reduction, rank and prompts are whole numbers from 1 to 65536", graph.name);
  if (adapters.hidden < 0 || adapters.replace_hidden < 0 || adapters.hidden > 1 << 16 || adapters.replace_hidden > 1 << 16 || adapters.groups < 1 || adapters.groups > 1 << 16 || !(adapters.dropout >= 0 && adapters.dropout < 1))
    return fail(Code::usage, "hidden sizes are whole numbers to 65536, groups from 1 on, and dropout is a share below 1", graph.name);
  std::vector<bool> skipped(candidates.size(), false);
  for (int64_t i : set) {
    if (i < 0 || static_cast<size_t>(i) >= candidates.size())
      return fail(Code::usage, fmt::format("{} is no candidate", i), graph.name, fmt::format("candidates are 0 to {}; `hone skip list` shows them", candidates.size() - 1));
    if (skipped[static_cast<size_t>(i)]) return fail(Code::usage, fmt::format("candidate {} is given twice", i), graph.name);
    skipped[static_cast<size_t>(i)] = true;
  }
  for (const SkipCandidate& c : candidates) HONE_TRY(check(c, adapters));
  Plan plan(graph, adapters);
  struct End {
    const SkipCandidate* candidate;
    const SkipPass* pass;
    ValueId normed = kNoValue;  // what the module's norm gives, which stays
  };
  std::map<NodeId, End> ends;  // last node of a skipped pass
  std::vector<bool> removed(graph.nodes.size(), false);
  for (size_t i = 0; i < candidates.size(); ++i) {
    const SkipCandidate& c = candidates[i];
    if (!skipped[i]) {
      HONE_TRY(plan.keep(c));
      continue;
    }
    if (adapters.replace == Replace::propagate && (c.passes[0].sums.size() != 1 || c.passes[0].sums[0].attention == kNoNode))
      return fail(Code::usage, "propagate takes the place of an attention alone, and this is none", c.module, "--variant attention");
    if (adapters.replace == Replace::propagate && c.map) return fail(Code::usage, "propagate stands among tokens, and this is a map", c.module, "--replace adapter works there");
    for (const SkipPass& pass : c.passes) {
      End& end = ends[pass.nodes.back()] = {&c, &pass};
      for (NodeId n : pass.nodes) removed[n] = true;
      if (adapters.replace != Replace::adapter || !adapters.module_norm) continue;
      const ResidualSum& first = pass.sums[0];
      if (first.stream == pass.input) end.normed = first_dense(graph, pass, first).source;
      if (end.normed == kNoValue || end.normed == pass.input) return fail(Code::usage, "a skip adapter cannot read the module's norm: none stands in front of its first branch", c.module);
      for (NodeId n : nodes_between(graph, pass.input, end.normed, pass.nodes)) removed[n] = false;
    }
  }
  Streams prompts;
  if (adapters.keep == Keep::prompt) {
    HONE_TRY_ASSIGN(prompts, streams(graph, candidates));
  }

  Editor out(graph);
  std::map<ValueId, ValueId> prompted;  // start of a stream -> with its prompt
  const auto with_prompts = [&](Node& node) {
    for (ValueId& v : node.inputs) {
      const auto start = prompts.starts.find(v);
      if (start == prompts.starts.end()) continue;
      const auto [it, first] = prompted.emplace(v, kNoValue);
      if (first) it->second = append_prompt(out, v, start->second, adapters.prompts, graph.value(v).type.shape.back());
      v = it->second;
    }
    if (node.type == "Attention" && node.inputs.size() > 3 && node.inputs[3] != kNoValue) node.inputs[3] = open_mask(out, node.inputs[3], adapters.prompts, node.name);
  };
  const auto leave_stream = [&](ValueId v) {
    if (prompts.ends.count(v)) out.replace(v, take_first(out, v, 1, prompts.tokens.at(v), graph.value(v).name));
  };
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    if (auto end = ends.find(n); end != ends.end()) {
      const auto& [c, pass, normed] = end->second;
      Node reader;
      reader.inputs = {pass->input};
      if (adapters.keep == Keep::prompt) with_prompts(reader);
      const ValueId source = reader.inputs[0];
      AdapterShape shape = shape_of(*c, adapters, skip_bottleneck(*c, adapters));
      shape.norm = normed == kNoValue;
      switch (adapters.replace) {
        case Replace::identity: out.replace(pass->output, out.current(source)); break;
        case Replace::adapter: parallel_adapter(out, source, shape.norm ? source : normed, c->skip_adapter, shape, pass->output); break;
        case Replace::propagate: propagation_adapter(out, source, attention_context(graph, *pass), c->skip_adapter, shape, pass->output); break;
      }
      leave_stream(pass->output);
    }
    if (removed[n]) continue;
    Node node = graph.nodes[n];
    const Edits* edits = plan.at(n);
    if (adapters.keep == Keep::prompt && prompts.nodes.count(n)) with_prompts(node);
    if (edits)
      for (const auto& edit : edits->before) edit(out, node);
    if (edits && edits->after) {
      const ValueId kept = out.rename_output(node);
      out.copy(node);
      edits->after(out, graph.nodes[n], kept);
    } else {
      out.copy(std::move(node));
    }
    for (ValueId v : graph.nodes[n].outputs) leave_stream(v);
  }
  auto done = out.finish(graph);
  if (!done) return fail(Code::unsupported, fmt::format("the rewritten network does not fit together: {}", done.error().text()), graph.name, adapters.keep == Keep::prompt || adapters.keep == Keep::deep_prompt ? "a file with fixed shapes cannot take more tokens" : "");
  return done;
}

}  // namespace hone
