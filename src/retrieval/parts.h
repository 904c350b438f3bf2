// Work on a range, cut into one part a thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

namespace hone {

// work(part, from, to) for parts 0.. of 0..count; the last part on the caller's own thread. At least `least` of the range a part.
template <class Work>
void in_parts(int64_t count, int threads, const Work& work, int64_t least = 2048) {
  const int64_t parts = std::clamp<int64_t>(count / least, 1, std::max(1, threads));
  std::vector<std::thread> others;
  for (int64_t p = 0; p + 1 < parts; ++p) others.emplace_back([&work, p, count, parts] { work(static_cast<int>(p), count * p / parts, count * (p + 1) / parts); });
  work(static_cast<int>(parts - 1), count * (parts - 1) / parts, count);
  for (std::thread& t : others) t.join();
}

}  // namespace hone
