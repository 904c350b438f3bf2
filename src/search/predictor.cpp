#include "search/predictor.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "measure/predict.h"

namespace hone::search {

using namespace space;

namespace {

constexpr size_t kHidden = 24;
constexpr int kEpochs = 300;
constexpr double kRate = 0.02, kDecay = 1e-3;

// Solves A x = b of a symmetric positive definite A (row-major, n x n) by Cholesky's decomposition.
std::vector<double> solve(std::vector<double> a, std::vector<double> b) {
  const size_t n = b.size();
  for (size_t j = 0; j < n; ++j) {
    for (size_t k = 0; k < j; ++k)
      for (size_t i = j; i < n; ++i) a[i * n + j] -= a[i * n + k] * a[j * n + k];
    const double d = std::sqrt(std::max(a[j * n + j], 1e-12));
    for (size_t i = j; i < n; ++i) a[i * n + j] /= d;
  }
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < i; ++k) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (size_t i = n; i-- > 0;) {
    for (size_t k = i + 1; k < n; ++k) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
  return b;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

}  // namespace

std::vector<double> ridge_weights(const std::vector<std::vector<double>>& x, const std::vector<double>& y, double lambda) {
  const size_t n = x[0].size();
  std::vector<double> a(n * n, 0), b(n, 0);
  for (size_t r = 0; r < x.size(); ++r)
    for (size_t i = 0; i < n; ++i) {
      b[i] += x[r][i] * y[r];
      for (size_t j = 0; j <= i; ++j) a[i * n + j] += x[r][i] * x[r][j];
    }
  for (size_t i = 0; i < n; ++i) {
    a[i * n + i] += i + 1 < n ? lambda : 1e-9;
    for (size_t j = 0; j < i; ++j) a[j * n + i] = a[i * n + j];
  }
  return solve(std::move(a), std::move(b));
}

std::string_view name(PredictorKind kind) { return kind == PredictorKind::ridge ? "ridge" : kind == PredictorKind::mlp ? "mlp" : "none"; }

std::vector<double> features_of(const Space& space, const Member& m, const MemberCost& cost) {
  std::vector<double> out{static_cast<double>(m.resolution), std::log(static_cast<double>(std::max<int64_t>(cost.counts.macs, 1))), std::log(static_cast<double>(std::max<int64_t>(cost.counts.params, 1)))};
  for (size_t i = 0; i < m.stages; ++i) {
    const Genes& g = m.stage[i];
    out.push_back(g.width);
    out.push_back(g.depth);
    double sums[2] = {0, 0}, ses = 0;
    for (int32_t j = 0; j < g.depth; ++j) {
      const BlockGenes& b = g.block[static_cast<size_t>(j)];
      const bool mobile = space.stages[i].block == space::Block::mobile;
      sums[0] += mobile ? b.expand : b.mlp;
      sums[1] += mobile ? b.kernel : b.value;
      ses += b.se;
    }
    for (const double s : sums) out.push_back(s / std::max(1, g.depth));
    if (!space.stages[i].ses.empty()) out.push_back(ses / std::max(1, g.depth));
  }
  return out;
}

std::vector<double> AccuracyPredictor::inputs(const std::vector<double>& features) const {
  std::vector<double> x;
  for (size_t i = 0; i < mean_.size(); ++i) x.push_back((features[i] - mean_[i]) / scale_[i]);
  if (kind_ == PredictorKind::ridge)
    for (size_t i = 0; i < mean_.size(); ++i) x.push_back(x[i] * x[i] - 1);
  x.push_back(1);
  return x;
}

AccuracyPredictor AccuracyPredictor::fit(PredictorKind kind, const std::vector<std::vector<double>>& features, const std::vector<double>& accuracy) {
  AccuracyPredictor p;
  p.kind_ = kind;
  const auto n = static_cast<double>(features.size());
  const size_t width = features[0].size();
  p.mean_.assign(width, 0);
  p.scale_.assign(width, 0);
  for (const auto& f : features)
    for (size_t i = 0; i < width; ++i) p.mean_[i] += f[i] / n;
  for (const auto& f : features)
    for (size_t i = 0; i < width; ++i) p.scale_[i] += (f[i] - p.mean_[i]) * (f[i] - p.mean_[i]) / n;
  for (double& s : p.scale_) s = s > 0 ? std::sqrt(s) : 1;  // a gene with one value tells nothing
  p.target_mean_ = std::accumulate(accuracy.begin(), accuracy.end(), 0.0) / n;
  double variance = 0;
  for (const double a : accuracy) variance += (a - p.target_mean_) * (a - p.target_mean_) / n;
  p.target_scale_ = variance > 0 ? std::sqrt(variance) : 1;
  std::vector<std::vector<double>> x;
  std::vector<double> y;
  for (size_t r = 0; r < features.size(); ++r) {
    x.push_back(p.inputs(features[r]));
    y.push_back((accuracy[r] - p.target_mean_) / p.target_scale_);
  }
  if (kind == PredictorKind::ridge) {
    p.weights_ = ridge_weights(x, y, 1 + 0.01 * n);
    return p;
  }
  // Full-batch Adam (Kingma and Ba, 2015) on a tanh layer.
  const size_t inputs = x[0].size();
  Rng rng(1);
  p.hidden_.resize(kHidden * inputs);
  p.output_.assign(kHidden + 1, 0);
  const double spread = 1 / std::sqrt(static_cast<double>(inputs));
  for (double& w : p.hidden_) w = spread * (2 * rng.uniform() - 1);
  for (size_t h = 0; h < kHidden; ++h) p.output_[h] = (2 * rng.uniform() - 1) / std::sqrt(static_cast<double>(kHidden));
  const size_t total = p.hidden_.size() + p.output_.size();
  std::vector<double> first(total, 0), second(total, 0), gradient(total);
  for (int epoch = 1; epoch <= kEpochs; ++epoch) {
    std::fill(gradient.begin(), gradient.end(), 0);
    for (size_t r = 0; r < x.size(); ++r) {
      double act[kHidden], out = p.output_[kHidden];
      for (size_t h = 0; h < kHidden; ++h) {
        act[h] = std::tanh(std::inner_product(x[r].begin(), x[r].end(), p.hidden_.begin() + static_cast<ptrdiff_t>(h * inputs), 0.0));
        out += p.output_[h] * act[h];
      }
      const double error = (out - y[r]) / n;
      gradient[p.hidden_.size() + kHidden] += error;
      for (size_t h = 0; h < kHidden; ++h) {
        gradient[p.hidden_.size() + h] += error * act[h];
        const double back = error * p.output_[h] * (1 - act[h] * act[h]);
        for (size_t i = 0; i < inputs; ++i) gradient[h * inputs + i] += back * x[r][i];
      }
    }
    const double rate = kRate * (1 - static_cast<double>(epoch - 1) / kEpochs);
    for (size_t i = 0; i < total; ++i) {
      double& w = i < p.hidden_.size() ? p.hidden_[i] : p.output_[i - p.hidden_.size()];
      const double g = gradient[i] + kDecay * w;
      first[i] = 0.9 * first[i] + 0.1 * g;
      second[i] = 0.999 * second[i] + 0.001 * g * g;
      w -= rate * (first[i] / (1 - std::pow(0.9, epoch))) / (std::sqrt(second[i] / (1 - std::pow(0.999, epoch))) + 1e-8);
    }
  }
  return p;
}

double AccuracyPredictor::operator()(const std::vector<double>& features) const {
  const std::vector<double> x = inputs(features);
  double out = 0;
  if (kind_ == PredictorKind::ridge) {
    out = dot(x, weights_);
  } else {
    out = output_[kHidden];
    for (size_t h = 0; h < kHidden; ++h) out += output_[h] * std::tanh(std::inner_product(x.begin(), x.end(), hidden_.begin() + static_cast<ptrdiff_t>(h * x.size()), 0.0));
  }
  return target_mean_ + target_scale_ * out;
}

HoldOut hold_out(PredictorKind kind, const std::vector<std::vector<double>>& features, const std::vector<double>& accuracy, size_t folds) {
  HoldOut out;
  if (features.size() < 2 * folds) return out;
  std::vector<Pair> pairs;
  std::vector<size_t> order(features.size());
  std::iota(order.begin(), order.end(), 0);
  Rng rng(1);
  for (size_t i = order.size(); i-- > 1;) std::swap(order[i], order[rng.below(i + 1)]);
  for (size_t fold = 0; fold < folds; ++fold) {
    std::vector<std::vector<double>> seen;
    std::vector<double> target;
    for (size_t i = 0; i < order.size(); ++i)
      if (i % folds != fold) seen.push_back(features[order[i]]), target.push_back(accuracy[order[i]]);
    const AccuracyPredictor p = AccuracyPredictor::fit(kind, seen, target);
    for (size_t i = fold; i < order.size(); i += folds) pairs.push_back({accuracy[order[i]], p(features[order[i]])});
  }
  out.n = pairs.size();
  const auto n = static_cast<double>(out.n);
  double mean = 0;
  for (const Pair& p : pairs) mean += p.measured / n;
  for (const Pair& p : pairs) {
    const double error = std::fabs(p.predicted - p.measured);
    out.mean_abs += error / n;
    out.worst = std::max(out.worst, error);
    out.spread += std::fabs(p.measured - mean) / n;
  }
  out.spearman = errors_of(pairs).spearman;
  return out;
}

}  // namespace hone::search
