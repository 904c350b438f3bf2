// Reductions and losses.
#include "train/lower.h"

namespace hone::train {

namespace {

using at::Tensor;
using Dims = std::vector<int64_t>;

// f(x, dims, keep) over the axes of operand 1; none means all, unless noop_with_empty_axes.
template <auto f>
Result<Step> lower_reduction(const Lowering& c) {
  const bool keep = c.attrs().integer("keepdims", 1) != 0, noop = c.attrs().integer("noop_with_empty_axes", 0) != 0;
  return Step([keep, noop, axes = IntsOperand(c, 1)](Frame& frame) {
    const Tensor& x = frame[0];
    const Ints given = axes(frame);
    if (given.empty() && noop) return frame.set(0, f(x, Dims{}, keep));
    Dims dims(given.begin(), given.end());
    if (dims.empty())
      for (int64_t i = 0; i < x.dim(); ++i) dims.push_back(i);
    if (dims.empty()) return frame.set(0, f(x.reshape({1}), Dims{0}, false));
    frame.set(0, f(x, dims, keep).to(x.scalar_type()));
  });
}

// Reductions over no axis at all apply the element function only.
Tensor sum(const Tensor& x, const Dims& dims, bool keep) { return dims.empty() ? x : x.sum(dims, keep); }
Tensor mean(const Tensor& x, const Dims& dims, bool keep) {
  if (dims.empty()) return x;
  return at::isFloatingType(x.scalar_type()) ? x.mean(dims, keep) : at::floor(x.to(at::kDouble).mean(dims, keep));
}
Tensor product(const Tensor& x, const Dims& dims, bool keep) {
  if (dims.empty()) return x;
  Dims down;
  for (const int64_t d : dims) down.push_back(wrap(d, x.dim()));
  std::ranges::sort(down, std::greater<>());
  Tensor y = x;
  for (const int64_t d : down) y = y.prod(d, keep);
  return y;
}
template <bool largest>
Tensor extremum(const Tensor& x, const Dims& dims, bool keep) {
  if (dims.empty()) return x;
  int64_t n = 1;
  for (const int64_t d : dims) n *= x.size(d);
  if (n == 0) {  // of an empty set: the identity of the operation
    const double inf = std::numeric_limits<double>::infinity();
    Tensor empty = x.to(at::kDouble).sum(dims, keep);
    if (at::isFloatingType(x.scalar_type())) return empty.fill_(largest ? -inf : inf);
    const at::Tensor bits = at::empty({0}, x.options());
    if (x.scalar_type() == at::kBool) return empty.fill_(largest ? 0 : 1);
    if (x.scalar_type() == at::kLong) return empty.to(at::kLong).fill_(largest ? INT64_MIN : INT64_MAX);
    const int width = static_cast<int>(x.element_size()) * 8;
    const bool is_signed = x.scalar_type() != at::kByte;
    return empty.fill_(is_signed ? (largest ? -std::ldexp(1.0, width - 1) : std::ldexp(1.0, width - 1) - 1) : (largest ? 0 : 255));
  }
  return largest ? at::amax(x, dims, keep) : at::amin(x, dims, keep);
}
Tensor l1(const Tensor& x, const Dims& dims, bool keep) { return sum(at::abs(x), dims, keep); }
Tensor squares(const Tensor& x, const Dims& dims, bool keep) { return sum(x * x, dims, keep); }
Tensor l2(const Tensor& x, const Dims& dims, bool keep) { return at::sqrt(squares(at::isFloatingType(x.scalar_type()) ? x : x.to(at::kDouble), dims, keep)); }
Tensor log_sum(const Tensor& x, const Dims& dims, bool keep) { return at::log(sum(at::isFloatingType(x.scalar_type()) ? x : x.to(at::kDouble), dims, keep)); }
Tensor log_sum_exp(const Tensor& x, const Dims& dims, bool keep) {
  const Tensor real = at::isFloatingType(x.scalar_type()) ? x : x.to(at::kDouble);
  return dims.empty() ? real : at::logsumexp(real, dims, keep);
}

template <bool largest>
Result<Step> lower_arg(const Lowering& c) {
  const bool keep = c.attrs().integer("keepdims", 1) != 0, last = c.attrs().integer("select_last_index", 0) != 0;
  return Step([keep, last, axis = c.attrs().integer("axis", 0)](Frame& f) {
    const Tensor x = last ? f[0].flip(axis) : f[0];
    const Tensor at_ = largest ? at::argmax(x, axis, keep) : at::argmin(x, axis, keep);
    f.set(0, last ? x.size(axis) - 1 - at_ : at_);
  });
}

// Negative log-likelihood of classes along dimension 1; scores are logarithms of probabilities already.
Tensor likelihood_loss(const Tensor& scores, const Tensor& target, const Tensor& weight, std::optional<int64_t> ignore, std::string_view reduction) {
  Tensor t = target.to(at::kLong);
  Tensor counted;
  if (ignore) {
    counted = t != *ignore;
    t = at::where(counted, t, at::zeros_like(t));
  }
  Tensor w = weight.defined() ? at::index_select(weight, 0, t.reshape({-1})).reshape(t.sizes()) : at::ones_like(t, scores.options());
  if (counted.defined()) w = w * counted.to(w.scalar_type());
  const Tensor loss = -at::gather(scores, 1, t.unsqueeze(1)).squeeze(1) * w;
  if (reduction == "none") return loss;
  return reduction == "sum" ? loss.sum() : loss.sum() / w.sum();
}

template <bool softmax>
Result<Step> lower_loss(const Lowering& c) {
  std::optional<int64_t> ignore;
  if (c.attrs().has("ignore_index")) ignore = c.attrs().integer("ignore_index", 0);
  return Step([ignore, reduction = std::string(c.attrs().text("reduction", "mean"))](Frame& f) {
    const Tensor x = f.precise(0), scores = softmax ? at::log_softmax(x, 1) : x;
    f.set(0, likelihood_loss(scores, f[1], f[2], ignore, reduction));
    f.set(1, scores);
  });
}

}  // namespace

std::vector<LoweringDef> reduce_lowerings() {
  return {
      {"ReduceSum", lower_reduction<sum>},
      {"ReduceMean", lower_reduction<mean>},
      {"ReduceProd", lower_reduction<product>},
      {"ReduceMax", lower_reduction<extremum<true>>},
      {"ReduceMin", lower_reduction<extremum<false>>},
      {"ReduceL1", lower_reduction<l1>},
      {"ReduceL2", lower_reduction<l2>},
      {"ReduceLogSum", lower_reduction<log_sum>},
      {"ReduceLogSumExp", lower_reduction<log_sum_exp>},
      {"ReduceSumSquare", lower_reduction<squares>},
      {"ArgMax", lower_arg<true>},
      {"ArgMin", lower_arg<false>},
      {"NegativeLogLikelihoodLoss", lower_loss<false>},
      {"SoftmaxCrossEntropyLoss", lower_loss<true>},
  };
}

}  // namespace hone::train
