#include "search/evaluator.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <optional>
#include <thread>

namespace hone::search {

void Evaluator::keep_best(const Entry& e) {
  if (best_ < 0 || better(e, entry(best_))) best_ = e.index;
}

void Evaluator::tell(const Entry& e) {
  keep_best(e);
  if (on_evaluated_) on_evaluated_(static_cast<int64_t>(done_), expected_, entry(best_));
}

Result<std::vector<int64_t>> Evaluator::operator()(const std::vector<Candidate>& candidates) {
  std::vector<int64_t> out;
  size_t at = 0;
  for (; at < candidates.size() && done_ < archive_.found(); ++at) {
    const Entry& e = archive_.entries()[done_];
    if (e.member != candidates[at].member)
      return fail(Code::failed, "the archive does not follow from its options: another program version wrote it, or scores that are not repeatable", archive_.path() + ":" + std::to_string(done_ + 2), "move it away and search anew");
    ++done_;
    out.push_back(e.index);
    keep_best(e);
  }
  const auto first = static_cast<int64_t>(done_);
  HONE_TRY(score(candidates, at));
  for (size_t i = at; i < candidates.size(); ++i) out.push_back(first + static_cast<int64_t>(i - at));
  return out;
}

Status Evaluator::score(const std::vector<Candidate>& candidates, size_t from) {
  if (from == candidates.size()) return {};
  std::mutex mutex;
  std::vector<std::optional<methods::MemberScore>> scores(candidates.size());
  size_t next = from, written = from;
  Status status;
  auto work = [&](const Fitness& fitness) {
    std::unique_lock lock(mutex);
    while (status && next < candidates.size()) {
      const size_t mine = next++;
      lock.unlock();
      auto score = fitness(candidates[mine].member);
      if (score && (!std::isfinite(score->accuracy) || !std::isfinite(score->loss))) score = methods::MemberScore{0, 1e9, score->images};  // diverged: the worst there is
      lock.lock();
      if (!score) {
        if (status) status = fail(score.error());
        return;
      }
      scores[mine] = *score;
      for (; status && written < candidates.size() && scores[written]; ++written) {
        const Candidate& c = candidates[written];
        Entry e{static_cast<int64_t>(done_), c.member, *scores[written], c.cost, c.generation, c.origin, c.parents};
        status = archive_.append(e);
        if (!status) return;
        ++done_;
        tell(archive_.entries().back());
      }
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min(scorer_.workers.size(), candidates.size() - from); ++i) threads.emplace_back(work, std::cref(scorer_.workers[i]));
  work(scorer_.workers[0]);
  for (std::thread& t : threads) t.join();
  return status;
}

}  // namespace hone::search
