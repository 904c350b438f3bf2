#include "measure/node_profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>

#include "measure/load.h"

namespace hone {

namespace {

constexpr double kCountedShare = 0.07;  // of the seconds, for each counted session
constexpr double kCountedSeconds = 5;   // where rounds are asked for instead of seconds
constexpr int64_t kLeastCounted = 20, kMostCounted = 400;  // runs of a session: its times are their mean, cold ones included
constexpr double kBusyMs = 200;
constexpr int kRestMs = 20;
constexpr size_t kNobody = SIZE_MAX;

int64_t bytes_of(const Value& v) {
  if (!v.type.ranked) return 0;
  const auto count = element_count(v.type.shape);
  return count && *count >= 0 ? byte_size(v.type.dtype, *count).value_or(0) : 0;
}

using Names = std::unordered_map<std::string, NodeId>;
Names names_of(const Graph& graph) {
  Names by_name;
  for (NodeId n = 0; n < graph.nodes.size(); ++n)
    if (!graph.nodes[n].name.empty()) by_name.emplace(graph.nodes[n].name, n);
  return by_name;
}

// Kinds of the engine's that compute products; the others among the parts of an attention move or normalise.
bool does_products(const std::string& kind) {
  for (const char* word : {"MatMul", "FullyConnected", "Convolution", "Attention", "MHA", "GRU", "LSTM", "RNN"})
    if (kind.find(word) != std::string::npos) return true;
  return false;
}

// The graph's nodes that an engine's node stands for. Where it does not say, its own name often begins with one:
// "head.fc/Gemm/0/WithoutBiases".
std::vector<NodeId> claimed(const NodeTime& time, const Names& by_name) {
  std::vector<NodeId> out;
  for (const std::string& name : time.from)
    if (const auto found = by_name.find(name); found != by_name.end()) out.push_back(found->second);
  std::string name = out.empty() ? time.name : "";
  while (!name.empty()) {
    if (const auto found = by_name.find(name); found != by_name.end()) return {found->second};
    const size_t slash = name.rfind('/');
    name.resize(slash == std::string::npos ? 0 : slash);
  }
  return out;
}

// Products that no node of the engine claims go to the one that must do them: the product that claims what reads their
// output and has none of its own (a batch norm behind a layer, merged into it), or, when as many nodes of the engine name
// nothing at all, to those in order; all to a single one.
void place_products(const Graph& graph, const Profile& profile, const std::vector<NodeTime>& times, const std::vector<std::vector<NodeId>>& claims, std::vector<size_t>& owner) {
  const auto is_product = [&](NodeId n) { return profile.nodes[n].counts.macs().value() > 0; };
  std::vector<bool> busy(times.size());
  for (NodeId n = 0; n < graph.nodes.size(); ++n)
    if (owner[n] != kNobody && is_product(n)) busy[owner[n]] = true;
  const auto feeder = [&](NodeId n) {
    for (const ValueId v : graph.nodes[n].inputs)
      if (v != kNoValue && graph.value(v).producer != kNoNode) return graph.value(v).producer;
    return kNoNode;
  };
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    if (owner[n] == kNobody || busy[owner[n]] || !does_products(times[owner[n]].kind)) continue;
    NodeId from = feeder(n);
    while (from != kNoNode && owner[from] == kNobody && !is_product(from)) from = feeder(from);  // reshapes are free
    if (from == kNoNode || owner[from] != kNobody) continue;
    owner[from] = owner[n];
    busy[owner[n]] = true;
  }
  std::vector<NodeId> left;
  std::vector<size_t> nameless;
  for (NodeId n = 0; n < graph.nodes.size(); ++n)
    if (owner[n] == kNobody && is_product(n)) left.push_back(n);
  for (size_t t = 0; t < times.size(); ++t)
    if (claims[t].empty() && does_products(times[t].kind)) nameless.push_back(t);
  if (left.size() == nameless.size() || nameless.size() == 1)
    for (size_t i = 0; i < left.size(); ++i) owner[left[i]] = nameless[std::min(i, nameless.size() - 1)];
}

// For each node of the graph the engine's node that its counts go to: the slowest that computes products, else the slowest.
std::vector<size_t> owners(const Graph& graph, const Profile& profile, const std::vector<NodeTime>& times, const std::vector<std::vector<NodeId>>& claims) {
  std::vector<size_t> owner(graph.nodes.size(), kNobody);
  for (size_t t = 0; t < times.size(); ++t)
    for (const NodeId n : claims[t])
      if (size_t& o = owner[n]; o == kNobody || std::pair(does_products(times[t].kind), times[t].milliseconds) > std::pair(does_products(times[o].kind), times[o].milliseconds)) o = t;
  place_products(graph, profile, times, claims, owner);
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    // Products are never free: one that nobody claims stays nobody's, and its MACs are missing from the sum.
    if (owner[n] != kNobody || profile.nodes[n].counts.macs().value() > 0) continue;
    for (const ValueId v : graph.nodes[n].inputs)
      if (v != kNoValue && graph.value(v).producer != kNoNode) {
        owner[n] = owner[graph.value(v).producer];
        break;
      }
  }
  return owner;
}

}  // namespace

