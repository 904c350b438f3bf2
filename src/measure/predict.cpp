#include "measure/predict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "measure/device_frame.h"
#include "measure/statistics.h"

namespace hone {

namespace {

constexpr size_t kNetworksForCorrection = 12;
constexpr double kSure = 0.02;  // a row whose interval is wider is smoothed with its neighbours

// Half of the interval, relative; 0 when not known.
double uncertainty(const MeasuredTime& t) { return t.high > 0 ? (t.high - t.low) / 2 / t.ms : 0; }
// Of an equation whose time is known to `u`, beside what a fit leaves unexplained anyway.
double weight_of(double u) { return 1 / (1 + (u / kSure) * (u / kSure)); }

bool is_cut(const std::string& kind) { return kind.starts_with(kCutKind); }

std::vector<double> place(const Block& b) {
  std::vector<double> p;
  for (const int64_t s : b.sizes) p.push_back(std::log1p(static_cast<double>(s)));
  return p;
}

// Rows of one kind, or of all cuts.
std::optional<LinearTime> fit_line(const std::vector<const BlockRow*>& rows) {
  std::vector<Equation> equations;
  LinearTime line;
  line.smallest = INFINITY;
  for (const BlockRow* row : rows) {
    const BlockWork w = work_of(row->block);
    equations.push_back({{w.macs, w.elements, 1}, row->time.ms, weight_of(uncertainty(row->time))});
    line.smallest = std::min(line.smallest, row->time.ms);
  }
  // Fewer rows than coefficients: time in proportion to the work that there is.
  if (rows.size() < 3) {
    double per = 0;
    for (const Equation& e : equations) per += e.y / std::max(e.x[0], 1e-9) / static_cast<double>(rows.size());
    line.a = per;
    line.smallest = 0;
    return line;
  }
  const auto fit = fit_relative(equations);
  if (!fit) return std::nullopt;
  line.a = (*fit)[0];
  line.b = (*fit)[1];
  line.c = (*fit)[2];
  return line;
}

// Kinds that share a correction.
std::string group_of(const std::string& kind) { return is_cut(kind) ? std::string(kCutKind) : kind; }

}  // namespace

std::string_view name(TimeModel m) { return m == TimeModel::table ? "table" : m == TimeModel::linear ? "linear" : "activations"; }

double LinearTime::operator()(const BlockWork& w) const { return std::max(smallest, a * w.macs + b * w.elements + c); }

Result<Predictor> Predictor::fit(const DeviceTable& table, TimeModel model) {
  Predictor p;
  p.model_ = model;
  if (model == TimeModel::activations) {
    HONE_TRY(p.fit_activations(table.networks));
    return p;
  }
  HONE_TRY(p.fit_kinds(table));
  p.fit_correction(table.networks);
  return p;
}

Status Predictor::fit_kinds(const DeviceTable& table) {
  if (std::all_of(table.rows.begin(), table.rows.end(), [](const BlockRow& row) { return row.block.kind == kFrameKind; })) return fail(Code::failed, "the table has no rows of blocks", table.device.name, "hone device build measures them");
  std::map<std::string, std::vector<const BlockRow*>> by_kind;
  std::vector<const BlockRow*> cuts;
  for (const BlockRow& row : table.rows) {
    if (row.block.kind == kFrameKind) continue;
    by_kind[row.block.kind].push_back(&row);
    if (is_cut(row.block.kind)) cuts.push_back(&row);
  }
  for (const auto& [kind, rows] : by_kind) {
    Kind k;
    const auto line = fit_line(rows);
    if (!line) return fail(Code::failed, fmt::format("no line fits the {} rows of {}", rows.size(), kind), table.device.name);
    k.line = *line;
    std::vector<std::vector<double>> points;
    std::vector<double> rest, deviations;
    k.low = k.high = rows[0]->block.sizes;
    for (const BlockRow* row : rows) {
      const double guess = k.line(work_of(row->block));
      points.push_back(place(row->block));
      rest.push_back(guess > 0 ? std::log(row->time.ms / guess) : 0);
      deviations.push_back(uncertainty(row->time) / 2);  // the interval is one of 95 %
      k.rows[row->block.sizes] = {row->time.ms, uncertainty(row->time) <= kSure};
      for (size_t i = 0; i < k.low.size(); ++i) {
        k.low[i] = std::min(k.low[i], row->block.sizes[i]);
        k.high[i] = std::max(k.high[i], row->block.sizes[i]);
      }
    }
    if (model_ == TimeModel::table) k.rest = Interpolation::fit(std::move(points), rest, deviations);
    kinds_.emplace(kind, std::move(k));
  }
  if (!cuts.empty())
    if (const auto line = fit_line(cuts)) any_cut_.line = *line;
  return {};
}

const Predictor::Kind* Predictor::kind_of(const Block& block) const {
  const auto it = kinds_.find(block.kind);
  if (it != kinds_.end()) return &it->second;
  const bool any = std::any_of(kinds_.begin(), kinds_.end(), [](const auto& k) { return is_cut(k.first); });
  return is_cut(block.kind) && any ? &any_cut_ : nullptr;
}

Result<Prediction> Predictor::alone(const Block& block, bool deviation) const {
  const Kind* k = kind_of(block);
  if (!k) return fail(Code::failed, fmt::format("the table has no row of kind {}", block.kind), print(block), "hone device build with a network that has such parts");
  Prediction p;
  p.ms = k->line(work_of(block));
  if (k == &any_cut_) {
    p.guessed = 1;
    return p;
  }
  const auto row = k->rows.find(block.sizes);
  bool outside = false;
  for (size_t i = 0; i < block.sizes.size(); ++i) outside = outside || block.sizes[i] < k->low[i] || block.sizes[i] > k->high[i];
  (row != k->rows.end() ? p.measured : outside ? p.outside : p.interpolated) = 1;
  if (model_ != TimeModel::table) return p;
  if (row != k->rows.end() && row->second.sure) {
    p.ms = row->second.ms;
    return p;
  }
  if (!deviation) {
    p.ms *= std::exp(k->rest.value(place(block)));
    return p;
  }
  const Interpolation::At at = k->rest(place(block));
  p.ms *= std::exp(at.value);
  p.deviation = p.ms * at.deviation;
  return p;
}

Result<Prediction> Predictor::operator()(const std::vector<BlockCount>& blocks, double acts) const {
  Prediction sum;
  sum.ms = constant_;
  if (model_ == TimeModel::activations) {
    sum.ms += acts_ * acts / 1e6;
    return sum;
  }
  double variance = 0;
  for (const BlockCount& c : blocks) {
    HONE_TRY_ASSIGN(const Prediction p, alone(c.block));
    const Kind* k = kind_of(c.block);
    const auto n = static_cast<double>(c.count);
    const Correction& f = k->correction;
    const BlockWork w = work_of(c.block);
    sum.ms += n * (f.scale * p.ms + f.elements * w.elements + f.weights * w.weights + f.each);
    variance += std::pow(n * f.scale * p.deviation, 2);
    sum.measured += p.measured * c.count;
    sum.interpolated += p.interpolated * c.count;
    sum.outside += p.outside * c.count;
    sum.guessed += p.guessed * c.count;
  }
  sum.deviation = std::sqrt(variance);
  return sum;
}

Result<double> Predictor::inside(const Block& block) const {
  if (model_ == TimeModel::activations) return fail(Code::failed, "the activation model has no times of blocks", print(block));
  HONE_TRY_ASSIGN(const Prediction p, alone(block, false));  // deviations cost more than times
  const Correction& f = kind_of(block)->correction;
  const BlockWork w = work_of(block);
  return f.scale * p.ms + f.elements * w.elements + f.weights * w.weights + f.each;
}

void Predictor::fit_correction(const std::vector<NetworkRow>& networks) {
  if (networks.size() < kNetworksForCorrection) return;
  std::vector<std::string> groups;
  for (const auto& [kind, k] : kinds_)
    if (std::find(groups.begin(), groups.end(), group_of(kind)) == groups.end()) groups.push_back(group_of(kind));
  constexpr size_t kEach = 4;  // coefficients of a group, in the order of Correction
  const size_t n = kEach * groups.size() + 1;
  std::vector<Equation> equations;
  std::vector<double> mean(n, 0);
  double time = 0;
  for (const NetworkRow& network : networks) {
    Equation e{std::vector<double>(n, 0), network.time.ms, weight_of(uncertainty(network.time))};
    e.x[n - 1] = 1;
    bool all = true;
    for (const BlockCount& c : network.blocks) {
      const auto p = alone(c.block, false);
      all = all && p;
      if (!p) break;
      const size_t at = kEach * static_cast<size_t>(std::find(groups.begin(), groups.end(), group_of(c.block.kind)) - groups.begin());
      const auto times = static_cast<double>(c.count);
      const BlockWork w = work_of(c.block);
      e.x[at] += times * p->ms;
      e.x[at + 1] += times * w.elements;
      e.x[at + 2] += times * w.weights;
      e.x[at + 3] += times;
    }
    if (!all) continue;
    for (size_t i = 0; i < n; ++i) mean[i] += e.x[i];
    time += e.y;
    equations.push_back(std::move(e));
  }
  if (equations.size() < kNetworksForCorrection) return;
  // Deviations that the coefficients may have: of the scale, and of what each other term adds to a mean network, as a share
  // of its time. Against them stands what a network's time leaves unexplained, some 2 %.
  constexpr double kNoise = 0.02, kScale = 0.3, kShare = 0.1;
  std::vector<double> ridge(n), prior(n, 0);
  for (size_t i = 0; i < n; ++i) {
    const bool scale = i % kEach == 0 && i + 1 < n;
    const double deviation = scale ? kScale : kShare * time / std::max(mean[i], 1e-9);
    ridge[i] = kNoise * kNoise / (deviation * deviation);
    prior[i] = scale ? 1 : 0;
  }
  const auto fit = fit_relative(equations, ridge, prior);
  if (!fit) return;
  auto correction = [&](const std::string& kind) -> Correction {
    const auto at = static_cast<size_t>(std::find(groups.begin(), groups.end(), group_of(kind)) - groups.begin());
    const double* f = fit->data() + kEach * at;
    return {f[0], f[1], f[2], f[3]};
  };
  for (auto& [kind, k] : kinds_) {
    k.correction = correction(kind);
    if (is_cut(kind)) any_cut_.correction = k.correction;
  }
  constant_ = fit->back();
  corrected_ = true;
}

Status Predictor::fit_activations(const std::vector<NetworkRow>& networks) {
  std::vector<Equation> equations;
  for (const NetworkRow& n : networks)
    if (n.acts > 0) equations.push_back({{n.acts / 1e6, 1}, n.time.ms, weight_of(uncertainty(n.time))});
  if (equations.size() < 3) return fail(Code::failed, "the activation model needs at least three measured networks", {}, "hone device build measures them");
  const auto fit = fit_relative(equations);
  if (!fit) return fail(Code::failed, "no line of time over activations fits the networks");
  acts_ = (*fit)[0];
  constant_ = (*fit)[1];
  return {};
}

std::map<std::string, Predictor::KindFit> Predictor::kinds() const {
  std::map<std::string, KindFit> out;
  for (const auto& [kind, k] : kinds_) out[kind] = {k.rows.size(), k.line, k.correction};
  return out;
}

Errors errors_of(const std::vector<Pair>& pairs) {
  Errors e;
  e.n = pairs.size();
  if (pairs.empty()) return e;
  std::vector<double> relative, absolute, x, y;
  for (const Pair& p : pairs) {
    relative.push_back(p.predicted / p.measured - 1);
    absolute.push_back(std::fabs(relative.back()));
    x.push_back(p.measured);
    y.push_back(p.predicted);
  }
  e.bias = median(relative);
  e.median = median(absolute);
  e.p90 = quantile(absolute, 0.9);
  e.worst = *std::max_element(absolute.begin(), absolute.end());
  e.spearman = spearman(x, y);
  e.pearson = pearson(x, y);
  return e;
}

namespace {

// Each of `list` predicted from a table without its part.
template <class T>
Result<std::vector<Pair>> held_out(const DeviceTable& table, std::vector<T> DeviceTable::*list, TimeModel model, size_t folds, auto predict) {
  std::vector<Pair> out;
  folds = std::min(folds, (table.*list).size());
  for (size_t fold = 0; fold < folds; ++fold) {
    DeviceTable seen = table;
    (seen.*list).clear();
    for (size_t i = 0; i < (table.*list).size(); ++i)
      if (i % folds != fold) (seen.*list).push_back((table.*list)[i]);
    HONE_TRY_ASSIGN(const Predictor predictor, Predictor::fit(seen, model));
    for (size_t i = fold; i < (table.*list).size(); i += folds) {
      const T& row = (table.*list)[i];
      if (const auto p = predict(predictor, row)) out.push_back({row.time.ms, p->ms});
    }
  }
  return out;
}

}  // namespace

Result<std::vector<Pair>> held_out_networks(const DeviceTable& table, TimeModel model, size_t folds) {
  return held_out(table, &DeviceTable::networks, model, folds, [](const Predictor& p, const NetworkRow& n) { return p(n.blocks, n.acts); });
}

Result<std::vector<Pair>> held_out_rows(const DeviceTable& table, TimeModel model, size_t folds) {
  return held_out(table, &DeviceTable::rows, model, folds, [](const Predictor& p, const BlockRow& row) { return p.alone(row.block); });
}

}  // namespace hone
