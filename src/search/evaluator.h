// Scores in order: from the archive while it lasts, then by the workers, side by side.
#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "search/search.h"

namespace hone::search {

struct Candidate {
  space::Member member;
  MemberCost cost;
  std::string origin;
  int64_t generation = 0;
  std::vector<int64_t> parents;
};

class Evaluator {
 public:
  Evaluator(const Scorer& scorer, Archive& archive, int64_t expected, const OnEvaluated& on_evaluated) : scorer_(scorer), archive_(archive), expected_(expected), on_evaluated_(on_evaluated) {}

  // Numbers of the candidates' entries. Appends to the archive in the order of the candidates; the first error stops.
  Result<std::vector<int64_t>> operator()(const std::vector<Candidate>& candidates);

  // Remembers a member; false when it was here before.
  bool visit(const space::Member& member) { return visited_.insert(hash(member)).second; }
  bool visited(const space::Member& member) const { return visited_.contains(hash(member)); }
  // Entries of this search so far: those of the archive that were asked for again, and new ones.
  size_t done() const { return done_; }
  const Entry& entry(int64_t index) const { return archive_.entries()[static_cast<size_t>(index)]; }

 private:
  Status score(const std::vector<Candidate>& candidates, size_t from);
  void keep_best(const Entry& e);
  void tell(const Entry& e);
  const Scorer& scorer_;
  Archive& archive_;
  int64_t expected_;
  const OnEvaluated& on_evaluated_;
  size_t done_ = 0;
  int64_t best_ = -1;
  std::unordered_set<uint64_t> visited_;
};

}  // namespace hone::search
