// Building a device table: blocks are measured alone where the table knows least of what networks are made of, then whole
// networks for the correction (measure/predict.h). The table is saved after every step and goes on from there.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "measure/device_cut.h"
#include "measure/device_table.h"

namespace hone {

// Something to be timed: a block alone or a whole network.
struct Probe {
  std::string name;
  std::vector<BlockCount> blocks;
  double acts = 0;                          // of a whole network
  std::function<Result<Graph>()> graph;     // typed, batch 1; contents are drawn where it has none
};

// Times probes, interleaved with each other. One entry per probe, in order.
using Meter = std::function<Result<std::vector<MeasuredTime>>(const std::vector<Probe>&)>;

// What a table is built for.
struct BuildPlan {
  std::string space;                        // DeviceTable::space
  struct Candidate {
    Probe probe;                            // of one block
    double often = 1;                       // in a network, on average
  };
  std::vector<Candidate> blocks;            // that networks are made of
  std::vector<Probe> networks;              // in the order in which they are measured
  std::string anchor;                       // DeviceFacts::anchor: of a space, a member of middling cost; empty: none of its own
};

// Members of the space: blocks and how often they occur from `members` of them, sampled uniformly (fewer where members must be
// built and cut, being of other blocks than ElasticViT's); `networks` further ones for the correction.
Result<BuildPlan> plan_for(const space::Space& space, const std::string& name, uint64_t seed, size_t members = 3000, size_t networks = 400);
// Given networks, and those that have a rule for scaling also smaller and larger, so that sizes between are covered.
Result<BuildPlan> plan_for(const std::vector<Network>& networks);

// A probe of a whole network.
Result<Probe> probe_of(const Network& network);
// A member, named by its encoding, or that encoding.
Result<Probe> probe_of(const space::Space& space, const space::Member& member);
Result<Probe> probe_of(const space::Space& space, const std::string& encoding);

struct BuildProgress {
  double share = 0;                         // of the time
  size_t rows = 0, networks = 0;
  double open = 0;                          // what interpolation leaves open of a network's time, relative; 0: not known yet
};

struct BuildOptions {
  double seconds = 900;                     // all sittings together
  double network_share = 0.45;              // of the time, for whole networks
  double enough = 0.005;                    // blocks are done when less than this is left open
  size_t at_once = 6;                       // probes of one interleaved measurement
  std::function<double()> clock;            // seconds; the steady clock when empty
  std::function<Status(const DeviceTable&)> save;
  std::function<void(const BuildProgress&)> progress;
};

// Measures into `table`, which may hold an earlier sitting's rows. Fails with the meter's or save's error; what was measured
// before is in `table`.
Status build_table(DeviceTable& table, const BuildPlan& plan, const Meter& meter, const BuildOptions& options);

}  // namespace hone
