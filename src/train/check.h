// Running networks on libtorch and comparing what they give: with recorded outputs, with another network, or one way of
// running them with another. Engines are compared in engine/check.h. Nothing of libtorch shows here, so that the command line can use it through the plug-in.
#pragma once

#include <string>

#include "core/error.h"
#include "engine/check.h"
#include "ir/graph.h"

namespace hone::train {

// A on the recorded inputs in `folder` (formats/onnx_case.h) against the recorded outputs.
Result<RunCheck> check_recorded(const Graph& a, const std::string& folder, const CheckOptions& options);
// A against B, typed graphs with as many inputs and outputs of the same types, on seeded random inputs or on those recorded in `folder` (if
// not empty). Contents that one of them lacks are the other's of the same name, or fresh ones from the seed. Values
// of nodes that both have under one name tell where they depart.
Result<RunCheck> check_pair(const Graph& a, const Graph& b, const std::string& folder, const CheckOptions& options);
// A as training runs it (fused, channels last) against A node by node.
Result<RunCheck> check_plans(const Graph& a, const std::string& folder, const CheckOptions& options);

// What the plug-in offers the command line (extern "C" hone_check_run): the three above, chosen by what is given. `b` null:
// A alone.
struct CheckRequest {
  const Graph* a = nullptr;
  const Graph* b = nullptr;
  std::string folder;
  CheckOptions options;
};
using CheckRun = void(const CheckRequest& request, Result<RunCheck>& reply);
Result<RunCheck> check(const CheckRequest& request);

}  // namespace hone::train
