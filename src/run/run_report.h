// Reports about runs: a list, one run with its curves, two runs side by side.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"
#include "run/report.h"
#include "run/run_dir.h"
#include "run/run_summary.h"

namespace hone {

// Runs that cannot be read become warnings.
Report list_report(const std::vector<std::string>& paths);
Result<Report> run_report(const RunDir& run);
Result<Report> compare_report(const RunDir& a, const RunDir& b);

// Tables of the run's events and charts of them, one line per name in `names` (of runs); for run_report and for methods'
// own reports. The tables show in JSON and charts only.
Status add_curves(Report& report, const std::vector<const RunDir*>& runs, const std::vector<std::string>& names);

}  // namespace hone
