// How well counts predict time among scaled networks: the question of figure 2 of Dollar, Singh and Girshick, "Fast and
// Accurate Model Scaling" (2021), asked of this machine.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "ir/graph.h"
#include "measure/timing.h"
#include "scale/scale.h"
#include "zoo/arch.h"

namespace hone {

// A network to time. Counts are of one image; activations as pycls counts them (max pools included).
struct ScaledNetwork {
  std::string base, strategy;  // strategy "" : the base itself
  double factor = 1;
  Arch arch;
  int64_t macs = 0, params = 0, acts = 0;
  std::string name() const;    // "pycls/EfficientNet-B0 dWr x4"
};
Result<ScaledNetwork> as_network(const Arch& arch);  // unscaled

// The base, then every strategy at every factor; networks that come out twice are there once. What a strategy refuses goes
// to `refused` as text.
Result<std::vector<ScaledNetwork>> scaled_networks(const Arch& base, const std::vector<std::string>& strategies, const std::vector<double>& factors, std::vector<std::string>& refused);
// The base scaled by `strategy` to the MACs of `target`, as near as can be.
Result<ScaledNetwork> scaled_to_macs(const Arch& base, const std::string& strategy, int64_t macs);

// Times some networks in one interleaved measurement.
using TimeNetworks = std::function<Result<Measurement>(const std::vector<ScaledNetwork>&)>;

struct StudyPoint {
  ScaledNetwork network;
  double ms = 0;
  Interval interval;
  bool steady = false;
};
// Every network beside the first one, the anchor: a time is its ratio to the anchor's in the same rounds, times the
// anchor's median over all measurements. So the points are one measurement's, however long it takes and whatever the
// machine does meanwhile, and only two networks need to be loaded at once.
Result<std::vector<StudyPoint>> time_points(const std::vector<ScaledNetwork>& networks, const TimeNetworks& time, const std::function<void(size_t done)>& progress = {});

// Two networks of about equal MACs, side by side.
struct StudyPair {
  ScaledNetwork first, second;
  TimeRatio time;  // of the first over the second
};
Result<StudyPair> time_pair(const ScaledNetwork& first, const ScaledNetwork& second, const TimeNetworks& time);

// Correlation of time with the three counts, within a group of points. NaN where there are fewer than three.
struct CountCorrelation {
  std::string group;
  size_t networks = 0;
  double pearson_macs = 0, pearson_params = 0, pearson_acts = 0;
  double spearman_macs = 0, spearman_params = 0, spearman_acts = 0;
  Line by_acts;  // milliseconds over millions of activations
};
// All points; each base with all its strategies; each strategy of each base (the base is a point of each).
std::vector<CountCorrelation> correlate(const std::vector<StudyPoint>& points);

}  // namespace hone
