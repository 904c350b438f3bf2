#include "measure/device_scale.h"

#include <cmath>

#include "measure/device_cut.h"

namespace hone {

namespace {

constexpr int64_t kTries = 3;

}  // namespace

Result<Prediction> predict(const Predictor& predictor, const Arch& arch) {
  HONE_TRY_ASSIGN(const std::vector<BlockCount> blocks, parts_of(arch));
  return predictor(blocks, 0);
}

Result<TimedScale> scale_to_latency(const Arch& base, const Strategy& strategy, const Budget& budget, Rounding rounding, const Predictor& predictor, const TimeOf& time) {
  const LatencyOf latency = [&](const Arch& arch) -> Result<double> {
    HONE_TRY_ASSIGN(const Prediction p, predict(predictor, arch));
    return p.ms;
  };
  // Shares of the input network become milliseconds once, so that a second try aims at the same time.
  Budget aim = budget;
  Limit wanted;
  for (Limit& limit : aim.limits) {
    if (limit.quantity != Quantity::latency) continue;
    if (limit.percent) {
      HONE_TRY_ASSIGN(const double ms, latency(base));
      limit.amount *= 1e6 * ms;
      limit.percent = false;
    }
    wanted = limit;
  }
  TimedScale out;
  for (out.tries = 1;; ++out.tries) {
    HONE_TRY_ASSIGN(out.result, scale_to(base, strategy, aim, rounding, latency));
    HONE_TRY_ASSIGN(out.prediction, predict(predictor, out.result.arch));
    if (!time) return out;
    HONE_TRY_ASSIGN(out.measured, time(out.result.arch));
    // Counts met their limits already.
    out.met = meets(Amounts({}, std::llround(1e6 * out.measured->ms)), wanted);
    if (out.met || out.tries == kTries) return out;
    for (Limit& limit : aim.limits)
      if (limit.quantity == Quantity::latency) limit.amount = wanted.amount * out.prediction.ms / out.measured->ms;
  }
}

}  // namespace hone
