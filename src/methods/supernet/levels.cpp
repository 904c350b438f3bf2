#include "methods/supernet/levels.h"

#include <algorithm>

namespace hone::methods {

size_t next_level(size_t at, size_t count, Rng& rng) {
  if (count < 2) return 0;
  const uint64_t way = rng.below(3);
  if (at == 0) return way == 2 ? 1 : 0;
  if (at + 1 == count) return way == 0 ? at - 1 : at;
  return at + way - 1;
}

std::vector<size_t> levels_of_step(LevelMode mode, size_t count, size_t members, size_t& at, Rng& rng) {
  std::vector<size_t> out(members);
  if (mode == LevelMode::adjacent_step) at = next_level(at, count, rng);
  if (mode == LevelMode::cyclic) at = (at + count - 1) % count;
  for (size_t& level : out) {
    if (mode == LevelMode::adjacent) at = next_level(at, count, rng);
    if (mode == LevelMode::random) at = rng.below(count);
    level = at;
  }
  return out;
}

double exploit_probability(const ExploitSchedule& schedule, double epoch) {
  const auto reached = std::count_if(schedule.marks.begin(), schedule.marks.end(), [&](double mark) { return mark <= epoch; });
  return schedule.start + schedule.increment * static_cast<double>(reached);
}

}  // namespace hone::methods
