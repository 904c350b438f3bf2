// A profile as parts of a report.
#pragma once

#include <string>
#include <vector>

#include "cost/profile.h"
#include "run/report.h"

namespace hone::cli {

// The contract's totals in two groups: the headline, and the rest for JSON and HTML.
Facts headline_facts(const Totals& totals, const std::string& key);
Facts other_facts(const Totals& totals, const std::string& key);
// Rows with each row's share of the MACs.
Table rows_table(const std::vector<Row>& rows, GroupBy by, const Totals& totals, const std::string& key);
// Operators without a rule: the JSON list, and one line for people.
void add_unknown(Report& report, const Profile& profile);
// "x 1x3x224x224 f32, mask 1x40 i64"
std::string input_text(const Profile& profile);

std::string_view label(GroupBy by);
GroupBy group_by(const std::string& name);  // "op", "module", "stage", "node"

}  // namespace hone::cli
