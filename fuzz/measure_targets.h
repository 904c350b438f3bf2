// What the fuzz targets of the measure room do with their bytes; see targets.h.
#pragma once

#include <cmath>

#include "measure/device_table.h"
#include "measure/predict.h"
#include "targets.h"

namespace hone::fuzz {

// Any bytes: a table that reads back as written and whose predictions are positive numbers, or an error. Both as a device
// table with its checksum left out, and as a text of somebody else's.
inline void device_table(std::string_view bytes) {
  const std::string text(bytes);
  const auto promises = [](const Result<DeviceTable>& table) {
    if (!table) return require(!table.error().message.empty(), "an error of a device table has a message");
    const std::string written = print_table(*table);
    const auto again = parse_table(written, "fuzz");
    require(again.has_value() && print_table(*again) == written, "a table reads back as written");
    for (const TimeModel model : {TimeModel::table, TimeModel::linear, TimeModel::activations}) {
      const auto predictor = Predictor::fit(*table, model);
      if (!predictor) {
        require(!predictor.error().message.empty(), "an error of Predictor::fit() has a message");
        continue;
      }
      for (size_t i = 0; i < table->rows.size() && i < 8; ++i) {
        const auto predicted = (*predictor)({{table->rows[i].block, 1}}, 1e6);
        require(!predicted || std::isfinite(predicted->ms), "a prediction is a finite number");
      }
    }
  };
  promises(parse_table(text, "fuzz", Checksum::ignored));
  for (const size_t column : {0, 1}) promises(import_table(text, "fuzz", column, DeviceFacts{}));
}

}  // namespace hone::fuzz
