#include "measure/predict_fit.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hone {

std::optional<Cholesky> Cholesky::of(std::vector<double> a, size_t n) {
  for (size_t j = 0; j < n; ++j)
    for (size_t i = j; i < n; ++i) {
      double sum = a[i * n + j];
      for (size_t k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
      if (i == j) {
        if (!(sum > 0) || !std::isfinite(sum)) return std::nullopt;
        a[j * n + j] = std::sqrt(sum);
      } else {
        a[i * n + j] = sum / a[j * n + j];
      }
    }
  Cholesky c;
  c.l_ = std::move(a);
  c.n_ = n;
  return c;
}

std::vector<double> Cholesky::forward(std::vector<double> b) const {
  for (size_t i = 0; i < n_; ++i) {
    for (size_t k = 0; k < i; ++k) b[i] -= l_[i * n_ + k] * b[k];
    b[i] /= l_[i * n_ + i];
  }
  return b;
}

std::vector<double> Cholesky::solve(std::vector<double> b) const {
  b = forward(std::move(b));
  for (size_t i = n_; i-- > 0;) {
    for (size_t k = i + 1; k < n_; ++k) b[i] -= l_[k * n_ + i] * b[k];
    b[i] /= l_[i * n_ + i];
  }
  return b;
}

double Cholesky::log_determinant() const {
  double sum = 0;
  for (size_t i = 0; i < n_; ++i) sum += 2 * std::log(l_[i * n_ + i]);
  return sum;
}

std::optional<std::vector<double>> fit_relative(const std::vector<Equation>& equations, const std::vector<double>& ridge, const std::vector<double>& prior) {
  if (equations.empty()) return std::nullopt;
  const size_t n = equations[0].x.size();
  // Columns are brought to one size first: they differ by many powers of ten.
  std::vector<double> size(n, 0);
  for (const Equation& e : equations)
    for (size_t j = 0; j < n; ++j) size[j] = std::max(size[j], std::fabs(e.x[j] / e.y));
  for (double& s : size)
    if (!(s > 0)) s = 1;
  std::vector<double> a(n * n, 0), b(n, 0);
  for (const Equation& e : equations)
    for (size_t j = 0; j < n; ++j) {
      const double xj = e.weight * e.x[j] / e.y / size[j];
      b[j] += xj;
      for (size_t k = 0; k <= j; ++k) a[j * n + k] += xj * e.x[k] / e.y / size[k];
    }
  for (size_t j = 0; j < n; ++j) {
    // Ridge in the units of the equations; a trace of it keeps columns that are nearly alike apart.
    const double r = (j < ridge.size() ? ridge[j] / (size[j] * size[j]) : 0) + 1e-9 * static_cast<double>(equations.size());
    a[j * n + j] += r;
    b[j] += r * (j < prior.size() ? prior[j] * size[j] : 0);
    for (size_t k = 0; k < j; ++k) a[k * n + j] = a[j * n + k];
  }
  const auto factor = Cholesky::of(std::move(a), n);
  if (!factor) return std::nullopt;
  std::vector<double> out = factor->solve(std::move(b));
  for (size_t j = 0; j < n; ++j) {
    out[j] /= size[j];
    if (!std::isfinite(out[j])) return std::nullopt;
  }
  return out;
}

double Interpolation::covariance(const std::vector<double>& a, const std::vector<double>& b) const {
  double d2 = 0;
  for (size_t i = 0; i < a.size(); ++i) d2 += (a[i] - b[i]) * (a[i] - b[i]);
  const double d = std::sqrt(5 * d2) / length_;
  return (1 + d + d * d / 3) * std::exp(-d);
}

std::vector<double> Interpolation::scaled(std::vector<double> p) const {
  for (size_t i = 0; i < p.size(); ++i) p[i] = (p[i] - low_[i]) / range_[i];
  return p;
}

std::optional<double> Interpolation::likelihood(const std::vector<double>& values, size_t at_most) {
  const size_t n = std::min(values.size(), at_most);
  std::vector<double> k(n * n);
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j <= i; ++j) k[i * n + j] = k[j * n + i] = covariance(points_[i], points_[j]) + (i == j ? noise_ + own_noise_[i] : 0);
  factor_ = Cholesky::of(std::move(k), n);
  if (!factor_) return std::nullopt;
  const std::vector<double> y(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(n));
  weights_ = factor_->solve(y);
  double fit = 0;
  for (size_t i = 0; i < n; ++i) fit += y[i] * weights_[i];
  // The variance that suits best is known in closed form: y' K^-1 y / n.
  variance_ = std::max(fit / static_cast<double>(n), 1e-12);
  return -0.5 * (static_cast<double>(n) * std::log(variance_) + factor_->log_determinant());
}

Interpolation Interpolation::fit(std::vector<std::vector<double>> points, const std::vector<double>& values, const std::vector<double>& deviations) {
  Interpolation best;
  if (points.empty()) return best;
  // Noise counts in units of the values' own variance.
  double square = 1e-6;
  for (const double v : values) square += v * v / static_cast<double>(values.size());
  best.own_noise_.assign(values.size(), 0);
  for (size_t i = 0; i < std::min(values.size(), deviations.size()); ++i) best.own_noise_[i] = deviations[i] * deviations[i] / square;
  const size_t dimensions = points[0].size();
  best.low_.assign(dimensions, std::numeric_limits<double>::infinity());
  best.range_.assign(dimensions, 1);
  for (size_t i = 0; i < dimensions; ++i) {
    double high = -std::numeric_limits<double>::infinity();
    for (const auto& p : points) best.low_[i] = std::min(best.low_[i], p[i]), high = std::max(high, p[i]);
    if (high > best.low_[i]) best.range_[i] = high - best.low_[i];
  }
  for (auto& p : points) p = best.scaled(std::move(p));
  best.points_ = std::move(points);
  double record = -std::numeric_limits<double>::infinity(), length = 1, noise = 0.1;
  // A few hundred points settle two numbers.
  for (const double l : {0.15, 0.3, 0.6, 1.2, 2.5, 5.0})
    for (const double e : {0.001, 0.01, 0.05, 0.2}) {
      best.length_ = l;
      best.noise_ = e;
      const auto now = best.likelihood(values, 160);
      if (now && *now > record) record = *now, length = l, noise = e;
    }
  best.length_ = length;
  best.noise_ = noise;
  if (!best.likelihood(values, values.size())) best.points_.clear();
  return best;
}

Interpolation::At Interpolation::operator()(const std::vector<double>& point) const {
  if (points_.empty()) return {};
  const std::vector<double> p = scaled(point);
  std::vector<double> k(points_.size());
  At at;
  for (size_t i = 0; i < points_.size(); ++i) {
    k[i] = covariance(p, points_[i]);
    at.value += k[i] * weights_[i];
  }
  double left = 1 + noise_;
  for (const double v : factor_->forward(std::move(k))) left -= v * v;
  at.deviation = std::sqrt(variance_ * std::max(left, 0.0));
  return at;
}

double Interpolation::value(const std::vector<double>& point) const {
  if (points_.empty()) return 0;
  const std::vector<double> p = scaled(point);
  double sum = 0;
  for (size_t i = 0; i < points_.size(); ++i) sum += covariance(p, points_[i]) * weights_[i];
  return sum;
}

double Interpolation::deviation() const { return std::sqrt(variance_ * (1 + noise_)); }

}  // namespace hone
