// Run time of a network from a device table, by three models; each is fitted by least squares of relative error, so that a
// small network counts as much as a large one.
//
//   table        measured rows (unsure ones smoothed with their neighbours); between them, the linear model times an interpolation of what it leaves (predict_fit.h)
//   linear       per kind of block  ms = a MMAC + b Melem + c, at least the smallest measured   (ElasticViT spec 3.2)
//   activations  of the whole network  ms = a acts + b                (Dollar, Singh, Girshick 2021, figure 2)
//
// A block measured alone finds its weights in the cache and its maps in the layout it wants; in a network it does not. Where
// the table has whole networks, table and linear are corrected by a fit on them:
//   ms = c + sum over kinds of  s * (ms of its blocks alone) + e * Melem + w * (million weights) + n * (blocks)
// with coefficients of each kind held near s = 1, e = w = n = 0 unless the networks say otherwise (ridge regression).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "measure/device_table.h"
#include "measure/predict_fit.h"

namespace hone {

enum class TimeModel : uint8_t { table, linear, activations };
std::string_view name(TimeModel m);

struct LinearTime {  // ms = a MMAC + b Melem + c, at least `smallest`
  double a = 0, b = 0, c = 0, smallest = 0;
  double operator()(const BlockWork& w) const;
};

struct Prediction {
  double ms = 0;
  double deviation = 0;      // one standard deviation of what interpolation leaves open, ms; the device's noise is not in it
  int64_t measured = 0, interpolated = 0, outside = 0;  // blocks: with a row, between rows, beyond the sizes measured
  int64_t guessed = 0;       // parts of a structure that no row has: by the linear model of all cuts together
};

class Predictor {
 public:
  // Errors: no rows (no networks for activations), rows that no line fits.
  static Result<Predictor> fit(const DeviceTable& table, TimeModel model);

  // Errors: a kind of block that the table has no row of.
  Result<Prediction> operator()(const std::vector<BlockCount>& blocks, double acts) const;
  // Of a block alone, as the table's rows are.
  Result<Prediction> alone(const Block& block) const { return alone(block, true); }
  // What the block adds to a network; sums of these and of per_network() are predictions.
  Result<double> inside(const Block& block) const;
  double per_network() const { return constant_; }

  // Coefficients of a kind; all cuts share theirs.
  struct Correction {
    double scale = 1, elements = 0, weights = 0, each = 0;
  };
  // For people.
  struct KindFit {
    size_t rows = 0;
    LinearTime line;
    Correction correction;
  };
  std::map<std::string, KindFit> kinds() const;
  bool corrected() const { return corrected_; }
  double per_million_acts() const { return acts_; }

 private:
  struct Kind {
    LinearTime line;
    Interpolation rest;                          // logarithm of measured over line
    struct Row {
      double ms = 0;
      bool sure = true;
    };
    std::map<std::vector<int64_t>, Row> rows;
    std::vector<int64_t> low, high;              // sizes measured
    Correction correction;
  };
  Result<Prediction> alone(const Block& block, bool deviation) const;  // which costs more than the time itself
  Status fit_kinds(const DeviceTable& table);
  void fit_correction(const std::vector<NetworkRow>& networks);
  Status fit_activations(const std::vector<NetworkRow>& networks);
  const Kind* kind_of(const Block& block) const;

  TimeModel model_ = TimeModel::table;
  std::map<std::string, Kind> kinds_;
  Kind any_cut_;
  bool corrected_ = false;
  double constant_ = 0, acts_ = 0;
};

struct Pair {
  double measured = 0, predicted = 0;
};
// Relative errors |predicted / measured - 1| and order.
struct Errors {
  size_t n = 0;
  double median = 0, p90 = 0, worst = 0, bias = 0;  // bias: median of predicted / measured - 1
  double spearman = 0, pearson = 0;
};
Errors errors_of(const std::vector<Pair>& pairs);

// Of predictions for networks that the fit has not seen: the table's networks in `folds` parts, each predicted from the others.
Result<std::vector<Pair>> held_out_networks(const DeviceTable& table, TimeModel model, size_t folds = 5);
// The same for the rows of single blocks.
Result<std::vector<Pair>> held_out_rows(const DeviceTable& table, TimeModel model, size_t folds = 5);

}  // namespace hone
