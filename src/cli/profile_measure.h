// Measured time as columns and parts of a profile's report.
#pragma once

#include <vector>

#include "cost/profile.h"
#include "measure/node_profile.h"
#include "measure/peak.h"
#include "run/report.h"

namespace hone::cli {

// Columns of time for a table of rows_table(rows, ...), and rows for what the engine has added.
void add_time_columns(Table& table, const std::vector<RowTime>& times, const NodeProfile& measured);

// The whole: milliseconds, what it achieves, how the sum of the nodes compares.
Facts time_facts(const NodeProfile& measured, const Totals& totals, const MachinePeak& peak);
// The engine's nodes in order of execution, and the roofline chart with its roofs.
void add_engine_nodes(Report& report, const Graph& graph, const NodeProfile& measured, const MachinePeak& peak);
// What is worth a remark: sums that do not add up, times in doubt, MACs that no node of the engine claims.
void add_time_notes(Report& report, const NodeProfile& measured, const Totals& totals);

}  // namespace hone::cli
