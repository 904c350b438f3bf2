// Drawing at the levels of the published ElasticViT space: microseconds a draw, and 150,000 distinct members of each level.
#include <chrono>
#include <cstdio>
#include <unordered_set>

#include "zoo/space_draw.h"

int main() {
  using namespace hone::space;
  const auto now = [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); };
  const double start = now();
  const Space& space = published_space();
  const auto table = CostTable::make(space);
  if (!table) return std::fprintf(stderr, "%s\n", table.error().text().c_str()), 1;
  std::printf("cost tables %.3f s\n%12s %10s %14s %10s %12s\n", now() - start, "level", "make s", "draws", "us a draw", "distinct");
  for (int64_t level : space.levels.at) {
    const double begin = now();
    const auto drawer = level_drawer(space, *table, level);
    if (!drawer) return std::fprintf(stderr, "%s\n", drawer.error().text().c_str()), 1;
    const double made = now();
    hone::Rng rng(1);
    std::unordered_set<uint64_t> seen;  // 64-bit hashes: equal ones of different members only leave a few more to draw
    std::vector<Member> entries;
    int64_t draws = 0;
    for (; entries.size() < 150'000; ++draws) {
      const Member m = (*drawer)(rng);
      if (seen.insert(hash(m)).second) entries.push_back(m);
    }
    std::printf("%12lld %10.3f %14lld %10.2f %12zu\n", static_cast<long long>(level), made - begin, static_cast<long long>(draws), 1e6 * (now() - made) / static_cast<double>(draws), entries.size());
  }
  std::printf("all levels %.1f s\n", now() - start);
  return 0;
}