std::vector<NodeTiming> join(const Graph& graph, const Profile& profile, const std::vector<NodeTime>& times) {
  const Names by_name = names_of(graph);
  std::vector<std::vector<NodeId>> claims;
  for (const NodeTime& t : times) claims.push_back(claimed(t, by_name));
  const std::vector<size_t> owner = owners(graph, profile, times, claims);
  std::vector<NodeTiming> out(times.size());
  for (size_t t = 0; t < times.size(); ++t) out[t].name = times[t].name, out[t].kind = times[t].kind, out[t].primitive = times[t].primitive, out[t].ms = times[t].milliseconds;
  std::vector<std::set<ValueId>> read(times.size());
  std::vector<bool> leaves(graph.values.size());  // read by a node of another owner, or given back
  for (const ValueId v : graph.outputs)
    if (v != kNoValue) leaves[v] = true;
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    for (const ValueId v : graph.nodes[n].inputs) {
      if (v == kNoValue) continue;
      const NodeId producer = graph.value(v).producer;
      if (producer != kNoNode && owner[producer] != owner[n]) leaves[v] = true;
      if (owner[n] != kNobody && (producer == kNoNode || owner[producer] != owner[n])) read[owner[n]].insert(v);
    }
    if (owner[n] == kNobody) continue;
    NodeTiming& t = out[owner[n]];
    const NodeCost& cost = profile.nodes[n];
    t.from.push_back(n);
    t.macs += cost.counts.macs().value();
    t.acts += cost.counts.acts().value();
    t.params += cost.params;
    if (t.lead == kNoNode || cost.counts.macs().value() > profile.nodes[t.lead].counts.macs().value()) t.lead = n;
  }
  // Parts of one node of the graph: the engine computes an attention as products and a softmax.
  for (size_t t = 0; t < times.size(); ++t)
    for (const NodeId n : claims[t])
      if (out[t].macs == 0 && (out[t].lead == kNoNode || owner[out[t].lead] != t)) {
        out[t].from.push_back(n);
        if (out[t].lead == kNoNode || profile.nodes[n].counts.macs().value() > profile.nodes[out[t].lead].counts.macs().value()) out[t].lead = n;
      }
  for (size_t t = 0; t < times.size(); ++t)
    for (const ValueId v : read[t]) out[t].bytes += bytes_of(graph.value(v));
  for (NodeId n = 0; n < graph.nodes.size(); ++n)
    for (const ValueId v : graph.nodes[n].outputs)
      if (v != kNoValue && leaves[v] && owner[n] != kNobody) out[owner[n]].bytes += bytes_of(graph.value(v));
  // Several parts with products share counts and bytes by their time, so that each has the speed of all of them.
  for (size_t owning = 0; owning < times.size(); ++owning) {
    std::vector<size_t> parts;
    double ms = out[owning].ms;
    if (out[owning].macs == 0 || owner[out[owning].lead] != owning) continue;
    for (size_t t = 0; t < times.size(); ++t)
      if (t != owning && out[t].lead == out[owning].lead && does_products(out[t].kind)) parts.push_back(t), ms += out[t].ms;
    const NodeTiming whole = out[owning];
    for (const size_t t : parts) {
      const auto part = [&](int64_t n) { return ms > 0 ? static_cast<int64_t>(static_cast<double>(n) * out[t].ms / ms) : 0; };
      out[t].macs = part(whole.macs), out[t].bytes = part(whole.bytes), out[t].acts = part(whole.acts), out[t].params = part(whole.params);
      out[owning].macs -= out[t].macs, out[owning].bytes -= out[t].bytes, out[owning].acts -= out[t].acts, out[owning].params -= out[t].params;
    }
  }
  return out;
}

