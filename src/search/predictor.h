// Accuracy predicted from a member's encoding and costs, fitted to what a search has evaluated: ridge regression, or a small
// multilayer perceptron. Both are made anew from their examples with fixed seeds, so a search that uses them can be repeated.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "search/archive.h"

namespace hone::search {

enum class PredictorKind : uint8_t { none, ridge, mlp };
std::string_view name(PredictorKind kind);

// Resolution; of each stage width, depth, and the mean of each gene over its blocks; logarithms of MACs and parameters.
std::vector<double> features_of(const space::Space& space, const space::Member& member, const MemberCost& cost);

// Least squares with a ridge of `lambda` on every weight but the last: rows of x end with a one.
std::vector<double> ridge_weights(const std::vector<std::vector<double>>& x, const std::vector<double>& y, double lambda);

class AccuracyPredictor {
 public:
  // At least two examples of the same length. `kind` is not none.
  static AccuracyPredictor fit(PredictorKind kind, const std::vector<std::vector<double>>& features, const std::vector<double>& accuracy);
  double operator()(const std::vector<double>& features) const;

 private:
  std::vector<double> inputs(const std::vector<double>& features) const;  // standardised; for ridge with squares
  PredictorKind kind_ = PredictorKind::ridge;
  std::vector<double> mean_, scale_;
  double target_mean_ = 0, target_scale_ = 1;
  std::vector<double> weights_;                 // ridge; the last is the constant
  std::vector<double> hidden_, output_;         // MLP: kHidden rows of inputs + 1, then kHidden + 1
};

// Errors on examples that the fit has not seen, over `folds` parts.
struct HoldOut {
  size_t n = 0;
  double mean_abs = 0, worst = 0;   // of accuracy, as shares
  double spearman = 0;
  double spread = 0;                // mean absolute deviation of accuracy itself: what guessing the mean gives
};
HoldOut hold_out(PredictorKind kind, const std::vector<std::vector<double>>& features, const std::vector<double>& accuracy, size_t folds = 5);

}  // namespace hone::search
