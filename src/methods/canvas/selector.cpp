#include "methods/canvas/selector.h"

#include <algorithm>
#include <numeric>

namespace hone::methods {

Result<Selector> Selector::make(const SelectorOptions& options, int64_t canvases, uint64_t seed) {
  Selector s;
  s.options_ = options;
  s.canvases_ = canvases;
  HONE_TRY_ASSIGN(const Graph one, s.graph(1));
  HONE_TRY_ASSIGN(const Graph two, s.graph(2));
  HONE_TRY_ASSIGN(const int64_t at_one, paper_flops(one));
  HONE_TRY_ASSIGN(const int64_t at_two, paper_flops(two));
  s.flops_point_ = at_two - at_one;  // linear in the points
  s.flops_fixed_ = at_one - s.flops_point_;
  HONE_TRY_ASSIGN(s.params_, train::Params::of(one, seed));
  return s;
}

Result<Graph> Selector::graph(int64_t points) const { return selector_graph(options_, canvases_, points); }

at::Tensor Selector::rows(const Sketch& sketch) const {
  const std::vector<float> values = selector_rows(sketch, options_.simplify, options_.max_points);
  return at::tensor(values).view({-1, 5});
}

at::Tensor Selector::logits(std::span<const at::Tensor> sketches, const train::Params& params) const {
  // Longest first, time by time: what PyTorch calls a packed sequence.
  std::vector<int64_t> order(sketches.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return sketches[static_cast<size_t>(a)].size(0) > sketches[static_cast<size_t>(b)].size(0); });
  const int64_t longest = sketches[static_cast<size_t>(order[0])].size(0);
  std::vector<at::Tensor> steps;
  std::vector<int64_t> sizes;
  for (int64_t t = 0; t < longest; ++t) {
    int64_t n = 0;
    for (int64_t i : order) {
      const at::Tensor& rows = sketches[static_cast<size_t>(i)];
      if (rows.size(0) <= t) break;
      steps.push_back(rows[t]);
      ++n;
    }
    sizes.push_back(n);
  }
  const auto parameter = [&](const char* name) { return params.find(name)->tensor; };
  const std::vector<at::Tensor> weights = {parameter("gru.weight_ih_l0"), parameter("gru.weight_hh_l0"), parameter("gru.bias_ih_l0"), parameter("gru.bias_hh_l0")};
  const at::Tensor start = at::zeros({1, static_cast<int64_t>(sketches.size()), options_.hidden});
  const at::Tensor last = std::get<1>(at::gru(at::stack(steps), at::tensor(sizes), start, weights, true, 1, 0.0, false, false))[0];
  std::vector<int64_t> back(order.size());
  for (size_t k = 0; k < order.size(); ++k) back[static_cast<size_t>(order[k])] = static_cast<int64_t>(k);
  return at::linear(last.index_select(0, at::tensor(back)), parameter("fc.weight"), parameter("fc.bias"));
}

}  // namespace hone::methods
