// Where the time of a network goes: an engine's counters joined with hone's counts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "cost/profile.h"
#include "engine/engine.h"
#include "ir/graph.h"
#include "measure/timing.h"

namespace hone {

// One of the engine's nodes, with the counts of the graph's nodes that it does.
struct NodeTiming {
  std::string name, kind, primitive;  // the engine's
  std::vector<NodeId> from;           // the graph's nodes, in order; empty for what the engine has added (reorders)
  NodeId lead = kNoNode;              // of `from` the one with the most MACs, else the first: gives module and stage
  double ms = 0;                      // of one inference
  int64_t macs = 0, acts = 0, params = 0;
  int64_t bytes = 0;                  // read and written: tensors that come from or go to other nodes, and parameters

  double gflop_per_second() const { return ms > 0 ? 2e-6 * static_cast<double>(macs) / ms : 0; }
  double intensity() const { return bytes > 0 ? 2. * static_cast<double>(macs) / static_cast<double>(bytes) : 0; }  // FLOPs per byte
};

// `times` in order of execution. A node of the graph that several of the engine's nodes do (an attention) counts once: those
// that compute products share its counts by their time. A node that none of them does (an engine folds batch norms, reshapes for free) belongs to the one that computes its input.
std::vector<NodeTiming> join(const Graph& graph, const Profile& profile, const std::vector<NodeTime>& times);

// A network, timed whole and node by node.
struct NodeProfile {
  Timing whole;                    // without counters: what users wait for
  double counted_ms = 0;           // of one inference while counters run: mean of the runs that they are means of
  std::vector<NodeTiming> nodes;   // as the counters say, not scaled
  double sum_ms = 0;               // of the nodes

  // Sum of the nodes over the whole that they were counted in, minus 1: what passes between nodes is missing.
  double difference() const { return sum_ms / counted_ms - 1; }
  // Node times times this add up to the whole.
  double scale() const { return sum_ms > 0 ? whole.median / sum_ms : 1; }
};

// Loads `graph` once without counters and `kCounted` times with them: a node's time is the median over those, so that
// a disturbed one does not show. `options.seconds` is shared among all.
inline constexpr int kCounted = 7;
Result<NodeProfile> measure_nodes(Engine& engine, const Graph& graph, const Profile& profile, const EngineOptions& engine_options, const TimingOptions& options);

// Node times by the rows of roll_up(graph, profile, by), scaled to the whole, and what the engine has added behind them.
struct RowTime {
  std::string name;       // the row's, or "(Reorder)": the engine's kind
  int64_t engine_nodes = 0;
  double ms = 0;
  int64_t macs = 0, bytes = 0;
};
std::vector<RowTime> roll_up_times(const Graph& graph, const std::vector<Row>& rows, GroupBy by, const NodeProfile& measured);

}  // namespace hone
