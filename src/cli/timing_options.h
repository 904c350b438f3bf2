// Options of commands that measure: which engine, how many threads, how long.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "engine/engine.h"
#include "measure/machine.h"
#include "measure/timing.h"

namespace hone::cli {

struct TimingFlags {
  std::string engine = "openvino", precision = "f32";
  std::optional<int64_t> threads, rounds, seed;
  std::optional<double> seconds;
};
void add_timing(Command& command, TimingFlags& flags, const std::string& seconds_help);

// An error where flags say how to measure and `measures` says that nothing is.
Status check_used(const TimingFlags& flags, bool measures);

Result<EngineOptions> engine_options(const TimingFlags& flags);
Result<TimingOptions> timing_options(const TimingFlags& flags, double seconds);

// What a measurement was made with: engine, threads, processors, clock, load. Goes to every form of a report.
Facts machine_facts(const MachineLoad& load, const Pinned& pinned, const Engine& engine, const EngineOptions& options);
// A remark where other processes or the host have taken much of the machine, or nothing.
std::optional<Note> load_note(const MachineLoad& load);

}  // namespace hone::cli