Result<NodeProfile> measure_nodes(Engine& engine, const Graph& graph, const Profile& profile, const EngineOptions& engine_options, const TimingOptions& options) {
  NodeProfile out;
  std::vector<std::vector<NodeTime>> counted;
  std::vector<double> counted_ms;
  TimingOptions timing = options;
  timing.seconds *= 1 - kCounted * kCountedShare;
  timing.min_seconds = std::min(timing.min_seconds, timing.seconds);
  EngineOptions with_counters = engine_options;
  with_counters.counters = true;
  const TimingClock clock = TimingClock::machine();
  HONE_TRY_ASSIGN(const std::unique_ptr<EngineSession> plain, load_ready(engine, graph, engine_options, options.seed));
  HONE_TRY_ASSIGN(const Measurement first, measure({candidate(graph.name, *plain)}, timing, clock));
  out.whole = first.timings[0];
  const int64_t runs = std::clamp<int64_t>(static_cast<int64_t>((options.seconds > 0 ? options.seconds : kCountedSeconds) * kCountedShare * 1000 / out.whole.median), kLeastCounted, kMostCounted);
  for (int k = 0; k < kCounted; ++k) {
    HONE_TRY_ASSIGN(const std::unique_ptr<EngineSession> session, load_ready(engine, graph, with_counters, options.seed));
    double all = 0, calm = 0;
    int64_t calm_runs = 0;
    double rested = clock.wall_ms();
    for (int64_t i = 0; i < runs; ++i) {
      // A thread of real-time priority is stopped for some 50 ms in every second, within whatever node it is then: it stops
      // by itself between runs instead.
      if (clock.wall_ms() - rested > kBusyMs) {
        std::this_thread::sleep_for(std::chrono::milliseconds(kRestMs));
        rested = clock.wall_ms();
      }
      const double begin = clock.wall_ms();
      const int64_t preempted = clock.preemptions();
      HONE_TRY(session->again());
      const double ms = clock.wall_ms() - begin;
      all += ms;
      if (clock.preemptions() == preempted) calm += ms, ++calm_runs;
    }
    counted_ms.push_back(calm_runs > 0 ? calm / static_cast<double>(calm_runs) : all / static_cast<double>(runs));
    HONE_TRY_ASSIGN(std::vector<NodeTime> times, session->counters());
    if (times.empty()) return fail(Code::unsupported, fmt::format("{} gives no times of nodes", engine.name()), graph.name);
    counted.push_back(std::move(times));
    if (options.progress) options.progress(1 - kCountedShare * (kCounted - 1 - k));
  }
  out.counted_ms = median(counted_ms);
  // Sessions ran at different minutes: each is brought to the same whole before its nodes are compared.
  std::vector<NodeTime> times = counted[0];
  for (size_t n = 0; n < times.size(); ++n) {
    std::vector<double> of_node;
    for (size_t k = 0; k < counted.size(); ++k)
      if (n < counted[k].size() && counted[k][n].name == times[n].name) of_node.push_back(counted[k][n].milliseconds * out.counted_ms / counted_ms[k]);
    times[n].milliseconds = median(std::move(of_node));
    out.sum_ms += times[n].milliseconds;
  }
  out.nodes = join(graph, profile, times);
  return out;
}

std::vector<RowTime> roll_up_times(const Graph& graph, const std::vector<Row>& rows, GroupBy by, const NodeProfile& measured) {
  std::vector<RowTime> out;
  std::unordered_map<std::string, size_t> index;
  for (size_t r = 0; r < rows.size(); ++r) {
    out.push_back({rows[r].name});
    index.emplace(rows[r].name, r);
  }
  std::map<std::string, RowTime> added;
  for (const NodeTiming& t : measured.nodes) {
    RowTime* row = nullptr;
    if (t.lead != kNoNode) {
      const Node& node = graph.nodes[t.lead];
      const std::string key = by == GroupBy::op ? node.type : by == GroupBy::module ? graph.modules[node.module] : by == GroupBy::stage ? stage_of(graph.modules[node.module]) : node.name;
      if (by == GroupBy::node) row = &out[t.lead];
      else if (const auto found = index.find(key); found != index.end()) row = &out[found->second];
    }
    if (!row) {
      row = &added[t.kind];
      row->name = "(" + t.kind + ")";
    }
    ++row->engine_nodes;
    row->ms += t.ms * measured.scale();
    row->macs += t.macs;
    row->bytes += t.bytes;
  }
  for (auto& [kind, row] : added) out.push_back(std::move(row));
  return out;
}

}  // namespace hone
