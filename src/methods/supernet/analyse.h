// Reports on trained supernets: accuracy over the cost range, and gradient conflict (methods/plugin_api.h).
#pragma once

#include "methods/plugin_api.h"

namespace hone::methods {

Result<Report> supernet_accuracy(const SupernetEvalRequest& request);
Result<Report> supernet_conflict(const SupernetConflictRequest& request);

}  // namespace hone::methods
