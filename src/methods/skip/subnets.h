// A network and its sub-networks, each with some candidates left out, run on one parameter store. Programs are compiled when a
// set is first asked for and kept, the latest ones.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "ir/infer.h"
#include "methods/skip/bandit.h"
#include "rewrite/adapters.h"
#include "train/params.h"
#include "train/program.h"

namespace hone::methods {

class Subnets {
 public:
  // `graph` as opened; `bindings` gives the shapes of a batch.
  static Result<Subnets> make(Graph graph, const std::string& variant, const Adapters& adapters, std::function<Bindings(int64_t)> bindings);

  const std::vector<SkipCandidate>& candidates() const { return bases_.at(1).candidates; }
  const Graph& base() const { return bases_.at(1).graph; }   // batch 1, nothing put in or left out
  Result<Graph> graph(const SkipNumbers& set, int64_t batch);

  // The backbone's own parameters, and with them the adapters of a search (every kept and every skipped candidate's).
  Result<train::Params> search_store(const train::Params& backbone, uint64_t seed);
  // Those of one sub-network: what it leaves out is not there.
  Result<train::Params> store(const train::Params& backbone, const SkipNumbers& set, uint64_t seed);

  // Outputs of the sub-network, in fp32.
  Result<std::vector<at::Tensor>> run(const train::Params& params, const SkipNumbers& set, const std::vector<at::Tensor>& inputs, const train::RunOptions& options);

 private:
  struct Base {
    Graph graph;
    std::vector<SkipCandidate> candidates;
  };
  struct Compiled {
    int64_t batch;
    SkipNumbers set;
    train::Program program;
  };
  static constexpr size_t kPrograms = 64;

  Result<const Base*> base_of(int64_t batch);
  Result<const train::Program*> program(const SkipNumbers& set, int64_t batch);

  Graph graph_;
  std::string variant_;
  Adapters adapters_;
  std::function<Bindings(int64_t)> bindings_;
  std::map<int64_t, Base> bases_;
  std::list<Compiled> programs_;   // latest used first
};

}  // namespace hone::methods
