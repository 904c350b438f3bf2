// A skip set as a file: JSON that says which modules of which network are left out, what stands in their place, and how that
// was found. `hone train` with task skip writes it, `hone skip apply --set FILE` and the training that follows read it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "rewrite/adapters.h"
#include "rewrite/skip.h"

namespace hone {

struct SkipEvent {                           // one comparison of sub-networks
  int64_t step = 0;
  std::vector<std::vector<int64_t>> sets;
  std::vector<double> losses, rewards;       // one a set
  std::vector<double> scores;                // of every candidate, after the update
  bool operator==(const SkipEvent&) const = default;
};

struct SkipSet {
  std::string network;                       // name that it was made for
  std::string identity;                      // fingerprint of that network's candidates, see below
  std::string variant;
  Adapters adapters;
  std::vector<int64_t> set;                  // numbers of candidates, ascending
  std::vector<std::string> modules;          // the same as paths: what counts when it is applied
  std::string method;                        // "bandit", "random", "drop-one", "given", ...
  std::vector<double> scores;                // by candidate; larger: left out sooner. Empty where nothing was scored
  uint64_t seed = 0;
  std::vector<SkipEvent> history;
  bool operator==(const SkipSet&) const = default;
};

// SHA-256 over module and width of every candidate: the same for the same backbone at any resolution, batch or head.
std::string candidates_identity(const std::vector<SkipCandidate>& candidates);

std::string print_skip_set(const SkipSet& set);
// Unknown versions, wrong types and numbers that do not agree with each other are errors that name the entry.
Result<SkipSet> parse_skip_set_file(const std::string& json, const std::string& source);
// A set's file, or the run directory of a search, which holds one as kSkipSetFile.
inline constexpr const char* kSkipSetFile = "skip_set.json";
Result<SkipSet> read_skip_set(const std::string& path);
// Whether `text` is one of these rather than numbers: a directory, or anything that ends in .json.
bool names_skip_set(const std::string& text);

// The numbers of the set's modules among these candidates. Errors (usage): a module that does not exist or is no candidate
// here; one that is there with another width than the file's network had is told apart by the identity.
Result<std::vector<int64_t>> place_skip_set(const SkipSet& set, const std::vector<SkipCandidate>& candidates, const std::string& network);

}  // namespace hone
