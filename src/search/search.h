// Searching a space for networks that do well within a budget, with weights that a supernet lends them (docs/search.md).
//
// A search asks for members in an order that its options and the scores settle, and every answer is a line of its archive; so
// a search that was killed goes on from the archive, and comes to the same end, bit for bit.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "search/archive.h"
#include "search/operators.h"
#include "search/predictor.h"

namespace hone::search {

enum class Method : uint8_t {
  evolution,   // of one budget: the ElasticViT authors' search
  front,       // of accuracy against cost at once: NSGA-II (Deb et al., 2002)
  random,      // draws within the budget
  exhaustive,  // every member within the budget, of small spaces
};
std::string_view name(Method method);
std::optional<Method> parse_method(std::string_view text);

// Defaults are those of the authors' search (spec of ElasticViT, 3.1).
struct SearchOptions {
  Method method = Method::evolution;
  std::string budget;             // cost/budget.h; empty: none
  std::string split = "search";   // of the data that scores are measured on
  int64_t images = 0;             // of the split; 0: all
  int64_t seed = 2012;
  int64_t generations = 40, population = 512, parents = 256, mutations = 128, crossovers = 128;
  int64_t tries = 10;             // per child wanted
  int64_t evaluations = 0;        // of random search; 0: as many as evolution would ask for
  Variation variation;
  // Candidates lie within this share below a limit; -1: the space's level window for a MACs limit, else a tenth.
  double window = -1;
  bool floor = true;              // evolution and random search under a MACs limit: no gene below the level's smallest network
  bool resolution_rule = true;    // the authors' filter: no resolution of 160 from 380 M (of their MACs) on
  PredictorKind predictor = PredictorKind::none;
  int64_t screen = 4;             // with a predictor: children made for each one that is evaluated
  // Numbers of the latency-constrained search of SpaceEvo, by the same group.
  static SearchOptions spaceevo();
};
// Every number has a range; the error names it.
Status check(const SearchOptions& options);

using Fitness = std::function<Result<methods::MemberScore>(const space::Member&)>;

// What scores members: one function for each worker, called from that worker's thread alone.
struct Scorer {
  space::Space space;
  std::string weights;                  // which weights these are (methods/plugin_api.h)
  std::vector<Fitness> workers;         // at least one
  std::vector<space::Member> bank;      // members that training found good; the first population holds them
};

struct SearchResult {
  ArchiveHeader header;
  std::string path;
  std::vector<Entry> entries;           // in order of evaluation
  std::vector<int64_t> ranked;          // those within the budget (and window), best first
  std::vector<int64_t> front;           // not dominated in accuracy and the budget's first quantity, cheapest first
  Quantity quantity = Quantity::macs;   // of the front
  size_t found = 0;                     // entries that the archive held already
  struct Retest {
    int64_t index = 0;                  // of the entry
    methods::MemberScore score;
  };
  std::vector<Retest> retests;          // see retest()
  std::optional<HoldOut> hold_out;      // of the predictor, at the end
  std::string ended;                    // why: "all 40 generations"
  std::vector<std::string> notes;
};

// Ends of the 95 % interval of a share that was seen in n of them (Wilson, 1927).
std::pair<double, double> interval(double share, int64_t n);

// Called after every evaluation that the archive did not answer, from one thread at a time: how many are done, how many are
// expected, the best so far.
using OnEvaluated = std::function<void(int64_t done, int64_t expected, const Entry& best)>;

// `folder` receives the archive, <id>.jsonl. An impossible budget: Code::budget_not_met, before anything is evaluated.
Result<SearchResult> run_search(const Scorer& scorer, const SearchOptions& options, const std::string& folder, const OnEvaluated& on_evaluated = {});

// Entries that a second test of `count` members takes: the best of the ranking, or as many of the front, evenly, where the method
// looks for one.
std::vector<int64_t> to_retest(const SearchResult& result, int64_t count);
// Scores them by `fitness` on pictures that chose nothing. The ranking stays as it is, so that the new scores flatter nobody.
Status retest(SearchResult& result, const Fitness& fitness, int64_t count);

// Indices of the entries that no other one dominates: more accurate at most as costly, or as accurate and cheaper. Ascending cost.
std::vector<int64_t> pareto_front(const std::vector<Entry>& entries, const std::vector<int64_t>& among, const std::function<double(const Entry&)>& cost);

}  // namespace hone::search
