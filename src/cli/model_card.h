// The card of an exported network: what it takes and gives, what it costs, how good it is and where it comes from.
#pragma once

#include <string>

#include "core/error.h"
#include "cost/profile.h"
#include "ir/graph.h"

namespace hone::cli {

// Markdown or JSON, by the ending of `path` (.md, .json). Fails when the file exists, without `force`.
Status check_card(const std::string& path, bool force);
Status write_card(const std::string& path, bool force, const std::string& network, const std::string& file, const Graph& graph, const Profile& profile);

}  // namespace hone::cli
