#include "methods/skip/subnets.h"

#include <ATen/core/grad_mode.h>

#include <numeric>

namespace hone::methods {

Result<Subnets> Subnets::make(Graph graph, const std::string& variant, const Adapters& adapters, std::function<Bindings(int64_t)> bindings) {
  Subnets s;
  s.graph_ = std::move(graph);
  s.variant_ = variant;
  s.adapters_ = adapters;
  s.bindings_ = std::move(bindings);
  HONE_TRY(s.base_of(1));
  return s;
}

Result<const Subnets::Base*> Subnets::base_of(int64_t batch) {
  if (const auto found = bases_.find(batch); found != bases_.end()) return &found->second;
  HONE_TRY_ASSIGN(Inferred inferred, infer(graph_, bindings_(batch)));
  HONE_TRY_ASSIGN(auto candidates, skip_candidates(inferred.graph, variant_));
  return &bases_.emplace(batch, Base{std::move(inferred.graph), std::move(candidates)}).first->second;
}

Result<Graph> Subnets::graph(const SkipNumbers& set, int64_t batch) {
  HONE_TRY_ASSIGN(const Base* base, base_of(batch));
  return apply_skips(base->graph, base->candidates, set, adapters_);
}

Result<train::Params> Subnets::search_store(const train::Params& backbone, uint64_t seed) {
  train::Params out = backbone;
  SkipNumbers all(candidates().size());
  std::iota(all.begin(), all.end(), 0);
  for (const SkipNumbers& set : {SkipNumbers{}, all}) {
    HONE_TRY_ASSIGN(const Graph g, graph(set, 1));
    HONE_TRY_ASSIGN(const train::Params own, train::Params::of(g, seed));
    for (const auto& e : own.entries())
      if (!out.find(e.name)) HONE_TRY(out.add(e.name, e.tensor, e.buffer));
  }
  return out;
}

Result<train::Params> Subnets::store(const train::Params& backbone, const SkipNumbers& set, uint64_t seed) {
  HONE_TRY_ASSIGN(const Graph g, graph(set, 1));
  HONE_TRY_ASSIGN(train::Params out, train::Params::of(g, seed));
  at::NoGradGuard no_grad;
  for (auto& e : out.entries())
    if (const auto* from = backbone.find(e.name)) e.tensor.copy_(from->tensor);
  return out;
}

Result<const train::Program*> Subnets::program(const SkipNumbers& set, int64_t batch) {
  for (auto it = programs_.begin(); it != programs_.end(); ++it)
    if (it->batch == batch && it->set == set) {
      programs_.splice(programs_.begin(), programs_, it);
      return &programs_.front().program;
    }
  HONE_TRY_ASSIGN(const Graph g, graph(set, batch));
  HONE_TRY_ASSIGN(train::Program compiled, train::Program::compile(g));
  programs_.push_front({batch, set, std::move(compiled)});
  if (programs_.size() > kPrograms) programs_.pop_back();
  return &programs_.front().program;
}

Result<std::vector<at::Tensor>> Subnets::run(const train::Params& params, const SkipNumbers& set, const std::vector<at::Tensor>& inputs, const train::RunOptions& options) {
  HONE_TRY_ASSIGN(const train::Program* p, program(set, inputs[0].size(0)));
  HONE_TRY_ASSIGN(const auto state, params.bind(*p));
  HONE_TRY_ASSIGN(auto out, p->run(inputs, state, options));
  for (at::Tensor& t : out) t = t.to(at::kFloat);
  return out;
}

}  // namespace hone::methods
