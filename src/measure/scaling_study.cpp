#include "measure/scaling_study.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "cost/profile.h"

namespace hone {

namespace {

constexpr size_t kLeast = 3;  // points that a correlation needs

Result<ScaledNetwork> scaled(const Arch& base, const ScaleResult& r, const std::string& strategy) {
  return ScaledNetwork{base.name, strategy, r.factor, r.arch, r.macs, r.params, r.acts};
}

CountCorrelation correlation(std::string group, const std::vector<const StudyPoint*>& points) {
  CountCorrelation c;
  c.group = std::move(group);
  c.networks = points.size();
  std::vector<double> ms, macs, params, acts;
  for (const StudyPoint* p : points) {
    ms.push_back(p->ms);
    macs.push_back(static_cast<double>(p->network.macs));
    params.push_back(static_cast<double>(p->network.params));
    acts.push_back(static_cast<double>(p->network.acts) * 1e-6);
  }
  const double none = std::numeric_limits<double>::quiet_NaN();
  const bool enough = points.size() >= kLeast;
  c.pearson_macs = enough ? pearson(macs, ms) : none, c.spearman_macs = enough ? spearman(macs, ms) : none;
  c.pearson_params = enough ? pearson(params, ms) : none, c.spearman_params = enough ? spearman(params, ms) : none;
  c.pearson_acts = enough ? pearson(acts, ms) : none, c.spearman_acts = enough ? spearman(acts, ms) : none;
  c.by_acts = fit_line(acts, ms);
  return c;
}

}  // namespace

std::string ScaledNetwork::name() const { return strategy.empty() ? base : fmt::format("{} {} x{:.3g}", base, strategy, factor); }

Result<ScaledNetwork> as_network(const Arch& arch) {
  HONE_TRY_ASSIGN(const Graph graph, build(arch));
  HONE_TRY_ASSIGN(const Profile p, profile(graph));
  HONE_TRY_ASSIGN(const ConventionTotals pycls, convention(p, "pycls"));
  return ScaledNetwork{arch.name, "", 1, arch, p.totals.macs, p.totals.params, pycls.acts};
}

Result<std::vector<ScaledNetwork>> scaled_networks(const Arch& base, const std::vector<std::string>& strategies, const std::vector<double>& factors, std::vector<std::string>& refused) {
  std::vector<ScaledNetwork> out;
  HONE_TRY_ASSIGN(ScaledNetwork itself, as_network(base));
  out.push_back(std::move(itself));
  for (const std::string& text : strategies) {
    HONE_TRY_ASSIGN(const Strategy strategy, parse_strategy(text));
    for (const double factor : factors) {
      const auto r = scale(base, strategy, factor);
      if (!r) {
        refused.push_back(fmt::format("{} {} x{:.3g}: {}", base.name, text, factor, r.error().message));
        continue;
      }
      HONE_TRY_ASSIGN(ScaledNetwork network, scaled(base, *r, text));
      const auto same = [&](const ScaledNetwork& o) { return o.arch.stages == network.arch.stages && o.arch.stem == network.arch.stem && o.arch.head == network.arch.head && o.arch.resolution == network.arch.resolution; };
      if (std::none_of(out.begin(), out.end(), same)) out.push_back(std::move(network));
    }
  }
  return out;
}

Result<ScaledNetwork> scaled_to_macs(const Arch& base, const std::string& strategy, int64_t macs) {
  HONE_TRY_ASSIGN(const Strategy parsed, parse_strategy(strategy));
  HONE_TRY_ASSIGN(const Budget budget, parse_budget(fmt::format("macs={}", macs)));
  HONE_TRY_ASSIGN(const Solution s, solve(base, parsed, budget));
  return scaled(base, s.best, strategy);
}

Result<std::vector<StudyPoint>> time_points(const std::vector<ScaledNetwork>& networks, const TimeNetworks& time, const std::function<void(size_t)>& progress) {
  if (networks.empty()) return fail(Code::usage, "no networks to time");
  std::vector<double> anchors;
  std::vector<StudyPoint> points(networks.size());
  for (size_t i = 0; i < networks.size(); ++i) {
    points[i].network = networks[i];
    if (i > 0) {
      HONE_TRY_ASSIGN(const Measurement m, time({networks[0], networks[i]}));
      const TimeRatio r = time_ratio(m, 1, 0);
      points[i].ms = r.ratio, points[i].interval = r.interval, points[i].steady = m.timings[1].steady;
      anchors.push_back(m.timings[0].median);
    } else {
      HONE_TRY_ASSIGN(const Measurement m, time({networks[0]}));
      points[0].ms = 1, points[0].interval = {1, 1, m.confidence}, points[0].steady = m.timings[0].steady;
      anchors.push_back(m.timings[0].median);
    }
    if (progress) progress(i + 1);
  }
  const double anchor = median(anchors);
  for (StudyPoint& p : points) p.ms *= anchor, p.interval.low *= anchor, p.interval.high *= anchor;
  points[0].interval = median_interval(anchors);
  return points;
}

Result<StudyPair> time_pair(const ScaledNetwork& first, const ScaledNetwork& second, const TimeNetworks& time) {
  HONE_TRY_ASSIGN(const Measurement m, time({first, second}));
  return StudyPair{first, second, time_ratio(m, 0, 1)};
}

std::vector<CountCorrelation> correlate(const std::vector<StudyPoint>& points) {
  std::vector<std::string> bases, strategies;
  std::vector<const StudyPoint*> all;
  const auto note = [](std::vector<std::string>& list, const std::string& value) {
    if (!value.empty() && std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
  };
  for (const StudyPoint& p : points) all.push_back(&p), note(bases, p.network.base), note(strategies, p.network.strategy);
  std::vector<CountCorrelation> out;
  if (bases.size() > 1) out.push_back(correlation("all", all));
  for (const std::string& base : bases) {
    std::vector<const StudyPoint*> of;
    for (const StudyPoint* p : all)
      if (p->network.base == base) of.push_back(p);
    out.push_back(correlation(base, of));
  }
  for (const std::string& base : bases)
    for (const std::string& strategy : strategies) {
      std::vector<const StudyPoint*> of;
      for (const StudyPoint* p : all)
        if (p->network.base == base && (p->network.strategy == strategy || p->network.strategy.empty())) of.push_back(p);
      if (of.size() >= kLeast) out.push_back(correlation(base + " " + strategy, of));
    }
  return out;
}

}  // namespace hone
