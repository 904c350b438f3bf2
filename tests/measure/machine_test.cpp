#include "measure/machine.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <thread>

namespace hone {
namespace {

int processors_of_this_thread() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : -1;
}

TEST(Machine, PinningEndsAndIsInheritedMeanwhile) {
  const int before = processors_of_this_thread(), nice_before = ::getpriority(PRIO_PROCESS, 0);
  {
    const auto pinned = Pinned::to(1);
    ASSERT_TRUE(pinned);
    EXPECT_EQ(pinned->processors().size(), 1u);
    EXPECT_EQ(processors_of_this_thread(), 1);
    int inside = 0;
    std::thread([&] { inside = processors_of_this_thread(); }).join();
    EXPECT_EQ(inside, 1);
    EXPECT_EQ(pinned->priority() == Pinned::Priority::real_time, ::sched_getscheduler(0) == SCHED_RR);
    EXPECT_EQ(pinned->priority() == Pinned::Priority::nice, ::getpriority(PRIO_PROCESS, 0) < nice_before);
  }
  EXPECT_EQ(processors_of_this_thread(), before);
  EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), nice_before);
  EXPECT_EQ(::sched_getscheduler(0), SCHED_OTHER);
  {
    const auto pinned = Pinned::to(10'000);  // more than there are: all of them
    ASSERT_TRUE(pinned);
    EXPECT_EQ(static_cast<int>(pinned->processors().size()), before);
    EXPECT_NE(pinned->priority(), Pinned::Priority::real_time) << "nobody else could run";
  }
}

TEST(Machine, AWatchSeesTheMachine) {
  const MachineWatch watch;
  const ProcessorTime begin = processor_time();
  volatile double x = 1;
  while (processor_time().own - begin.own < 0.05) x = x * 1.0001;
  const MachineLoad load = watch.finish();
  EXPECT_GT(load.seconds, 0.04);
  EXPECT_GE(load.cores, 1);
  EXPECT_GE(load.others, 0);
  EXPECT_GE(load.load_before, 0);
#if defined(__x86_64__)
  EXPECT_GT(load.mhz_before, 200);
  EXPECT_LT(load.mhz_before, 10'000);
#endif
}

}  // namespace
}  // namespace hone
