// Scaling to a budget in milliseconds: predicted from a device table, and measured where this machine is the device.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "measure/predict.h"
#include "scale/scale.h"

namespace hone {

// Milliseconds of an Arch by a predictor.
Result<Prediction> predict(const Predictor& predictor, const Arch& arch);

// Times one network; for tests and for other engines. measure/device_meter.h has the one of this machine.
using TimeOf = std::function<Result<MeasuredTime>(const Arch&)>;

struct TimedScale {
  ScaleResult result;                    // result.latency_ms is the prediction
  Prediction prediction;
  std::optional<MeasuredTime> measured;  // of the result; nothing without `time`
  bool met = true;                       // by the measurement, where there is one
  int64_t tries = 1;                     // networks that were measured before one met the budget
};

// `budget` has a latency limit. A network that misses it when measured is scaled again, to the limit times predicted over
// measured, twice at most. Errors: those of scale_to and of the predictor.
Result<TimedScale> scale_to_latency(const Arch& base, const Strategy& strategy, const Budget& budget, Rounding rounding, const Predictor& predictor, const TimeOf& time = {});

}  // namespace hone
