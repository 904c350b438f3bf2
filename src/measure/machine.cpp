#include "measure/machine.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "run/manifest.h"

namespace hone {

namespace {

constexpr int kAhead = -15;           // nice value while measuring
constexpr useconds_t kLook = 50'000;  // how long the processors are watched before the idlest is chosen

double seconds_now() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

std::vector<int> allowed() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> out;
  if (::sched_getaffinity(0, sizeof set, &set) == 0)
    for (int i = 0; i < CPU_SETSIZE; ++i)
      if (CPU_ISSET(i, &set)) out.push_back(i);
  return out;
}

bool set_affinity(const std::vector<int>& processors) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int p : processors) CPU_SET(p, &set);
  return ::sched_setaffinity(0, sizeof set, &set) == 0;
}

// Linux shares processors among sessions first, and a nice value counts within a session only; sessions have one of their
// own ("/autogroup-190 nice 0"). Nothing where that is switched off.
constexpr const char* kGroupFile = "/proc/self/autogroup";
std::optional<int> group_nice() {
  std::ifstream in(kGroupFile);
  std::string name, word;
  int nice = 0;
  if (!(in >> name >> word >> nice)) return std::nullopt;
  return nice;
}
void set_group_nice(int nice) {
  std::ofstream out(kGroupFile);
  out << nice;
}

struct StatLine {
  std::string name;
  double busy = 0, stolen = 0;  // ticks
};

// The "cpu" lines of /proc/stat: user nice system idle iowait irq softirq steal.
std::vector<StatLine> stat_lines() {
  std::ifstream in("/proc/stat");
  std::vector<StatLine> out;
  for (std::string line; std::getline(in, line) && line.compare(0, 3, "cpu") == 0;) {
    std::istringstream fields(line);
    StatLine s;
    double user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0;
    fields >> s.name >> user >> nice >> system >> idle >> wait >> irq >> soft >> s.stolen;
    s.busy = user + nice + system + irq + soft;
    out.push_back(s);
  }
  return out;
}

double load_average() {
  double load = 0;
  return ::getloadavg(&load, 1) == 1 ? load : 0;
}

double stated_mhz() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.compare(0, 7, "cpu MHz") == 0)
      if (const size_t colon = line.find(':'); colon != std::string::npos) return std::strtod(line.c_str() + colon + 1, nullptr);
  return 0;
}

}  // namespace

Result<Pinned> Pinned::to(int threads) {
  Pinned p;
  p.before_ = allowed();
  if (p.before_.empty()) return fail(Code::io, fmt::format("cannot ask for the processors of this process: {}", std::strerror(errno)));
  p.processors_ = p.before_;
  if (threads > 0 && static_cast<size_t>(threads) < p.before_.size()) {
    const std::vector<StatLine> first = stat_lines();
    ::usleep(kLook);
    const std::vector<StatLine> second = stat_lines();
    const auto busy = [&](int processor) {
      const std::string wanted = fmt::format("cpu{}", processor);
      for (size_t i = 0; i < std::min(first.size(), second.size()); ++i)
        if (second[i].name == wanted) return second[i].busy - first[i].busy + second[i].stolen - first[i].stolen;
      return 0.0;
    };
    std::vector<std::pair<double, int>> order;
    for (int processor : p.before_) order.emplace_back(busy(processor), processor);
    std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    p.processors_.clear();
    for (int i = 0; i < threads; ++i) p.processors_.push_back(order[static_cast<size_t>(i)].second);
    std::sort(p.processors_.begin(), p.processors_.end());
  }
  if (!set_affinity(p.processors_)) return fail(Code::io, fmt::format("cannot pin to processors: {}", std::strerror(errno)));
  p.active_ = true;
  sched_param lowest{};
  lowest.sched_priority = ::sched_get_priority_min(SCHED_RR);
  if (p.processors_.size() < p.before_.size() && ::sched_getscheduler(0) == SCHED_OTHER && ::sched_setscheduler(0, SCHED_RR, &lowest) == 0) {
    p.priority_ = Priority::real_time;
    return p;
  }
  p.nice_before_ = ::getpriority(PRIO_PROCESS, 0);
  p.group_before_ = group_nice().value_or(0);
  if (::setpriority(PRIO_PROCESS, 0, std::min(kAhead, p.nice_before_)) == 0) {
    p.priority_ = Priority::nice;
    set_group_nice(std::min(kAhead, p.group_before_));
  }
  return p;
}

Pinned::Pinned(Pinned&& o) noexcept
    : processors_(std::move(o.processors_)), before_(std::move(o.before_)), nice_before_(o.nice_before_), group_before_(o.group_before_), priority_(o.priority_), active_(std::exchange(o.active_, false)) {}

Pinned::~Pinned() {
  if (!active_) return;
  set_affinity(before_);
  if (priority_ == Priority::real_time) {
    const sched_param none{};
    ::sched_setscheduler(0, SCHED_OTHER, &none);
  }
  if (priority_ == Priority::nice) {
    ::setpriority(PRIO_PROCESS, 0, nice_before_);
    set_group_nice(group_before_);
  }
}

std::string_view name(Pinned::Priority priority) {
  switch (priority) {
    case Pinned::Priority::real_time: return "real-time";
    case Pinned::Priority::nice: return "nice";
    default: return "usual";
  }
}

ProcessorTime processor_time() {
  ProcessorTime t;
  t.wall = seconds_now();
  const double tick = 1.0 / static_cast<double>(std::max(1L, ::sysconf(_SC_CLK_TCK)));
  if (const std::vector<StatLine> lines = stat_lines(); !lines.empty()) t.busy = lines[0].busy * tick, t.stolen = lines[0].stolen * tick;
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& v) { return static_cast<double>(v.tv_sec) + static_cast<double>(v.tv_usec) * 1e-6; };
  t.own = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  return t;
}

MachineWatch::MachineWatch() {
  const Host host = this_host();
  load_.cpu = host.cpu;
  load_.cores = host.cores;
  load_.mhz_stated = stated_mhz();
  load_.mhz_before = clock_mhz();
  load_.load_before = load_average();
  begin_ = processor_time();
}

MachineLoad MachineWatch::finish() const {
  const ProcessorTime end = processor_time();
  MachineLoad out = load_;
  out.seconds = end.wall - begin_.wall;
  if (out.seconds > 0) {
    out.others = std::max(0., (end.busy - begin_.busy) - (end.own - begin_.own)) / out.seconds;
    out.stolen = std::max(0., end.stolen - begin_.stolen) / out.seconds;
  }
  out.mhz_after = clock_mhz();
  out.load_after = load_average();
  return out;
}

double clock_mhz() {
#if defined(__x86_64__)
  constexpr int kChain = 200'000, kTries = 10;
  constexpr double kCycles = 3;  // of a 64-bit multiplication: Intel since 2008, AMD since 2017
  double best = 0;
  for (int t = 0; t < kTries; ++t) {
    uint64_t x = 3;
    const double begin = seconds_now();
    for (int i = 0; i < kChain / 8; ++i)
      asm volatile("imulq %0, %0\n\timulq %0, %0\n\timulq %0, %0\n\timulq %0, %0\n\timulq %0, %0\n\timulq %0, %0\n\timulq %0, %0\n\timulq %0, %0" : "+r"(x));
    best = std::max(best, kChain * kCycles / (seconds_now() - begin) * 1e-6);  // an interrupted try is slow
  }
  return best;
#else
  return 0;
#endif
}

}  // namespace hone
