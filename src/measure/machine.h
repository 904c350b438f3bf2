// The machine while it measures: which processors, how fast they run, who else uses them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace hone {

// Keeps the calling thread, and every thread that it starts meanwhile, on some processors and ahead of other processes
// where the system allows that (root, or CAP_SYS_NICE): with real-time priority while a processor is left for the others,
// else with the best nice value. The calling thread is put back at the end; threads that it has started end with their
// engine. Make it before an engine loads: engines start threads then.
class Pinned {
 public:
  // `threads` processors, the least busy of those that the process may use; all of them when it asks for more or for 0.
  static Result<Pinned> to(int threads);
  Pinned(Pinned&& other) noexcept;
  Pinned& operator=(Pinned&&) = delete;
  ~Pinned();

  enum class Priority : uint8_t { usual, nice, real_time };
  const std::vector<int>& processors() const { return processors_; }
  Priority priority() const { return priority_; }  // what could be had

 private:
  Pinned() = default;
  std::vector<int> processors_, before_;
  int nice_before_ = 0, group_before_ = 0;
  Priority priority_ = Priority::usual;
  bool active_ = false;
};
std::string_view name(Pinned::Priority priority);  // "usual", "nice", "real-time"

// Processor time so far, seconds (/proc/stat, getrusage). Zeros where the system does not say.
struct ProcessorTime {
  double wall = 0, busy = 0, stolen = 0, own = 0;
};
ProcessorTime processor_time();

// What the machine was doing during a measurement.
struct MachineLoad {
  std::string cpu;            // model
  int64_t cores = 0;          // that the process may use
  double mhz_stated = 0;      // by the system; 0: it does not say
  double mhz_before = 0, mhz_after = 0;  // measured, clock_mhz()
  double load_before = 0, load_after = 0;  // average of the last minute
  double others = 0;          // processor time of other processes, in processors: 1.2 of 2
  double stolen = 0;          // processor time that the host gave to other machines, in processors
  double seconds = 0;
};

// From its making to finish().
class MachineWatch {
 public:
  MachineWatch();
  MachineLoad finish() const;

 private:
  MachineLoad load_;
  ProcessorTime begin_;
};

// The clock now, measured with a chain of dependent multiplications that take three cycles each on x86-64; about 2 ms.
// 0 on other processors.
double clock_mhz();

}  // namespace hone
