// Fitting for predictors of run time: least squares of relative error, and interpolation between measured points.
#pragma once

#include <optional>
#include <vector>

namespace hone {

// Coefficients b that minimise sum_i weight_i ((x_i b - y_i) / y_i)^2 + sum_j ridge_j (b_j - prior_j)^2, y_i > 0. `ridge` and `prior`
// may be empty. Nothing when the equations have no unique solution or a number is not finite.
struct Equation {
  std::vector<double> x;
  double y = 1;
  double weight = 1;
};
std::optional<std::vector<double>> fit_relative(const std::vector<Equation>& equations, const std::vector<double>& ridge = {}, const std::vector<double>& prior = {});

// Solves A x = b for a symmetric positive definite matrix (row by row), by Cholesky. Nothing when A is not.
class Cholesky {
 public:
  static std::optional<Cholesky> of(std::vector<double> matrix, size_t n);
  std::vector<double> solve(std::vector<double> b) const;
  std::vector<double> forward(std::vector<double> b) const;  // L^-1 b
  double log_determinant() const;

 private:
  std::vector<double> l_;
  size_t n_ = 0;
};

// Interpolates a function that was measured at some points: a Gaussian process of mean zero with Matern covariance 5/2
// (Rasmussen and Williams 2006, 4.2), length and noise chosen by marginal likelihood. At a measured point it gives about
// the measured value; far from all of them it gives 0.
class Interpolation {
 public:
  // Points of equal dimension; each dimension is scaled to the range it covers. `deviations`: standard deviations with which
  // single values were measured; may be empty.
  static Interpolation fit(std::vector<std::vector<double>> points, const std::vector<double>& values, const std::vector<double>& deviations = {});

  struct At {
    double value = 0, deviation = 0;  // of the value, one standard deviation
  };
  At operator()(const std::vector<double>& point) const;
  double value(const std::vector<double>& point) const;  // alone: n operations instead of n^2
  double deviation() const;  // far from every point

 private:
  double covariance(const std::vector<double>& a, const std::vector<double>& b) const;
  std::vector<double> scaled(std::vector<double> point) const;
  std::optional<double> likelihood(const std::vector<double>& values, size_t at_most);  // logarithm; fills factor_ and weights_

  std::vector<std::vector<double>> points_;
  std::vector<double> low_, range_, weights_, own_noise_;
  std::optional<Cholesky> factor_;
  double length_ = 1, variance_ = 0, noise_ = 0;
};

}  // namespace hone
