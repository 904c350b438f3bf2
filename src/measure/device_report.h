// Device tables as reports: what they hold, and how well they predict.
#pragma once

#include "measure/predict.h"
#include "run/report.h"

namespace hone {

// Facts, coverage by kind of block, models with their hold-out errors, and a chart of predicted over measured.
Result<Report> table_report(const DeviceTable& table, const std::string& source);

// Networks that were measured apart from the table, against every model of it.
Result<Report> check_report(const DeviceTable& table, const std::vector<NetworkRow>& measured, const std::string& source);

}  // namespace hone
