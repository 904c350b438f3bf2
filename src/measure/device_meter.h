// Times probes on an engine of this machine (measure/timing.h): each is loaded, fed random inputs and run in rounds with
// the others.
#pragma once

#include <functional>
#include <memory>

#include "engine/engine.h"
#include "measure/device_build.h"
#include "measure/device_scale.h"

namespace hone {

struct MeterOptions {
  EngineOptions engine;
  double seconds = 0.25;     // of timed rounds for each probe, at most
  double precision = 0.01;   // rounds of a group end when all medians are known this well
  int64_t min_rounds = 8;
  // A shared machine is some per cent slower or faster from minute to minute. So one network is timed in every group too, and
  // the group's times are brought to the speed at which it takes *anchor_ms; 0 there is replaced by a first reading.
  // nullptr: times as they are.
  double* anchor_ms = nullptr;
  std::function<Result<Graph>()> anchor;  // empty: kAnchor
};
inline constexpr const char* kAnchor = "elasticvit/S1";

// The engine must outlive the meter. Contents that a graph lacks are drawn from a seed: times do not depend on them.
Meter engine_meter(Engine& engine, const MeterOptions& options);

// Times single networks on this machine, when it is the device of `facts` with the same engine: else the error says why not.
Result<TimeOf> this_machine_as(const DeviceFacts& facts);

// This machine and the engine, as a new table's facts.
DeviceFacts this_device(const Engine& engine, const EngineOptions& options);

}  // namespace hone
